//! Features of class names around learned contexts, and the gradient of any loss on these features
//! with respect to the contexts. Losses are closed forms on the host: `forward` hands out features,
//! `backward` takes d loss / d features.
//!
//! Vectors in front of every name are one shared beginning, whose keys and values are computed once.
//! Elsewhere the rows of every prompt are gathered: a constant part, plus a selection of the rows of
//! the contexts. Classes are independent given d loss / d features, so what does not fit on one tape
//! runs in chunks that `backward` computes again, with the same result.

use std::ops::Range;
use std::sync::Arc;

use burn::tensor::{DType, Int, Tensor, TensorData};

use super::layout::{PromptToken, runs};
use super::model::TextSide;
use super::tokens::PromptTokens;
use crate::clip::text::{TextTower, TokenCounts};
use crate::error::{Error, Kind, Result};
use crate::kernels::floats;
use crate::kernels::read;
use crate::progress::LocalBoxFuture;

/// Bytes of activations that one tape may keep for the backward pass.
const TAPE_BYTES: usize = 192 << 20;

/// f32 values that a tape keeps per token row, layer and column: block inputs, normalized rows,
/// queries, keys, values, attention output and both sides of the activation.
const KEPT_PER_COLUMN: usize = 17;

/// How many prompts of `rows` token rows fit on one tape of `tower`.
pub fn prompts_per_tape(tower: &TextTower, rows: usize) -> usize {
    let per_row = KEPT_PER_COLUMN * tower.config.width * tower.config.layers * 4;
    TAPE_BYTES / (per_row * rows)
}

/// Class names around contexts, differentiable in the contexts.
pub struct ContextEncoder<'a> {
    tower: &'a TextTower,
    tokens: Arc<PromptTokens>,
    shares_prefix: bool,
    contexts: Vec<f32>,
    /// How many encoders share the room of one tape.
    sharers: usize,
    tape: Option<(Tensor<2>, Tensor<2>)>,
    /// The token rows of the last forward pass.
    pub rows: TokenCounts,
}

/// Classes that run together, behind this context if they share one.
#[derive(Debug, Clone)]
struct Chunk {
    context: Option<usize>,
    classes: Range<usize>,
}

impl<'a> ContextEncoder<'a> {
    /// For prompts of `tokens` through `tower`.
    pub fn new(tower: &'a TextTower, tokens: Arc<PromptTokens>) -> Self {
        Self {
            tower,
            shares_prefix: tokens.shares_prefix && tower.config.causal,
            tokens,
            contexts: Vec::new(),
            sharers: 1,
            tape: None,
            rows: TokenCounts::default(),
        }
    }

    /// The same as one of `sharers` encoders that run one after the other before any goes back, so
    /// that each keeps less.
    #[must_use]
    pub fn sharing_a_tape(mut self, sharers: usize) -> Self {
        self.sharers = sharers.max(1);
        self
    }

    /// K, the number of names.
    pub fn classes(&self) -> usize {
        self.tokens.len()
    }

    /// Features before normalization under `contexts` [C, M, W]: [C, K, d], or [K, d] if a
    /// context is assigned to every name.
    ///
    /// # Errors
    /// `engine/internal` if the contexts do not fit, `engine/not-finite`, `gpu/lost`.
    pub async fn forward(&mut self, contexts: &[f32]) -> Result<Vec<f32>> {
        let size = self.tokens.vectors * self.tower.config.width;
        let count = contexts.len() / size.max(1);
        let assigned = self.tokens.assigned.iter().flatten();
        if count == 0 || contexts.len() != count * size || assigned.clone().any(|c| *c >= count) {
            return Err(Error::new(
                Kind::Internal,
                "The contexts do not fit the prompts that they stand in.",
            ));
        }
        self.contexts = contexts.to_vec();
        self.tape = None;
        self.rows = TokenCounts::default();
        let leaf = self.leaf();
        if self.fits() {
            let leaf = leaf.autodiff().require_grad();
            let mut features = Vec::new();
            for chunk in self.chunks() {
                features.push(self.encode_and_count(&leaf, &chunk));
            }
            let features = Tensor::cat(features, 0);
            let values = read(features.clone().inner()).await?;
            self.tape = Some((leaf, features));
            return Ok(values);
        }
        let mut values = Vec::new();
        for chunk in self.chunks() {
            values.extend(read(self.encode_and_count(&leaf, &chunk)).await?);
        }
        Ok(values)
    }

    /// d loss / d contexts [C, M, W] of the last forward pass from d loss / d features.
    ///
    /// # Errors
    /// `engine/not-finite`, `gpu/lost`.
    pub async fn backward(&mut self, gradient: &[f32]) -> Result<Vec<f32>> {
        if let Some((leaf, features)) = self.tape.take() {
            return leaf_gradient(leaf, features, gradient).await;
        }
        let prompts = self.passes().1 * self.tokens.len();
        let d = gradient.len() / prompts.max(1);
        let mut total = vec![0f32; self.contexts.len()];
        let mut rest = gradient;
        for chunk in self.chunks() {
            let (own, after) = rest.split_at((chunk.classes.len() * d).min(rest.len()));
            rest = after;
            let leaf = self.leaf().autodiff().require_grad();
            let (features, _) = self.encode(&leaf, &chunk);
            let part = leaf_gradient(leaf, features, own).await?;
            total.iter_mut().zip(part).for_each(|(sum, g)| *sum += g);
        }
        Ok(total)
    }

    fn longest(&self) -> usize {
        let longest = self.tokens.prompts.iter().map(Vec::len).max().unwrap_or(1);
        self.tower.padded(longest, 0)
    }

    /// Contexts, and the passes over the names that they call for.
    fn passes(&self) -> (usize, usize) {
        let contexts = self.contexts.len() / (self.tokens.vectors * self.tower.config.width);
        let passes = if self.tokens.assigned.is_some() {
            1
        } else {
            contexts
        };
        (contexts, passes)
    }

    fn fits(&self) -> bool {
        let prompts = self.passes().1 * self.tokens.len() * self.sharers;
        prompts <= prompts_per_tape(self.tower, self.longest())
    }

    fn chunks(&self) -> Vec<Chunk> {
        let per_tape = prompts_per_tape(self.tower, self.longest());
        let room = per_tape.min(self.tower.rows_per_pass() / self.longest());
        let all = 0..self.tokens.len();
        let passes: Vec<(Option<usize>, Range<usize>)> = match &self.tokens.assigned {
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

    fn encode_and_count(&mut self, leaf: &Tensor<2>, chunk: &Chunk) -> Tensor<2> {
        let (features, rows) = self.encode(leaf, chunk);
        self.rows.processed += rows.processed;
        self.rows.full += rows.full;
        features
    }

    fn encode(&self, leaf: &Tensor<2>, chunk: &Chunk) -> (Tensor<2>, TokenCounts) {
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
    ) -> (Tensor<2>, TokenCounts) {
        let (tower, w) = (self.tower, self.tower.config.width);
        let m = self.tokens.vectors;
        // The start is the same token in every prompt.
        let start: Vec<u32> = self.tokens.prompts[classes.start][..1]
            .iter()
            .filter_map(PromptToken::id)
            .collect();
        let start = floats(tower.embed(&start, 0), [1, w], &tower.device);
        let vectors = leaf.clone().narrow(0, context * m, m) + tower.positions(1, m);
        let prefix = Tensor::cat(vec![start, vectors], 0);
        let suffixes = self.tokens.suffixes_of(classes.clone());
        let suffixes: Vec<&[u32]> = suffixes.iter().map(Vec::as_slice).collect();
        tower.encode_suffixes(Some(prefix), &suffixes)
    }

    /// Whole prompts, row by row.
    fn encode_whole(&self, leaf: &Tensor<2>, chunk: &Chunk) -> (Tensor<2>, TokenCounts) {
        let (tower, w) = (self.tower, self.tower.config.width);
        let m = self.tokens.vectors;
        let prompts = &self.tokens.prompts[chunk.classes.clone()];
        let longest = tower.padded(prompts.iter().map(Vec::len).max().unwrap_or(1), 0);
        // The row behind the last context is zero: tokens add nothing of it.
        let nothing = leaf.dims()[0];
        let count = prompts.len() * longest;
        let mut constant = vec![0f32; count * w];
        let mut chosen = vec![nothing as i32; count];
        for (k, (class, slots)) in chunk.classes.clone().zip(prompts).enumerate() {
            let context = chunk
                .context
                .unwrap_or_else(|| match &self.tokens.assigned {
                    Some(assigned) => assigned[class],
                    None => 0,
                });
            for place in 0..longest {
                let at = k * longest + place;
                let row = &mut constant[at * w..(at + 1) * w];
                match slots.get(place) {
                    Some(PromptToken::Vector(v)) => chosen[at] = (context * m + v) as i32,
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
        let rows = TokenCounts {
            processed: count,
            full: prompts.len() * tower.config.context_length,
        };
        (tower.run(None, x, &ends), rows)
    }
}

impl TextSide for ContextEncoder<'_> {
    fn forward<'a>(&'a mut self, contexts: &'a [f32]) -> LocalBoxFuture<'a, Vec<f32>> {
        Box::pin(ContextEncoder::forward(self, contexts))
    }

    fn backward<'a>(&'a mut self, gradient: &'a [f32]) -> LocalBoxFuture<'a, Vec<f32>> {
        Box::pin(ContextEncoder::backward(self, gradient))
    }

    fn share_tape(&mut self, sharers: usize) {
        self.sharers = sharers.max(1);
    }
}

/// d loss / d leaf from d loss / d features, which were computed from the leaf on its tape.
pub async fn leaf_gradient(
    leaf: Tensor<2>,
    features: Tensor<2>,
    gradient: &[f32],
) -> Result<Vec<f32>> {
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
