//! How long a model of a published shape takes, with random weights: no file is needed, so that it can
//! be measured on any machine.

use std::sync::Arc;
use std::time::Instant;

use serde::Serialize;

use crate::checkpoint::TensorBuilder;
use crate::clip::config::ClipConfig;
use crate::clip::vision_config::VisionConfig;
use crate::clip::{Builder, Clip};
use crate::device::{Choice, DeviceInfo, open};
use crate::error::{Error, Kind, Result};
use crate::kernels::check::values;
use crate::kernels::read;
use crate::math::UnitRows;
use crate::prompt::context_encoder::ContextEncoder;
use crate::prompt::tokens::PromptTokens;
use crate::quant::Quantization;
use crate::tpt::{Config, Text, tune};

/// The published shapes: the name, and the side of a patch in pixels.
pub const SHAPES: [(&str, usize); 2] = [("vit-b-32", 32), ("vit-b-16", 16)];
/// Tokens of a text: "a photo of a golden retriever." with its start and end.
const TOKENS: usize = 9;
/// Context vectors of the tuned prompt.
const CONTEXT: usize = 4;
/// The temperature of OpenAI's models.
const LOGIT_SCALE: f32 = 100.0;

/// What to measure.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where.
    pub device: Choice,
    /// One of [`SHAPES`].
    pub shape: String,
    /// How matrices are stored.
    pub quantization: Quantization,
    /// Images in one call.
    pub batches: Vec<usize>,
    /// Texts in one call.
    pub texts: Vec<usize>,
    /// Class names of one tuning step over 64 views; none leaves it out.
    pub tuned: Option<usize>,
    /// Times that each is done after the first.
    pub repeats: usize,
}

/// One thing that was measured.
#[derive(Debug, Clone, Serialize)]
pub struct Measured {
    /// `images`, `texts` or `tuning step`.
    pub what: &'static str,
    /// How many.
    pub count: usize,
    /// Seconds of the first time, with whatever is compiled then.
    pub first: f64,
    /// Median seconds of the others.
    pub seconds: f64,
    /// Float operations a second of the products with weights, by the median; null for a tuning step.
    pub flops: Option<f64>,
}

/// Times of a shape.
#[derive(Debug, Clone, Serialize)]
pub struct Times {
    /// Where it ran.
    pub device: DeviceInfo,
    /// The shape's name.
    pub shape: String,
    /// How matrices were stored.
    pub quantization: &'static str,
    /// Seconds to make the weights and hand them to the device.
    pub build: f64,
    /// In the order of the plan.
    pub results: Vec<Measured>,
}

/// Builds the model and measures it.
///
/// # Errors
/// `options/invalid` for another shape, and those of the device.
pub async fn measure(plan: &Plan) -> Result<Times> {
    let Some((_, patch)) = SHAPES.iter().find(|(name, _)| *name == plan.shape) else {
        let known = SHAPES.map(|(name, _)| name).join(", ");
        return Err(Error::new(
            Kind::OptionInvalid,
            format!("There is no shape {}; there are {known}.", plan.shape),
        ));
    };
    // What the file leaves out has the sizes of ViT-B/32.
    let json = format!(
        r#"{{"model_type": "clip", "vision_config": {{"patch_size": {patch}}}, "text_config": {{}}, "projection_dim": 512}}"#
    );
    let config = ClipConfig::from_json(json.as_bytes())?;
    let processor = open(plan.device, None).await?;
    let start = Instant::now();
    let mut builder = Builder::new(config.clone(), processor.placement.clone());
    for (seed, spec) in config.tensors().iter().enumerate() {
        let mut weights = values(spec.elements(), seed as u64 + 1);
        // As small as trained ones; a LayerNorm scales by about one.
        let is_scale = spec.name.contains("norm") && spec.name.ends_with(".weight");
        let offset = if is_scale { 1.0 } else { 0.0 };
        weights
            .iter_mut()
            .for_each(|value| *value = *value * 0.02 + offset);
        let mut tensor = TensorBuilder::new(spec, Some(plan.quantization), false)?;
        tensor.push(&weights)?;
        builder.put(&spec.name, tensor.finish()?)?;
    }
    let clip = builder.finish()?;
    let build = start.elapsed().as_secs_f64();
    let mut results = Vec::new();
    for count in &plan.batches {
        results.push(images(&clip, *count, plan.repeats).await?);
    }
    for count in &plan.texts {
        results.push(texts(&clip, *count, plan.repeats).await?);
    }
    if let Some(classes) = plan.tuned {
        results.push(tuning_step(&clip, classes, plan.repeats).await?);
    }
    Ok(Times {
        device: processor.info,
        shape: plan.shape.clone(),
        quantization: plan.quantization.name(),
        build,
        results,
    })
}

async fn images(clip: &Clip, count: usize, repeats: usize) -> Result<Measured> {
    let pixels = values(count * clip.vision.pixels_per_image(), 11);
    let mut times = Vec::new();
    for _ in 0..=repeats {
        let start = Instant::now();
        read(clip.vision.encode(&pixels)).await?;
        times.push(start.elapsed().as_secs_f64());
    }
    let per_image = match &clip.config.vision {
        VisionConfig::Vit(vit) => vit.tokens() * block_weights(vit.width, vit.mlp, vit.layers),
        VisionConfig::EfficientNet(_) => 0,
    };
    Ok(measured("images", count, &times, Some(count * per_image)))
}

async fn texts(clip: &Clip, count: usize, repeats: usize) -> Result<Measured> {
    let text = &clip.text;
    let sequences = sequences(text.config.vocab_size, count);
    let mut times = Vec::new();
    for _ in 0..=repeats {
        let start = Instant::now();
        read(text.encode(&sequences).0).await?;
        times.push(start.elapsed().as_secs_f64());
    }
    let config = &text.config;
    let each = TOKENS * block_weights(config.width, config.mlp, config.layers);
    Ok(measured("texts", count, &times, Some(count * each)))
}

async fn tuning_step(clip: &Clip, classes: usize, repeats: usize) -> Result<Measured> {
    const VIEWS: usize = 64;
    let vocabulary = clip.text.config.vocab_size;
    let names: Vec<Vec<u32>> = sequences(vocabulary, classes)
        .into_iter()
        .map(|ids| ids[1 + CONTEXT..].to_vec())
        .collect();
    let sot = vocabulary as u32 - 2;
    let tokens = Arc::new(PromptTokens::from_suffixes(sot, CONTEXT, &names));
    let d = clip.config.projection_dim;
    let features = UnitRows::new(&values(VIEWS * d, 13), d).rounded();
    let context: Vec<f32> = values(CONTEXT * clip.text.config.width, 17);
    let context: Vec<f32> = context.iter().map(|value| value * 0.02).collect();
    let mut times = Vec::new();
    for _ in 0..=repeats {
        let mut side = ContextEncoder::new(&clip.text, tokens.clone());
        let start = Instant::now();
        let text = Text {
            side: &mut side,
            classes,
            logit_scale: LOGIT_SCALE,
        };
        tune(text, &context, &features, &Config::tpt(VIEWS), &()).await?;
        times.push(start.elapsed().as_secs_f64());
    }
    Ok(measured("tuning step", classes, &times, None))
}

/// Weights that a token row meets in the blocks of a tower.
fn block_weights(width: usize, mlp: usize, layers: usize) -> usize {
    layers * (4 * width * width + 2 * width * mlp)
}

/// Token ids of so many texts: the start, words, the end.
fn sequences(vocabulary: usize, count: usize) -> Vec<Vec<u32>> {
    let (start, end) = (vocabulary as u32 - 2, vocabulary as u32 - 1);
    (0..count as u32)
        .map(|text| {
            let word = |place| (text * 7919 + place * 104_729) % start;
            let words = (0..TOKENS as u32 - 2).map(word);
            std::iter::once(start).chain(words).chain([end]).collect()
        })
        .collect()
}

/// `weights` is the number of products with a weight.
fn measured(what: &'static str, count: usize, times: &[f64], weights: Option<usize>) -> Measured {
    let mut others = times[usize::from(times.len() > 1)..].to_vec();
    others.sort_by(f64::total_cmp);
    let seconds = others[others.len() / 2];
    Measured {
        what,
        count,
        first: times[0],
        seconds,
        flops: weights.map(|weights| 2.0 * weights as f64 / seconds),
    }
}
