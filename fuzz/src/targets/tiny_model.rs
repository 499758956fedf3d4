//! The smallest CLIP that has every part, as a folder without weights, and how it is loaded.

use std::collections::BTreeMap;

use pollster::block_on;
use promptlens::checkpoint::{LoadReport, Loader, ModelFiles, ModelFolder};
use promptlens::clip::config::ClipConfig;
use promptlens::error::Result;
use promptlens::quant::{HostTensor, Quantization};

use super::memory_folder::Memory;

/// The same as in `tests/checkpoint/tiny.rs`, whose files are the seeds.
const CONFIG: &str = r#"{"model_type": "clip", "projection_dim": 8,
  "text_config": {"hidden_size": 40, "num_hidden_layers": 1, "num_attention_heads": 2,
    "intermediate_size": 32, "max_position_embeddings": 5, "vocab_size": 11},
  "vision_config": {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 1,
    "intermediate_size": 33, "image_size": 8, "patch_size": 4}}"#;
pub const PREPROCESSOR: &str = r#"{"size": 8, "crop_size": 8}"#;

/// What loading may end with.
pub const ROOMS: &[&str] = &["weights/", "engine/out-of-memory"];

pub fn config() -> ClipConfig {
    ClipConfig::from_json(CONFIG.as_bytes()).expect("a sound configuration")
}

/// All of its files but the weights.
pub fn folder() -> Memory {
    let mut folder = Memory::default();
    folder.put("config.json", CONFIG.into());
    folder.put("preprocessor_config.json", PREPROCESSOR.into());
    folder.put("tokenizer.json", b"{}".to_vec());
    folder
}

pub type Tensors = BTreeMap<String, HostTensor>;

/// The model in `folder`, whose tensors are all there and finite.
pub fn load(
    folder: &impl ModelFolder,
    quantization: Option<Quantization>,
) -> Result<(Tensors, LoadReport)> {
    let files = block_on(ModelFiles::read(folder, None))?;
    let loader = Loader::new(&files.config, quantization);
    let mut tensors = Tensors::new();
    let report = block_on(files.load(folder, loader, &mut |name, tensor| {
        let before = tensors.insert(name.to_owned(), tensor);
        assert!(before.is_none(), "{name} came twice");
        Ok(())
    }))?;
    complete(&files.config, &tensors);
    Ok((tensors, report))
}

/// Holds that `tensors` are those of `config`.
pub fn complete(config: &ClipConfig, tensors: &Tensors) {
    let specs = config.tensors();
    assert_eq!(specs.len(), tensors.len());
    for spec in specs {
        let tensor = &tensors[&spec.name];
        assert_eq!(tensor.shape(), spec.shape, "{}", spec.name);
        let values = tensor.clone().into_floats();
        assert!(values.iter().all(|v| v.is_finite()), "{}", spec.name);
    }
}
