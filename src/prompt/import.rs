//! CoOp's own checkpoints: the state of its prompt learner as PyTorch saves it.

use std::path::Path;

use half::{bf16, f16};
use pytorch_reader::{DType, PytorchReader, Tensor};

use super::file::{MAX_BYTES, Prompt};
use super::heads::context::{ContextVectors, LearnedContext};
use super::heads::save;
use super::layout::{NamePosition, PromptLayout};
use super::model::PromptModel;
use crate::error::{Error, Kind, Result};

/// The context's name in the prompt learner's state.
const CONTEXT: &str = "ctx";

/// The metadata that says where a prompt came from; for people, nothing reads it.
const IMPORTED_FROM: &str = "imported_from";

/// A prompt, and the tensor that it was made from.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// The prompt.
    pub prompt: Prompt,
    /// The tensor's name in the checkpoint.
    pub tensor: String,
    /// Its dimensions.
    pub shape: Vec<usize>,
}

fn unusable(path: &Path, what: impl std::fmt::Display) -> Error {
    let sentence = format!(
        "{} is no CoOp checkpoint that can be used: {what}.",
        path.display()
    );
    Error::new(Kind::PromptInvalid, sentence)
}

/// The context of the checkpoint at `path` as a prompt of `model`. Token embeddings beside it are
/// ignored: they are the model's own.
///
/// # Errors
/// `io/failed`, `prompt/invalid` for anything but one context [M, W] or [K, M, W] of finite floats
/// that fits the model and the names.
pub fn coop_checkpoint(
    path: &Path,
    model: &dyn PromptModel,
    names: &[String],
    layout: NamePosition,
) -> Result<Imported> {
    std::fs::File::open(path)
        .map_err(|error| Error::new(Kind::Io, format!("{}: {error}.", path.display())))?;
    let reader = PytorchReader::new(path).map_err(|error| unusable(path, error))?;
    let mut found = reader
        .tensors()
        .iter()
        .filter(|(name, _)| name.rsplit('.').next() == Some(CONTEXT));
    let (name, tensor) = match (found.next(), found.next()) {
        (Some(one), None) => one,
        (None, _) => return Err(unusable(path, "it holds no tensor called ctx")),
        _ => return Err(unusable(path, "it holds several tensors called ctx")),
    };
    let shape = tensor.shape().to_vec();
    let width = model.width();
    match shape[..] {
        [m, w] if m > 0 && w == width => {}
        [k, m, w] if m > 0 && w == width && k == names.len() => {}
        [k, _, w] if w == width => {
            let sentence = format!(
                "it has contexts for {k} classes and {} names were given",
                names.len()
            );
            return Err(unusable(path, sentence));
        }
        _ => {
            let sentence = format!(
                "its context of shape {shape:?} is not [vectors, {width}] or [classes, vectors, {width}], as this model needs"
            );
            return Err(unusable(path, sentence));
        }
    }
    let data = floats(tensor).map_err(|what| unusable(path, what))?;
    let weights = LearnedContext {
        layout: PromptLayout {
            layout,
            ..PromptLayout::end(shape[shape.len() - 2])
        },
        vectors: if shape.len() == 2 {
            ContextVectors::Shared(data)
        } else {
            ContextVectors::PerClass {
                last: data,
                earlier: Vec::new(),
            }
        },
        negatives: None,
    };
    let mut prompt = save("coop", model, names, &weights);
    prompt.note(IMPORTED_FROM, "PyTorch");
    Ok(Imported {
        prompt,
        tensor: name.clone(),
        shape,
    })
}

fn floats(tensor: &Tensor) -> std::result::Result<Vec<f32>, String> {
    if tensor.byte_len() > MAX_BYTES {
        return Err("its context is larger than 256 MiB".to_owned());
    }
    let bytes = tensor.read().map_err(|error| error.to_string())?;
    let values: Vec<f32> = match tensor.dtype() {
        DType::F32 => each(&bytes, f32::from_ne_bytes),
        DType::F64 => each(&bytes, |b| f64::from_ne_bytes(b) as f32),
        DType::F16 => each(&bytes, |b| f16::from_ne_bytes(b).to_f32()),
        DType::BF16 => each(&bytes, |b| bf16::from_ne_bytes(b).to_f32()),
        _ => return Err("its context is not of floating-point numbers".to_owned()),
    };
    if values.iter().all(|v| v.is_finite()) {
        Ok(values)
    } else {
        Err("its context contains NaN or infinity".to_owned())
    }
}

fn each<const N: usize>(bytes: &[u8], value: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    bytes.as_chunks::<N>().0.iter().map(|b| value(*b)).collect()
}
