//! The scale of a block: the full range at 8 bits, the least squared error at 4.

use half::f16;

use crate::error::{Error, Kind, Result};

/// The level of `value` for steps of `step`, in `-limit..=limit`.
pub(super) fn level(value: f32, step: f32, limit: f32) -> f32 {
    if step == 0.0 {
        0.0
    } else {
        (value / step).round_ties_even().clamp(-limit, limit)
    }
}

/// The f16 scale that brings the largest magnitude to `limit` levels.
pub(super) fn largest_scale(values: &[f32], limit: f32) -> Result<f16> {
    let largest = values.iter().fold(0f32, |max, value| max.max(value.abs()));
    if largest == 0.0 {
        return Ok(f16::ZERO);
    }
    let mut scale = f16::from_f32(largest / limit);
    // Subnormal f16 are coarse: if rounding down would cut the largest value off, the next one
    // up is right. This also lifts a scale that vanished.
    if largest > (limit + 0.5) * scale.to_f32() {
        scale = f16::from_bits(scale.to_bits() + 1);
    }
    if scale.is_finite() {
        Ok(scale)
    } else {
        Err(Error::new(
            Kind::WeightsInvalid,
            format!(
                "A weight of {largest:e} is too large to quantise; load with quantisation none."
            ),
        ))
    }
}

/// The f16 scale of least squared error among: full range, a fixed grid of clipped ranges, and the
/// least-squares scale `sum(v q) / sum(q q)` for the levels of the best of those.
pub(super) fn searched_scale(values: &[f32], limit: f32) -> Result<f16> {
    let full = largest_scale(values, limit)?;
    if full == f16::ZERO {
        return Ok(full);
    }
    let error = |scale: f16| -> f32 {
        let step = scale.to_f32();
        values
            .iter()
            .map(|&value| (value - level(value, step, limit) * step).powi(2))
            .sum()
    };
    let mut best = (error(full), full);
    let mut consider = |scale: f16| {
        if scale > f16::ZERO && scale.is_finite() {
            let error = error(scale);
            if error < best.0 {
                best = (error, scale);
            }
        }
        best.1
    };
    for percent in (64..100).step_by(4) {
        consider(f16::from_f32(full.to_f32() * percent as f32 / 100.0));
    }
    let step = consider(full).to_f32();
    let (product, square) = values
        .iter()
        .fold((0f32, 0f32), |(product, square), &value| {
            let q = level(value, step, limit);
            (product + value * q, square + q * q)
        });
    Ok(consider(f16::from_f32(product / square)))
}
