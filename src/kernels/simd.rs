//! Loops over f32 values in host memory that the compiler turns into vector instructions: what the
//! `cpu.rs` of the operations share.
//!
//! A pass reads and writes memory once; the same formula in tensor operations would read and write it at
//! every operator.

/// Runs `pass` with the widest vectors that the processor has.
pub(super) fn with_simd<R>(pass: impl FnOnce() -> R) -> R {
    #[cfg(not(target_arch = "wasm32"))]
    return pulp::Arch::new().dispatch(pass);
    // WebAssembly has one width, chosen when it is compiled.
    #[cfg(target_arch = "wasm32")]
    pass()
}

/// Sums of one pass are kept in so many lanes, always in the same order.
const LANES: usize = 16;

/// The sum of `f` over the places of a row of `width` values.
#[inline(always)]
pub(super) fn sum(width: usize, f: impl Fn(usize) -> f32) -> f32 {
    let mut lanes = [0f32; LANES];
    let whole = width - width % LANES;
    let mut start = 0;
    while start < whole {
        for (lane, total) in lanes.iter_mut().enumerate() {
            *total += f(start + lane);
        }
        start += LANES;
    }
    let rest: f32 = (whole..width).map(&f).sum();
    lanes.iter().sum::<f32>() + rest
}

/// e^x to within 2 units in the last place, as 2^n times a polynomial of the rest (Cephes). The
/// standard library's is a call for every value; this one is free of branches and runs in every lane
/// at once. Below -87 and above 88, where floats end, it stays at their end.
#[inline(always)]
pub(super) fn exp(x: f32) -> f32 {
    /// Adding it leaves the nearest integer in the lowest bits.
    const ROUND: f32 = 12_582_912.0;
    // ln 2 in two parts, so that n times the first is exact.
    const LN_2: [f32; 2] = [0.693_359_4, -2.121_944_4e-4];
    const TERMS: [f32; 6] = [
        1.987_569_1e-4,
        1.398_199_9e-3,
        8.333_452e-3,
        4.166_579_6e-2,
        1.666_666_5e-1,
        0.5,
    ];
    let x = x.clamp(-87.3, 88.0);
    let rounded = x * std::f32::consts::LOG2_E + ROUND;
    let n = rounded - ROUND;
    let rest = x - n * LN_2[0] - n * LN_2[1];
    let series = TERMS.iter().fold(0.0, |sum, term| sum * rest + term);
    let power = (rounded.to_bits() as i32)
        .wrapping_sub(ROUND.to_bits() as i32)
        .wrapping_add(127);
    (series * rest * rest + rest + 1.0) * f32::from_bits((power << 23) as u32)
}

/// The sum of all rows of `width` values.
pub(super) fn sum_rows(rows: &[f32], width: usize) -> Vec<f32> {
    let mut total = vec![0f32; width];
    with_simd(|| {
        for row in rows.chunks_exact(width) {
            total.iter_mut().zip(row).for_each(|(t, v)| *t += v);
        }
    });
    total
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn exp_is_as_exact_as_floats_are() {
        for i in -870_000..=880_000 {
            let x = i as f32 * 1e-4;
            let truth = f64::from(x).exp();
            let error = (f64::from(exp(x)) - truth).abs() / truth;
            assert!(error <= 2.0 * f64::from(f32::EPSILON), "{x}: {error:e}");
        }
        assert!(exp(f32::NAN).is_nan());
        assert!(exp(f32::INFINITY) > 1e38 && exp(f32::NEG_INFINITY) < 1e-37);
    }

    #[test]
    fn a_sum_counts_every_place_once() {
        for width in [1, 15, 16, 17, 33] {
            let expected = (width * (width - 1) / 2) as f32;
            assert_eq!(sum(width, |i| i as f32), expected);
        }
    }
}
