//! Reads the reference files.

use safetensors::{Dtype, SafeTensors};
use std::collections::HashMap;

use crate::common;

/// A safetensors file of the reference folder.
pub struct Fixture {
    bytes: Vec<u8>,
    metadata: HashMap<String, String>,
}

impl Fixture {
    /// `fixtures/<name>`, or `None` where the reference folder is absent.
    pub fn open(name: &str) -> Option<Self> {
        let path = common::shared(&format!("fixtures/{name}"))?;
        let bytes = std::fs::read(&path).expect("readable fixture");
        let (_, header) = SafeTensors::read_metadata(&bytes).expect("safetensors header");
        let metadata = header.metadata().clone().unwrap_or_default();
        Some(Self { bytes, metadata })
    }

    /// A metadata entry.
    pub fn text(&self, key: &str) -> &str {
        &self.metadata[key]
    }

    /// A metadata entry that is JSON.
    pub fn json(&self, key: &str) -> serde_json::Value {
        serde_json::from_str(self.text(key)).expect("JSON metadata")
    }

    /// A metadata entry that is a JSON list of names.
    pub fn names(&self, key: &str) -> Vec<String> {
        serde_json::from_str(self.text(key)).expect("a list of names")
    }

    /// The numbers of tensor `name` in f64, whatever they are stored as.
    pub fn numbers(&self, name: &str) -> Vec<f64> {
        let file = SafeTensors::deserialize(&self.bytes).expect("safetensors");
        let tensor = file.tensor(name).expect("tensor");
        let data = tensor.data();
        match tensor.dtype() {
            Dtype::F64 => data
                .as_chunks()
                .0
                .iter()
                .map(|b| f64::from_le_bytes(*b))
                .collect(),
            Dtype::F32 => data
                .as_chunks()
                .0
                .iter()
                .map(|b| f64::from(f32::from_le_bytes(*b)))
                .collect(),
            Dtype::I64 => data
                .as_chunks()
                .0
                .iter()
                .map(|b| i64::from_le_bytes(*b) as f64)
                .collect(),
            other => panic!("{name} is stored as {other:?}"),
        }
    }

    /// Tensor `name` as indices.
    pub fn indices(&self, name: &str) -> Vec<usize> {
        self.numbers(name).into_iter().map(|v| v as usize).collect()
    }
}

/// max |a − b|; infinity where a number is NaN. Panics on a length mismatch.
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

/// Uniform numbers in [0, 1) for tests, from a linear congruential generator (Knuth's MMIX).
pub struct Uniform(pub u64);

impl Uniform {
    /// The next number.
    pub fn next(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    /// `n` numbers in [low, high).
    pub fn many(&mut self, n: usize, low: f64, high: f64) -> Vec<f64> {
        (0..n).map(|_| low + (high - low) * self.next()).collect()
    }
}
