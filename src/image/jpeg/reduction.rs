//! Pictures at a half, a quarter or an eighth of their size, made while they are decoded: each block
//! gives fewer samples, the means of its squares, so that the whole picture never lies in memory.

use super::idct::{Block, inverse};
use super::upsample::Plane;

/// By how much both sides are divided.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reduction {
    /// As it is.
    One,
    /// A half.
    Two,
    /// A quarter.
    Four,
    /// An eighth: one sample for a block.
    Eight,
}

impl Reduction {
    /// From the least to the most.
    pub const ALL: [Self; 4] = [Self::One, Self::Two, Self::Four, Self::Eight];

    /// The divisor of both sides: 1, 2, 4 or 8.
    pub const fn divisor(self) -> u32 {
        match self {
            Self::One => 1,
            Self::Two => 2,
            Self::Four => 4,
            Self::Eight => 8,
        }
    }

    /// Half of this reduction; `None` for none.
    pub(super) const fn less(self) -> Option<Self> {
        match self {
            Self::One => None,
            Self::Two => Some(Self::One),
            Self::Four => Some(Self::Two),
            Self::Eight => Some(Self::Four),
        }
    }

    /// A side of `pixels` at this reduction.
    pub const fn of(self, pixels: u32) -> u32 {
        pixels.div_ceil(self.divisor())
    }

    /// Samples across a block.
    pub(super) const fn block_side(self) -> usize {
        8 / self.divisor() as usize
    }

    /// Writes the samples of `block` at its column and row of blocks into `plane`.
    pub(super) fn place(
        self,
        block: &Block,
        quant: &[u16; 64],
        plane: &mut Plane,
        (x, y): (usize, usize),
    ) {
        let side = self.block_side();
        let start = y * side * plane.stride + x * side;
        let (samples, stride) = (&mut plane.samples[start..], plane.stride);
        if self == Self::One {
            inverse(block, quant, samples, stride);
            return;
        }
        let mut whole = [0; 64];
        inverse(block, quant, &mut whole, 8);
        let step = self.divisor() as usize;
        let area = (step * step) as u32;
        for (row, out) in samples.chunks_mut(stride).take(side).enumerate() {
            for (column, out) in out[..side].iter_mut().enumerate() {
                let rows = whole.chunks_exact(8).skip(row * step).take(step);
                let square = rows.flat_map(|row| &row[column * step..(column + 1) * step]);
                let sum: u32 = square.map(|&sample| u32::from(sample)).sum();
                *out = ((sum + area / 2) / area) as u8;
            }
        }
    }
}
