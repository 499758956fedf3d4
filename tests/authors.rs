//! Values computed by the authors' own code, at full precision.

use std::collections::BTreeMap;

use safetensors::{Dtype, SafeTensors};

use crate::common::shared;

/// The tensors of one file of `../shared/fixtures/authors`.
pub struct Authors {
    name: String,
    tensors: BTreeMap<String, Vec<f64>>,
}

impl Authors {
    /// The file of this name, such as `shelf/kgcoop`; `None` where the reference material is absent.
    pub fn open(name: &str) -> Option<Self> {
        let path = shared(&format!("fixtures/authors/{name}.safetensors"))?;
        let bytes = std::fs::read(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        let file = SafeTensors::deserialize(&bytes).expect("a safetensors file");
        let tensors = file.tensors().into_iter().map(|(name, view)| {
            let data = view.data();
            let values = match view.dtype() {
                Dtype::F64 => each(data, f64::from_le_bytes),
                Dtype::F32 => each(data, |b| f64::from(f32::from_le_bytes(b))),
                Dtype::I64 => each(data, |b| i64::from_le_bytes(b) as f64),
                other => panic!("{name} has type {other:?}"),
            };
            (name, values)
        });
        Some(Self {
            name: name.to_owned(),
            tensors: tensors.collect(),
        })
    }

    /// The names of all tensors.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.tensors.keys().map(String::as_str)
    }

    /// The numbers of a tensor.
    pub fn get(&self, tensor: &str) -> &[f64] {
        let found = self.tensors.get(tensor);
        found.unwrap_or_else(|| panic!("{} has no {tensor}", self.name))
    }

    /// The same as f32.
    pub fn f32(&self, tensor: &str) -> Vec<f32> {
        self.get(tensor).iter().map(|v| *v as f32).collect()
    }

    /// A tensor of classes or places.
    pub fn places(&self, tensor: &str) -> Vec<usize> {
        self.get(tensor).iter().map(|v| *v as usize).collect()
    }

    /// Checks `found` against a tensor: max|a - b| / max|b| is within `tolerance`.
    pub fn check(&self, tensor: &str, found: &[f64], tolerance: f64) {
        let off = difference(found, self.get(tensor));
        assert!(off <= tolerance, "{} {tensor}: off by {off:.1e}", self.name);
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

fn each<const N: usize>(bytes: &[u8], value: impl Fn([u8; N]) -> f64) -> Vec<f64> {
    bytes.as_chunks::<N>().0.iter().map(|b| value(*b)).collect()
}
