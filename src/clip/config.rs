//! What a CLIP is made of, read from a Hugging Face `config.json`, and the complete list of
//! tensors that such a model has.

use serde_json::{Map, Value, json};

use super::config_fields::{Fields, foreign, invalid, section, shortest};
use super::family;
use super::tensor_spec::{SpecList, TensorSpec};
use super::vision_config::VisionConfig;
use crate::error::Result;
use crate::kernels::Activation;
use crate::quant::Role;

/// The text tower.
#[derive(Debug, Clone, PartialEq)]
pub struct TextConfig {
    /// Columns of a token row.
    pub width: usize,
    /// Transformer blocks.
    pub layers: usize,
    /// Attention heads; `width / heads` is the head dimension, at most 128.
    pub heads: usize,
    /// Hidden columns of the MLP.
    pub mlp: usize,
    /// Longest sequence of token ids, start and end included.
    pub context_length: usize,
    /// Rows of the token embedding.
    pub vocab_size: usize,
    /// Added to the variance in layer normalization.
    pub layer_norm_eps: f32,
    /// The MLP's nonlinearity.
    pub activation: Activation,
    /// The end id that the file states. Old files say 2, which is wrong: the tokenizer decides.
    pub eos_token_id: Option<u32>,
    /// Whether a token sees only itself and what stands before it (`causal`, true when left out).
    pub causal: bool,
}

/// A whole CLIP.
#[derive(Debug, Clone, PartialEq)]
pub struct ClipConfig {
    /// The image tower.
    pub vision: VisionConfig,
    /// The text tower.
    pub text: TextConfig,
    /// Columns of the joint space.
    pub projection_dim: usize,
}

/// The largest `config.json` that is read.
const MAX_CONFIG_BYTES: usize = 1 << 20;
/// The largest head that the attention code serves.
const MAX_HEAD_DIM: usize = 128;
/// Elements of one tensor: its f32 form stays below 2 GiB, which wasm32 can address.
const MAX_TENSOR_ELEMENTS: u64 = (1 << 29) - 1;
/// Elements of the whole model.
const MAX_MODEL_ELEMENTS: u64 = 1 << 32;

impl ClipConfig {
    /// Reads a Hugging Face CLIP `config.json`.
    ///
    /// A field that is left out takes the default of transformers' `CLIPConfig` (ViT-B/32). As
    /// there, `text_config_dict` and `vision_config_dict` of old files stand in place of
    /// `text_config` and `vision_config`.
    ///
    /// # Errors
    /// `config/invalid` if the bytes are not such a file, or describe a model that cannot exist or
    /// is beyond the limits.
    pub fn from_json(bytes: &[u8]) -> Result<Self> {
        if bytes.len() > MAX_CONFIG_BYTES {
            return Err(invalid("is larger than 1 MiB"));
        }
        let value: Value = serde_json::from_slice(bytes)
            .map_err(|error| invalid(format!("is not valid JSON ({error})")))?;
        let root = value
            .as_object()
            .ok_or_else(|| invalid("is not a JSON object"))?;
        if let Some(family) = family::of_hugging_face(root) {
            return Err(foreign("config.json", family));
        }
        match root.get("model_type") {
            None | Some(Value::Null) => {}
            Some(Value::String(kind)) if kind == "clip" => {}
            Some(other) => return Err(invalid(format!("describes model_type {other}, not clip"))),
        }
        let text = section(root, "text_config")?;
        let vision = section(root, "vision_config")?;
        if !root.contains_key("model_type") && text.is_none() && vision.is_none() {
            return Err(invalid("has neither text_config nor vision_config"));
        }
        let empty = Map::new();
        let text = Fields("text_config", text.unwrap_or(&empty));
        let vision = Fields("vision_config", vision.unwrap_or(&empty));
        let top = Fields("config", root);

        let config = Self {
            vision: VisionConfig::read(&vision)?,
            text: TextConfig {
                width: text.size("hidden_size", 512, 8192)?,
                layers: text.size("num_hidden_layers", 12, 200)?,
                heads: text.size("num_attention_heads", 8, 256)?,
                mlp: text.size("intermediate_size", 2048, 65536)?,
                context_length: text.size("max_position_embeddings", 77, 4096)?,
                vocab_size: text.size("vocab_size", 49408, 1 << 20)?,
                layer_norm_eps: text.eps()?,
                activation: text.activation()?,
                eos_token_id: text.token_id("eos_token_id"),
                causal: text.flag("causal", true)?,
            },
            // Some old files say null here and give the number in their towers alone.
            projection_dim: match root.get("projection_dim") {
                Some(Value::Null) => text.size("projection_dim", 512, 8192)?,
                _ => top.size("projection_dim", 512, 8192)?,
            },
        };
        config.check()?;
        Ok(config)
    }

    /// The same as a Hugging Face `config.json` with every field that is read.
    pub fn to_json(&self) -> Value {
        let text = &self.text;
        json!({
            "model_type": "clip",
            "projection_dim": self.projection_dim,
            "vision_config": self.vision.to_json(),
            "text_config": {
                "hidden_size": text.width, "num_hidden_layers": text.layers,
                "num_attention_heads": text.heads, "intermediate_size": text.mlp,
                "max_position_embeddings": text.context_length, "vocab_size": text.vocab_size,
                "layer_norm_eps": shortest(text.layer_norm_eps),
                "hidden_act": text.activation.name(), "eos_token_id": text.eos_token_id,
                "causal": text.causal,
            },
        })
    }

    /// Local features along one side of the image.
    pub const fn grid(&self) -> usize {
        self.vision.grid()
    }

    /// What is added to the variance in the LayerNorm called `layer`.
    pub fn layer_norm_eps(&self, layer: &str) -> f32 {
        match &self.vision {
            VisionConfig::Vit(vision) if !layer.starts_with("text") => vision.layer_norm_eps,
            _ => self.text.layer_norm_eps,
        }
    }

    /// Every tensor of this model, by its Hugging Face name, in a fixed order.
    pub fn tensors(&self) -> Vec<TensorSpec> {
        let mut list = SpecList(Vec::new());
        list.add("logit_scale", &[], Role::Float);

        let (t, d) = (&self.text, self.projection_dim);
        let embeddings = "text_model.embeddings";
        list.add(
            format!("{embeddings}.token_embedding.weight"),
            &[t.vocab_size, t.width],
            Role::Embedding,
        );
        list.add(
            format!("{embeddings}.position_embedding.weight"),
            &[t.context_length, t.width],
            Role::Float,
        );
        list.blocks("text_model", t.layers, t.width, t.mlp);
        list.norm("text_model.final_layer_norm", t.width);
        list.add("text_projection.weight", &[d, t.width], Role::Linear);

        self.vision.tensors(d, &mut list);
        list.0
    }

    /// The same if the image tower still has its batch norms; `None` if it never has any.
    pub fn unfolded(&self) -> Option<Vec<TensorSpec>> {
        let VisionConfig::EfficientNet(vision) = &self.vision else {
            return None;
        };
        let mut list = self.tensors();
        list.truncate(list.len() - vision.tensors(self.projection_dim).len());
        list.extend(vision.unfolded(self.projection_dim));
        Some(list)
    }

    fn check(&self) -> Result<()> {
        let t = &self.text;
        let mut towers = vec![("text", t.width, t.heads)];
        if let VisionConfig::Vit(v) = &self.vision {
            if v.patch_size > v.image_size {
                return Err(invalid("has a patch_size above its image_size"));
            }
            towers.insert(0, ("vision", v.width, v.heads));
        }
        for (tower, width, heads) in towers {
            if width % heads != 0 {
                return Err(invalid(format!(
                    "divides the {tower} width {width} by {heads} heads, which leaves a rest"
                )));
            }
            if width / heads > MAX_HEAD_DIM {
                return Err(invalid(format!(
                    "has {tower} heads of {} columns; at most {MAX_HEAD_DIM} are supported",
                    width / heads
                )));
            }
        }
        if t.context_length < 3 || t.vocab_size < 3 {
            return Err(invalid("leaves no room for a word between start and end"));
        }
        let mut total = 0u64;
        for spec in self.tensors() {
            let elements = spec
                .shape
                .iter()
                .try_fold(1u64, |product, &side| product.checked_mul(side as u64))
                .filter(|&elements| elements <= MAX_TENSOR_ELEMENTS)
                .ok_or_else(|| {
                    invalid(format!("makes {} too large: {:?}", spec.name, spec.shape))
                })?;
            total += elements;
        }
        if total > MAX_MODEL_ELEMENTS {
            return Err(invalid(format!("describes {total} parameters, too many")));
        }
        Ok(())
    }
}
