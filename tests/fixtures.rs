//! Reading the reference tensors.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::{Dtype, SafeTensors};

/// One reference tensor as floats, whatever its stored type.
pub struct Reference {
    pub shape: Vec<usize>,
    pub values: Vec<f32>,
}

impl Reference {
    pub fn row(&self, i: usize) -> &[f32] {
        let width = self.values.len() / self.shape[0];
        &self.values[i * width..(i + 1) * width]
    }
}

/// Every tensor of the safetensors file at `path`.
pub fn load(path: &Path) -> BTreeMap<String, Reference> {
    let bytes = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let file = SafeTensors::deserialize(&bytes).expect("a safetensors file");
    file.tensors()
        .into_iter()
        .map(|(name, view)| {
            let data = view.data();
            let values = match view.dtype() {
                Dtype::F32 => data
                    .chunks_exact(4)
                    .map(|c| f32::from_le_bytes(c.try_into().unwrap()))
                    .collect(),
                Dtype::F64 => data
                    .chunks_exact(8)
                    .map(|c| f64::from_le_bytes(c.try_into().unwrap()) as f32)
                    .collect(),
                Dtype::I64 => data
                    .chunks_exact(8)
                    .map(|c| i64::from_le_bytes(c.try_into().unwrap()) as f32)
                    .collect(),
                Dtype::I32 => data
                    .chunks_exact(4)
                    .map(|c| i32::from_le_bytes(c.try_into().unwrap()) as f32)
                    .collect(),
                Dtype::U8 | Dtype::BOOL => data.iter().map(|v| f32::from(*v)).collect(),
                other => panic!("{name} has type {other:?}"),
            };
            (
                name,
                Reference {
                    shape: view.shape().to_vec(),
                    values,
                },
            )
        })
        .collect()
}

/// The metadata of the safetensors file at `path`.
pub fn metadata(path: &Path) -> BTreeMap<String, String> {
    let bytes = std::fs::read(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    let (_, header) = SafeTensors::read_metadata(&bytes).expect("a safetensors file");
    header
        .metadata()
        .clone()
        .unwrap_or_default()
        .into_iter()
        .collect()
}
