//! The look of another picture on this one: its low frequencies' strength, or its color statistics.

use std::f32::consts::TAU;

use crate::image::Rgb8;

/// The lowest frequencies of one channel: `[ky + band][kx]` for `ky` in `-band..=band` and `kx` in
/// `0..=band`, real and imaginary part. Negative `kx` follow by symmetry.
type Low = Vec<Vec<(f32, f32)>>;

/// cos and sin of `2 pi k i / n` for all `i`, one row per frequency.
fn waves(n: usize, frequencies: impl Iterator<Item = i32>) -> Vec<Vec<(f32, f32)>> {
    frequencies
        .map(|k| {
            (0..n)
                .map(|i| {
                    // Reduced before the division, so that large products lose nothing.
                    let phase = (i64::from(k) * i as i64).rem_euclid(n as i64);
                    let (sin, cos) = (TAU * phase as f32 / n as f32).sin_cos();
                    (cos, sin)
                })
                .collect()
        })
        .collect()
}

struct Basis {
    across: Vec<Vec<(f32, f32)>>,
    down: Vec<Vec<(f32, f32)>>,
}

impl Basis {
    fn new(width: usize, height: usize, band: usize) -> Self {
        let band = band as i32;
        Self {
            across: waves(width, 0..=band),
            down: waves(height, -band..=band),
        }
    }

    /// The discrete Fourier transform of `channel` (row-major), low frequencies only.
    fn transform(&self, channel: &[f32]) -> Low {
        let width = self.across[0].len();
        let rows: Vec<Vec<(f32, f32)>> = channel
            .chunks_exact(width)
            .map(|row| {
                self.across
                    .iter()
                    .map(|wave| {
                        row.iter()
                            .zip(wave)
                            .fold((0.0, 0.0), |(re, im), (v, w)| (re + v * w.0, im - v * w.1))
                    })
                    .collect()
            })
            .collect();
        self.down
            .iter()
            .map(|wave| {
                let mut sums = vec![(0f32, 0f32); self.across.len()];
                for (row, &(cos, sin)) in rows.iter().zip(wave) {
                    for (sum, &(re, im)) in sums.iter_mut().zip(row) {
                        sum.0 += re * cos + im * sin;
                        sum.1 += im * cos - re * sin;
                    }
                }
                sums
            })
            .collect()
    }

    /// Adds the real picture whose low frequencies are `change` to `channel`.
    fn add_inverse(&self, change: &Low, channel: &mut [f32]) {
        let (width, height) = (self.across[0].len(), self.down[0].len());
        let norm = 1.0 / (width * height) as f32;
        for (y, row) in channel.chunks_exact_mut(width).enumerate() {
            let mut sums = vec![(0f32, 0f32); self.across.len()];
            for (line, wave) in change.iter().zip(&self.down) {
                let (cos, sin) = wave[y];
                for (sum, &(re, im)) in sums.iter_mut().zip(line) {
                    sum.0 += re * cos - im * sin;
                    sum.1 += re * sin + im * cos;
                }
            }
            for (kx, (&(re, im), wave)) in sums.iter().zip(&self.across).enumerate() {
                // A positive horizontal frequency stands for its mirror image too.
                let weight = if kx == 0 { norm } else { 2.0 * norm };
                for (value, &(cos, sin)) in row.iter_mut().zip(wave) {
                    *value += weight * (re * cos - im * sin);
                }
            }
        }
    }
}

/// Fourier amplitude transfer (Yang and Soatto, "FDA", CVPR 2020): inside the square band of
/// half-width `int(share * shorter side)` around zero frequency, the amplitudes become those of
/// `style` and the phases stay. `style` must have the size of `image`; `share` is clamped to 0..=0.25.
pub fn amplitude_transfer(image: &Rgb8, style: &Rgb8, share: f32) -> Rgb8 {
    assert_eq!(
        (image.width, image.height),
        (style.width, style.height),
        "both pictures need one size"
    );
    let (width, height) = (image.width as usize, image.height as usize);
    let band = (width.min(height) as f32 * share.clamp(0.0, 0.25)) as usize;
    let basis = Basis::new(width, height, band);
    let mut out = image.clone();
    for channel in 0..3 {
        let mut content = plane(image, channel);
        let mut change = basis.transform(&content);
        let wanted = basis.transform(&plane(style, channel));
        for (value, wanted) in change.iter_mut().flatten().zip(wanted.iter().flatten()) {
            let has = value.0.hypot(value.1);
            let gets = wanted.0.hypot(wanted.1);
            // A silent frequency has no phase to keep; leave it silent.
            let factor = if has > 1e-3 { gets / has - 1.0 } else { 0.0 };
            *value = (value.0 * factor, value.1 * factor);
        }
        basis.add_inverse(&change, &mut content);
        set_plane(&mut out, channel, &content);
    }
    out
}

/// Moves each channel's mean and standard deviation the way `strength` (0..=1) towards those of
/// `style`, which may have any size.
pub fn statistics_transfer(image: &Rgb8, style: &Rgb8, strength: f32) -> Rgb8 {
    let mut out = image.clone();
    for channel in 0..3 {
        let mut values = plane(image, channel);
        let (mean, deviation) = mean_and_deviation(&values);
        let (wanted_mean, wanted_deviation) = mean_and_deviation(&plane(style, channel));
        let to_mean = mean + strength * (wanted_mean - mean);
        let to_deviation = deviation + strength * (wanted_deviation - deviation);
        let scale = if deviation > 1e-3 {
            to_deviation / deviation
        } else {
            1.0
        };
        for value in &mut values {
            *value = (*value - mean) * scale + to_mean;
        }
        set_plane(&mut out, channel, &values);
    }
    out
}

fn plane(image: &Rgb8, channel: usize) -> Vec<f32> {
    let pixels = image.data.as_chunks::<3>().0;
    pixels.iter().map(|p| f32::from(p[channel])).collect()
}

fn set_plane(image: &mut Rgb8, channel: usize, values: &[f32]) {
    let pixels = image.data.as_chunks_mut::<3>().0;
    for (pixel, value) in pixels.iter_mut().zip(values) {
        pixel[channel] = value.round() as u8;
    }
}

fn mean_and_deviation(values: &[f32]) -> (f32, f32) {
    let n = values.len() as f64;
    let mean = values.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
    let square = values
        .iter()
        .map(|&v| (f64::from(v) - mean).powi(2))
        .sum::<f64>()
        / n;
    (mean as f32, square.sqrt() as f32)
}
