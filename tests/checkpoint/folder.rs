//! A model's files in memory, read by the same code as a directory and an address.

use std::cell::RefCell;
use std::collections::BTreeMap;

use pollster::block_on;
use promptlens::checkpoint::{
    Header, Limits, LoadReport, Loader, ModelFiles, ModelFolder, PackedFile, SafetensorsStream,
    TorchStream, WeightSink, is_torch,
};
use promptlens::error::{Error, Kind, Result};
use promptlens::quant::{HostTensor, Quantization};

use super::tiny::{self, Loaded, Raw, values};

#[derive(Clone, Default)]
pub struct Memory {
    pub files: BTreeMap<String, Vec<u8>>,
    /// Bytes per piece; all at once if 0.
    pub piece: usize,
    pub asked: RefCell<Vec<String>>,
}

impl Memory {
    pub fn new(files: &[(&str, &[u8])]) -> Self {
        let files = files
            .iter()
            .map(|(name, bytes)| ((*name).to_owned(), bytes.to_vec()));
        Self {
            files: files.collect(),
            ..Self::default()
        }
    }

    pub fn with(&self, name: &str, bytes: &[u8]) -> Self {
        let mut next = self.clone();
        next.files.insert(name.to_owned(), bytes.to_vec());
        next
    }

    pub fn without(&self, name: &str) -> Self {
        let mut next = self.clone();
        assert!(next.files.remove(name).is_some(), "{name} was there");
        next
    }

    pub fn load(&self, quantization: Option<Quantization>) -> Result<(Loaded, LoadReport)> {
        let files = block_on(ModelFiles::read(self, None))?;
        let loader = Loader::new(&files.config, quantization);
        let mut loaded = BTreeMap::new();
        let report = block_on(files.load(self, loader, &mut |name, tensor: HostTensor| {
            let before = loaded.insert(name.to_owned(), tensor);
            assert!(before.is_none(), "{name} came twice");
            Ok(())
        }))?;
        Ok((loaded, report))
    }

    /// The same model packed.
    pub fn pack(&self, quantization: Option<Quantization>) -> Result<Self> {
        let files = block_on(ModelFiles::read(self, None))?;
        let loader = Loader::new(&files.config, quantization);
        let mut packed = Self::default();
        let mut keep = |name: &str, bytes: Vec<u8>| {
            packed.files.insert(name.to_owned(), bytes);
            Ok(())
        };
        let ignore = &mut |_: &str, _| Ok(());
        let packing = files.pack(self, loader, quantization, &mut keep, ignore);
        let (_, manifest) = block_on(packing)?;
        let manifest = manifest.to_json()?;
        packed.files.insert("manifest.json".to_owned(), manifest);
        Ok(packed)
    }
}

impl ModelFolder for Memory {
    async fn small(&self, name: &str) -> Result<Option<Vec<u8>>> {
        self.asked.borrow_mut().push(name.to_owned());
        Ok(self.files.get(name).cloned())
    }

    async fn has(&self, name: &str) -> Result<bool> {
        Ok(self.files.contains_key(name))
    }

    async fn chunk(&self, file: &PackedFile, _again: bool) -> Result<Vec<u8>> {
        self.asked.borrow_mut().push(file.file.clone());
        self.files
            .get(&file.file)
            .cloned()
            .ok_or_else(|| Error::new(Kind::WeightsMissing, "There is no such chunk."))
    }

    async fn header(&self, name: &str) -> Result<Option<Header>> {
        let Some(bytes) = self.files.get(name) else {
            return Ok(None);
        };
        let mut stream = SafetensorsStream::new(Limits::default());
        stream.push(bytes, &mut |_| Ok(()))?;
        Ok(stream.header().cloned())
    }

    async fn weights(&self, name: &str, feed: &mut WeightSink<'_>) -> Result<bool> {
        let Some(bytes) = self.files.get(name) else {
            return Ok(false);
        };
        let piece = if self.piece == 0 {
            usize::MAX
        } else {
            self.piece
        };
        if !is_torch(name) {
            for piece in bytes.chunks(piece) {
                feed.push(piece)?;
            }
            return Ok(true);
        }
        let mut torch = TorchStream::new();
        for piece in bytes.chunks(piece) {
            torch.push(piece, feed)?;
        }
        torch.finish(feed)?;
        Ok(true)
    }
}

/// `preprocessor_config.json` of the tiny model.
pub const PREPROCESSOR: &str = r#"{"size": 8, "crop_size": 8, "image_mean": [0.1, 0.2, 0.3]}"#;

/// The tiny model as Hugging Face publishes one.
pub fn hugging_face() -> Memory {
    Memory::new(&[
        ("config.json", tiny::CONFIG.as_bytes()),
        ("tokenizer.json", b"{}"),
        ("preprocessor_config.json", PREPROCESSOR.as_bytes()),
        ("model.safetensors", &tiny::file(&tiny::tensors("F32"))),
    ])
}

/// The tiny model's values under OpenCLIP's names, by its own way of storing them.
pub fn open_clip_tensors(dtype: &'static str) -> Vec<Raw> {
    let config = tiny::config();
    let values = values(&config, 1);
    let get = |name: &str| values[name].clone();
    let mut out = Vec::new();
    let mut add = |name: &str, (shape, data): (Vec<usize>, Vec<f32>)| {
        out.push(Raw::floats(name, dtype, &shape, &data));
    };
    add("logit_scale", get("logit_scale"));
    let turned = |name: &str| {
        let (shape, data) = get(name);
        let (rows, cols) = (shape[0], shape[1]);
        let turned = (0..cols * rows)
            .map(|i| data[i % rows * cols + i / rows])
            .collect();
        (vec![cols, rows], turned)
    };
    add("text_projection", turned("text_projection.weight"));
    add("visual.proj", turned("visual_projection.weight"));
    for (from, to) in [
        (
            "text_model.embeddings.token_embedding.weight",
            "token_embedding.weight",
        ),
        (
            "text_model.embeddings.position_embedding.weight",
            "positional_embedding",
        ),
        ("text_model.final_layer_norm.weight", "ln_final.weight"),
        ("text_model.final_layer_norm.bias", "ln_final.bias"),
        (
            "vision_model.embeddings.class_embedding",
            "visual.class_embedding",
        ),
        (
            "vision_model.embeddings.patch_embedding.weight",
            "visual.conv1.weight",
        ),
        (
            "vision_model.embeddings.position_embedding.weight",
            "visual.positional_embedding",
        ),
        ("vision_model.pre_layrnorm.weight", "visual.ln_pre.weight"),
        ("vision_model.pre_layrnorm.bias", "visual.ln_pre.bias"),
        (
            "vision_model.post_layernorm.weight",
            "visual.ln_post.weight",
        ),
        ("vision_model.post_layernorm.bias", "visual.ln_post.bias"),
    ] {
        add(to, get(from));
    }
    for (tower, prefix) in [("text_model", ""), ("vision_model", "visual.")] {
        let from = |part: &str| format!("{tower}.encoder.layers.0.{part}");
        let to = |part: &str| format!("{prefix}transformer.resblocks.0.{part}");
        for kind in ["weight", "bias"] {
            let parts = ["q", "k", "v"].map(|p| get(&from(&format!("self_attn.{p}_proj.{kind}"))));
            let mut shape = parts[0].0.clone();
            shape[0] *= 3;
            let data = parts.iter().flat_map(|(_, data)| data.clone()).collect();
            add(&to(&format!("attn.in_proj_{kind}")), (shape, data));
            for (a, b) in [
                ("self_attn.out_proj", "attn.out_proj"),
                ("layer_norm1", "ln_1"),
                ("layer_norm2", "ln_2"),
                ("mlp.fc1", "mlp.c_fc"),
                ("mlp.fc2", "mlp.c_proj"),
            ] {
                add(
                    &to(&format!("{b}.{kind}")),
                    get(&from(&format!("{a}.{kind}"))),
                );
            }
        }
    }
    out
}

/// `open_clip_config.json` of the tiny model.
pub const OPEN_CLIP: &str = r#"{"model_cfg": {"embed_dim": 8, "quick_gelu": true,
  "vision_cfg": {"image_size": 8, "layers": 1, "width": 16, "head_width": 16, "patch_size": 4, "mlp_ratio": 2.0625},
  "text_cfg": {"context_length": 5, "vocab_size": 11, "width": 40, "heads": 2, "layers": 1, "mlp_ratio": 0.8}},
  "preprocess_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.25, 0.25], "interpolation": "bilinear", "resize_mode": "squash"}}"#;

pub fn open_clip() -> Memory {
    Memory::new(&[
        ("open_clip_config.json", OPEN_CLIP.as_bytes()),
        ("tokenizer.json", b"{}"),
        (
            "open_clip_model.safetensors",
            &tiny::file(&open_clip_tensors("F32")),
        ),
    ])
}
