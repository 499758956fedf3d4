//! Features of prompts with learned vectors anywhere in them, and the gradient back to the vectors.
//!
//! Vectors in front of every name are one shared beginning, whose keys and values are computed once.
//! Elsewhere the rows of every prompt are gathered: a constant part, plus a selection of the rows of
//! the contexts. What does not fit on one tape runs in pieces that are recomputed on the way back.

use std::ops::Range;

use burn::tensor::{DType, Int, Tensor, TensorData};

use super::layout::{PromptLayout, PromptToken, runs};
use crate::clip::text::TextTower;
use crate::error::{Error, Kind, Result};
use crate::kernels::floats;
use crate::kernels::read;
use crate::tokenize::ClipTokenizer;

/// Bytes of activations that are kept for the way back.
const TAPE_BYTES: usize = 192 << 20;

/// Kept f32 values per token row, layer and column.
const KEPT_PER_COLUMN: usize = 17;

/// Class names between vectors, ready for any contexts.
pub struct Prompts<'a> {
    tower: &'a TextTower,
    sot: u32,
    prompts: Vec<Vec<PromptToken>>,
    assigned: Option<Vec<usize>>,
    /// Vectors of one context.
    rows: usize,
    shares_prefix: bool,
    contexts: Vec<f32>,
    tape: Option<(Tensor<2>, Tensor<2>)>,
    /// Names that were cut to fit.
    pub truncated: usize,
}

/// Classes that run together, behind this context where they share one.
#[derive(Debug, Clone)]
struct Chunk {
    context: Option<usize>,
    classes: Range<usize>,
}

impl<'a> Prompts<'a> {
    /// Tokenizes `names`; underscores become spaces.
    ///
    /// # Errors
    /// `labels/too-long`; `prompt/invalid` where the vectors leave no room for a name.
    pub fn new(
        tower: &'a TextTower,
        tokenizer: &ClipTokenizer,
        names: &[String],
        layout: &PromptLayout,
    ) -> Result<Self> {
        let inner = |text: &str| {
            let ids = tokenizer.encode(text)?.ids;
            Ok(ids[1..ids.len() - 1].to_vec())
        };
        let attributes = layout
            .attributes
            .iter()
            .map(|word| inner(word))
            .collect::<Result<Vec<_>>>()?;
        let ends = (tokenizer.sot(), tokenizer.eot());
        let limit = tokenizer.context_length();
        let mut truncated = 0;
        let mut prompts = Vec::with_capacity(names.len());
        for name in names {
            let name = name.replace('_', " ");
            let length = inner(&name)?.len();
            let whole = inner(&format!("{name}."))?;
            let (name, stop) = whole.split_at(length.min(whole.len()));
            let (slots, cut) = layout.slots(ends, &attributes, name, stop, limit)?;
            truncated += usize::from(cut || stop.is_empty());
            prompts.push(slots);
        }
        Ok(Self {
            tower,
            sot: ends.0,
            prompts,
            assigned: layout.assigned.clone(),
            rows: layout.rows(),
            shares_prefix: layout.shares_prefix() && tower.config.causal,
            contexts: Vec::new(),
            tape: None,
            truncated,
        })
    }

    /// Features before normalization under `contexts` [C, M, W]: [C, K, d], or [K, d] where every
    /// name is assigned to a context.
    ///
    /// # Errors
    /// `engine/internal` where the contexts do not fit, `engine/not-finite`, `gpu/lost`.
    pub async fn forward(&mut self, contexts: &[f32]) -> Result<Vec<f32>> {
        let size = self.rows * self.tower.config.width;
        let count = contexts.len() / size.max(1);
        let assigned = self.assigned.iter().flatten();
        if count == 0 || contexts.len() != count * size || assigned.clone().any(|c| *c >= count) {
            return Err(Error::new(
                Kind::Internal,
                "The contexts do not fit the prompts that they stand in.",
            ));
        }
        self.contexts = contexts.to_vec();
        self.tape = None;
        let chunks = self.chunks();
        let leaf = self.leaf();
        if self.fits() {
            let leaf = leaf.autodiff().require_grad();
            let features: Vec<_> = chunks.iter().map(|p| self.encode(&leaf, p)).collect();
            let features = Tensor::cat(features, 0);
            let values = read(features.clone().inner()).await?;
            self.tape = Some((leaf, features));
            return Ok(values);
        }
        let mut values = Vec::new();
        for chunk in &chunks {
            values.extend(read(self.encode(&leaf, chunk)).await?);
        }
        Ok(values)
    }

    /// d loss / d contexts [C, M, W] of the last forward pass from d loss / d features.
    ///
    /// # Errors
    /// `engine/not-finite`, `gpu/lost`.
    pub async fn backward(&mut self, gradient: &[f32]) -> Result<Vec<f32>> {
        if let Some((leaf, features)) = self.tape.take() {
            return pull(leaf, features, gradient).await;
        }
        let prompts = self.passes().1 * self.prompts.len();
        let d = gradient.len() / prompts.max(1);
        let mut total = vec![0f32; self.contexts.len()];
        let mut rest = gradient;
        for chunk in self.chunks() {
            let (own, after) = rest.split_at((chunk.classes.len() * d).min(rest.len()));
            rest = after;
            let leaf = self.leaf().autodiff().require_grad();
            let features = self.encode(&leaf, &chunk);
            let part = pull(leaf, features, own).await?;
            total.iter_mut().zip(part).for_each(|(sum, g)| *sum += g);
        }
        Ok(total)
    }

    fn longest(&self) -> usize {
        let longest = self.prompts.iter().map(Vec::len).max().unwrap_or(1);
        self.tower.padded(longest, 0)
    }

    /// Bytes kept for one prompt.
    fn bytes(&self) -> usize {
        let config = &self.tower.config;
        KEPT_PER_COLUMN * config.width * config.layers * 4 * self.longest()
    }

    /// Contexts, and the passes over the names that they call for.
    fn passes(&self) -> (usize, usize) {
        let contexts = self.contexts.len() / (self.rows * self.tower.config.width);
        let passes = if self.assigned.is_some() { 1 } else { contexts };
        (contexts, passes)
    }

    fn fits(&self) -> bool {
        let prompts = self.passes().1 * self.prompts.len();
        prompts.saturating_mul(self.bytes()) <= TAPE_BYTES
    }

    fn chunks(&self) -> Vec<Chunk> {
        let room = (TAPE_BYTES / self.bytes()).min(self.tower.rows_per_pass() / self.longest());
        let all = 0..self.prompts.len();
        let passes: Vec<(Option<usize>, Range<usize>)> = match &self.assigned {
            None => (0..self.passes().0)
                .map(|c| (Some(c), all.clone()))
                .collect(),
            Some(assigned) if self.shares_prefix => {
                runs(assigned).map(|(c, run)| (Some(c), run)).collect()
            }
            Some(_) => vec![(None, all)],
        };
        let mut chunks = Vec::new();
        for (context, classes) in passes {
            for start in classes.clone().step_by(room.max(1)) {
                chunks.push(Chunk {
                    context,
                    classes: start..classes.end.min(start + room.max(1)),
                });
            }
        }
        chunks
    }

    /// All contexts, [C * M, W].
    fn leaf(&self) -> Tensor<2> {
        let w = self.tower.config.width;
        let rows = self.contexts.len() / w;
        floats(self.contexts.clone(), [rows, w], &self.tower.device)
    }

    fn encode(&self, leaf: &Tensor<2>, chunk: &Chunk) -> Tensor<2> {
        match chunk.context {
            Some(context) if self.shares_prefix => {
                self.encode_shared_prefix(leaf, context, &chunk.classes)
            }
            _ => self.encode_whole(leaf, chunk),
        }
    }

    /// Names behind one shared beginning.
    fn encode_shared_prefix(
        &self,
        leaf: &Tensor<2>,
        context: usize,
        classes: &Range<usize>,
    ) -> Tensor<2> {
        let (tower, w) = (self.tower, self.tower.config.width);
        let vectors = leaf.clone().narrow(0, context * self.rows, self.rows);
        let start = floats(tower.embed(&[self.sot], 0), [1, w], &tower.device);
        let vectors = vectors + tower.positions(1, self.rows);
        let prefix = Tensor::cat(vec![start, vectors], 0);
        let suffixes: Vec<Vec<u32>> = self.prompts[classes.clone()]
            .iter()
            .map(|slots| {
                let encode_shared_prefix = slots[1 + self.rows..].iter();
                let ids = encode_shared_prefix.filter_map(|slot| match slot {
                    PromptToken::Token(id) => Some(*id),
                    PromptToken::Vector(_) => None,
                });
                ids.collect()
            })
            .collect();
        let suffixes: Vec<&[u32]> = suffixes.iter().map(Vec::as_slice).collect();
        tower.encode_suffixes(Some(prefix), &suffixes).0
    }

    /// Whole prompts, row by row.
    fn encode_whole(&self, leaf: &Tensor<2>, chunk: &Chunk) -> Tensor<2> {
        let (tower, w) = (self.tower, self.tower.config.width);
        let prompts = &self.prompts[chunk.classes.clone()];
        let longest = tower.padded(prompts.iter().map(Vec::len).max().unwrap_or(1), 0);
        // The row behind the last context is zero: tokens add nothing of it.
        let nothing = leaf.dims()[0];
        let count = prompts.len() * longest;
        let mut constant = vec![0f32; count * w];
        let mut chosen = vec![nothing as i32; count];
        for (k, (class, slots)) in chunk.classes.clone().zip(prompts).enumerate() {
            let context = chunk.context.unwrap_or_else(|| match &self.assigned {
                Some(assigned) => assigned[class],
                None => 0,
            });
            for place in 0..longest {
                let at = k * longest + place;
                let row = &mut constant[at * w..(at + 1) * w];
                match slots.get(place) {
                    Some(PromptToken::Vector(v)) => chosen[at] = (context * self.rows + v) as i32,
                    Some(PromptToken::Token(id)) => tower.tokens.row(*id, row),
                    // Rows behind the end are seen by towers that are not causal only.
                    None => tower.tokens.row(0, row),
                }
                let position = &tower.position[place * w..(place + 1) * w];
                row.iter_mut().zip(position).for_each(|(v, p)| *v += p);
            }
        }
        let zero = floats(vec![0f32; w], [1, w], &tower.device);
        let table = Tensor::cat(vec![leaf.clone(), zero], 0);
        let chosen = Tensor::<1, Int>::from_data(
            TensorData::new(chosen, [count]),
            (&tower.device, DType::I32),
        );
        let shape = [prompts.len(), longest, w];
        let x = table.select(0, chosen).reshape(shape) + floats(constant, shape, &tower.device);
        let ends: Vec<usize> = prompts.iter().map(|slots| slots.len() - 1).collect();
        tower.run(None, x, &ends)
    }
}

async fn pull(leaf: Tensor<2>, features: Tensor<2>, gradient: &[f32]) -> Result<Vec<f32>> {
    let (device, shape) = (features.device().inner(), features.dims());
    let weighted = features * floats(gradient.to_vec(), shape, &device);
    let grads = weighted.sum().backward();
    match leaf.grad(&grads) {
        Some(found) => read(found).await,
        None => Err(Error::new(
            Kind::Internal,
            "The text tower gave its contexts no gradient.",
        )),
    }
}
