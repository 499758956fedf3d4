//! Both towers of `clip/` over weights that are being trained.

use burn::tensor::{DType, Device, Int, Tensor, TensorData};

use super::parameters::Layout;
use crate::clip::config::ClipConfig;
use crate::clip::vit::VitTower;
use crate::clip::{Builder, Clip};
use crate::error::{Error, Kind, Result};
use crate::kernels::layer_norm::Affine;
use crate::kernels::linear::Dense;
use crate::kernels::read;
use crate::kernels::{LayerNorm, Linear, Placement, floats};
use crate::quant::HostTensor;

/// What is refused for another image tower.
const WHAT: &str = "pretrain";

/// Which rows of the image tower run: the class row and `patches` of each image.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Row numbers of each image, [B, patches], ascending, not counting the class row.
    pub rows: Vec<usize>,
    /// Patches of one image.
    pub patches: usize,
}

/// A CLIP whose weights are leaves of a tape.
pub struct Towers {
    clip: Clip,
    vision: VitTower,
    leaves: Vec<Tensor<1>>,
    token: Tensor<2>,
    position: Tensor<2>,
}

impl Towers {
    /// The towers of `config` with the weights `values`, in the order of `layout`.
    ///
    /// # Errors
    /// `weights/missing-tensor` if `layout` is another model's, `model/needs-vit` for another image
    /// tower.
    pub fn new(
        config: &ClipConfig,
        layout: &Layout,
        values: &[f32],
        placement: &Placement,
    ) -> Result<Self> {
        let leaves: Vec<Tensor<1>> = layout
            .leaves()
            .iter()
            .map(|leaf| {
                let part = values[leaf.range.clone()].to_vec();
                floats(part, [leaf.range.len()], &placement.device)
                    .autodiff()
                    .require_grad()
            })
            .collect();
        let find = |name: &str| {
            let index = layout.leaves().iter().position(|leaf| leaf.name == name);
            index.map(|index| (leaves[index].clone(), layout.leaves()[index].shape.clone()))
        };
        let vector = |name: &str| find(name).map(|(leaf, _)| leaf);
        let matrix =
            |name: &str| find(name).map(|(leaf, shape)| leaf.reshape([shape[0], shape[1]]));
        let mut builder = Builder::new(config.clone(), placement.clone());
        for leaf in layout.leaves() {
            let Some((layer, "weight")) = leaf.name.rsplit_once('.') else {
                continue;
            };
            let bias = vector(&format!("{layer}.bias"));
            if layer.contains("norm") || layer.contains("layrnorm") {
                let (Some(gamma), Some(beta)) = (vector(&leaf.name), bias) else {
                    continue;
                };
                let eps = config.layer_norm_eps(layer);
                builder.put_norm(layer, LayerNorm::Trained(Affine { gamma, beta, eps }));
            } else if let Some(weight) = matrix(&leaf.name) {
                builder.put_linear(layer, Linear::Trained(Dense { weight, bias }));
            }
        }
        // The rest of what the towers hold in host memory; the tape's own tensors take their places.
        for name in [
            "vision_model.embeddings.class_embedding",
            "vision_model.embeddings.position_embedding.weight",
            "text_model.embeddings.token_embedding.weight",
            "text_model.embeddings.position_embedding.weight",
            "logit_scale",
        ] {
            let leaf = layout.leaf(name)?;
            let tensor = HostTensor::Float {
                shape: leaf.shape.clone(),
                data: values[leaf.range.clone()].to_vec(),
            };
            builder.put(name, tensor)?;
        }
        let clip = builder.finish()?;
        let lacking = || Error::new(Kind::Internal, "The layout lacks an embedding.");
        let mut vision = clip.vision.vit(WHAT)?.clone();
        vision.class = vector("vision_model.embeddings.class_embedding").ok_or_else(lacking)?;
        vision.position =
            matrix("vision_model.embeddings.position_embedding.weight").ok_or_else(lacking)?;
        Ok(Self {
            token: matrix("text_model.embeddings.token_embedding.weight").ok_or_else(lacking)?,
            position: matrix("text_model.embeddings.position_embedding.weight")
                .ok_or_else(lacking)?,
            leaves,
            vision,
            clip,
        })
    }

    /// Features before normalization of pixels [B, 3, S, S] -> [B, d]; with `kept`, from these
    /// patches alone (Li et al., "Scaling Language-Image Pre-training via Masking", 2023).
    pub fn images(&self, pixels: &[f32], kept: Option<&Kept>) -> Tensor<2> {
        let vision = &self.vision;
        let x = vision.embed(vision.cut(pixels));
        let Some(kept) = kept else {
            return vision.run(x);
        };
        let [batch, tokens, width] = x.dims();
        let rows: Vec<i32> = kept
            .rows
            .chunks(kept.patches)
            .enumerate()
            .flat_map(|(image, rows)| {
                let first = image * tokens;
                std::iter::once(first as i32)
                    .chain(rows.iter().map(move |row| (first + 1 + row) as i32))
            })
            .collect();
        let x = x
            .reshape([batch * tokens, width])
            .select(0, indices(rows, &self.clip.placement.device));
        vision.run(x.reshape([batch, kept.patches + 1, width]))
    }

    /// Features before normalization of token sequences, SOT and EOT included -> [K, d].
    pub fn texts(&self, sequences: &[Vec<u32>]) -> Tensor<2> {
        let tower = &self.clip.text;
        let longest = if tower.config.causal {
            sequences.iter().map(Vec::len).max().unwrap_or(1)
        } else {
            tower.config.context_length
        };
        let ids: Vec<i32> = sequences
            .iter()
            .flat_map(|sequence| {
                // Rows behind EOT are padding; a causal tower never looks at them.
                let padding = std::iter::repeat_n(0, longest - sequence.len());
                sequence.iter().map(|id| *id as i32).chain(padding)
            })
            .collect();
        let shape = [sequences.len(), longest, tower.config.width];
        let x = self.token.clone().select(0, indices(ids, &tower.device));
        let position = self.position.clone().narrow(0, 0, longest);
        let ends: Vec<usize> = sequences.iter().map(|s| s.len() - 1).collect();
        tower.run(None, x.reshape(shape) + position.unsqueeze::<3>(), &ends)
    }

    /// The gradient of the scalar `loss` in every weight, in the order of the layout.
    ///
    /// # Errors
    /// `engine/not-finite`, `gpu/lost`.
    pub async fn backward(&self, loss: Tensor<1>) -> Result<Vec<f32>> {
        let grads = loss.backward();
        let parts = self
            .leaves
            .iter()
            .map(|leaf| {
                leaf.grad(&grads)
                    .unwrap_or_else(|| leaf.clone().inner().zeros_like())
            })
            .collect();
        read(Tensor::cat(parts, 0)).await
    }
}

fn indices(values: Vec<i32>, device: &Device) -> Tensor<1, Int> {
    let count = values.len();
    Tensor::from_data(TensorData::new(values, [count]), (device, DType::I32))
}
