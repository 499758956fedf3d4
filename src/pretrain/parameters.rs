//! All weights of a CLIP as one flat list of f32, in the order that training wants.
//!
//! The matrices of linear layers, which decay, come first. Queries, keys and values of a block lie
//! side by side, so that the three are one matrix on the device and three tensors in a file.

use std::collections::BTreeMap;
use std::ops::Range;

use crate::clip::config::ClipConfig;
use crate::clip::vision_config::VisionConfig;
use crate::error::{Error, Kind, Result};
use crate::quant::HostTensor;
use crate::quant::Role;
use crate::rng::Rng;

/// The largest `logit_scale` parameter, the logarithm of 100 (Radford et al., 2021).
pub const MAX_LOG_SCALE: f32 = 4.605_170_2;

/// One trained tensor: a tensor of the file, or three of them joined.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// Its name; of joined projections `...self_attn.qkv.weight` or `.bias`.
    pub name: String,
    /// Its place in the flat list.
    pub range: Range<usize>,
    /// Dimensions, a matrix's as the linear layer sees it: [outputs, inputs].
    pub shape: Vec<usize>,
    /// The file's tensors in it, with their shapes.
    parts: Vec<(String, Vec<usize>)>,
}

/// A matrix in the flat list, row by row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Matrix {
    /// Where it begins.
    pub start: usize,
    /// Outputs.
    pub rows: usize,
    /// Inputs.
    pub cols: usize,
}

/// Where everything lies.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    leaves: Vec<Leaf>,
    decayed: usize,
    total: usize,
}

impl Layout {
    /// The layout of a model of `config`.
    pub fn new(config: &ClipConfig) -> Self {
        let specs = config.tensors();
        let mut decayed = Vec::new();
        let mut others = Vec::new();
        for spec in &specs {
            if spec.name.contains(".k_proj.") || spec.name.contains(".v_proj.") {
                continue;
            }
            let names = if spec.name.contains(".q_proj.") {
                ["q_proj", "k_proj", "v_proj"]
                    .map(|part| spec.name.replace("q_proj", part))
                    .to_vec()
            } else {
                vec![spec.name.clone()]
            };
            let (rows, cols) = spec.matrix();
            let rows = rows * names.len();
            let leaf = Leaf {
                name: spec.name.replace("q_proj", "qkv"),
                range: 0..rows * cols,
                shape: if spec.role != Role::Float || spec.shape.len() > 1 {
                    vec![rows, cols]
                } else {
                    vec![rows]
                },
                parts: names.into_iter().map(|n| (n, spec.shape.clone())).collect(),
            };
            match spec.role {
                Role::Linear => decayed.push(leaf),
                Role::Embedding | Role::Kernel | Role::Float => others.push(leaf),
            }
        }
        let mut total = 0;
        let mut place = |mut leaf: Leaf| {
            leaf.range = total..total + leaf.range.len();
            total = leaf.range.end;
            leaf
        };
        let mut leaves: Vec<Leaf> = decayed.into_iter().map(&mut place).collect();
        let decayed = leaves.last().map_or(0, |leaf| leaf.range.end);
        leaves.extend(others.into_iter().map(&mut place));
        Self {
            leaves,
            decayed,
            total,
        }
    }

    /// The tensors in order.
    pub fn leaves(&self) -> &[Leaf] {
        &self.leaves
    }

    /// The square or oblong matrices inside the image tower's blocks; queries, keys and values count
    /// as three.
    pub fn blocks(&self) -> Vec<Matrix> {
        let mut found = Vec::new();
        for leaf in &self.leaves {
            if !leaf.name.starts_with("vision_model.encoder.") || leaf.range.end > self.decayed {
                continue;
            }
            let rows = leaf.shape[0] / leaf.parts.len();
            let count = rows * leaf.shape[1];
            found.extend((0..leaf.parts.len()).map(|part| Matrix {
                start: leaf.range.start + part * count,
                rows,
                cols: leaf.shape[1],
            }));
        }
        found
    }

    /// How many values, from the first, are subject to weight decay.
    pub fn decayed(&self) -> usize {
        self.decayed
    }

    /// Number of values.
    pub fn total(&self) -> usize {
        self.total
    }

    /// Where the tensor `name` lies.
    ///
    /// # Errors
    /// `weights/missing-tensor`.
    pub fn leaf(&self, name: &str) -> Result<&Leaf> {
        self.leaves
            .iter()
            .find(|leaf| leaf.name == name)
            .ok_or_else(|| missing(name))
    }

    /// The flat list of a model's tensors.
    ///
    /// # Errors
    /// `weights/missing-tensor`.
    pub fn join(&self, mut tensors: BTreeMap<String, HostTensor>) -> Result<Vec<f32>> {
        let mut values = Vec::with_capacity(self.total);
        for (name, _) in self.leaves.iter().flat_map(|leaf| &leaf.parts) {
            let tensor = tensors.remove(name).ok_or_else(|| missing(name))?;
            values.extend(tensor.into_floats());
        }
        Ok(values)
    }

    /// The tensors of a flat list, under their Hugging Face names.
    pub fn split(&self, values: &[f32]) -> BTreeMap<String, HostTensor> {
        let mut tensors = BTreeMap::new();
        let mut rest = values;
        for (name, shape) in self.leaves.iter().flat_map(|leaf| &leaf.parts) {
            let (data, after) = rest.split_at(shape.iter().product());
            rest = after;
            tensors.insert(
                name.clone(),
                HostTensor::Float {
                    shape: shape.clone(),
                    data: data.to_vec(),
                },
            );
        }
        tensors
    }

    /// Random weights with the deviations of CLIP's own initialization.
    pub fn initial(&self, config: &ClipConfig, seed: u64) -> Vec<f32> {
        let mut values = vec![0f32; self.total];
        for (index, leaf) in self.leaves.iter().enumerate() {
            let mut rng = Rng::derive(seed, index as u64);
            let out = &mut values[leaf.range.clone()];
            match start(config, leaf) {
                Start::Constant(value) => out.fill(value),
                Start::Normal(deviation) => out
                    .iter_mut()
                    .for_each(|v| *v = (rng.normal() * deviation) as f32),
            }
        }
        values
    }
}

enum Start {
    Constant(f32),
    Normal(f64),
}

fn start(config: &ClipConfig, leaf: &Leaf) -> Start {
    let text = leaf.name.starts_with("text");
    let (width, layers) = match &config.vision {
        VisionConfig::Vit(vision) if !text => (vision.width as f64, vision.layers as f64),
        _ => (config.text.width as f64, config.text.layers as f64),
    };
    let residual = (2.0 * layers).powf(-0.5);
    let name = leaf.name.as_str();
    if name == "logit_scale" {
        // 1 / 0.07, the starting temperature of the paper.
        return Start::Constant((1.0f32 / 0.07).ln());
    }
    if name.ends_with(".bias") {
        return Start::Constant(0.0);
    }
    if name.contains("norm") {
        return Start::Constant(1.0);
    }
    Start::Normal(match name {
        _ if name.ends_with("position_embedding.weight") && text => 0.01,
        _ if name.ends_with("embedding.weight") && text => 0.02,
        _ if name.contains("patch_embedding") => 0.02,
        _ if name.contains(".fc1.") => (2.0 * width).powf(-0.5),
        _ if name.contains(".out_proj.") || name.contains(".fc2.") => width.powf(-0.5) * residual,
        _ => width.powf(-0.5),
    })
}

fn missing(name: &str) -> Error {
    Error::new(
        Kind::WeightsMissingTensor,
        format!("The weights lack the tensor {name}."),
    )
}
