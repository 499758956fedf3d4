//! A known answer: does this device compute what the CPU did?
//!
//! A browser skips a kernel that it cannot validate and hands back stale bytes without a word. So
//! one fixed image and one fixed text run after every load and are compared with the features that
//! were stored beside the weights, before any answer is given.

use serde::{Deserialize, Serialize};

use crate::clip::Clip;
use crate::error::{Error, Kind, Result};
use crate::kernels::read;
use crate::math::normalize_rows;

/// File name of the stored answer in a model directory.
pub const FILE: &str = "self_test.json";

/// Largest |difference| of a normalized feature with the weights as stored: f32 sums in another
/// order and WGSL's inexact exp stay far below it, stale bytes far above.
const TOLERANCE: f32 = 2e-3;

/// Smallest cosine if the weights were quantized anew on the way in.
const REQUANTIZED_COSINE: f32 = 0.97;

/// The stored answer of one model.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct KnownAnswer {
    /// Token ids of the text, SOT and EOT included.
    pub ids: Vec<u32>,
    /// L2-normalized features [d] of [`pattern`].
    pub image: Vec<f32>,
    /// L2-normalized features [d] of the text.
    pub text: Vec<f32>,
}

/// What a self-test found.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Outcome {
    /// Whether the device may answer.
    pub passed: bool,
    /// Largest |difference| of a feature; of cosines from 1 if the weights were requantized.
    pub max_error: f32,
}

/// A fixed preprocessed image [3, size, size]: waves of different length in each channel.
pub fn pattern(size: usize) -> Vec<f32> {
    (0..3 * size * size)
        .map(|i| {
            let (c, y, x) = (i / (size * size), i / size % size, i % size);
            let phase = (x * (3 + c) + y * (7 - c)) as f32 / size as f32;
            (phase * 6.0).sin()
        })
        .collect()
}

/// What `clip` answers.
///
/// # Errors
/// Those of [`read`].
pub async fn answer(clip: &Clip, ids: Vec<u32>) -> Result<KnownAnswer> {
    let d = clip.config.projection_dim;
    let mut image = read(
        clip.vision
            .encode(&pattern(clip.config.vision.image_size())),
    )
    .await?;
    let mut text = read(clip.text.encode(std::slice::from_ref(&ids)).0).await?;
    normalize_rows(&mut image, d);
    normalize_rows(&mut text, d);
    Ok(KnownAnswer { ids, image, text })
}

/// Runs the stored pair and compares.
///
/// # Errors
/// `gpu/self-test-failed` if the answer is not the stored one, `weights/invalid` if the stored one
/// cannot be this model's, and those of [`read`].
pub async fn run(clip: &Clip, known: &KnownAnswer, requantized: bool) -> Result<Outcome> {
    let (d, text) = (clip.config.projection_dim, &clip.config.text);
    let fits = known.image.len() == d
        && known.text.len() == d
        && (1..=text.context_length).contains(&known.ids.len())
        && known.ids.iter().all(|id| (*id as usize) < text.vocab_size);
    if !fits {
        return Err(Error::new(
            Kind::WeightsInvalid,
            "The stored self-test does not fit the model. Convert the model again.",
        ));
    }
    let found = match answer(clip, known.ids.clone()).await {
        Err(error) if error.kind() == Kind::NotFinite => return Err(failed(f32::INFINITY)),
        other => other?,
    };
    let pairs = [(&found.image, &known.image), (&found.text, &known.text)];
    let max_error = pairs
        .iter()
        .map(|(a, b)| {
            if requantized {
                cosine_gap(a, b)
            } else {
                distance(a, b)
            }
        })
        .fold(0f32, f32::max);
    let limit = if requantized {
        1.0 - REQUANTIZED_COSINE
    } else {
        TOLERANCE
    };
    if max_error <= limit {
        Ok(Outcome {
            passed: true,
            max_error,
        })
    } else {
        Err(failed(max_error))
    }
}

fn distance(a: &[f32], b: &[f32]) -> f32 {
    a.iter().zip(b).fold(0f32, |m, (x, y)| m.max((x - y).abs()))
}

fn cosine_gap(a: &[f32], b: &[f32]) -> f32 {
    1.0 - a.iter().zip(b).map(|(x, y)| x * y).sum::<f32>()
}

fn failed(error: f32) -> Error {
    Error::new(
        Kind::GpuSelfTestFailed,
        format!(
            "This device computes wrong values for a known answer (error {error:.2e}), so it will not \
             answer. Reload, or choose the device \"cpu\"."
        ),
    )
}
