//! AugMix as TPT uses it on fine-grained sets (Hendrycks et al., ICLR 2020): three chains of one
//! to three operations, mixed after normalization.

use super::tone::{autocontrast, equalize, posterize, solarize};
use super::warp::{Map, warp};
use crate::image::{Preprocess, Rgb8, to_chw};
use crate::rng::Rng;

/// The nine operations. Each draws its own strength.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// Full range per channel.
    Autocontrast,
    /// Even histogram per channel.
    Equalize,
    /// Fewer bits.
    Posterize,
    /// Up to 3 degrees at severity 1.
    Rotate,
    /// Bright values inverted.
    Solarize,
    /// Rows shifted in proportion to their height.
    ShearX,
    /// Columns shifted in proportion to their position.
    ShearY,
    /// Sideways.
    TranslateX,
    /// Up or down.
    TranslateY,
}

impl Op {
    /// All nine.
    pub const ALL: [Op; 9] = [
        Op::Autocontrast,
        Op::Equalize,
        Op::Posterize,
        Op::Rotate,
        Op::Solarize,
        Op::ShearX,
        Op::ShearY,
        Op::TranslateX,
        Op::TranslateY,
    ];

    /// Applies the operation with a level from U(0.1, `severity`) out of 10 and a random sign.
    pub fn apply(self, image: &Rgb8, severity: f64, rng: &mut Rng) -> Rgb8 {
        let mut level = |most: f64| rng.uniform(0.1, severity) * most / 10.0;
        match self {
            Op::Autocontrast => autocontrast(image),
            Op::Equalize => equalize(image),
            Op::Posterize => posterize(image, 4 - level(4.0) as u32),
            Op::Solarize => solarize(image, 256 - level(256.0) as u32),
            Op::Rotate => {
                let degrees = signed(level(30.0).trunc(), rng);
                if degrees == 0.0 {
                    return image.clone();
                }
                warp(image, &Map::rotation(degrees, image.width, image.height))
            }
            Op::ShearX => {
                let shear = signed(level(0.3), rng);
                warp(image, &Map::affine([1.0, shear, 0.0, 0.0, 1.0, 0.0]))
            }
            Op::ShearY => {
                let shear = signed(level(0.3), rng);
                warp(image, &Map::affine([1.0, 0.0, 0.0, shear, 1.0, 0.0]))
            }
            Op::TranslateX => {
                let shift = signed(level(f64::from(image.width) / 3.0).trunc(), rng);
                warp(image, &Map::affine([1.0, 0.0, shift, 0.0, 1.0, 0.0]))
            }
            Op::TranslateY => {
                let shift = signed(level(f64::from(image.height) / 3.0).trunc(), rng);
                warp(image, &Map::affine([1.0, 0.0, 0.0, 0.0, 1.0, shift]))
            }
        }
    }
}

fn signed(magnitude: f64, rng: &mut Rng) -> f64 {
    if rng.chance(0.5) {
        -magnitude
    } else {
        magnitude
    }
}

/// Mixes `image` (already at the model's size) with three augmented chains of itself:
/// `m x + (1 - m) sum_i w_i chain_i`, `w ~ Dirichlet(1, 1, 1)`, `m ~ Beta(1, 1)`, severity 1.
/// Returns CHW floats, normalized.
pub fn augmix(image: &Rgb8, p: &Preprocess, rng: &mut Rng) -> Vec<f32> {
    let weights = rng.dirichlet(&[1.0; 3]);
    let keep = rng.beta(1.0, 1.0) as f32;
    let mut mixed = vec![0f32; image.data.len()];
    for weight in weights {
        let mut chain = image.clone();
        for _ in 0..=rng.below(3) {
            let op = Op::ALL[rng.below(9) as usize];
            chain = op.apply(&chain, 1.0, rng);
        }
        let weight = weight as f32;
        for (sum, value) in mixed.iter_mut().zip(to_chw(&chain, p)) {
            *sum += weight * value;
        }
    }
    for (value, plain) in mixed.iter_mut().zip(to_chw(image, p)) {
        *value = keep * plain + (1.0 - keep) * *value;
    }
    mixed
}
