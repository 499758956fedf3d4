//! Assembles the tower from its tensors, batch norms folded.

use std::collections::BTreeMap;

use super::block::Block;
use super::config::EfficientNetConfig;
use super::stem::Stem;
use super::tower::EfficientNetTower;
use super::trunk::Trunk;
use crate::error::{Error, Kind, Result};
use crate::kernels::{Depthwise, Linear, Placement};
use crate::quant::HostTensor;

/// The tensors of [`EfficientNetConfig::tensors`] by name; what is used is taken out.
pub type Tensors = BTreeMap<String, HostTensor>;

impl Trunk {
    /// The trunk of `config` on `placement`.
    ///
    /// # Errors
    /// `weights/missing-tensor` if a part is absent.
    pub fn build(
        config: EfficientNetConfig,
        tensors: &mut Tensors,
        placement: &Placement,
    ) -> Result<Self> {
        let name = |rest: &str| format!("visual.trunk.{rest}");
        let (weight, bias) = parts(tensors, &name("conv_stem"))?;
        let stem = Stem::new(&weight.into_floats(), bias, config.image_size, placement);
        let mut blocks = Vec::new();
        for shape in config.blocks() {
            let at = |conv: &str| name(&format!("blocks.{}.{}.{conv}", shape.stage, shape.index));
            let (expand, project) = if shape.expands() {
                (
                    Some(linear(tensors, &at("conv_pw"), placement)?),
                    "conv_pwl",
                )
            } else {
                (None, "conv_pw")
            };
            let (weight, bias) = parts(tensors, &at("conv_dw"))?;
            blocks.push(Block {
                expand,
                depthwise: Depthwise::new(
                    &weight.into_floats(),
                    bias,
                    shape.stride,
                    &placement.device,
                ),
                project: linear(tensors, &at(project), placement)?,
                residual: shape.residual(),
            });
        }
        Ok(Self {
            config,
            stem,
            blocks,
            head: linear(tensors, &name("conv_head"), placement)?,
            device: placement.device.clone(),
        })
    }
}

impl EfficientNetTower {
    /// The tower of `config` on `placement`.
    ///
    /// # Errors
    /// `weights/missing-tensor` if a part is absent.
    pub fn build(
        config: EfficientNetConfig,
        tensors: &mut Tensors,
        placement: &Placement,
    ) -> Result<Self> {
        let weight = take(tensors, "visual.head.proj.weight")?;
        let bias = match config.projection_bias {
            true => Some(take(tensors, "visual.head.proj.bias")?.into_floats()),
            false => None,
        };
        Ok(Self {
            trunk: Trunk::build(config, tensors, placement)?,
            projection: Linear::new(weight, bias, placement),
        })
    }
}

fn linear(tensors: &mut Tensors, layer: &str, placement: &Placement) -> Result<Linear> {
    let (weight, bias) = parts(tensors, layer)?;
    Ok(Linear::new(weight, Some(bias), placement))
}

/// Weight and bias of a layer.
fn parts(tensors: &mut Tensors, layer: &str) -> Result<(HostTensor, Vec<f32>)> {
    let weight = take(tensors, &format!("{layer}.weight"))?;
    let bias = take(tensors, &format!("{layer}.bias"))?;
    Ok((weight, bias.into_floats()))
}

fn take(tensors: &mut Tensors, name: &str) -> Result<HostTensor> {
    tensors.remove(name).ok_or_else(|| {
        Error::new(
            Kind::WeightsMissingTensor,
            format!("The weights lack the tensor {name}."),
        )
    })
}
