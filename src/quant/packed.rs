//! Symmetric block quantization of weight matrices to 8 or 4 bits.
//!
//! A row is padded with zeros to a multiple of 32 columns and cut into blocks along the input
//! dimension. A block stores one f16 scale and signed integers `q`; the weight is exactly
//! `q * f32(scale)`, because values are rounded against the scale as stored. Integers are packed
//! into little-endian `u32` words, the only quantized storage that WGSL can hold.

use half::f16;

use super::quantization::Scheme;
use super::scale::{largest_scale, level, searched_scale};
use crate::error::{Error, Kind, Result};

/// Columns of a block of a linear layer.
pub const BLOCK: usize = 32;

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
    /// share their input. If their `bits` differ, the result has 8.
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
/// `engine/out-of-memory`; growing by itself would end the program.
pub(crate) fn reserve<T>(vec: &mut Vec<T>, count: usize) -> Result<()> {
    vec.try_reserve_exact(count).map_err(|_| {
        Error::new(
            Kind::OutOfMemory,
            "The model does not fit into memory; close other pages or use a smaller model.",
        )
    })
}
