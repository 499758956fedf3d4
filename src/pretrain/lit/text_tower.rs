//! The text tower in training: the way through the blocks of `clip/`, with or without a tape.

use std::collections::BTreeMap;

use burn::tensor::{DType, Int, Tensor, TensorData};

use super::text_layout::TextLayout;
use crate::clip::block::Block;
use crate::clip::config::TextConfig;
use crate::clip::text::{TextTower, TokenTable};
use crate::error::Result;
use crate::kernels::layer_norm::Affine;
use crate::kernels::linear::Dense;
use crate::kernels::{Activation, Attention, LayerNorm, Linear, Placement, floats};
use crate::quant::HostTensor;

const LAYER_NORM_EPS: f32 = 1e-5;

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
        placement: &Placement,
    ) -> Self {
        let device = &placement.device;
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
        let norm = |name: &str| {
            LayerNorm::Trained(Affine {
                gamma: vector(&format!("{name}.weight")),
                beta: vector(&format!("{name}.bias")),
                eps: LAYER_NORM_EPS,
            })
        };
        let attention = Attention {
            heads: sizes.heads,
            causal: true,
            tiling: placement.tiling,
        };
        let blocks = (0..sizes.layers)
            .map(|i| {
                let name = |part: &str| format!("transformer.resblocks.{i}.{part}");
                let linear = |weight: &str, bias: &str, n: usize, k: usize| {
                    Linear::Trained(Dense {
                        weight: matrix(&name(weight), n, k),
                        bias: Some(vector(&name(bias))),
                    })
                };
                Block {
                    norm1: norm(&name("ln_1")),
                    qkv: linear("attn.in_proj_weight", "attn.in_proj_bias", 3 * w, w),
                    out: linear("attn.out_proj.weight", "attn.out_proj.bias", w, w),
                    norm2: norm(&name("ln_2")),
                    fc1: linear("mlp.c_fc.weight", "mlp.c_fc.bias", 4 * w, w),
                    fc2: linear("mlp.c_proj.weight", "mlp.c_proj.bias", w, 4 * w),
                    attention,
                    activation: Activation::QuickGelu,
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
            projection: Linear::Trained(Dense {
                weight: matrix("text_projection", w, sizes.out).transpose(),
                bias: None,
            }),
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
