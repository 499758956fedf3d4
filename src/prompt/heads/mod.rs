//! Prompt heads: what each kind of prompt keeps in its file, and how it answers on a list of names.
//!
//! A head is one file here and one line in [`heads!`]: its [`Kind`] says by which tensors a file is
//! recognized and how it loads, its [`Weights`] are what the file keeps, and [`Head`] is what answers
//! for a list of names.

use std::fmt::Debug;
use std::sync::Arc;

use super::file::Prompt;
use super::model::PromptModel;
use crate::error::{Error, Kind as ErrorKind, Result};
use crate::math::{Probabilities, argmax, dot};
use crate::progress::LocalBoxFuture;

macro_rules! heads {
    ($($name:ident),* $(,)?) => {
        $(pub mod $name;)*

        /// Every kind of head.
        pub const KINDS: &[Kind] = &[$($name::KIND),*];
    };
}

heads! {
    texts,
    cache,
    pairs,
    linear,
    adapted,
    context,
    mixture,
    conditional,
    ranking,
    proxies,
}

/// How a prompt file of one kind is recognized and loaded.
#[derive(Debug, Clone, Copy)]
pub struct Kind {
    /// What the kind is called.
    pub name: &'static str,
    /// Tensors that every file of this kind has.
    pub required: &'static [&'static str],
    /// Further tensors that it may have.
    pub optional: &'static [&'static str],
    /// Reads the file.
    pub load: fn(&Prompt) -> Result<Box<dyn Weights>>,
}

impl Kind {
    /// Whether `tensors` are those of this kind: all that it needs, and none that it does not know.
    fn has(&self, tensors: &[&str]) -> bool {
        let known = |name: &&str| self.required.contains(name) || self.optional.contains(name);
        self.required.iter().all(|name| tensors.contains(name)) && tensors.iter().all(known)
    }
}

/// What a prompt file keeps, whatever names it is used on.
pub trait Weights: Debug {
    /// Writes the tensors and metadata of this head into `file`.
    fn save(&self, file: &mut Prompt);

    /// Puts the prompt to work on `names`. `known` are the names it was trained with, the class
    /// names of its file.
    fn open<'a>(
        &'a self,
        known: &'a [String],
        model: &'a dyn PromptModel,
        names: &'a [String],
    ) -> LocalBoxFuture<'a, Arc<dyn Head>>;

    /// The context [M, W] in front of every name, if that is all there is: what further training can start
    /// from.
    fn context(&self) -> Option<&[f32]> {
        None
    }

    /// Whether the prompt is made of words alone, so that bounds for hard prompts hold for it.
    fn is_words_only(&self) -> bool {
        false
    }
}

/// A prompt in use on a list of K names.
pub trait Head: Debug + Send + Sync {
    /// Logits [K] of one unit image feature [d].
    fn answer<'a>(
        &'a self,
        model: &'a dyn PromptModel,
        image: &'a [f64],
    ) -> LocalBoxFuture<'a, Vec<f64>>;

    /// One text feature per class [K, d] that represents it whatever the image; a mean of several
    /// is shorter than one.
    fn centers<'a>(&'a self, model: &'a dyn PromptModel) -> LocalBoxFuture<'a, Vec<f64>>;

    /// The context [M, W] in front of every name, if that is all there is: what test-time tuning
    /// starts from.
    fn context(&self) -> Option<&[f32]> {
        None
    }

    /// How its logits become probabilities.
    fn probabilities(&self) -> Probabilities {
        Probabilities::Softmax
    }

    /// How much the unit image feature [d] shows of what the classes measure, in the units of their
    /// values; `None` for prompts that compare classes alone.
    fn score(&self, _image: &[f64]) -> Option<f64> {
        None
    }

    /// What the prompt learned about negative labels.
    fn negatives(&self) -> Option<&Arc<context::NegativeContext>> {
        None
    }
}

impl dyn Head + '_ {
    /// Logits [N, K] of unit image features [N, d].
    ///
    /// # Errors
    /// The device's, if the text features depend on the image.
    pub async fn logits(&self, model: &dyn PromptModel, images: &[f32]) -> Result<Vec<f64>> {
        let mut out = Vec::new();
        for image in images.chunks_exact(model.dim()) {
            let image: Vec<f64> = image.iter().map(|v| f64::from(*v)).collect();
            out.extend(self.answer(model, &image).await?);
        }
        Ok(out)
    }

    /// Share of `images` [N, d] whose largest logit is at their label; 0 without images.
    ///
    /// # Errors
    /// Those of [`logits`](Self::logits).
    pub async fn accuracy(
        &self,
        model: &dyn PromptModel,
        images: &[f32],
        labels: &[usize],
    ) -> Result<f64> {
        let logits = self.logits(model, images).await?;
        let k = logits.len() / labels.len().max(1);
        let hits = logits
            .chunks_exact(k.max(1))
            .zip(labels)
            .filter(|(z, y)| argmax(z) == **y)
            .count();
        Ok(hits as f64 / labels.len().max(1) as f64)
    }
}

/// The prompt file to be for `weights`, which `recipe` fitted to `names`.
pub fn save(
    recipe: &str,
    model: &dyn PromptModel,
    names: &[String],
    weights: &dyn Weights,
) -> Prompt {
    let mut prompt = Prompt::new(recipe, model, names);
    weights.save(&mut prompt);
    prompt
}

/// The kind of `prompt`.
///
/// # Errors
/// `prompt/invalid` if its tensors are those of no kind.
pub fn kind(prompt: &Prompt) -> Result<&'static Kind> {
    let tensors: Vec<&str> = prompt.tensors.keys().map(String::as_str).collect();
    let found = KINDS.iter().find(|kind| kind.has(&tensors));
    found.ok_or_else(|| invalid("its tensors are not those of any kind of prompt"))
}

/// The weights that `prompt` holds.
///
/// # Errors
/// `prompt/invalid` if its tensors are those of no kind, or do not fit each other.
pub fn load(prompt: &Prompt) -> Result<Box<dyn Weights>> {
    (kind(prompt)?.load)(prompt)
}

/// Puts `prompt` to work on `names`, its own or others.
///
/// # Errors
/// `prompt/wrong-model`; `prompt/invalid` for tensors that do not fit the model; `options/invalid`
/// for more names than the head can serve; the device's errors.
pub async fn open(
    prompt: &Prompt,
    model: &dyn PromptModel,
    names: &[String],
) -> Result<Arc<dyn Head>> {
    prompt.belongs_to(model.sha256())?;
    let weights = load(prompt)?;
    weights.open(&prompt.class_names, model, names).await
}

/// Logits [K] of a unit image feature for text features [K, d]: exp(logit_scale) times their dot
/// products.
fn scaled_cosines(model: &dyn PromptModel, image: &[f64], texts: &[f64]) -> Vec<f64> {
    let s = f64::from(model.logit_scale());
    let rows = texts.chunks_exact(image.len());
    rows.map(|text| s * dot(image, text)).collect()
}

/// The mean over `sets` of [sets, K, d], not scaled to length one.
fn average(texts: &[f64], sets: usize) -> Vec<f64> {
    let mut out = vec![0.0; texts.len() / sets];
    for set in texts.chunks_exact(out.len()) {
        out.iter_mut()
            .zip(set)
            .for_each(|(o, v)| *o += v / sets as f64);
    }
    out
}

fn invalid(what: &str) -> Error {
    Error::new(
        ErrorKind::PromptInvalid,
        format!("The prompt cannot be used: {what}."),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_file_is_of_two_kinds() {
        // A file that fits two kinds has what both need and nothing that either does not know.
        for (i, one) in KINDS.iter().enumerate() {
            for other in &KINDS[i + 1..] {
                let both = [one.required, other.required].concat();
                assert!(
                    !(one.has(&both) && other.has(&both)),
                    "{} and {}",
                    one.name,
                    other.name
                );
            }
        }
    }
}
