//! Recipes against values that the authors' own code computed (`../shared/fixtures/authors/shelf`).

mod caches;
mod checkpoints;
mod descent;
mod losses;
mod networks;

use crate::fixtures::Fixture;

/// What the authors of a recipe computed; `None` if the reference material is absent.
fn reference(name: &str) -> Option<Fixture> {
    Fixture::open(&format!("authors/shelf/{name}.safetensors"))
}

/// Sums of f64 on the host.
const F64: f64 = 1e-9;

/// Sums of f32, or of parameters that are kept as f32.
const F32: f64 = 1e-6;
