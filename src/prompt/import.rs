//! CoOp's own checkpoints: the state of its prompt learner as PyTorch saves it.

use std::collections::BTreeMap;
use std::path::Path;

use half::{bf16, f16};
use pytorch_reader::{DType, PytorchReader, Tensor};

use super::file::{MAX_BYTES, Prompt, Values};
use super::layout::NamePosition;
use crate::error::{Error, Kind, Result};
use crate::prompt_learning::job::Model;

/// The context's name in the prompt learner's state.
const CONTEXT: &str = "ctx";

fn unusable(path: &Path, what: impl std::fmt::Display) -> Error {
    let sentence = format!(
        "{} is no CoOp checkpoint that can be used: {what}.",
        path.display()
    );
    Error::new(Kind::PromptInvalid, sentence)
}

/// The context of the checkpoint at `path` as a prompt of `model`, and the name of its tensor. Token
/// embeddings that stand beside it are left aside: they are the model's own.
///
/// # Errors
/// `io/failed`, `prompt/invalid` for anything but one context [M, W] or [K, M, W] of finite floats
/// that fits the model and the names.
pub fn coop_checkpoint(
    path: &Path,
    model: &dyn Model,
    names: &[String],
    layout: NamePosition,
) -> Result<(Prompt, String)> {
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
    let context = Values { shape, data };
    let prompt = Prompt {
        recipe: "coop".to_owned(),
        layout,
        class_names: names.to_vec(),
        model_sha256: model.sha256().to_owned(),
        logit_scale: model.logit_scale(),
        created_by: concat!("promptlens ", env!("CARGO_PKG_VERSION")).to_owned(),
        tensors: BTreeMap::from([("context".to_owned(), context)]),
        extra: BTreeMap::from([("imported_from".to_owned(), "PyTorch".to_owned())]),
    };
    Ok((prompt, name.clone()))
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
