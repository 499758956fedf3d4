//! The text tower, in the form that shares what prompts have in common.
//!
//! The tower is causal, so the keys and values of a common beginning are the same for every prompt:
//! they are computed once, each prompt runs only its own rows against them, and rows behind the
//! longest EOT never run. The features are those of the full-length form to f32 rounding.

use burn::tensor::{DType, Device, Int, Tensor, TensorData};

use super::block::Block;
use super::config::TextConfig;
use crate::kernels::launch::rows_that_bind;
use crate::kernels::{LayerNorm, Linear, floats};
use crate::quant::HostTensor;

/// Suffix rows that one pass holds at most; more classes run in chunks.
const MAX_ROWS: usize = 4096;

/// The token embedding, kept in host memory because only single rows are ever read.
#[derive(Clone, Debug)]
pub struct TokenTable {
    table: HostTensor,
    width: usize,
}

impl TokenTable {
    /// A table [vocabulary, width], packed or not.
    pub fn new(table: HostTensor, width: usize) -> Self {
        Self { table, width }
    }

    /// Writes the embedding of `id` to `out` [width].
    pub fn row(&self, id: u32, out: &mut [f32]) {
        let id = id as usize;
        match &self.table {
            HostTensor::Float { data, .. } => {
                out.copy_from_slice(&data[id * self.width..(id + 1) * self.width])
            }
            HostTensor::Packed { packed, .. } => packed.dequantize_row(id, out),
        }
    }
}

/// Token ids to features.
#[derive(Clone, Debug)]
pub struct TextTower {
    /// Sizes.
    pub config: TextConfig,
    /// Token embeddings.
    pub tokens: TokenTable,
    /// Position embeddings [context_length, W] in host memory.
    pub position: Vec<f32>,
    /// The blocks.
    pub blocks: Vec<Block>,
    /// On the EOT row after the last block.
    pub last: LayerNorm,
    /// W -> d, without bias.
    pub projection: Linear,
    /// Where the weights are.
    pub device: Device,
}

/// What a pass over prompts processed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TokenCounts {
    /// Token rows that ran through the blocks.
    pub processed: usize,
    /// Token rows of the full-length form.
    pub full: usize,
}

impl TextTower {
    /// Embeddings with positions of `ids` that stand at `start`, [ids, W] row-major.
    pub fn embed(&self, ids: &[u32], start: usize) -> Vec<f32> {
        let w = self.config.width;
        let mut out = vec![0.0; ids.len() * w];
        for (i, (id, row)) in ids.iter().zip(out.chunks_exact_mut(w)).enumerate() {
            self.tokens.row(*id, row);
            let position = &self.position[(start + i) * w..(start + i + 1) * w];
            row.iter_mut().zip(position).for_each(|(v, p)| *v += p);
        }
        out
    }

    /// Position embeddings of `len` rows from `start`, [len, W].
    pub fn positions(&self, start: usize, len: usize) -> Tensor<2> {
        let w = self.config.width;
        floats(
            self.position[start * w..(start + len) * w].to_vec(),
            [len, w],
            &self.device,
        )
    }

    /// Rows that each of several prompts takes behind `start` others if the longest has `longest`
    /// tokens there: a causal tower stops at the last EOT.
    pub fn padded(&self, longest: usize, start: usize) -> usize {
        if self.config.causal {
            longest.max(1)
        } else {
            self.config.context_length - start
        }
    }

    /// Rows that one pass may hold.
    pub fn rows_per_pass(&self) -> usize {
        rows_that_bind(self.config.mlp.max(3 * self.config.width), MAX_ROWS)
    }

    /// Embedded suffixes padded to the longest, [K, S, W], and the row of each one's EOT.
    fn suffixes(&self, suffixes: &[&[u32]], start: usize) -> (Tensor<3>, Vec<usize>) {
        let w = self.config.width;
        let longest = suffixes.iter().map(|s| s.len()).max().unwrap_or(1);
        let longest = self.padded(longest, start);
        let mut values = Vec::with_capacity(suffixes.len() * longest * w);
        for suffix in suffixes {
            let mut ids = suffix.to_vec();
            // Rows behind EOT are never seen by a causal tower; elsewhere the padding id is 0.
            ids.resize(longest, 0);
            values.extend(self.embed(&ids, start));
        }
        let ends = suffixes.iter().map(|s| s.len() - 1).collect();
        (
            floats(values, [suffixes.len(), longest, w], &self.device),
            ends,
        )
    }

    /// Runs embedded rows `x` [K, S, W] behind the embedded `prefix` [P, W] and returns the features
    /// before normalization of row `ends[k]` of each, [K, d].
    pub fn run(&self, prefix: Option<Tensor<2>>, mut x: Tensor<3>, ends: &[usize]) -> Tensor<2> {
        let mut shared = prefix.map(|p| p.unsqueeze::<3>());
        let (last, first) = self
            .blocks
            .split_last()
            .expect("a tower has at least one block");
        for block in first {
            let Some(p) = shared.take() else {
                x = block.forward(x, None);
                continue;
            };
            let projected = block.project(p.clone());
            x = block.forward(x, Some(flat(projected.clone())));
            let attended = block.attention.forward(projected, None);
            shared = Some(block.finish(p, attended));
        }
        let [k, s, _] = x.dims();
        let at: Vec<i32> = ends
            .iter()
            .enumerate()
            .map(|(i, end)| (i * s + end) as i32)
            .collect();
        let at = Tensor::<1, Int>::from_data(TensorData::new(at, [k]), (&self.device, DType::I32));
        // Of the last block's prefix only keys and values are seen, and of its rows only the EOTs.
        let prefix = shared.map(|p| flat(last.project(p)));
        let rows = last.forward_picked(x, prefix, |rows| rows.select(0, at.clone()));
        self.projection.forward(self.last.forward(rows), None, None)
    }

    /// Features before normalization of token sequences (SOT and EOT included), [K, d].
    ///
    /// The longest beginning that all sequences share runs once.
    pub fn encode(&self, sequences: &[Vec<u32>]) -> (Tensor<2>, TokenCounts) {
        let common = if self.config.causal {
            common_prefix(sequences)
        } else {
            0
        };
        let prefix = (common > 0).then(|| {
            let head = &sequences[0][..common];
            floats(
                self.embed(head, 0),
                [common, self.config.width],
                &self.device,
            )
        });
        let suffixes: Vec<&[u32]> = sequences.iter().map(|s| &s[common..]).collect();
        let (features, mut rows) = self.encode_suffixes(prefix, &suffixes);
        rows.full = sequences.len() * self.config.context_length;
        (features, rows)
    }

    /// Features before normalization of token `suffixes` (EOT last) that follow the embedded
    /// `prefix` [P, W], chunked over classes, [K, d]. Differentiable in the prefix.
    pub fn encode_suffixes(
        &self,
        prefix: Option<Tensor<2>>,
        suffixes: &[&[u32]],
    ) -> (Tensor<2>, TokenCounts) {
        let start = prefix.as_ref().map_or(0, |p| p.dims()[0]);
        let longest = suffixes.iter().map(|s| s.len()).max().unwrap_or(1);
        let per_chunk = (self.rows_per_pass() / self.padded(longest, start)).max(1);
        let mut processed = 0;
        let chunks: Vec<Tensor<2>> = suffixes
            .chunks(per_chunk)
            .map(|chunk| {
                let (x, ends) = self.suffixes(chunk, start);
                processed += start + x.dims()[0] * x.dims()[1];
                self.run(prefix.clone(), x, &ends)
            })
            .collect();
        let features = if chunks.len() == 1 {
            chunks.into_iter().next().expect("one chunk")
        } else {
            Tensor::cat(chunks, 0)
        };
        (
            features,
            TokenCounts {
                processed,
                full: suffixes.len() * self.config.context_length,
            },
        )
    }
}

/// [1, P, W] as [P, W].
fn flat(x: Tensor<3>) -> Tensor<2> {
    let [_, rows, width] = x.dims();
    x.reshape([rows, width])
}

/// How many leading ids all sequences share; at least one id of each is left over.
fn common_prefix(sequences: &[Vec<u32>]) -> usize {
    let Some((first, rest)) = sequences.split_first() else {
        return 0;
    };
    if rest.is_empty() {
        return 0;
    }
    let shortest = sequences.iter().map(Vec::len).min().unwrap_or(0);
    (0..shortest.saturating_sub(1))
        .take_while(|i| rest.iter().all(|s| s[*i] == first[*i]))
        .count()
}

#[cfg(test)]
mod tests {
    use super::common_prefix;

    #[test]
    fn the_common_prefix_leaves_a_suffix() {
        assert_eq!(common_prefix(&[vec![1, 2, 3], vec![1, 2, 4, 5]]), 2);
        assert_eq!(common_prefix(&[vec![1, 2, 3], vec![1, 2, 3]]), 2);
        assert_eq!(common_prefix(&[vec![1, 2, 3]]), 0);
        assert_eq!(common_prefix(&[vec![1], vec![2]]), 0);
    }
}
