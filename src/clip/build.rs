//! Assembles a [`Clip`] from tensors that arrive one at a time in any order.
//!
//! A matrix goes to the device when it arrives, whether its bias is here or not: a file may hold all
//! matrices before the first bias, and host memory would hold the model then. Queries, keys and values
//! become one layer.

use std::collections::BTreeMap;

use super::Clip;
use super::block::Block;
use super::config::ClipConfig;
use super::efficientnet::EfficientNetTower;
use super::text::{TextTower, TokenTable};
use super::vision::VisionTower;
use super::vision_config::{VisionConfig, VitConfig};
use super::vit::VitTower;
use crate::error::{Error, Kind, Result};
use crate::kernels::{Activation, Attention, LayerNorm, Linear, Placement, floats};
use crate::quant::HostTensor;
use crate::quant::Packed;

/// Takes tensors by their Hugging Face names.
#[derive(Debug)]
pub struct Builder {
    config: ClipConfig,
    placement: Placement,
    pending: BTreeMap<String, HostTensor>,
    linears: BTreeMap<String, Linear>,
    norms: BTreeMap<String, LayerNorm>,
}

impl Builder {
    /// A builder for a model of `config` on `placement`.
    pub fn new(config: ClipConfig, placement: Placement) -> Self {
        Self {
            config,
            placement,
            pending: BTreeMap::new(),
            linears: BTreeMap::new(),
            norms: BTreeMap::new(),
        }
    }

    /// Takes one tensor. Names and shapes are those of [`ClipConfig::tensors`].
    ///
    /// # Errors
    /// `weights/wrong-shape` if parts of a layer do not fit together.
    pub fn put(&mut self, name: &str, tensor: HostTensor) -> Result<()> {
        self.pending.insert(name.to_string(), tensor);
        let Some((layer, _)) = name.rsplit_once('.') else {
            return Ok(());
        };
        if matches!(self.config.vision, VisionConfig::EfficientNet(_))
            && name.starts_with("visual.")
        {
            // Small, and assembled at the end.
            return Ok(());
        }
        if name.ends_with("embedding.weight") && !name.contains("patch_embedding") {
            return Ok(());
        }
        if let Some((attention, part)) = layer.rsplit_once('.')
            && matches!(part, "q_proj" | "k_proj" | "v_proj")
        {
            return self.fuse(attention);
        }
        if layer.contains("norm") || layer.contains("layrnorm") {
            return self.norm(layer);
        }
        self.linear(layer)
    }

    /// Takes a linear layer that was made elsewhere; `layer` is its name without `.weight`, and
    /// `self_attn.qkv` for the three projections in one.
    pub fn put_linear(&mut self, layer: &str, linear: Linear) {
        self.linears.insert(layer.to_string(), linear);
    }

    /// Takes a LayerNorm that was made elsewhere.
    pub fn put_norm(&mut self, layer: &str, norm: LayerNorm) {
        self.norms.insert(layer.to_string(), norm);
    }

    fn linear(&mut self, layer: &str) -> Result<()> {
        if let Some(weight) = self.pending.remove(&format!("{layer}.weight")) {
            let linear = Linear::new(weight, None, &self.placement);
            self.linears.insert(layer.to_string(), linear);
        }
        self.bias(layer, &[format!("{layer}.bias")])
    }

    /// Gives the layer its bias, in one or more parts, once they and the matrix are here.
    fn bias(&mut self, layer: &str, parts: &[String]) -> Result<()> {
        let here = parts.iter().all(|name| self.pending.contains_key(name));
        let Some(linear) = self.linears.get_mut(layer).filter(|_| here) else {
            return Ok(());
        };
        let mut bias = Vec::new();
        for name in parts {
            let part = self.pending.remove(name).ok_or_else(|| missing(name))?;
            bias.extend(part.into_floats());
        }
        linear.set_bias(bias, &self.placement.device);
        Ok(())
    }

    fn norm(&mut self, layer: &str) -> Result<()> {
        let (weight, bias) = (format!("{layer}.weight"), format!("{layer}.bias"));
        if self.pending.contains_key(&weight) && self.pending.contains_key(&bias) {
            let (gamma, beta) = (
                self.take(&weight)?.into_floats(),
                self.take(&bias)?.into_floats(),
            );
            let eps = self.config.layer_norm_eps(layer);
            self.norms.insert(
                layer.to_string(),
                LayerNorm::new(gamma, beta, eps, &self.placement)?,
            );
        }
        Ok(())
    }

    /// Joins the three projections under `attention`.
    fn fuse(&mut self, attention: &str) -> Result<()> {
        let names =
            |kind: &str| ["q_proj", "k_proj", "v_proj"].map(|p| format!("{attention}.{p}.{kind}"));
        let layer = format!("{attention}.qkv");
        let weights = names("weight");
        if weights.iter().all(|name| self.pending.contains_key(name)) {
            let weights = weights
                .iter()
                .map(|name| self.take(name))
                .collect::<Result<Vec<_>>>()?;
            let linear = Linear::new(stack(weights)?, None, &self.placement);
            self.linears.insert(layer.clone(), linear);
        }
        self.bias(&layer, &names("bias"))
    }

    fn take(&mut self, name: &str) -> Result<HostTensor> {
        self.pending.remove(name).ok_or_else(|| missing(name))
    }

    fn take_linear(&mut self, name: &str) -> Result<Linear> {
        self.linears.remove(name).ok_or_else(|| missing(name))
    }

    /// A linear layer that has a bias in every CLIP.
    fn take_biased(&mut self, name: &str) -> Result<Linear> {
        let linear = self.take_linear(name)?;
        if linear.has_bias() {
            Ok(linear)
        } else {
            Err(missing(&format!("{name}.bias")))
        }
    }

    fn take_norm(&mut self, name: &str) -> Result<LayerNorm> {
        self.norms.remove(name).ok_or_else(|| missing(name))
    }

    fn blocks(
        &mut self,
        tower: &str,
        layers: usize,
        heads: usize,
        activation: Activation,
        causal: bool,
    ) -> Result<Vec<Block>> {
        let attention = Attention {
            heads,
            causal,
            tiling: self.placement.tiling,
        };
        (0..layers)
            .map(|i| {
                let at = |name: &str| format!("{tower}.encoder.layers.{i}.{name}");
                Ok(Block {
                    norm1: self.take_norm(&at("layer_norm1"))?,
                    qkv: self.take_biased(&at("self_attn.qkv"))?,
                    out: self.take_biased(&at("self_attn.out_proj"))?,
                    norm2: self.take_norm(&at("layer_norm2"))?,
                    fc1: self.take_biased(&at("mlp.fc1"))?,
                    fc2: self.take_biased(&at("mlp.fc2"))?,
                    attention,
                    activation,
                })
            })
            .collect()
    }

    fn vit(&mut self, v: VitConfig) -> Result<VitTower> {
        let device = self.placement.device.clone();
        let class = self
            .take("vision_model.embeddings.class_embedding")?
            .into_floats();
        let position = self
            .take("vision_model.embeddings.position_embedding.weight")?
            .into_floats();
        let tokens = position.len() / v.width;
        Ok(VitTower {
            patch: self.take_linear("vision_model.embeddings.patch_embedding")?,
            class: floats(class, [v.width], &device),
            position: floats(position, [tokens, v.width], &device),
            pre: self.take_norm("vision_model.pre_layrnorm")?,
            blocks: self.blocks("vision_model", v.layers, v.heads, v.activation, false)?,
            post: self.take_norm("vision_model.post_layernorm")?,
            projection: self.take_linear("visual_projection")?,
            device,
            config: v,
        })
    }

    /// The finished model.
    ///
    /// # Errors
    /// `weights/missing-tensor` if a part never came.
    pub fn finish(mut self) -> Result<Clip> {
        let t = self.config.text.clone();
        let placement = self.placement.clone();
        let vision = match self.config.vision.clone() {
            VisionConfig::Vit(config) => VisionTower::Vit(self.vit(config)?),
            VisionConfig::EfficientNet(config) => {
                let tower = EfficientNetTower::build(config, &mut self.pending, &placement)?;
                VisionTower::EfficientNet(tower)
            }
        };
        let text = TextTower {
            tokens: TokenTable::new(
                self.take("text_model.embeddings.token_embedding.weight")?,
                t.width,
            ),
            position: self
                .take("text_model.embeddings.position_embedding.weight")?
                .into_floats(),
            blocks: self.blocks("text_model", t.layers, t.heads, t.activation, t.causal)?,
            last: self.take_norm("text_model.final_layer_norm")?,
            projection: self.take_linear("text_projection")?,
            device: placement.device.clone(),
            config: t,
        };
        let logit_scale = self.take("logit_scale")?.into_floats()[0].exp();
        if !logit_scale.is_finite() {
            return Err(Error::new(
                Kind::WeightsNotFinite,
                "The model's logit_scale is too large.",
            ));
        }
        Ok(Clip {
            config: self.config,
            vision,
            text,
            logit_scale,
            placement,
        })
    }
}

/// The matrices one below the other.
fn stack(parts: Vec<HostTensor>) -> Result<HostTensor> {
    let shape = vec![
        parts.iter().map(|p| p.shape()[0]).sum(),
        parts[0].shape()[1],
    ];
    if parts.iter().all(|p| matches!(p, HostTensor::Packed { .. })) {
        let packed: Vec<_> = parts
            .into_iter()
            .filter_map(|p| match p {
                HostTensor::Packed { packed, .. } => Some(packed),
                HostTensor::Float { .. } => None,
            })
            .collect();
        return Ok(HostTensor::Packed {
            shape,
            packed: Packed::concat_rows(&packed)?,
        });
    }
    let data = parts
        .into_iter()
        .flat_map(HostTensor::into_floats)
        .collect();
    Ok(HostTensor::Float { shape, data })
}

fn missing(name: &str) -> Error {
    Error::new(
        Kind::WeightsMissingTensor,
        format!("The weights lack the tensor {name}."),
    )
}
