//! From the coefficients of a block to its samples.
//!
//! The inverse DCT of Loeffler, Ligtenberg and Moschytz ("Practical fast 1-D DCT algorithms with
//! 11 multiplications", 1989) in integers with 13 fractional bits: columns first with 2 bits kept,
//! then rows. Where it rounds is what libjpeg calls ISLOW, so the samples are the same to the bit.

use std::num::Wrapping;

/// The coefficients of one block, rows of 8 from the lowest vertical frequency.
pub(super) type Block = [i16; 64];

/// Fixed-point numbers; only damaged files make them wrap.
type Fixed = Wrapping<i32>;

const fn fixed(value: i32) -> Fixed {
    Wrapping(value)
}

const FRACTION: usize = 13;
/// Fractional bits between the two passes.
const KEPT: usize = 2;

/// Eight values, scaled by `2^FRACTION * sqrt(8)`.
#[inline(always)]
fn transform(x: [Fixed; 8]) -> [Fixed; 8] {
    let turned = (x[2] + x[6]) * fixed(4433);
    let low = turned - x[6] * fixed(15137);
    let high = turned + x[2] * fixed(6270);
    let sum = (x[0] + x[4]) << FRACTION;
    let difference = (x[0] - x[4]) << FRACTION;
    let even = [sum + high, difference + low, difference - low, sum - high];

    let turned = (x[7] + x[3] + x[5] + x[1]) * fixed(9633);
    let outer = (x[7] + x[1]) * fixed(-7373);
    let inner = (x[5] + x[3]) * fixed(-20995);
    let third = (x[7] + x[3]) * fixed(-16069) + turned;
    let fourth = (x[5] + x[1]) * fixed(-3196) + turned;
    let odd = [
        x[1] * fixed(12299) + outer + fourth,
        x[3] * fixed(25172) + inner + third,
        x[5] * fixed(16819) + inner + fourth,
        x[7] * fixed(2446) + outer + third,
    ];

    [
        even[0] + odd[0],
        even[1] + odd[1],
        even[2] + odd[2],
        even[3] + odd[3],
        even[3] - odd[3],
        even[2] - odd[2],
        even[1] - odd[1],
        even[0] - odd[0],
    ]
}

/// `value / 2^bits`, halves up.
#[inline(always)]
fn descale(value: Fixed, bits: usize) -> Fixed {
    (value + (fixed(1) << (bits - 1))) >> bits
}

/// A sample from its distance to mid-gray.
#[inline(always)]
fn sample(centered: Fixed) -> u8 {
    (centered + fixed(128)).0.clamp(0, 255) as u8
}

/// Dequantizes `block` by `quant` and writes its 8 x 8 samples to the start of `plane`, whose rows
/// are `stride` bytes apart.
pub(super) fn inverse(block: &Block, quant: &[u16; 64], plane: &mut [u8], stride: usize) {
    let dequantized = |i: usize| {
        // Sixteen bits hold every value that a real file can reach.
        let value = i32::from(block[i]).wrapping_mul(i32::from(quant[i]));
        fixed(i32::from(value as i16))
    };
    if block[1..].iter().all(|&c| c == 0) {
        let flat = sample(descale(dequantized(0) << KEPT, KEPT + 3));
        for row in plane.chunks_mut(stride).take(8) {
            row[..8].fill(flat);
        }
        return;
    }
    let columns: [[Fixed; 8]; 8] = std::array::from_fn(|x| {
        transform(std::array::from_fn(|y| dequantized(y * 8 + x)))
            .map(|value| descale(value, FRACTION - KEPT))
    });
    for (y, row) in plane.chunks_mut(stride).take(8).enumerate() {
        let values = transform(columns.map(|column| column[y]));
        let samples = values.map(|value| sample(descale(value, FRACTION + KEPT + 3)));
        row[..8].copy_from_slice(&samples);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::f64::consts::PI;

    /// The definition (T.81, A.3.3) in floats.
    fn exact(block: &Block, quant: &[u16; 64]) -> [f64; 64] {
        let c = |u: usize| if u == 0 { 0.5f64.sqrt() } else { 1.0 };
        let wave = |x: usize, u: usize| ((2 * x + 1) as f64 * u as f64 * PI / 16.0).cos();
        std::array::from_fn(|i| {
            let (y, x) = (i / 8, i % 8);
            let sum: f64 = (0..64)
                .map(|k| {
                    let (v, u) = (k / 8, k % 8);
                    let value = f64::from(block[k]) * f64::from(quant[k]);
                    c(u) * c(v) * value * wave(x, u) * wave(y, v)
                })
                .sum();
            (sum / 4.0 + 128.0).clamp(0.0, 255.0)
        })
    }

    #[test]
    fn samples_are_those_of_the_definition_up_to_rounding() {
        let mut state = 1u32;
        let mut next = |bound: i32| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 16) as i32 % bound
        };
        for _ in 0..500 {
            let mut block = [0i16; 64];
            for value in &mut block[..] {
                *value = (next(41) - 20) as i16 * i16::from(next(4) == 0);
            }
            let quant: [u16; 64] = std::array::from_fn(|_| next(12) as u16 + 1);
            let mut plane = [7u8; 8 * 10];
            inverse(&block, &quant, &mut plane, 10);
            let wanted = exact(&block, &quant);
            for (i, wanted) in wanted.iter().enumerate() {
                let got = f64::from(plane[i / 8 * 10 + i % 8]);
                assert!((got - wanted).abs() < 0.6, "{got} is not {wanted}");
            }
            // Nothing is written beside the block.
            assert!(plane.chunks(10).all(|row| row[8..] == [7, 7]));
        }
    }

    #[test]
    fn a_flat_block_is_the_same_by_the_short_way() {
        for dc in [-1024i16, -513, -5, -4, -1, 0, 3, 4, 12, 700, 1023] {
            let mut block = [0; 64];
            block[0] = dc;
            let mut short = [0; 64];
            inverse(&block, &[1; 64], &mut short, 8);
            // A coefficient that is dequantized to nothing forces the long way.
            block[63] = 1;
            let mut quant = [1; 64];
            quant[63] = 0;
            let mut long = [0; 64];
            inverse(&block, &quant, &mut long, 8);
            assert_eq!(short, long, "{dc}");
        }
    }

    #[test]
    fn absurd_coefficients_only_give_wrong_samples() {
        for value in [i16::MIN, i16::MAX] {
            let mut plane = [0; 64];
            inverse(&[value; 64], &[u16::MAX; 64], &mut plane, 8);
            inverse(&[value; 64], &[1; 64], &mut plane, 8);
        }
    }
}
