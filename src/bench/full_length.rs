//! The form in which other implementations run prompts, to compare with: every prompt has its own
//! copy of the context and is padded to the context length. The features are the same.

use burn::tensor::Tensor;

use crate::clip::text::TextTower;
use crate::error::Result;
use crate::kernels::{floats, read};
use crate::progress::LocalBoxFuture;
use crate::prompt::context_encoder::{leaf_gradient, prompts_per_tape};
use crate::prompt::model::TextSide;

/// Class names behind one context, each prompt at its full length.
pub struct FullLength<'a> {
    tower: &'a TextTower,
    sot: u32,
    /// The token ids of every class behind the context, EOT last.
    suffixes: Vec<Vec<u32>>,
    context: Vec<f32>,
    tape: Option<(Tensor<2>, Tensor<2>)>,
}

impl<'a> FullLength<'a> {
    /// For prompts of `sot`, a context, and each of `suffixes`, which ends with EOT.
    pub fn new(tower: &'a TextTower, sot: u32, suffixes: Vec<Vec<u32>>) -> Self {
        Self {
            tower,
            sot,
            suffixes,
            context: Vec::new(),
            tape: None,
        }
    }

    /// Token rows of one pass.
    pub fn token_rows(&self) -> usize {
        self.suffixes.len() * self.tower.config.context_length
    }

    fn per_tape(&self) -> usize {
        prompts_per_tape(self.tower, self.tower.config.context_length).max(1)
    }

    /// The context [M, W].
    fn leaf(&self) -> Tensor<2> {
        let w = self.tower.config.width;
        let rows = self.context.len() / w;
        floats(self.context.clone(), [rows, w], &self.tower.device)
    }

    /// Features before normalization of `suffixes` behind the context in `leaf`.
    fn encode(&self, leaf: &Tensor<2>, suffixes: &[Vec<u32>]) -> Tensor<2> {
        let tower = self.tower;
        let [m, w] = leaf.dims();
        let start = floats(tower.embed(&[self.sot], 0), [1, w], &tower.device);
        let prefix = Tensor::cat(vec![start, leaf.clone() + tower.positions(1, m)], 0);
        let behind = tower.config.context_length - 1 - m;
        let per_pass = (tower.rows_per_pass() / tower.config.context_length).max(1);
        let chunks = suffixes.chunks(per_pass).map(|chunk| {
            let rows = chunk.iter().flat_map(|suffix| {
                let mut ids = suffix.clone();
                ids.resize(behind, 0);
                tower.embed(&ids, 1 + m)
            });
            let rows = floats(rows.collect(), [chunk.len(), behind, w], &tower.device);
            let copies = prefix.clone().unsqueeze::<3>().repeat_dim(0, chunk.len());
            let ends: Vec<usize> = chunk.iter().map(|suffix| m + suffix.len()).collect();
            tower.run(None, Tensor::cat(vec![copies, rows], 1), &ends)
        });
        Tensor::cat(chunks.collect(), 0)
    }

    async fn features(&mut self, context: &[f32]) -> Result<Vec<f32>> {
        self.context = context.to_vec();
        self.tape = None;
        if self.suffixes.len() > self.per_tape() {
            return read(self.encode(&self.leaf(), &self.suffixes)).await;
        }
        let leaf = self.leaf().autodiff().require_grad();
        let features = self.encode(&leaf, &self.suffixes);
        let values = read(features.clone().inner()).await?;
        self.tape = Some((leaf, features));
        Ok(values)
    }

    async fn gradient(&mut self, gradient: &[f32]) -> Result<Vec<f32>> {
        if let Some((leaf, features)) = self.tape.take() {
            return leaf_gradient(leaf, features, gradient).await;
        }
        let d = gradient.len() / self.suffixes.len();
        let mut total = vec![0f32; self.context.len()];
        let chunks = self.suffixes.chunks(self.per_tape());
        for (chunk, gradient) in chunks.zip(gradient.chunks(self.per_tape() * d)) {
            let leaf = self.leaf().autodiff().require_grad();
            let features = self.encode(&leaf, chunk);
            let part = leaf_gradient(leaf, features, gradient).await?;
            total.iter_mut().zip(part).for_each(|(sum, g)| *sum += g);
        }
        Ok(total)
    }
}

impl TextSide for FullLength<'_> {
    fn forward<'a>(&'a mut self, contexts: &'a [f32]) -> LocalBoxFuture<'a, Vec<f32>> {
        Box::pin(self.features(contexts))
    }

    fn backward<'a>(&'a mut self, gradient: &'a [f32]) -> LocalBoxFuture<'a, Vec<f32>> {
        Box::pin(self.gradient(gradient))
    }
}
