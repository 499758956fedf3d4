//! Symmetric block quantization of weight matrices to 8 or 4 bits.
//!
//! A row is padded with zeros to a multiple of 32 columns and cut into blocks along the input
//! dimension. A block stores one f16 scale and signed integers `q`; the weight is exactly
//! `q * f32(scale)`, because values are rounded against the scale as stored. Integers are packed
//! into little-endian `u32` words, the only quantized storage that WGSL can hold.

use half::f16;
use serde::{Deserialize, Serialize};

use super::role::Role;
use crate::error::{Error, Kind, Result};

/// Columns of a block of a linear layer.
pub const BLOCK: usize = 32;

/// How the matrices of a model are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Quantization {
    /// 32-bit floats.
    None,
    /// 16-bit floats in a pack; 32-bit floats of these values in memory.
    F16,
    /// 8 bits, one scale per 32 columns; embedding tables one scale per row.
    Q8,
    /// 4 bits, one scale per 32 columns; embedding tables as in `Q8`.
    Q4,
    /// `Q4` for each matrix where its measured error is small, else `Q8`.
    Mixed,
}

impl Quantization {
    /// Every one of them.
    pub const ALL: &[Self] = &[Self::None, Self::F16, Self::Q8, Self::Q4, Self::Mixed];

    /// The name in files and options.
    pub const fn name(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::F16 => "f16",
            Self::Q8 => "q8",
            Self::Q4 => "q4",
            Self::Mixed => "mixed",
        }
    }

    /// The inverse of [`name`](Self::name).
    ///
    /// # Errors
    /// `options/invalid` for any other name.
    pub fn parse(name: &str) -> Result<Self> {
        let found = Self::ALL.iter().find(|known| known.name() == name);
        found.copied().ok_or_else(|| {
            Error::new(
                Kind::OptionInvalid,
                "The quantisation is not known; use none, f16, q8, q4 or mixed.",
            )
        })
    }

    /// Whether a tensor of `role` becomes 16-bit floats.
    pub const fn halves(self, role: Role) -> bool {
        match (self, role) {
            (Self::None, _) | (_, Role::Float) => false,
            (Self::F16, _) | (_, Role::Kernel) => true,
            (_, Role::Linear | Role::Embedding) => false,
        }
    }

    /// How a tensor of `role` may be packed: not at all, in one way, or in the better of two.
    pub const fn schemes(self, role: Role) -> &'static [Scheme] {
        match (self, role) {
            (Self::None | Self::F16, _) | (_, Role::Float | Role::Kernel) => &[],
            (_, Role::Embedding) => &[Scheme::Rows8],
            (Self::Q8, Role::Linear) => &[Scheme::Blocks8],
            (Self::Q4, Role::Linear) => &[Scheme::Blocks4],
            (Self::Mixed, Role::Linear) => &[Scheme::Blocks4, Scheme::Blocks8],
        }
    }
}

/// Bits and block length of a packed matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// 8 bits, 32 columns per scale.
    Blocks8,
    /// 4 bits, 32 columns per scale.
    Blocks4,
    /// 8 bits, one scale per row.
    Rows8,
}

impl Scheme {
    const fn bits(self) -> u8 {
        match self {
            Self::Blocks8 | Self::Rows8 => 8,
            Self::Blocks4 => 4,
        }
    }
}

/// A quantized matrix `[rows, cols]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packed {
    /// 8 or 4.
    pub bits: u8,
    /// Outputs of the layer, or entries of the table.
    pub rows: usize,
    /// Inputs of the layer, padding not counted.
    pub cols: usize,
    /// Columns per scale: 32, or the padded row length.
    pub block: usize,
    /// `[rows, words_per_row]`. At 8 bits, byte `j` (little endian) of word `i` of a row is column
    /// `4i + j` in -127..=127; at 4 bits, nibble `j` is column `8i + j` in -7..=7. Both are two's
    /// complement and padding columns are 0.
    pub words: Vec<u32>,
    /// `[rows, blocks]`, the bits of f16 scales. A block of zeros has scale 0.
    pub scales: Vec<u16>,
}

/// `cols` rounded up to a multiple of [`BLOCK`].
pub const fn padded(cols: usize) -> usize {
    cols.div_ceil(BLOCK) * BLOCK
}

impl Packed {
    /// A matrix without rows, to be filled by [`push_row`](Self::push_row).
    pub fn empty(scheme: Scheme, cols: usize) -> Self {
        Self {
            bits: scheme.bits(),
            rows: 0,
            cols,
            block: match scheme {
                Scheme::Rows8 => padded(cols).max(BLOCK),
                Scheme::Blocks8 | Scheme::Blocks4 => BLOCK,
            },
            words: Vec::new(),
            scales: Vec::new(),
        }
    }

    /// [`empty`](Self::empty) with memory for `rows` rows.
    ///
    /// # Errors
    /// `engine/out-of-memory`.
    pub fn with_capacity(scheme: Scheme, rows: usize, cols: usize) -> Result<Self> {
        let mut packed = Self::empty(scheme, cols);
        let (words, scales) = (packed.words_per_row(), packed.blocks());
        reserve(&mut packed.words, rows.saturating_mul(words))?;
        reserve(&mut packed.scales, rows.saturating_mul(scales))?;
        Ok(packed)
    }

    /// Quantizes `values`, row-major `[rows, cols]`.
    ///
    /// # Errors
    /// `engine/internal` if the length of `values` is not `rows * cols`; otherwise as
    /// [`push_row`](Self::push_row).
    pub fn quantize(scheme: Scheme, rows: usize, cols: usize, values: &[f32]) -> Result<Self> {
        if values.len() != rows * cols {
            return Err(Error::new(
                Kind::Internal,
                format!("{} values do not make {rows} x {cols}.", values.len()),
            ));
        }
        let mut packed = Self::with_capacity(scheme, rows, cols)?;
        for row in values.chunks_exact(cols.max(1)) {
            packed.push_row(row)?;
        }
        Ok(packed)
    }

    /// Scales per row.
    pub fn blocks(&self) -> usize {
        padded(self.cols) / self.block
    }

    /// Words per row.
    pub fn words_per_row(&self) -> usize {
        padded(self.cols) * usize::from(self.bits) / 32
    }

    /// Bytes of words and scales.
    pub fn byte_len(&self) -> usize {
        self.words.len() * 4 + self.scales.len() * 2
    }

    /// Quantizes one more row of `cols` finite values.
    ///
    /// # Errors
    /// `weights/invalid` if a value is too large for any f16 scale.
    pub fn push_row(&mut self, row: &[f32]) -> Result<()> {
        debug_assert_eq!(row.len(), self.cols);
        let per_word = 32 / usize::from(self.bits);
        let mask = u32::MAX >> (32 - u32::from(self.bits));
        let limit = if self.bits == 8 { 127.0 } else { 7.0 };
        for start in (0..padded(self.cols)).step_by(self.block) {
            let end = (start + self.block).min(self.cols);
            let values = &row[start.min(end)..end];
            let scale = if self.bits == 8 {
                largest_scale(values, limit)?
            } else {
                searched_scale(values, limit)?
            };
            self.scales.push(scale.to_bits());
            let step = scale.to_f32();
            for word in (0..self.block).step_by(per_word) {
                let mut packed = 0u32;
                for lane in 0..per_word {
                    let value = values.get(word + lane).copied().unwrap_or(0.0);
                    let q = level(value, step, limit) as i32;
                    packed |= (q.cast_unsigned() & mask) << (lane * usize::from(self.bits));
                }
                self.words.push(packed);
            }
        }
        self.rows += 1;
        Ok(())
    }

    /// Writes the `cols` values of row `row` to `out`, each exactly `q * f32(scale)`.
    ///
    /// # Panics
    /// If `row` is not below `rows` or `out` is not `cols` long.
    pub fn dequantize_row(&self, row: usize, out: &mut [f32]) {
        assert_eq!(out.len(), self.cols, "a row has cols values");
        let bits = u32::from(self.bits);
        let per_word = 32 / usize::from(self.bits);
        let words = &self.words[row * self.words_per_row()..][..self.words_per_row()];
        let scales = &self.scales[row * self.blocks()..][..self.blocks()];
        for (block, values) in out.chunks_mut(self.block).enumerate() {
            let scale = f16::from_bits(scales[block]).to_f32();
            let words = &words[block * self.block / per_word..];
            for (values, &word) in values.chunks_mut(per_word).zip(words) {
                for (lane, value) in (0u32..).zip(values) {
                    // Shift the lane to the top, then back down with its sign.
                    let q = (word << (32 - bits * (lane + 1))).cast_signed() >> (32 - bits);
                    *value = q as f32 * scale;
                }
            }
        }
    }

    /// The same values in 8 bits, exactly: every level of 4 bits is one of 8.
    pub fn widened(&self) -> Self {
        if self.bits == 8 {
            return self.clone();
        }
        let mut wide = Self {
            bits: 8,
            words: Vec::with_capacity(self.words.len() * 2),
            scales: self.scales.clone(),
            ..*self
        };
        for &word in &self.words {
            for half in [word, word >> 16] {
                let lanes = (0..4).map(|lane| {
                    let q = (half << (28 - 4 * lane)).cast_signed() >> 28;
                    (q.cast_unsigned() & 0xff) << (8 * lane)
                });
                wide.words.push(lanes.fold(0, |packed, lane| packed | lane));
            }
        }
        wide
    }

    /// All values, row-major `[rows, cols]`.
    pub fn dequantize(&self) -> Vec<f32> {
        let mut out = vec![0.0; self.rows * self.cols];
        if self.cols > 0 {
            for (row, values) in out.chunks_exact_mut(self.cols).enumerate() {
                self.dequantize_row(row, values);
            }
        }
        out
    }

    /// Stacks matrices of equal `cols` and `block` on top of each other, which fuses layers that
    /// share their input. Where their `bits` differ the result has 8.
    ///
    /// # Errors
    /// `engine/internal` if there is none or they differ.
    pub fn concat_rows(parts: &[Packed]) -> Result<Self> {
        let same = |a: &Packed, b: &Packed| (a.bits, a.cols, a.block) == (b.bits, b.cols, b.block);
        // A choice per matrix may have fallen differently for layers that share their input.
        let wide: Vec<Packed>;
        let parts = if parts.iter().any(|part| part.bits != parts[0].bits) {
            wide = parts.iter().map(Packed::widened).collect();
            &wide
        } else {
            parts
        };
        let first = parts
            .first()
            .filter(|first| parts.iter().all(|part| same(first, part)))
            .ok_or_else(|| {
                Error::new(
                    Kind::Internal,
                    "Only matrices packed alike can be joined by rows.",
                )
            })?;
        Ok(Self {
            rows: parts.iter().map(|part| part.rows).sum(),
            words: parts.iter().flat_map(|part| &part.words).copied().collect(),
            scales: parts
                .iter()
                .flat_map(|part| &part.scales)
                .copied()
                .collect(),
            ..*first
        })
    }
}

/// Room for exactly `count` more elements.
///
/// # Errors
/// `engine/out-of-memory`, where growing would end the program.
pub(crate) fn reserve<T>(vec: &mut Vec<T>, count: usize) -> Result<()> {
    vec.try_reserve_exact(count).map_err(|_| {
        Error::new(
            Kind::OutOfMemory,
            "The model does not fit into memory; close other pages or use a smaller model.",
        )
    })
}

/// The level of `value` for steps of `step`, in `-limit..=limit`.
fn level(value: f32, step: f32, limit: f32) -> f32 {
    if step == 0.0 {
        0.0
    } else {
        (value / step).round_ties_even().clamp(-limit, limit)
    }
}

/// The f16 scale that brings the largest magnitude to `limit` levels.
fn largest_scale(values: &[f32], limit: f32) -> Result<f16> {
    let largest = values.iter().fold(0f32, |max, value| max.max(value.abs()));
    if largest == 0.0 {
        return Ok(f16::ZERO);
    }
    let mut scale = f16::from_f32(largest / limit);
    // Subnormal f16 are coarse: where rounding down would cut the largest value off, the next one
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
fn searched_scale(values: &[f32], limit: f32) -> Result<f16> {
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
