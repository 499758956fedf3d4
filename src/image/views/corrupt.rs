//! Common corruptions, to measure what a shift costs: noise, blur, contrast, brightness, JPEG,
//! pixelate and a fog-like veil, each in five severities.
//!
//! Strengths are those of ImageNet-C (Hendrycks and Dietterich, ICLR 2019), given there for
//! 224 x 224 pictures; lengths scale with the shorter side. The veil is ours: smooth noise in
//! octaves, not ImageNet-C's plasma, with strengths 1 to 3.

use std::fmt;

use sha2::{Digest, Sha256};

use super::blur::gaussian_blur;
use super::recompress::recompress;
use crate::error::{Error, Kind, Result};
use crate::image::{Filter, Rect, Rgb8, resize};
use crate::rng::Rng;

type Corrupt = fn(&Rgb8, usize, &mut Rng) -> Result<Rgb8>;

/// Every corruption by name. The function gets the severity as an index, 0..5.
const REGISTRY: [(&str, Corrupt); 7] = [
    ("gaussian-noise", gaussian_noise),
    ("blur", blur),
    ("contrast", contrast),
    ("brightness", brightness),
    ("jpeg", jpeg),
    ("pixelate", pixelate),
    ("fog", fog),
];

/// The names that [`corrupt`] knows.
pub fn corruption_names() -> impl Iterator<Item = &'static str> {
    REGISTRY.iter().map(|(name, _)| *name)
}

/// `image` under corruption `name` at `severity` 1 to 5. Same seed, same result.
///
/// [`Kind::OptionInvalid`] for another name or severity.
pub fn corrupt(image: &Rgb8, name: &str, severity: u8, seed: u64) -> Result<Rgb8> {
    let (_, function) = find(name)?;
    let level = level(severity)?;
    function(image, level, &mut Rng::new(seed))
}

/// A corruption at a severity, as `NAME:SEVERITY` says it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Corruption {
    name: &'static str,
    severity: u8,
}

impl Corruption {
    /// Reads `NAME:SEVERITY`.
    ///
    /// # Errors
    /// `options/invalid` when it is not one.
    pub fn parse(text: &str) -> Result<Self> {
        let (name, severity) = text.split_once(':').ok_or_else(|| {
            Error::new(
                Kind::OptionInvalid,
                format!("\"{text}\" is not NAME:SEVERITY, for example blur:3."),
            )
        })?;
        let (name, _) = find(name)?;
        let severity = severity.parse().unwrap_or(0);
        level(severity)?;
        Ok(Self { name, severity })
    }

    /// `image` under this corruption. Noise depends on `seed` and on the picture alone, so every
    /// picture of a data set has its own, in whatever order they come.
    ///
    /// # Errors
    /// Those of [`corrupt`].
    pub fn apply(self, image: &Rgb8, seed: u64) -> Result<Rgb8> {
        let hash = Sha256::digest(&image.data);
        let own = hash
            .iter()
            .take(8)
            .fold(0, |sum, b| sum << 8 | u64::from(*b));
        corrupt(
            image,
            self.name,
            self.severity,
            Rng::derive(seed, own).bits(),
        )
    }
}

impl fmt::Display for Corruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.name, self.severity)
    }
}

fn find(name: &str) -> Result<(&'static str, Corrupt)> {
    let found = REGISTRY.iter().find(|(known, _)| *known == name);
    found.copied().ok_or_else(|| {
        let names: Vec<_> = corruption_names().collect();
        Error::new(
            Kind::OptionInvalid,
            format!(
                "There is no corruption \"{name}\"; choose from {}.",
                names.join(", ")
            ),
        )
    })
}

fn level(severity: u8) -> Result<usize> {
    match severity {
        1..=5 => Ok(usize::from(severity) - 1),
        _ => Err(Error::new(
            Kind::OptionInvalid,
            "A corruption's severity is a whole number from 1 to 5.",
        )),
    }
}

/// The shorter side in units of ImageNet-C's 224 pixels, at least 0.4: blurs far below one pixel
/// would leave small pictures as they are.
fn relative_size(image: &Rgb8) -> f32 {
    (image.width.min(image.height) as f32 / 224.0).max(0.4)
}

fn each_byte(image: &Rgb8, mut f: impl FnMut(f32) -> f32) -> Rgb8 {
    let mut out = image.clone();
    for value in &mut out.data {
        *value = f(f32::from(*value)).round() as u8;
    }
    out
}

fn gaussian_noise(image: &Rgb8, level: usize, rng: &mut Rng) -> Result<Rgb8> {
    let deviation = [0.08, 0.12, 0.18, 0.26, 0.38][level] * 255.0;
    Ok(each_byte(image, |v| v + deviation * rng.normal() as f32))
}

fn blur(image: &Rgb8, level: usize, _: &mut Rng) -> Result<Rgb8> {
    let sigma = [1.0, 2.0, 3.0, 4.0, 6.0][level];
    Ok(gaussian_blur(image, sigma * relative_size(image)))
}

fn contrast(image: &Rgb8, level: usize, _: &mut Rng) -> Result<Rgb8> {
    let factor = [0.4, 0.3, 0.2, 0.1, 0.05][level];
    let pixels = image.data.as_chunks::<3>().0;
    let mut sums = [0u64; 3];
    for pixel in pixels {
        for (sum, &value) in sums.iter_mut().zip(pixel) {
            *sum += u64::from(value);
        }
    }
    let means = sums.map(|sum| (sum as f64 / pixels.len() as f64) as f32);
    let mut out = image.clone();
    for pixel in out.data.as_chunks_mut::<3>().0 {
        for (value, mean) in pixel.iter_mut().zip(means) {
            *value = (mean + (f32::from(*value) - mean) * factor).round() as u8;
        }
    }
    Ok(out)
}

/// Adds to the HSV value: hue and saturation stay, so a pixel is scaled; black becomes gray.
fn brightness(image: &Rgb8, level: usize, _: &mut Rng) -> Result<Rgb8> {
    let more = [0.1, 0.2, 0.3, 0.4, 0.5][level] * 255.0;
    let mut out = image.clone();
    for pixel in out.data.as_chunks_mut::<3>().0 {
        let rgb = pixel.map(f32::from);
        let value = rgb[0].max(rgb[1]).max(rgb[2]);
        let brighter = (value + more).min(255.0);
        *pixel = if value == 0.0 {
            [brighter.round() as u8; 3]
        } else {
            rgb.map(|v| (v * brighter / value).round() as u8)
        };
    }
    Ok(out)
}

fn jpeg(image: &Rgb8, level: usize, _: &mut Rng) -> Result<Rgb8> {
    recompress(image, [25, 18, 15, 10, 7][level])
}

fn pixelate(image: &Rgb8, level: usize, _: &mut Rng) -> Result<Rgb8> {
    let share = [0.6, 0.5, 0.4, 0.3, 0.25][level] / f64::from(relative_size(image)).max(1.0);
    let small = |side: u32| ((f64::from(side) * share) as u32).max(1);
    let size = (small(image.width), small(image.height));
    let whole = |(width, height): (u32, u32)| Rect {
        x: 0,
        y: 0,
        width,
        height,
    };
    let coarse = resize(image, image.bounds(), size, whole(size), Filter::Box)?;
    let full = (image.width, image.height);
    resize(&coarse, coarse.bounds(), full, whole(full), Filter::Box)
}

/// `(v + c n) max / (max + c)` with smooth noise `n` in 0..=1, on a scale where white is 1.
fn fog(image: &Rgb8, level: usize, rng: &mut Rng) -> Result<Rgb8> {
    let strength = [1.0, 1.5, 2.0, 2.5, 3.0][level] * 255.0;
    let veil = veil(image.width as usize, image.height as usize, rng);
    let most = f32::from(image.data.iter().copied().max().unwrap_or(255));
    let fade = most / (most + strength);
    let mut out = image.clone();
    for (pixel, noise) in out.data.as_chunks_mut::<3>().0.iter_mut().zip(veil) {
        *pixel = pixel.map(|v| ((f32::from(v) + strength * noise) * fade).round() as u8);
    }
    Ok(out)
}

/// Six octaves of interpolated lattice noise, each half as strong as the one before, stretched to
/// 0..=1.
fn veil(width: usize, height: usize, rng: &mut Rng) -> Vec<f32> {
    let mut noise = vec![0f32; width * height];
    let side = width.max(height) as f32;
    for octave in 0..6 {
        let cells = 2usize << octave;
        let points = cells + 2;
        let lattice: Vec<f32> = (0..points * points).map(|_| rng.unit() as f32).collect();
        let amplitude = 0.5f32.powi(octave);
        let place = |i: usize| {
            let at = i as f32 / side * cells as f32;
            let t = at.fract();
            (at as usize, t * t * (3.0 - 2.0 * t))
        };
        for (y, row) in noise.chunks_exact_mut(width).enumerate() {
            let (cell_y, ty) = place(y);
            for (x, sum) in row.iter_mut().enumerate() {
                let (cell_x, tx) = place(x);
                let at = cell_y * points + cell_x;
                let mix = |a: f32, b: f32, t: f32| a + (b - a) * t;
                let upper = mix(lattice[at], lattice[at + 1], tx);
                let lower = mix(lattice[at + points], lattice[at + points + 1], tx);
                *sum += amplitude * mix(upper, lower, ty);
            }
        }
    }
    let low = noise.iter().copied().fold(f32::INFINITY, f32::min);
    let high = noise.iter().copied().fold(f32::NEG_INFINITY, f32::max);
    let range = (high - low).max(f32::MIN_POSITIVE);
    noise.iter_mut().for_each(|n| *n = (*n - low) / range);
    noise
}
