//! Pillow's antialiased resampling of 8-bit images, bit for bit up to Pillow 12.0; 13.0 rounds
//! otherwise, by 1 in a few of a hundred values.
//!
//! Two passes of weighted sums, horizontal first with an 8-bit intermediate, weights in 22-bit
//! fixed point (python-pillow/Pillow, `src/libImaging/Resample.c`). Only the wanted window of the
//! output is computed, so that memory is bounded by the window and the source rows it needs.

use serde::{Deserialize, Serialize};

use super::Rgb8;
use crate::error::{Error, Kind, Result};

/// The interpolation kernel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Filter {
    /// Plain mean of the covered pixels, support 0.5; enlarging repeats the nearest pixel.
    Box,
    /// Triangle kernel, support 1.
    Bilinear,
    /// Keys' cubic with a = -0.5, support 2.
    Bicubic,
}

impl Filter {
    fn support(self) -> f64 {
        match self {
            Filter::Box => 0.5,
            Filter::Bilinear => 1.0,
            Filter::Bicubic => 2.0,
        }
    }

    fn weight(self, x: f64) -> f64 {
        if self == Filter::Box {
            // Half open, so that a pixel on the border counts once.
            return f64::from(u8::from(x > -0.5 && x <= 0.5));
        }
        let x = x.abs();
        match self {
            Filter::Bilinear if x < 1.0 => 1.0 - x,
            Filter::Bicubic if x < 1.0 => ((A + 2.0) * x - (A + 3.0)) * x * x + 1.0,
            Filter::Bicubic if x < 2.0 => (((x - 5.0) * x + 8.0) * x - 4.0) * A,
            _ => 0.0,
        }
    }
}

const A: f64 = -0.5;

/// A rectangle of whole pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rect {
    /// Left edge.
    pub x: u32,
    /// Top edge.
    pub y: u32,
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
}

impl Rect {
    fn fits(&self, width: u32, height: u32) -> bool {
        let inside = |start: u32, size: u32, whole: u32| {
            size > 0 && start.checked_add(size).is_some_and(|end| end <= whole)
        };
        inside(self.x, self.width, width) && inside(self.y, self.height, height)
    }

    /// [`Kind::Internal`] when it is empty or reaches out of an image of `width` x `height`.
    pub fn check(&self, width: u32, height: u32) -> Result<()> {
        if self.fits(width, height) {
            return Ok(());
        }
        let sentence = format!("{self:?} of {width} x {height} is empty or outside");
        Err(Error::new(Kind::Internal, sentence))
    }
}

/// Cuts `source` out of `image`, scales the cut to `width` x `height`, and returns only `window`
/// of the result: equal to crop, resize, crop, without the parts that nobody sees. Pixels outside
/// `source` are never looked at.
///
/// [`Kind::Internal`] when a rectangle lies outside what it is cut from or a size is zero.
pub fn resize(
    image: &Rgb8,
    source: Rect,
    (width, height): (u32, u32),
    window: Rect,
    filter: Filter,
) -> Result<Rgb8> {
    source.check(image.width, image.height)?;
    window.check(width, height)?;
    let columns = Taps::new(source.width, width, window.x, window.width, filter);
    let rows = Taps::new(source.height, height, window.y, window.height, filter);
    let (first_row, last_row) = rows.reach();
    let narrow = horizontal(image, source, first_row..last_row, &columns);
    let data = vertical(&narrow, window.width as usize, first_row, &rows);
    Rgb8::new(window.width, window.height, data)
}

const PRECISION: u32 = 22;
const HALF: i32 = 1 << (PRECISION - 1);

/// For each output position of a window: the first source position and the weights from there, in
/// 22-bit fixed point.
pub struct Taps {
    starts: Vec<usize>,
    /// All weights in one row; `ends[i - 1]..ends[i]` belong to output `i`.
    weights: Vec<i32>,
    ends: Vec<usize>,
}

impl Taps {
    /// The taps that scale a whole line of `source` positions to `target`.
    pub fn whole(source: u32, target: u32, filter: Filter) -> Self {
        Self::new(source, target, 0, target, filter)
    }

    fn new(source: u32, target: u32, window_start: u32, window_size: u32, filter: Filter) -> Self {
        let mut taps = Self {
            starts: Vec::with_capacity(window_size as usize),
            weights: Vec::new(),
            ends: Vec::with_capacity(window_size as usize),
        };
        if source == target {
            for i in window_start..window_start + window_size {
                taps.push(i as usize, &[1 << PRECISION]);
            }
            return taps;
        }
        let scale = f64::from(source) / f64::from(target);
        let stretch = scale.max(1.0);
        let support = filter.support() * stretch;
        let inverse = 1.0 / stretch;
        let mut exact = Vec::new();
        let mut fixed = Vec::new();
        for i in window_start..window_start + window_size {
            let center = (f64::from(i) + 0.5) * scale;
            // `as` truncates towards zero and saturates, like the C casts and clamps.
            let first = (center - support + 0.5) as u32;
            let end = ((center + support + 0.5) as u32).min(source);
            exact.clear();
            exact.extend(
                (first..end).map(|j| filter.weight((f64::from(j) - center + 0.5) * inverse)),
            );
            let sum: f64 = exact.iter().sum();
            fixed.clear();
            fixed.extend(exact.iter().map(|&weight| {
                let weight = if sum == 0.0 { weight } else { weight / sum };
                let scaled = weight * f64::from(1 << PRECISION);
                (scaled + if weight < 0.0 { -0.5 } else { 0.5 }) as i32
            }));
            taps.push(first as usize, &fixed);
        }
        taps
    }

    fn push(&mut self, start: usize, weights: &[i32]) {
        self.starts.push(start);
        self.weights.extend_from_slice(weights);
        self.ends.push(self.weights.len());
    }

    /// The first source position and the weights of each output position.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = (usize, &[i32])> + DoubleEndedIterator {
        self.starts.iter().enumerate().map(|(i, &start)| {
            let from = i.checked_sub(1).map_or(0, |before| self.ends[before]);
            (start, &self.weights[from..self.ends[i]])
        })
    }

    /// The first source position that is looked at and one past the last.
    pub fn reach(&self) -> (usize, usize) {
        self.iter()
            .fold((usize::MAX, 0), |(low, high), (start, weights)| {
                (low.min(start), high.max(start + weights.len()))
            })
    }
}

fn to_byte(sum: i32) -> u8 {
    (sum >> PRECISION).clamp(0, 255) as u8
}

/// The rows `rows` of `source`, resampled to the window's columns.
fn horizontal(image: &Rgb8, source: Rect, rows: std::ops::Range<usize>, taps: &Taps) -> Vec<u8> {
    let stride = image.width as usize * 3;
    let mut out = Vec::with_capacity(rows.len() * taps.starts.len() * 3);
    for y in rows {
        let from = (source.y as usize + y) * stride + source.x as usize * 3;
        let row = &image.data[from..from + source.width as usize * 3];
        for (start, weights) in taps.iter() {
            let mut sums = [HALF; 3];
            let (pixels, _) = row[start * 3..][..weights.len() * 3].as_chunks::<3>();
            for (pixel, &weight) in pixels.iter().zip(weights) {
                for (sum, &value) in sums.iter_mut().zip(pixel) {
                    *sum += i32::from(value) * weight;
                }
            }
            out.extend(sums.map(to_byte));
        }
    }
    out
}

/// Output rows from `narrow`, whose first row is source row `first_row`.
fn vertical(narrow: &[u8], width: usize, first_row: usize, taps: &Taps) -> Vec<u8> {
    let stride = width * 3;
    let mut out = Vec::with_capacity(taps.starts.len() * stride);
    let mut sums = vec![HALF; stride];
    for (start, weights) in taps.iter() {
        sums.fill(HALF);
        let rows = narrow[(start - first_row) * stride..].chunks_exact(stride);
        for (row, &weight) in rows.zip(weights) {
            for (sum, &value) in sums.iter_mut().zip(row) {
                *sum += i32::from(value) * weight;
            }
        }
        out.extend(sums.iter().map(|&sum| to_byte(sum)));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_sum_to_one_within_rounding() {
        for (source, target) in [(7, 224), (1000, 64), (223, 224), (50_000, 3)] {
            for filter in [Filter::Bilinear, Filter::Bicubic] {
                let taps = Taps::new(source, target, 0, target, filter);
                for (start, weights) in taps.iter() {
                    let sum: i64 = weights.iter().map(|&w| i64::from(w)).sum();
                    assert!((sum - (1 << PRECISION)).unsigned_abs() <= weights.len() as u64);
                    assert!(start + weights.len() <= source as usize);
                }
            }
        }
    }
}
