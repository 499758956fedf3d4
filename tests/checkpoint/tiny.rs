//! A CLIP small enough to write out in a test, and safetensors files made by hand.

use std::collections::BTreeMap;

use half::{bf16, f16};
use promptlens::checkpoint::{LoadReport, Loader};
use promptlens::clip::config::ClipConfig;
use promptlens::error::Result;
use promptlens::quant::{HostTensor, Quantization};
use serde_json::{Map, Value, json};

/// A seeded stream of numbers (PCG's multiplier, high bits).
pub struct Random(pub u64);

impl Random {
    pub fn bits(&mut self) -> u32 {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 32) as u32
    }

    pub fn below(&mut self, end: usize) -> usize {
        self.bits() as usize % end
    }

    /// Between -1 and 1, denser in the middle, as weights are.
    pub fn weight(&mut self) -> f32 {
        let unit = |bits: u32| f64::from(bits) / f64::from(u32::MAX) * 2.0 - 1.0;
        (unit(self.bits()) * unit(self.bits())) as f32
    }
}

/// Width 40 is no multiple of a block, so that padding is exercised.
pub const CONFIG: &str = r#"{"model_type": "clip", "projection_dim": 8,
  "text_config": {"hidden_size": 40, "num_hidden_layers": 1, "num_attention_heads": 2,
    "intermediate_size": 32, "max_position_embeddings": 5, "vocab_size": 11},
  "vision_config": {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 1,
    "intermediate_size": 33, "image_size": 8, "patch_size": 4}}"#;

pub fn config() -> ClipConfig {
    ClipConfig::from_json(CONFIG.as_bytes()).unwrap()
}

/// Values for every tensor of `config`.
pub fn values(config: &ClipConfig, seed: u64) -> BTreeMap<String, (Vec<usize>, Vec<f32>)> {
    let mut random = Random(seed);
    config
        .tensors()
        .into_iter()
        .map(|spec| {
            let data = (0..spec.elements()).map(|_| random.weight()).collect();
            (spec.name, (spec.shape, data))
        })
        .collect()
}

/// One tensor as it stands in a file.
pub struct Raw {
    pub name: String,
    pub dtype: &'static str,
    pub shape: Vec<usize>,
    pub bytes: Vec<u8>,
}

impl Raw {
    pub fn floats(name: &str, dtype: &'static str, shape: &[usize], data: &[f32]) -> Self {
        let bytes = match dtype {
            "F32" => data.iter().flat_map(|v| v.to_le_bytes()).collect(),
            "F16" => data
                .iter()
                .flat_map(|v| f16::from_f32(*v).to_le_bytes())
                .collect(),
            "BF16" => data
                .iter()
                .flat_map(|v| bf16::from_f32(*v).to_le_bytes())
                .collect(),
            other => panic!("{other} is no float"),
        };
        Self {
            name: name.to_owned(),
            dtype,
            shape: shape.to_vec(),
            bytes,
        }
    }
}

/// A header of these entries and the data behind it.
pub fn file_with(header: &str, data: &[u8]) -> Vec<u8> {
    let mut file = (header.len() as u64).to_le_bytes().to_vec();
    file.extend_from_slice(header.as_bytes());
    file.extend_from_slice(data);
    file
}

pub fn file(tensors: &[Raw]) -> Vec<u8> {
    let mut header = Map::new();
    header.insert("__metadata__".to_owned(), json!({"format": "pt"}));
    let mut data = Vec::new();
    for tensor in tensors {
        let from = data.len();
        data.extend_from_slice(&tensor.bytes);
        header.insert(
            tensor.name.clone(),
            json!({"dtype": tensor.dtype, "shape": tensor.shape, "data_offsets": [from, data.len()]}),
        );
    }
    file_with(&Value::from(header).to_string(), &data)
}

/// The whole tiny model in one number format.
pub fn tensors(dtype: &'static str) -> Vec<Raw> {
    values(&config(), 1)
        .iter()
        .map(|(name, (shape, data))| Raw::floats(name, dtype, shape, data))
        .collect()
}

pub type Loaded = BTreeMap<String, HostTensor>;

/// Loads `bytes` in pieces of `piece` bytes.
pub fn load(
    config: &ClipConfig,
    bytes: &[u8],
    quantization: Option<Quantization>,
    piece: usize,
) -> Result<(Loaded, LoadReport)> {
    let mut loader = Loader::new(config, quantization);
    let mut loaded = BTreeMap::new();
    for bytes in bytes.chunks(piece) {
        loader.push(bytes, &mut |name, tensor| {
            let before = loaded.insert(name.to_owned(), tensor);
            assert!(before.is_none(), "{name} came twice");
            Ok(())
        })?;
    }
    Ok((loaded, loader.finish()?))
}

pub fn code<T>(result: Result<T>) -> &'static str {
    match result {
        Ok(_) => "fine",
        Err(error) => {
            assert!(error.message().len() < 700, "{error}");
            error.code()
        }
    }
}

/// |a - b| / |b| in the Euclidean norm.
pub fn distance(a: &[f32], b: &[f32]) -> f64 {
    let norm = |values: &mut dyn Iterator<Item = f32>| -> f64 {
        values.map(|v| f64::from(v).powi(2)).sum::<f64>().sqrt()
    };
    norm(&mut a.iter().zip(b).map(|(a, b)| a - b)) / norm(&mut b.iter().copied())
}
