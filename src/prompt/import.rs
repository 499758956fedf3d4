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
use crate::math::dot;
use crate::tokenize::validate;

/// The context's name in the prompt learner's state.
const CONTEXT: &str = "ctx";

/// The metadata that says where a prompt came from; for people, nothing reads it.
const IMPORTED_FROM: &str = "imported_from";

/// The embedding of the start token in every prompt, [K, 1, W].
const PREFIX: &str = "token_prefix";

/// The embeddings of the name, the full stop, the end and what follows in every prompt, [K, N, W].
const SUFFIX: &str = "token_suffix";

/// Tensors that KgCoOp saves and never reads.
const IDLE: [&str; 2] = ["bias_vectors", "meta_net"];

/// How far an embedding may be from the model's own, by its length: packed weights are rounded.
const NEAR: f64 = 0.1;

/// A model's words as embeddings.
pub trait Vocabulary {
    /// The embedding of the start token, [W].
    fn start(&self) -> Vec<f32>;

    /// The words that embeddings `rows` [N, W] spell up to the end token. `None` if one of them is
    /// further from every token than `near` times its length, or there is no end.
    fn read(&self, rows: &[f32], near: f64) -> Option<String>;
}

/// What people know about a checkpoint.
#[derive(Debug, Clone, Copy)]
pub struct Import<'a> {
    /// The class names; `None` reads them back from the checkpoint.
    pub names: Option<&'a [String]>,
    /// Where the class name stands.
    pub layout: NamePosition,
    /// Whether the checkpoint's start token must be the model's.
    pub check_model: bool,
}

/// A prompt, and the tensor that it was made from.
#[derive(Debug, Clone, PartialEq)]
pub struct Imported {
    /// The prompt.
    pub prompt: Prompt,
    /// The tensor's name in the checkpoint.
    pub tensor: String,
    /// Its dimensions.
    pub shape: Vec<usize>,
    /// The class names.
    pub names: Vec<String>,
}

fn unusable(path: &Path, what: impl std::fmt::Display) -> Error {
    let sentence = format!(
        "{} is no CoOp checkpoint that can be used: {what}.",
        path.display()
    );
    Error::new(Kind::PromptInvalid, sentence)
}

/// The context of the checkpoint at `path` as a prompt of `model`.
///
/// # Errors
/// `io/failed`, `prompt/invalid` for anything but one context [M, W] or [K, M, W] of finite floats
/// that fits the model and the names, for the checkpoint of a method that keeps more than a context,
/// and for one of another model; those of class names that are not usable.
pub fn coop_checkpoint<M: PromptModel + Vocabulary>(
    path: &Path,
    model: &M,
    import: Import<'_>,
) -> Result<Imported> {
    std::fs::File::open(path)
        .map_err(|error| Error::new(Kind::Io, format!("{}: {error}.", path.display())))?;
    let reader = PytorchReader::new(path).map_err(|error| unusable(path, error))?;
    let tensors: Vec<(&str, &Tensor)> = reader
        .tensors()
        .iter()
        .map(|(name, tensor)| (name.as_str(), tensor))
        .collect();
    if let Some(what) = more_than_a_context(&tensors) {
        return Err(unusable(path, what));
    }
    let mut found = named(&tensors, CONTEXT);
    let (name, tensor) = match (found.next(), found.next()) {
        (Some(one), None) => one,
        (None, _) => return Err(unusable(path, "it holds no tensor called ctx")),
        _ => return Err(unusable(path, "it holds several tensors called ctx")),
    };
    let shape = tensor.shape().to_vec();
    let width = model.width();
    match shape[..] {
        [m, w] | [_, m, w] if m > 0 && w == width => {}
        _ => {
            let sentence = format!(
                "its context of shape {shape:?} is not [vectors, {width}] or [classes, vectors, {width}], as this model needs"
            );
            return Err(unusable(path, sentence));
        }
    }
    let rows = |key| {
        let found = named(&tensors, key).next();
        let fits = found.filter(|(_, tensor)| tensor.shape().last() == Some(&width));
        fits.map(|(_, tensor)| floats(tensor)).transpose()
    };
    if let Some(prefix) = rows(PREFIX).map_err(|what| unusable(path, what))?
        && import.check_model
        && !prefix.is_empty()
        && distance(&prefix[..width], &model.start()) > NEAR
    {
        return Err(unusable(
            path,
            "the start token in it is not this model's, so it was made with another one; --no-model-check takes it all the same",
        ));
    }
    let spelled = match rows(SUFFIX).map_err(|what| unusable(path, what))? {
        Some(suffix) => read_back(&tensors, &suffix, width, model),
        None => None,
    };
    let names = match (import.names, &spelled) {
        (Some(given), _) => given.to_vec(),
        (None, Some(names)) => names.clone(),
        (None, None) => {
            return Err(unusable(
                path,
                "its class names cannot be read back; give them with --labels",
            ));
        }
    };
    validate(&names)?;
    if let [k, _, _] = shape[..] {
        if k != names.len() {
            let sentence = format!(
                "it has contexts for {k} classes and {} names were given",
                names.len()
            );
            return Err(unusable(path, sentence));
        }
        if let Some(own) = spelled.filter(|own| !alike(own, &names)) {
            let sentence = format!("its contexts are for {}, in this order", own.join(", "));
            return Err(unusable(path, sentence));
        }
    }
    let data = floats(tensor).map_err(|what| unusable(path, what))?;
    let weights = LearnedContext {
        layout: PromptLayout {
            layout: import.layout,
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
    let mut prompt = save("coop", model, &names, &weights);
    prompt.note(IMPORTED_FROM, "PyTorch");
    Ok(Imported {
        prompt,
        tensor: name.to_owned(),
        shape,
        names,
    })
}

/// The tensors called `key`, whatever module they belong to.
fn named<'a>(
    tensors: &'a [(&'a str, &'a Tensor)],
    key: &'a str,
) -> impl Iterator<Item = (&'a str, &'a Tensor)> {
    let own = move |(name, _): &(&str, &Tensor)| name.rsplit('.').next() == Some(key);
    tensors.iter().copied().filter(own)
}

/// Why the context alone would not answer as the checkpoint does.
fn more_than_a_context(tensors: &[(&str, &Tensor)]) -> Option<String> {
    let has = |part: &str| tensors.iter().any(|(name, _)| name.contains(part));
    let idle = has(IDLE[0]);
    let several = named(tensors, CONTEXT).any(|(_, tensor)| tensor.shape().len() == 3);
    let (method, what) = if has("VPT") {
        ("PromptSRC's or MaPLe's", "vectors in deeper layers")
    } else if has("ctx_att") || has("token_middle") {
        ("ATPrompt's", "attribute words with vectors of their own")
    } else if has("encoder_network") {
        ("PRE's", "an encoder that the context passes")
    } else if idle && several {
        ("MSGCoOp's", "several contexts, of which it takes the mean")
    } else if has(IDLE[1]) && !idle {
        (
            "CoCoOp's",
            "a network that shifts the context for every image",
        )
    } else {
        let known = [CONTEXT, PREFIX, SUFFIX];
        let known = |name: &str| {
            let last = name.rsplit('.').next().unwrap_or(name);
            known.contains(&last) || IDLE.iter().any(|idle| name.contains(idle))
        };
        // A file of other things with one `ctx` in it may still be meant.
        let (name, _) = tensors.iter().find(|(name, _)| !known(name))?;
        let context = named(tensors, CONTEXT).next()?;
        let beside = name.rsplit_once('.').map(|(module, _)| module)
            == context.0.rsplit_once('.').map(|(module, _)| module);
        return beside.then(|| format!("it holds {name}, which CoOp does not have"));
    };
    Some(format!(
        "it is {method}, with {what}; the context alone answers otherwise"
    ))
}

/// The class names that the suffixes spell, if all can be read.
fn read_back(
    tensors: &[(&str, &Tensor)],
    suffix: &[f32],
    width: usize,
    model: &impl Vocabulary,
) -> Option<Vec<String>> {
    let (_, tensor) = named(tensors, SUFFIX).next()?;
    let [_, rows, _] = tensor.shape()[..] else {
        return None;
    };
    let prompts = suffix.chunks_exact((rows * width).max(1));
    let names = prompts.map(|rows| {
        let text = model.read(rows, NEAR)?;
        let name = text.strip_suffix('.').unwrap_or(&text).trim();
        (!name.is_empty()).then(|| name.to_owned())
    });
    names.collect()
}

/// Whether two lists have the same names in the same order.
fn alike(a: &[String], b: &[String]) -> bool {
    let letters = |name: &String| {
        let small = name.to_lowercase();
        small
            .chars()
            .filter(|c| c.is_alphanumeric())
            .collect::<String>()
    };
    a.iter().map(letters).eq(b.iter().map(letters))
}

/// |a - b| / |b|.
fn distance(a: &[f32], b: &[f32]) -> f64 {
    let off: f64 = a.iter().zip(b).map(|(a, b)| f64::from(a - b).powi(2)).sum();
    (off / dot(b, b).max(f64::MIN_POSITIVE)).sqrt()
}

fn floats(tensor: &Tensor) -> std::result::Result<Vec<f32>, String> {
    if tensor.byte_len() > MAX_BYTES {
        return Err("a tensor of it is larger than 256 MiB".to_owned());
    }
    let bytes = tensor.read().map_err(|error| error.to_string())?;
    let values: Vec<f32> = match tensor.dtype() {
        DType::F32 => each(&bytes, f32::from_ne_bytes),
        DType::F64 => each(&bytes, |b| f64::from_ne_bytes(b) as f32),
        DType::F16 => each(&bytes, |b| f16::from_ne_bytes(b).to_f32()),
        DType::BF16 => each(&bytes, |b| bf16::from_ne_bytes(b).to_f32()),
        _ => return Err("a tensor of it is not of floating-point numbers".to_owned()),
    };
    if values.iter().all(|v| v.is_finite()) {
        Ok(values)
    } else {
        Err("a tensor of it contains NaN or infinity".to_owned())
    }
}

fn each<const N: usize>(bytes: &[u8], value: impl Fn([u8; N]) -> f32) -> Vec<f32> {
    bytes.as_chunks::<N>().0.iter().map(|b| value(*b)).collect()
}
