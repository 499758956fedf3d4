//! What an image tower is made of: a vision transformer, or one of timm's EfficientNet-Lite.

use serde_json::{Value, json};

use super::config_fields::{Fields, invalid, shortest};
use super::efficientnet::EfficientNetConfig;
use super::tensor_spec::SpecList;
use crate::error::{Error, Kind, Result};
use crate::kernels::Activation;
use crate::quant::Role;

/// The image tower, by its kind.
#[derive(Debug, Clone, PartialEq)]
pub enum VisionConfig {
    /// A vision transformer.
    Vit(VitConfig),
    /// An EfficientNet-Lite.
    EfficientNet(EfficientNetConfig),
}

/// A vision transformer.
#[derive(Debug, Clone, PartialEq)]
pub struct VitConfig {
    /// Columns of a token row.
    pub width: usize,
    /// Transformer blocks.
    pub layers: usize,
    /// Attention heads; `width / heads` is the head dimension, at most 128.
    pub heads: usize,
    /// Hidden columns of the MLP.
    pub mlp: usize,
    /// Side of the square input in pixels.
    pub image_size: usize,
    /// Side of a patch in pixels.
    pub patch_size: usize,
    /// Added to the variance in layer normalization.
    pub layer_norm_eps: f32,
    /// The MLP's nonlinearity.
    pub activation: Activation,
}

impl VitConfig {
    /// Patches along one side of the image.
    pub const fn grid(&self) -> usize {
        self.image_size / self.patch_size
    }

    /// Rows of the tower: one for each patch and the class row.
    pub const fn tokens(&self) -> usize {
        self.grid() * self.grid() + 1
    }
}

/// The key that says that the tower is timm's.
const TIMM_NAME: &str = "timm_model_name";

impl VisionConfig {
    /// Reads the `vision_config` of a `config.json`. A tower of timm stands there with the keys that
    /// OpenCLIP has for it.
    pub(super) fn read(fields: &Fields<'_>) -> Result<Self> {
        if fields.size("num_channels", 3, 16)? != 3 {
            return Err(invalid("asks for other than 3 image channels"));
        }
        let image_size = fields.size("image_size", 224, 2048)?;
        if let Some(name) = fields.text(TIMM_NAME)? {
            let bias = fields.flag("timm_proj_bias", false)?;
            let config = EfficientNetConfig::new("config.json", name, image_size, bias)?;
            return Ok(Self::EfficientNet(config));
        }
        Ok(Self::Vit(VitConfig {
            width: fields.size("hidden_size", 768, 8192)?,
            layers: fields.size("num_hidden_layers", 12, 200)?,
            heads: fields.size("num_attention_heads", 12, 256)?,
            mlp: fields.size("intermediate_size", 3072, 65536)?,
            image_size,
            patch_size: fields.size("patch_size", 32, 256)?,
            layer_norm_eps: fields.eps()?,
            activation: fields.activation()?,
        }))
    }

    /// The same as JSON.
    pub(super) fn to_json(&self) -> Value {
        match self {
            Self::Vit(vision) => json!({
                "hidden_size": vision.width, "num_hidden_layers": vision.layers,
                "num_attention_heads": vision.heads, "intermediate_size": vision.mlp,
                "image_size": vision.image_size, "patch_size": vision.patch_size,
                "num_channels": 3,
                "layer_norm_eps": shortest(vision.layer_norm_eps),
                "hidden_act": vision.activation.name(),
            }),
            Self::EfficientNet(vision) => json!({
                TIMM_NAME: vision.lite.name(), "timm_pool": "avg", "timm_proj": "linear",
                "timm_proj_bias": vision.projection_bias,
                "image_size": vision.image_size, "num_channels": 3,
            }),
        }
    }

    /// Side of the square input in pixels.
    pub const fn image_size(&self) -> usize {
        match self {
            Self::Vit(vision) => vision.image_size,
            Self::EfficientNet(vision) => vision.image_size,
        }
    }

    /// Local features along one side of the image: patches of a ViT, cells of an EfficientNet.
    pub const fn grid(&self) -> usize {
        match self {
            Self::Vit(vision) => vision.grid(),
            Self::EfficientNet(vision) => vision.grid(),
        }
    }

    /// The sizes of a vision transformer, for `what` alone can be done with one.
    ///
    /// # Errors
    /// `model/needs-vit` for a tower of another kind.
    pub fn vit(&self, what: &str) -> Result<&VitConfig> {
        match self {
            Self::Vit(vision) => Ok(vision),
            Self::EfficientNet(vision) => Err(needs_vit(what, vision)),
        }
    }

    /// Every tensor of the tower and its projection to `d` columns, in a fixed order.
    pub(super) fn tensors(&self, d: usize, list: &mut SpecList) {
        let v = match self {
            Self::Vit(vision) => vision,
            Self::EfficientNet(vision) => return list.extend(vision.tensors(d)),
        };
        let embeddings = "vision_model.embeddings";
        list.add(
            format!("{embeddings}.class_embedding"),
            &[v.width],
            Role::Float,
        );
        list.add(
            format!("{embeddings}.patch_embedding.weight"),
            &[v.width, 3, v.patch_size, v.patch_size],
            Role::Linear,
        );
        list.add(
            format!("{embeddings}.position_embedding.weight"),
            &[v.tokens(), v.width],
            Role::Float,
        );
        // The missing letter is part of the published name.
        list.norm("vision_model.pre_layrnorm", v.width);
        list.blocks("vision_model", v.layers, v.width, v.mlp);
        list.norm("vision_model.post_layernorm", v.width);
        list.add("visual_projection.weight", &[d, v.width], Role::Linear);
    }
}

/// The refusal of `what` by a model with another image tower.
pub(super) fn needs_vit(what: &str, vision: &EfficientNetConfig) -> Error {
    Error::new(
        Kind::NeedsVit,
        format!(
            "{what} needs a vision transformer, and the image tower of this model is {}; choose a model with a ViT.",
            vision.lite.name()
        ),
    )
}
