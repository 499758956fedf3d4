//! Learned vectors around the class names: one context for all (CoOp, Zhou et al., 2022), or one for
//! each class with the earlier snapshots of its descent; and a context for negative labels (LAPT).

use std::sync::Arc;

use super::texts::TextHead;
use super::{Head, Kind, Weights, invalid};
use crate::error::{Error, Kind as ErrorKind, Result};
use crate::math::UnitRows;
use crate::progress::LocalBoxFuture;
use crate::prompt::file::{Prompt, Values};
use crate::prompt::layout::{NamePosition, PromptLayout};
use crate::prompt::model::{PromptModel, mean_texts};
use crate::tokenize::NameIndex;

pub(super) const CONTEXT: &str = "context";
const EARLIER: &str = "earlier_contexts";
const NEGATIVE: &str = "negative_context";
const NEGATIVE_LABELS: &str = "negatives";
const TAUGHT_WITH: &str = "taught_with";
const ATTRIBUTES: &str = "attributes";
const NAMELESS: &str = "nameless";
const PER_ATTRIBUTE: &str = "per_attribute";

/// The kind.
pub const KIND: Kind = Kind {
    name: "context",
    required: &[CONTEXT],
    optional: &[EARLIER, NEGATIVE],
    load: |file| Ok(Box::new(LearnedContext::load(file)?)),
};

/// Context vectors, and how they stand around a name.
#[derive(Debug, Clone, PartialEq)]
pub struct LearnedContext {
    /// The order of vectors, attributes and name; `assigned` is not used.
    pub layout: PromptLayout,
    /// The vectors.
    pub vectors: ContextVectors,
    /// What was learned about negative labels.
    pub negatives: Option<Arc<NegativeContext>>,
}

/// Whose the context vectors are.
#[derive(Debug, Clone, PartialEq)]
pub enum ContextVectors {
    /// One context [M, W] for every name.
    Shared(Vec<f32>),
    /// One for each known class, and their mean for other names.
    PerClass {
        /// At the end of the descent, [K, M, W].
        last: Vec<f32>,
        /// At earlier snapshots of it, [K, M, W] each. The feature of a class is the normalized mean
        /// over all of them (Huang et al., 2017, Snapshot Ensembles).
        earlier: Vec<Vec<f32>>,
    },
}

/// What stands in front of negative labels.
#[derive(Debug, Clone, PartialEq)]
pub struct NegativeContext {
    /// [M, W].
    pub context: Vec<f32>,
    /// The negative labels that the prompt was made with.
    pub words: Vec<String>,
    /// What it learned from, in words.
    pub taught_with: Option<String>,
}

impl NegativeContext {
    /// Unit features [N, d] of negative labels behind the context.
    ///
    /// # Errors
    /// `labels/too-long` and the device's errors.
    pub async fn encode(&self, model: &dyn PromptModel, labels: &[String]) -> Result<Vec<f32>> {
        let layout = PromptLayout::end(self.context.len() / model.width());
        let mut side = model.text_side(labels, &layout)?;
        let features = side.forward(&self.context).await?;
        Ok(UnitRows::new(&features, model.dim()).rounded())
    }

    fn save(&self, width: usize, file: &mut Prompt) {
        let shape = [self.context.len() / width, width];
        file.put(NEGATIVE, &shape, self.context.clone());
        file.note_list(NEGATIVE_LABELS, &self.words);
        if let Some(with) = &self.taught_with {
            file.note(TAUGHT_WITH, with);
        }
    }

    fn load(file: &Prompt, width: usize) -> Result<Option<Self>> {
        let Some(context) = file.get(NEGATIVE, 2)? else {
            return Ok(None);
        };
        if context.shape[1] != width {
            return Err(invalid("its two contexts are not of one width"));
        }
        Ok(Some(Self {
            context: context.data.clone(),
            words: file.list(NEGATIVE_LABELS)?.unwrap_or_default(),
            taught_with: taught_with(file).map(str::to_owned),
        }))
    }
}

/// What the negative context in `file` learned from, in words.
pub fn taught_with(file: &Prompt) -> Option<&str> {
    file.extra.get(TAUGHT_WITH).map(String::as_str)
}

impl LearnedContext {
    pub(super) fn load(file: &Prompt) -> Result<Self> {
        let Some(last) = file.tensors.get(CONTEXT) else {
            return Err(invalid("it has no context"));
        };
        let [_, rows, width] = extents(last)?;
        let vectors = if last.shape.len() == 2 {
            if file.tensors.contains_key(EARLIER) {
                return Err(invalid("a context for all classes has no earlier ones"));
            }
            ContextVectors::Shared(last.data.clone())
        } else {
            let k = file.class_names.len();
            if last.shape[0] != k {
                return Err(invalid("it lacks the context of a class"));
            }
            let mut earlier = Vec::new();
            if let Some(found) = file.get(EARLIER, 3)? {
                if !found.shape[0].is_multiple_of(k) || found.shape[1..] != last.shape[1..] {
                    return Err(invalid("its earlier contexts do not match the last"));
                }
                let sets = found.data.chunks_exact(last.data.len().max(1));
                earlier.extend(sets.map(<[f32]>::to_vec));
            }
            ContextVectors::PerClass {
                last: last.data.clone(),
                earlier,
            }
        };
        Ok(Self {
            layout: load_layout(file, rows)?,
            vectors,
            negatives: NegativeContext::load(file, width)?.map(Arc::new),
        })
    }
}

impl Weights for LearnedContext {
    fn save(&self, file: &mut Prompt) {
        save_layout(&self.layout, file);
        let (k, rows) = (file.class_names.len(), self.layout.rows());
        let width = match &self.vectors {
            ContextVectors::Shared(context) => {
                let width = context.len() / rows;
                file.put(CONTEXT, &[rows, width], context.clone());
                width
            }
            ContextVectors::PerClass { last, earlier } => {
                let width = last.len() / (k * rows);
                file.put(CONTEXT, &[k, rows, width], last.clone());
                if !earlier.is_empty() {
                    let shape = [earlier.len() * k, rows, width];
                    file.put(EARLIER, &shape, earlier.concat());
                }
                width
            }
        };
        if let Some(negatives) = &self.negatives {
            negatives.save(width, file);
        }
    }

    fn open<'a>(
        &'a self,
        known: &'a [String],
        model: &'a dyn PromptModel,
        names: &'a [String],
    ) -> LocalBoxFuture<'a, Arc<dyn Head>> {
        Box::pin(async move {
            let index = NameIndex::new(known);
            if self.layout.nameless && names.iter().any(|name| index.place(name).is_none()) {
                return Err(Error::new(
                    ErrorKind::OptionInvalid,
                    "This prompt has no place for names, so it answers for its own classes alone.",
                ));
            }
            let texts = match &self.vectors {
                ContextVectors::Shared(context) => {
                    check_width(model, context, 1, &self.layout)?;
                    encode(model, names, &self.layout, context, None).await?
                }
                ContextVectors::PerClass { last, earlier } => {
                    check_width(model, last, known.len(), &self.layout)?;
                    let mut texts = Vec::new();
                    for set in std::iter::once(last).chain(earlier) {
                        let (contexts, assigned) = class_contexts_or_mean(known, names, set);
                        let own =
                            encode(model, names, &self.layout, &contexts, Some(assigned)).await?;
                        texts.extend(own);
                    }
                    mean_texts(&texts, names.len(), model.dim())
                }
            };
            let mut head = TextHead::new(texts).with_negatives(self.negatives.clone());
            if let Some(context) = self.context() {
                head = head.with_context(context.to_vec());
            }
            Ok(Arc::new(head) as Arc<dyn Head>)
        })
    }

    fn context(&self) -> Option<&[f32]> {
        let plain = self.layout.layout == NamePosition::End
            && self.layout.attributes.is_empty()
            && !self.layout.nameless;
        match &self.vectors {
            ContextVectors::Shared(context) if plain => Some(context),
            _ => None,
        }
    }
}

/// [sets, vectors, W] of a context tensor of two or three dimensions.
pub(super) fn extents(values: &Values) -> Result<[usize; 3]> {
    match values.shape[..] {
        [m, w] => Ok([1, m, w]),
        [c, m, w] => Ok([c, m, w]),
        _ => Err(invalid("its context has one dimension")),
    }
}

/// Refuses `count` contexts [count, M, W] of another width than the model's.
pub(super) fn check_width(
    model: &dyn PromptModel,
    contexts: &[f32],
    count: usize,
    layout: &PromptLayout,
) -> Result<()> {
    if contexts.len() == count * layout.rows() * model.width() {
        return Ok(());
    }
    Err(invalid("its vectors are not as wide as the model's"))
}

/// Unit features [C, K, d] of `names` under `contexts` [C, M, W]; [K, d] if a context is assigned to
/// each name.
pub(super) async fn encode(
    model: &dyn PromptModel,
    names: &[String],
    layout: &PromptLayout,
    contexts: &[f32],
    assigned: Option<Vec<usize>>,
) -> Result<Vec<f64>> {
    let layout = PromptLayout {
        assigned,
        ..layout.clone()
    };
    let mut side = model.text_side(names, &layout)?;
    let features = side.forward(contexts).await?;
    Ok(UnitRows::new(&features, model.dim()).values)
}

/// Writes where names and attributes stand.
pub(super) fn save_layout(layout: &PromptLayout, file: &mut Prompt) {
    file.layout = layout.layout;
    if layout.nameless {
        file.note(NAMELESS, "yes");
    }
    if !layout.attributes.is_empty() {
        file.note_list(ATTRIBUTES, &layout.attributes);
        file.note(PER_ATTRIBUTE, layout.per_attribute);
    }
}

/// Where names and attributes stand in a context of `rows` vectors.
pub(super) fn load_layout(file: &Prompt, rows: usize) -> Result<PromptLayout> {
    let mut layout = PromptLayout {
        layout: file.layout,
        vectors: rows,
        nameless: file.extra.contains_key(NAMELESS),
        ..PromptLayout::default()
    };
    let Some(attributes) = file.list(ATTRIBUTES)? else {
        return Ok(layout);
    };
    layout.attributes = attributes;
    let per = file.extra.get(PER_ATTRIBUTE).map(|n| n.parse());
    layout.per_attribute = match per {
        Some(Ok(per)) => per,
        _ => return Err(invalid("it does not say how long its attributes are")),
    };
    let around = layout
        .per_attribute
        .checked_mul(layout.attributes.len())
        .and_then(|before| rows.checked_sub(before));
    layout.vectors = around.ok_or_else(|| invalid("its context is too short"))?;
    Ok(layout)
}

/// The contexts [C, M, W] to encode, and for each name the index of its context, [names].
///
/// A name among `known` has its own of `contexts` [known, M, W]. Any other has their mean: CoOp's
/// class-specific contexts know no other names, and what all of them have in common is the context
/// that no class has pulled its own way.
fn class_contexts_or_mean(
    known: &[String],
    names: &[String],
    contexts: &[f32],
) -> (Vec<f32>, Vec<usize>) {
    let index = NameIndex::new(known);
    let assigned: Vec<usize> = names
        .iter()
        .map(|name| index.place(name).unwrap_or(known.len()))
        .collect();
    let mut all = contexts.to_vec();
    if assigned.contains(&known.len()) {
        all.extend(mean(contexts, known.len()));
    }
    (all, assigned)
}

/// The mean of `count` contexts.
fn mean(contexts: &[f32], count: usize) -> Vec<f32> {
    let size = contexts.len() / count;
    let column = |i: usize| contexts[i..].iter().step_by(size);
    let sum = |i| column(i).map(|v| f64::from(*v)).sum::<f64>();
    (0..size).map(|i| (sum(i) / count as f64) as f32).collect()
}
