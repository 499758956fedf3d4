//! A learned context in front of class names, `[SOT][v_1..v_M][name][.][EOT]` (CoOp, Zhou et al.,
//! 2022), and the gradient of any loss on the text features with respect to it.
//!
//! Losses live on the host in closed form: a pass hands out features [K, d], takes dL/dfeatures
//! back and returns dL/dcontext. Classes are independent given dL/dfeatures, so a list too long for
//! one tape runs in chunks that are recomputed in the backward pass, with the same result.

use burn::tensor::Tensor;

use crate::clip::text::{TextTower, TokenCounts};
use crate::error::{Error, Kind, Result};
use crate::kernels::floats;
use crate::kernels::read;
use crate::tokenize::ClipTokenizer;

/// Bytes that one tape may keep.
const TAPE_BYTES: usize = 96 << 20;

/// Saved f32 values per token row, layer and column: block inputs, normalized rows, queries, keys,
/// values, attention output and both sides of the activation.
const SAVED_PER_COLUMN: usize = 17;

/// Class names as the token ids that follow a context.
#[derive(Debug, Clone)]
pub struct Names {
    /// Name, full stop and EOT of every class.
    pub suffixes: Vec<Vec<u32>>,
    /// Names that were cut to fit.
    pub truncated: usize,
}

impl Names {
    /// Tokenizes `labels` to stand behind `context` vectors; underscores become spaces.
    ///
    /// # Errors
    /// `labels/too-long` for a name beyond the tokenizer's limit, `prompt/invalid` if the context
    /// leaves no room.
    pub fn new(labels: &[String], context: usize, tokenizer: &ClipTokenizer) -> Result<Self> {
        let room = tokenizer.context_length().saturating_sub(1 + context);
        if room < 2 {
            return Err(Error::new(
                Kind::PromptInvalid,
                format!("A context of {context} vectors leaves no room for a class name."),
            ));
        }
        let mut truncated = 0;
        let suffixes = labels
            .iter()
            .map(|label| {
                let tokens = tokenizer.encode(&format!("{}.", label.replace('_', " ")))?;
                let mut ids = tokens.ids[1..].to_vec();
                if tokens.truncated || ids.len() > room {
                    truncated += 1;
                    ids.truncate(room);
                    ids[room.min(tokens.ids.len() - 1) - 1] = tokenizer.eot();
                }
                Ok(ids)
            })
            .collect::<Result<_>>()?;
        Ok(Self {
            suffixes,
            truncated,
        })
    }
}

/// The embeddings of `words` as a context [M, W].
///
/// # Errors
/// `labels/too-long`.
pub fn from_words(words: &str, tower: &TextTower, tokenizer: &ClipTokenizer) -> Result<Vec<f32>> {
    let ids = tokenizer.encode(words)?.ids;
    let w = tower.config.width;
    let mut out = vec![0.0; (ids.len() - 2) * w];
    for (id, row) in ids[1..ids.len() - 1].iter().zip(out.chunks_exact_mut(w)) {
        tower.tokens.row(*id, row);
    }
    Ok(out)
}

/// A forward pass that can be taken back.
pub struct Pass<'a> {
    tower: &'a TextTower,
    sot: u32,
    names: &'a Names,
    context: Vec<f32>,
    per_chunk: usize,
    full_length: bool,
    tape: Option<(Tensor<2>, Tensor<2>)>,
    /// What was processed.
    pub rows: TokenCounts,
}

impl<'a> Pass<'a> {
    /// Text features before normalization [K, d] under `context` [M, W].
    ///
    /// # Errors
    /// `engine/not-finite`, `gpu/lost`.
    pub async fn forward(
        tower: &'a TextTower,
        sot: u32,
        names: &'a Names,
        context: &[f32],
    ) -> Result<(Vec<f32>, Pass<'a>)> {
        Self::start(tower, sot, names, context, false).await
    }

    /// The same with every prompt at its full length, as other implementations do it.
    ///
    /// # Errors
    /// Those of [`forward`](Self::forward).
    pub async fn forward_full_length(
        tower: &'a TextTower,
        sot: u32,
        names: &'a Names,
        context: &[f32],
    ) -> Result<(Vec<f32>, Pass<'a>)> {
        Self::start(tower, sot, names, context, true).await
    }

    async fn start(
        tower: &'a TextTower,
        sot: u32,
        names: &'a Names,
        context: &[f32],
        full_length: bool,
    ) -> Result<(Vec<f32>, Pass<'a>)> {
        let longest = if full_length {
            tower.config.context_length
        } else {
            let longest = names.suffixes.iter().map(Vec::len).max().unwrap_or(1);
            tower.padded(longest, 1 + context.len() / tower.config.width)
        };
        let per_row = SAVED_PER_COLUMN * tower.config.width * tower.config.layers * 4;
        let per_chunk = (TAPE_BYTES / per_row / longest).max(1);
        let mut pass = Self {
            tower,
            sot,
            names,
            context: context.to_vec(),
            per_chunk,
            full_length,
            tape: None,
            rows: TokenCounts::default(),
        };
        let all: Vec<&[u32]> = names.suffixes.iter().map(Vec::as_slice).collect();
        let features = if all.len() <= per_chunk {
            let leaf = pass.leaf().autodiff().require_grad();
            let (features, rows) = pass.encode(leaf.clone(), &all);
            pass.rows = rows;
            let values = read(features.clone().inner()).await?;
            pass.tape = Some((leaf, features));
            values
        } else {
            let (features, rows) = pass.encode(pass.leaf(), &all);
            pass.rows = rows;
            read(features).await?
        };
        Ok((features, pass))
    }

    /// dL/dcontext [M, W] from dL/dfeatures [K, d].
    ///
    /// # Errors
    /// `engine/not-finite`, `gpu/lost`.
    pub async fn backward(self, gradient: &[f32]) -> Result<Vec<f32>> {
        let k = self.names.suffixes.len();
        let d = gradient.len() / k;
        if let Some((leaf, features)) = self.tape {
            return pull(leaf, features, gradient, [k, d]).await;
        }
        let mut total = vec![0f32; self.context.len()];
        for (names, gradient) in self
            .names
            .suffixes
            .chunks(self.per_chunk)
            .zip(gradient.chunks(self.per_chunk * d))
        {
            let chunk: Vec<&[u32]> = names.iter().map(Vec::as_slice).collect();
            let leaf = self.leaf().autodiff().require_grad();
            let (features, _) = self.encode(leaf.clone(), &chunk);
            let part = pull(leaf, features, gradient, [names.len(), d]).await?;
            total.iter_mut().zip(part).for_each(|(sum, g)| *sum += g);
        }
        Ok(total)
    }

    fn encode(&self, context: Tensor<2>, names: &[&[u32]]) -> (Tensor<2>, TokenCounts) {
        let prefix = self.prefix(context);
        if self.full_length {
            self.tower.encode_full_length(prefix, names)
        } else {
            self.tower.encode_suffixes(Some(prefix), names)
        }
    }

    fn leaf(&self) -> Tensor<2> {
        let w = self.tower.config.width;
        floats(
            self.context.clone(),
            [self.context.len() / w, w],
            &self.tower.device,
        )
    }

    /// SOT and context with their positions, [1 + M, W].
    fn prefix(&self, context: Tensor<2>) -> Tensor<2> {
        let [m, w] = context.dims();
        let start = floats(self.tower.embed(&[self.sot], 0), [1, w], &self.tower.device);
        Tensor::cat(vec![start, context + self.tower.positions(1, m)], 0)
    }
}

async fn pull(
    leaf: Tensor<2>,
    features: Tensor<2>,
    gradient: &[f32],
    shape: [usize; 2],
) -> Result<Vec<f32>> {
    let device = features.device().inner();
    let grads = (features * floats(gradient.to_vec(), shape, &device))
        .sum()
        .backward();
    let found = leaf.grad(&grads).ok_or_else(|| {
        Error::new(
            Kind::Internal,
            "The text tower gave its context no gradient.",
        )
    })?;
    read(found).await
}
