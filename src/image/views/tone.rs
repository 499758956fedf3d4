//! Operations that map each pixel's color, with Pillow's integer arithmetic if Pillow has them
//! (python-pillow/Pillow: `ImageOps.py`, `ImageEnhance.py`, `Blend.c`, `Convert.c`).

use crate::image::Rgb8;

/// Maps each channel through its own table.
fn map(image: &Rgb8, tables: &[[u8; 256]; 3]) -> Rgb8 {
    let mut out = image.clone();
    for pixel in out.data.as_chunks_mut::<3>().0 {
        for (value, table) in pixel.iter_mut().zip(tables) {
            *value = table[usize::from(*value)];
        }
    }
    out
}

fn map_all(image: &Rgb8, f: impl Fn(u8) -> u8) -> Rgb8 {
    let table = std::array::from_fn(|v| f(v as u8));
    map(image, &[table; 3])
}

fn histograms(image: &Rgb8) -> [[u64; 256]; 3] {
    let mut counts = [[0u64; 256]; 3];
    for pixel in image.data.as_chunks::<3>().0 {
        for (counts, &value) in counts.iter_mut().zip(pixel) {
            counts[usize::from(value)] += 1;
        }
    }
    counts
}

/// Stretches each channel to the full range; a channel of one value stays.
pub fn autocontrast(image: &Rgb8) -> Rgb8 {
    let tables = histograms(image).map(|counts| {
        let low = counts.iter().position(|&n| n > 0).unwrap_or(0);
        let high = counts.iter().rposition(|&n| n > 0).unwrap_or(255);
        std::array::from_fn(|v| {
            if high <= low {
                return v as u8;
            }
            let scale = 255.0 / (high - low) as f64;
            // `as` truncates and saturates like Pillow's int() and clip.
            (v as f64 * scale - low as f64 * scale) as u8
        })
    });
    map(image, &tables)
}

/// Spreads each channel's values to an even histogram.
pub fn equalize(image: &Rgb8) -> Rgb8 {
    let tables = histograms(image).map(|counts| {
        let total: u64 = counts.iter().sum();
        let last = counts.iter().rev().find(|&&n| n > 0).copied().unwrap_or(0);
        let step = (total - last) / 255;
        let mut sum = step / 2;
        std::array::from_fn(|v| {
            if step == 0 {
                return v as u8;
            }
            let mapped = (sum / step).min(255) as u8;
            sum += counts[v];
            mapped
        })
    });
    map(image, &tables)
}

/// Keeps the `bits` (0..=8) highest bits of every value.
pub fn posterize(image: &Rgb8, bits: u32) -> Rgb8 {
    let mask = !((1u32 << (8 - bits.min(8))) - 1) as u8;
    map_all(image, |v| v & mask)
}

/// Inverts the values at or above `threshold`.
pub fn solarize(image: &Rgb8, threshold: u32) -> Rgb8 {
    map_all(
        image,
        |v| {
            if u32::from(v) < threshold { v } else { 255 - v }
        },
    )
}

/// Luma by ITU-R 601-2 in 16-bit fixed point.
pub fn luma([r, g, b]: [u8; 3]) -> u8 {
    ((u32::from(r) * 19_595 + u32::from(g) * 38_470 + u32::from(b) * 7_471 + 0x8000) >> 16) as u8
}

/// Every pixel as its luma.
pub fn grayscale(image: &Rgb8) -> Rgb8 {
    let mut out = image.clone();
    for pixel in out.data.as_chunks_mut::<3>().0 {
        *pixel = [luma(*pixel); 3];
    }
    out
}

/// `from + factor * (to - from)`, truncated and clipped.
fn blend(from: u8, to: u8, factor: f32) -> u8 {
    let (from, to) = (f32::from(from), f32::from(to));
    (from + factor * (to - from)) as u8
}

/// Away from black: 1 changes nothing, 0 is black.
pub fn brightness(image: &Rgb8, factor: f32) -> Rgb8 {
    map_all(image, |v| blend(0, v, factor))
}

/// Away from the mean luma: 1 changes nothing, 0 is plain gray.
pub fn contrast(image: &Rgb8, factor: f32) -> Rgb8 {
    let pixels = image.data.as_chunks::<3>().0;
    let sum: u64 = pixels.iter().map(|&pixel| u64::from(luma(pixel))).sum();
    let mean = (sum as f64 / pixels.len() as f64 + 0.5) as u8;
    map_all(image, |v| blend(mean, v, factor))
}

/// Away from gray: 1 changes nothing, 0 is black and white.
pub fn saturation(image: &Rgb8, factor: f32) -> Rgb8 {
    let mut out = image.clone();
    for pixel in out.data.as_chunks_mut::<3>().0 {
        let gray = luma(*pixel);
        *pixel = pixel.map(|v| blend(gray, v, factor));
    }
    out
}

/// Turns the hue by `turns` of the color circle, keeping value and chroma (HSV).
pub fn hue(image: &Rgb8, turns: f32) -> Rgb8 {
    let mut out = image.clone();
    if turns == 0.0 {
        return out;
    }
    for pixel in out.data.as_chunks_mut::<3>().0 {
        *pixel = turn_hue(*pixel, turns);
    }
    out
}

fn turn_hue(rgb: [u8; 3], turns: f32) -> [u8; 3] {
    let [r, g, b] = rgb.map(f32::from);
    let value = r.max(g).max(b);
    let chroma = value - r.min(g).min(b);
    if chroma == 0.0 {
        return rgb;
    }
    let sector = if value == r {
        (g - b) / chroma
    } else if value == g {
        (b - r) / chroma + 2.0
    } else {
        (r - g) / chroma + 4.0
    };
    let sector = (sector + 6.0 * turns).rem_euclid(6.0);
    // Each channel falls by the chroma over one sector and rises again four sectors later.
    [5.0, 3.0, 1.0].map(|offset| {
        let k = (offset + sector).rem_euclid(6.0);
        (value - chroma * k.min(4.0 - k).clamp(0.0, 1.0)).round() as u8
    })
}
