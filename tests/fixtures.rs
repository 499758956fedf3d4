//! Reads the reference files of `../shared/fixtures`.

use std::collections::BTreeMap;
use std::ops::Index;
use std::path::Path;

use safetensors::{Dtype, SafeTensors};

use crate::common::shared;

/// One tensor, whatever its stored type.
pub struct Tensor {
    pub shape: Vec<usize>,
    /// The numbers as stored.
    pub numbers: Vec<f64>,
    /// The same as f32.
    pub values: Vec<f32>,
}

impl Tensor {
    /// Row `i` of the first dimension.
    pub fn row(&self, i: usize) -> &[f32] {
        let width = self.values.len() / self.shape[0];
        &self.values[i * width..(i + 1) * width]
    }
}

/// The tensors and the metadata of one safetensors file.
pub struct Fixture {
    file: String,
    tensors: BTreeMap<String, Tensor>,
    metadata: BTreeMap<String, String>,
}

impl Fixture {
    /// `../shared/fixtures/<name>`; `None` if the reference material is absent.
    pub fn open(name: &str) -> Option<Self> {
        shared(&format!("fixtures/{name}")).map(|path| Self::read(&path))
    }

    /// The file at `path`.
    pub fn read(path: &Path) -> Self {
        let file = path.display().to_string();
        let bytes = std::fs::read(path).unwrap_or_else(|e| panic!("{file}: {e}"));
        let (_, header) = SafeTensors::read_metadata(&bytes).expect("a safetensors file");
        let metadata = header.metadata().clone().unwrap_or_default();
        let stored = SafeTensors::deserialize(&bytes).expect("a safetensors file");
        let tensors = stored.tensors().into_iter().map(|(name, view)| {
            let data = view.data();
            let numbers: Vec<f64> = match view.dtype() {
                Dtype::F64 => each(data, f64::from_le_bytes),
                Dtype::F32 => each(data, |b| f64::from(f32::from_le_bytes(b))),
                Dtype::I64 => each(data, |b| i64::from_le_bytes(b) as f64),
                Dtype::I32 => each(data, |b| f64::from(i32::from_le_bytes(b))),
                Dtype::U8 | Dtype::BOOL => each(data, |[b]| f64::from(b)),
                other => panic!("{name} has type {other:?}"),
            };
            let tensor = Tensor {
                shape: view.shape().to_vec(),
                values: numbers.iter().map(|v| *v as f32).collect(),
                numbers,
            };
            (name, tensor)
        });
        Self {
            file,
            tensors: tensors.collect(),
            metadata: metadata.into_iter().collect(),
        }
    }

    /// Every tensor by its name.
    pub fn tensors(&self) -> impl Iterator<Item = (&str, &Tensor)> {
        self.tensors.iter().map(|(name, t)| (name.as_str(), t))
    }

    /// A tensor that may be absent.
    pub fn get(&self, tensor: &str) -> Option<&Tensor> {
        self.tensors.get(tensor)
    }

    /// The numbers of a tensor.
    pub fn numbers(&self, tensor: &str) -> &[f64] {
        &self[tensor].numbers
    }

    /// A tensor of classes or places.
    pub fn places(&self, tensor: &str) -> Vec<usize> {
        self.numbers(tensor).iter().map(|v| *v as usize).collect()
    }

    /// Checks `found` against a tensor: max|a - b| / max|b| is within `tolerance`.
    pub fn check(&self, tensor: &str, found: &[f64], tolerance: f64) {
        let off = difference(found, self.numbers(tensor));
        assert!(off <= tolerance, "{} {tensor}: off by {off:.1e}", self.file);
    }

    /// A metadata entry that may be absent.
    pub fn metadata(&self, key: &str) -> Option<&str> {
        self.metadata.get(key).map(String::as_str)
    }

    /// A metadata entry.
    pub fn text(&self, key: &str) -> &str {
        self.metadata(key)
            .unwrap_or_else(|| panic!("{} does not say {key}", self.file))
    }

    /// A metadata entry that is JSON.
    pub fn json(&self, key: &str) -> serde_json::Value {
        serde_json::from_str(self.text(key)).expect("JSON metadata")
    }

    /// A metadata entry that is a JSON list of names.
    pub fn names(&self, key: &str) -> Vec<String> {
        serde_json::from_str(self.text(key)).expect("a list of names")
    }
}

impl<Q: AsRef<str> + ?Sized> Index<&Q> for Fixture {
    type Output = Tensor;

    fn index(&self, tensor: &Q) -> &Tensor {
        let tensor = tensor.as_ref();
        self.get(tensor)
            .unwrap_or_else(|| panic!("{} has no {tensor}", self.file))
    }
}

/// max|a - b| / max|b|.
pub fn difference(found: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(found.len(), expected.len(), "lengths differ");
    let most = |values: &mut dyn Iterator<Item = f64>| {
        values.fold(0.0, |most: f64, v| {
            assert!(v.is_finite());
            most.max(v)
        })
    };
    let pairs = found.iter().zip(expected);
    let off = most(&mut pairs.map(|(a, b)| (a - b).abs()));
    off / most(&mut expected.iter().map(|v| v.abs())).max(f64::MIN_POSITIVE)
}

/// max |a − b|; infinity if a number is NaN. Panics on a length mismatch.
pub fn worst(actual: &[f64], expected: &[f64]) -> f64 {
    assert_eq!(actual.len(), expected.len(), "lengths differ");
    let distance = |(a, b): (&f64, &f64)| {
        if (a - b).is_nan() {
            f64::INFINITY
        } else {
            (a - b).abs()
        }
    };
    actual
        .iter()
        .zip(expected)
        .map(distance)
        .fold(0.0, f64::max)
}

fn each<const N: usize>(bytes: &[u8], value: impl Fn([u8; N]) -> f64) -> Vec<f64> {
    bytes.as_chunks::<N>().0.iter().map(|b| value(*b)).collect()
}
