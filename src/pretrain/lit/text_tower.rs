//! The text tower in training: its weights as one flat list under OpenCLIP's names, the way through
//! the blocks of `clip/`, and a start that already knows words.

use std::collections::BTreeMap;
use std::ops::Range;

use burn::tensor::{DType, Device, Int, Tensor, TensorData};
use serde::{Deserialize, Serialize};

use super::linear_algebra::principal;
use super::targets::{Kind, Lessons};
use crate::clip::block::Block;
use crate::clip::config::TextConfig;
use crate::clip::text::{TextTower, TokenTable};
use crate::error::Result;
use crate::kernels::{Activation, LayerNorm, Linear, floats};
use crate::quant::HostTensor;
use crate::rng::Rng;

const LAYER_NORM_EPS: f32 = 1e-5;

/// Sizes of a text tower.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextSizes {
    /// Columns of a token row.
    pub width: usize,
    /// Blocks.
    pub layers: usize,
    /// Attention heads.
    pub heads: usize,
    /// Longest sequence.
    pub context_length: usize,
    /// Tokens.
    pub vocabulary: usize,
    /// Columns of the joint space.
    pub out: usize,
}

/// A tensor in the flat list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// OpenCLIP's name.
    pub name: String,
    /// Dimensions.
    pub shape: Vec<usize>,
    /// Its place.
    pub range: Range<usize>,
}

/// Where every tensor lies: matrices first, which decay, then the rest, the token table last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextLayout {
    /// Sizes.
    pub sizes: TextSizes,
    /// Tensors in order.
    pub leaves: Vec<Leaf>,
    /// How many values, from the first, are matrices.
    pub matrices: usize,
}

impl TextLayout {
    /// The layout of a tower of these sizes.
    pub fn new(sizes: TextSizes) -> Self {
        let w = sizes.width;
        let mut tensors: Vec<(String, Vec<usize>)> = Vec::new();
        let mut rest: Vec<(String, Vec<usize>)> = Vec::new();
        for i in 0..sizes.layers {
            let block = |part: &str| format!("transformer.resblocks.{i}.{part}");
            tensors.push((block("attn.in_proj_weight"), vec![3 * w, w]));
            tensors.push((block("attn.out_proj.weight"), vec![w, w]));
            tensors.push((block("mlp.c_fc.weight"), vec![4 * w, w]));
            tensors.push((block("mlp.c_proj.weight"), vec![w, 4 * w]));
            rest.push((block("attn.in_proj_bias"), vec![3 * w]));
            rest.push((block("attn.out_proj.bias"), vec![w]));
            rest.push((block("mlp.c_fc.bias"), vec![4 * w]));
            rest.push((block("mlp.c_proj.bias"), vec![w]));
            for norm in ["ln_1", "ln_2"] {
                rest.push((block(&format!("{norm}.weight")), vec![w]));
                rest.push((block(&format!("{norm}.bias")), vec![w]));
            }
        }
        tensors.push(("text_projection".to_owned(), vec![w, sizes.out]));
        let mut at = 0;
        let matrices = tensors
            .iter()
            .map(|(_, s)| s.iter().product::<usize>())
            .sum();
        rest.push(("ln_final.weight".to_owned(), vec![w]));
        rest.push(("ln_final.bias".to_owned(), vec![w]));
        rest.push((
            "positional_embedding".to_owned(),
            vec![sizes.context_length, w],
        ));
        rest.push((
            "token_embedding.weight".to_owned(),
            vec![sizes.vocabulary, w],
        ));
        let leaves = tensors
            .into_iter()
            .chain(rest)
            .map(|(name, shape)| {
                let start = at;
                at += shape.iter().product::<usize>();
                Leaf {
                    name,
                    shape,
                    range: start..at,
                }
            })
            .collect();
        Self {
            sizes,
            leaves,
            matrices,
        }
    }

    /// Number of values.
    pub fn total(&self) -> usize {
        self.leaves.last().map_or(0, |leaf| leaf.range.end)
    }

    /// The place of a tensor; an empty one for a name that there is not.
    pub fn range(&self, name: &str) -> Range<usize> {
        let leaf = self.leaves.iter().find(|leaf| leaf.name == name);
        leaf.map_or(0..0, |leaf| leaf.range.clone())
    }

    /// Random values with the deviations of CLIP's own initialization, then what `tokens` and
    /// `directions` know: a token's row is the mean of the targets of the names that it occurs in, in
    /// the principal `directions` [width - 1, out]; a constant column keeps rows of words that mean
    /// nothing small in LayerNorm; the first block passes on the mean of what stands before, and the
    /// projection is the directions.
    pub fn warm_start(&self, tokens: &[Vec<f32>], directions: &[f64], seed: u64) -> Vec<f32> {
        let sizes = self.sizes;
        let (w, out) = (sizes.width, sizes.out);
        let residual = (2.0 * sizes.layers as f64).powf(-0.5);
        let mut values = vec![0f32; self.total()];
        for (index, leaf) in self.leaves.iter().enumerate() {
            let mut rng = Rng::derive(seed, index as u64);
            let name = leaf.name.as_str();
            let first = name.starts_with("transformer.resblocks.0.");
            let part = &mut values[leaf.range.clone()];
            let mut normal = |part: &mut [f32], deviation: f64| {
                part.iter_mut()
                    .for_each(|v| *v = (rng.normal() * deviation) as f32);
            };
            let width = w as f64;
            if name.ends_with("attn.in_proj_weight") {
                normal(part, width.powf(-0.5) * if first { 0.3 } else { 1.0 });
                if first {
                    set_identity(&mut part[2 * w * w..], w, 1.0);
                }
            } else if name.ends_with("attn.out_proj.weight") {
                normal(part, width.powf(-0.5) * residual * 0.5);
                if first {
                    set_identity(part, w, 0.5);
                }
            } else if name.ends_with("c_fc.weight") {
                normal(part, (2.0 * width).powf(-0.5));
            } else if name.ends_with("c_proj.weight") {
                normal(part, width.powf(-0.5) * residual * 0.5);
            } else if name == "positional_embedding" {
                normal(part, 0.01);
            } else if name == "token_embedding.weight" {
                for (row, target) in part.chunks_exact_mut(w).zip(tokens) {
                    row[0] = CONSTANT;
                    for (v, direction) in row[1..].iter_mut().zip(directions.chunks_exact(out)) {
                        let along = target.iter().zip(direction).map(|(t, d)| f64::from(*t) * d);
                        *v = along.sum::<f64>() as f32;
                    }
                }
            } else if name == "text_projection" {
                for (row, direction) in part[out..]
                    .chunks_exact_mut(out)
                    .zip(directions.chunks_exact(out))
                {
                    row.iter_mut()
                        .zip(direction)
                        .for_each(|(v, d)| *v = *d as f32);
                }
            } else if name.ends_with("ln_1.weight")
                || name.ends_with("ln_2.weight")
                || name == "ln_final.weight"
            {
                part.fill(1.0);
            }
        }
        values
    }
}

/// The constant column of a token's row.
const CONSTANT: f32 = 0.4;

fn set_identity(part: &mut [f32], width: usize, value: f32) {
    part.fill(0.0);
    for i in 0..width {
        part[i * width + i] = value;
    }
}

/// Mean targets of the tokens, [tokens, out], and the principal directions [width - 1, out] of all
/// targets. `spelled` are the ids of each item's text.
pub fn word_knowledge(
    lessons: &Lessons,
    spelled: &[Vec<u32>],
    sizes: TextSizes,
) -> (Vec<Vec<f32>>, Vec<f64>) {
    let mut sums = vec![vec![0f32; sizes.out]; sizes.vocabulary];
    let mut counts = vec![0f32; sizes.vocabulary];
    let mut rows: Vec<f32> = Vec::new();
    for (item, ids) in lessons.items.iter().zip(spelled) {
        let weight = match item.kind {
            Kind::Known | Kind::Class | Kind::Alias => 4.0,
            Kind::Plural | Kind::Clip => 2.0,
            Kind::Noun => 0.5,
            Kind::Caption => continue,
        };
        let target = lessons.row(item.row);
        if item.kind != Kind::Noun {
            rows.extend_from_slice(target);
        }
        // Start and end are no words.
        for id in &ids[1..ids.len() - 1] {
            let id = *id as usize;
            counts[id] += weight;
            sums[id]
                .iter_mut()
                .zip(target)
                .for_each(|(s, t)| *s += weight * t);
        }
    }
    for (sum, count) in sums.iter_mut().zip(&counts) {
        sum.iter_mut().for_each(|v| *v /= count.max(1.0));
    }
    let directions = principal(&rows, sizes.out, sizes.width - 1);
    (sums, directions)
}

/// The tower over leaves of a tape. Only the rows of the token table that a batch needs are leaves.
pub struct Taped {
    tower: TextTower,
    leaves: Vec<Option<Tensor<1>>>,
    position: Tensor<2>,
    tokens: Tensor<2>,
    /// The tokens whose rows are leaves, ascending.
    used: Vec<u32>,
}

/// Whether operations are recorded for a gradient. What is recorded stays in memory until it is
/// asked for, so features that need no gradient are made without.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tape {
    /// They are.
    On,
    /// They are not.
    Off,
}

impl Tape {
    fn leaf<const D: usize>(self, tensor: Tensor<D>) -> Tensor<D> {
        match self {
            Self::On => tensor.autodiff().require_grad(),
            Self::Off => tensor,
        }
    }
}

impl Taped {
    /// The tower with `values` in the order of `layout`, for texts of the tokens `used`, ascending.
    pub fn new(
        layout: &TextLayout,
        values: &[f32],
        used: Vec<u32>,
        tape: Tape,
        device: &Device,
    ) -> Self {
        let sizes = layout.sizes;
        let w = sizes.width;
        let mut by_name: BTreeMap<&str, Tensor<1>> = BTreeMap::new();
        let leaves = layout
            .leaves
            .iter()
            .map(|leaf| {
                if leaf.name == "token_embedding.weight" {
                    return None;
                }
                let part = values[leaf.range.clone()].to_vec();
                let tensor = tape.leaf(floats(part, [leaf.range.len()], device));
                by_name.insert(&leaf.name, tensor.clone());
                Some(tensor)
            })
            .collect();
        let vector = |name: &str| by_name[name].clone();
        let matrix = |name: &str, n: usize, k: usize| by_name[name].clone().reshape([n, k]);
        let norm = |name: &str| LayerNorm::Trained {
            gamma: vector(&format!("{name}.weight")),
            beta: vector(&format!("{name}.bias")),
            eps: LAYER_NORM_EPS,
        };
        let blocks = (0..sizes.layers)
            .map(|i| {
                let name = |part: &str| format!("transformer.resblocks.{i}.{part}");
                let linear = |weight: &str, bias: &str, n: usize, k: usize| Linear::Trained {
                    weight: matrix(&name(weight), n, k),
                    bias: Some(vector(&name(bias))),
                };
                Block {
                    norm1: norm(&name("ln_1")),
                    qkv: linear("attn.in_proj_weight", "attn.in_proj_bias", 3 * w, w),
                    out: linear("attn.out_proj.weight", "attn.out_proj.bias", w, w),
                    norm2: norm(&name("ln_2")),
                    fc1: linear("mlp.c_fc.weight", "mlp.c_fc.bias", 4 * w, w),
                    fc2: linear("mlp.c_proj.weight", "mlp.c_proj.bias", w, 4 * w),
                    heads: sizes.heads,
                    activation: Activation::QuickGelu,
                    causal: true,
                }
            })
            .collect();
        let table = &values[layout.range("token_embedding.weight")];
        let rows: Vec<f32> = used
            .iter()
            .flat_map(|id| &table[*id as usize * w..(*id as usize + 1) * w])
            .copied()
            .collect();
        let tower = TextTower {
            config: TextConfig {
                width: w,
                layers: sizes.layers,
                heads: sizes.heads,
                mlp: 4 * w,
                context_length: sizes.context_length,
                vocab_size: sizes.vocabulary,
                layer_norm_eps: LAYER_NORM_EPS,
                activation: Activation::QuickGelu,
                eos_token_id: None,
                causal: true,
            },
            // The tape's own tensors stand in for what the tower would hold in host memory.
            tokens: TokenTable::new(
                HostTensor::Float {
                    shape: vec![0, w],
                    data: Vec::new(),
                },
                w,
            ),
            position: Vec::new(),
            blocks,
            last: norm("ln_final"),
            projection: Linear::Trained {
                weight: matrix("text_projection", w, sizes.out).transpose(),
                bias: None,
            },
            device: device.clone(),
        };
        Self {
            position: matrix("positional_embedding", sizes.context_length, w),
            tokens: tape.leaf(floats(rows, [used.len(), w], device)),
            tower,
            leaves,
            used,
        }
    }

    /// Features before normalization of token sequences, start and end included -> [K, out]. What all
    /// have in common at the beginning runs once.
    pub fn encode(&self, sequences: &[&[u32]]) -> Tensor<2> {
        let shortest = sequences.iter().map(|s| s.len()).min().unwrap_or(1);
        let common = (0..shortest - 1)
            .take_while(|i| sequences.iter().all(|s| s[*i] == sequences[0][*i]))
            .count();
        let longest = sequences.iter().map(|s| s.len()).max().unwrap_or(1) - common;
        let place = |id: &u32| self.used.binary_search(id).unwrap_or_default() as i32;
        let device = &self.tower.device;
        let select = |ids: Vec<i32>| {
            let count = ids.len();
            let ids =
                Tensor::<1, Int>::from_data(TensorData::new(ids, [count]), (device, DType::I32));
            self.tokens.clone().select(0, ids)
        };
        let prefix = (common > 0).then(|| {
            let ids = sequences[0][..common].iter().map(place).collect();
            select(ids) + self.position.clone().narrow(0, 0, common)
        });
        let ids = sequences
            .iter()
            .flat_map(|sequence| {
                let own = &sequence[common..];
                // Rows behind the end are padding that a causal tower never looks at.
                own.iter()
                    .map(place)
                    .chain(std::iter::repeat_n(0, longest - own.len()))
            })
            .collect();
        let shape = [sequences.len(), longest, self.tower.config.width];
        let position = self.position.clone().narrow(0, common, longest);
        let x = select(ids).reshape(shape) + position.unsqueeze::<3>();
        let ends: Vec<usize> = sequences.iter().map(|s| s.len() - 1 - common).collect();
        self.tower.run(prefix, x, &ends)
    }

    /// Adds the gradient of the scalar `loss` in every value to `out`, in the order of the layout.
    ///
    /// # Errors
    /// `engine/not-finite`.
    pub fn backward(&self, layout: &TextLayout, loss: Tensor<1>, out: &mut [f32]) -> Result<()> {
        let grads = loss.backward();
        let add = |to: &mut [f32], tensor: Tensor<1>| -> Result<()> {
            let found = pollster::block_on(crate::kernels::read(tensor))?;
            to.iter_mut().zip(found).for_each(|(t, g)| *t += g);
            Ok(())
        };
        for (leaf, tensor) in layout.leaves.iter().zip(&self.leaves) {
            if let Some(gradient) = tensor.as_ref().and_then(|tensor| tensor.grad(&grads)) {
                add(&mut out[leaf.range.clone()], gradient)?;
            }
        }
        if let Some(gradient) = self.tokens.grad(&grads) {
            let w = layout.sizes.width;
            let rows = pollster::block_on(crate::kernels::read(gradient))?;
            let table = layout.range("token_embedding.weight");
            for (id, row) in self.used.iter().zip(rows.chunks_exact(w)) {
                let start = table.start + *id as usize * w;
                out[start..start + w]
                    .iter_mut()
                    .zip(row)
                    .for_each(|(t, g)| *t += g);
            }
        }
        Ok(())
    }
}
