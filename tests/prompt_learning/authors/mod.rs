//! Recipes against values that the authors' own code computed (`../shared/fixtures/authors/shelf`).

mod caches;
mod checkpoints;
mod descent;
mod losses;
mod networks;

/// Sums of f64 on the host.
const F64: f64 = 1e-9;

/// Sums of f32, or of parameters that are kept as f32.
const F32: f64 = 1e-6;
