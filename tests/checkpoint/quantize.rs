use half::f16;
use promptlens::quant::{Packed, Quantization, Scheme, padded};

use super::tiny::{Random, code};

fn random(rows: usize, cols: usize, seed: u64) -> Vec<f32> {
    let mut random = Random(seed);
    (0..rows * cols).map(|_| random.weight() * 0.1).collect()
}

#[test]
fn words_and_scales_lie_as_documented() {
    // One block: the largest value is 127 steps of 1/8, which f16 holds exactly.
    let mut row = vec![0.0f32; 40];
    row[0] = 127.0 / 8.0;
    row[1] = -127.0 / 8.0;
    row[2] = 1.0 / 8.0;
    row[3] = -1.0 / 8.0;
    row[31] = 2.0;
    row[33] = -254.0;
    let packed = Packed::quantize(Scheme::Blocks8, 1, 40, &row).unwrap();
    assert_eq!(
        (packed.bits, packed.rows, packed.cols, packed.block),
        (8, 1, 40, 32)
    );
    assert_eq!(
        (packed.blocks(), packed.words_per_row(), padded(40)),
        (2, 16, 64)
    );
    assert_eq!(
        packed.scales,
        [f16::from_f32(0.125).to_bits(), f16::from_f32(2.0).to_bits()]
    );
    assert_eq!(packed.words[0], u32::from_le_bytes([127, 0x81, 1, 0xff]));
    assert_eq!(packed.words[7], u32::from_le_bytes([0, 0, 0, 16]));
    assert_eq!(packed.words[8], u32::from_le_bytes([0, 0x81, 0, 0]));
    assert!(
        packed.words[10..].iter().all(|&word| word == 0),
        "padding is zero"
    );
    assert_eq!(
        packed.dequantize(),
        row,
        "values on the grid come back exactly"
    );

    let mut row = vec![0.0f32; 33];
    row[0] = 7.0;
    row[1] = -7.0;
    row[7] = -1.0;
    row[8] = 3.0;
    row[32] = 7.0;
    let packed = Packed::quantize(Scheme::Blocks4, 1, 33, &row).unwrap();
    assert_eq!(
        (packed.bits, packed.blocks(), packed.words_per_row()),
        (4, 2, 8)
    );
    assert_eq!(packed.words[..2], [0xf000_0097, 0x0000_0003]);
    assert_eq!(packed.words[4], 7);
    assert_eq!(packed.dequantize(), row);

    let packed = Packed::quantize(Scheme::Rows8, 1, 33, &row).unwrap();
    assert_eq!(
        (packed.block, packed.blocks(), packed.words_per_row()),
        (64, 1, 16)
    );
    assert_eq!(packed.byte_len(), 66);
}

#[test]
fn every_value_is_its_level_times_its_scale() {
    for scheme in [Scheme::Blocks8, Scheme::Blocks4, Scheme::Rows8] {
        let (rows, cols) = (9, 75);
        let packed = Packed::quantize(scheme, rows, cols, &random(rows, cols, 5)).unwrap();
        let bits = u32::from(packed.bits);
        let per_word = 32 / packed.bits as usize;
        let got = packed.dequantize();
        for row in 0..rows {
            for col in 0..padded(cols) {
                let word = packed.words[row * packed.words_per_row() + col / per_word];
                let lane =
                    (word >> (col % per_word * packed.bits as usize)) & (u32::MAX >> (32 - bits));
                let half = 1i64 << (bits - 1);
                let q = (i64::from(lane) + half) % (2 * half) - half;
                assert!(q > -half, "the lowest level is not used");
                let scale =
                    f16::from_bits(packed.scales[row * packed.blocks() + col / packed.block]);
                if col < cols {
                    assert_eq!(got[row * cols + col], q as f32 * scale.to_f32());
                } else {
                    assert_eq!(q, 0);
                }
            }
        }
        // Quantizing what was dequantized changes nothing at 8 bits.
        if packed.bits == 8 {
            let again = Packed::quantize(scheme, rows, cols, &got)
                .unwrap()
                .dequantize();
            assert_eq!(again, got);
        }
    }
}

#[test]
fn errors_stay_within_half_a_step() {
    let (rows, cols) = (16, 256);
    let values = random(rows, cols, 11);
    let packed = Packed::quantize(Scheme::Blocks8, rows, cols, &values).unwrap();
    for ((block, got), scale) in values
        .chunks(32)
        .zip(packed.dequantize().chunks(32))
        .zip(&packed.scales)
    {
        // f16 rounds the scale by at most 2^-11 of itself, which adds 127 / 2048 of a step.
        let bound = (0.5 + 0.063) * f16::from_bits(*scale).to_f32();
        for (a, b) in block.iter().zip(got) {
            assert!((a - b).abs() <= bound, "{a} became {b}");
        }
    }
}

#[test]
fn the_searched_4_bit_scale_beats_full_range() {
    let (rows, cols) = (32, 512);
    let values = random(rows, cols, 13);
    let packed = Packed::quantize(Scheme::Blocks4, rows, cols, &values).unwrap();
    let searched: f64 = values
        .iter()
        .zip(packed.dequantize())
        .map(|(a, b)| f64::from(a - b).powi(2))
        .sum();
    let full: f64 = values
        .chunks(32)
        .map(|block| {
            let step = f16::from_f32(block.iter().fold(0f32, |m, v| m.max(v.abs())) / 7.0).to_f32();
            let squared = |v: &f32| {
                f64::from(v - (v / step).round_ties_even().clamp(-7.0, 7.0) * step).powi(2)
            };
            block.iter().map(squared).sum::<f64>()
        })
        .sum();
    println!("4 bits, squared error: searched {searched:.5}, full range {full:.5}");
    assert!(searched < 0.95 * full);
}

#[test]
fn extreme_values_are_handled() {
    for scheme in [Scheme::Blocks8, Scheme::Blocks4, Scheme::Rows8] {
        let zero = Packed::quantize(scheme, 1, 32, &[0.0; 32]).unwrap();
        assert_eq!(zero.scales, [0]);
        assert_eq!(zero.dequantize(), [0.0; 32]);
        // Far below what f16 can scale: some value within the smallest step, never NaN.
        for tiny in [1e-45f32, 1e-30, 1e-9, 3e-8, 7e-8, 2e-6, 1e-5] {
            let mut row = [0.0f32; 32];
            row[3] = -tiny;
            row[9] = tiny / 3.0;
            let packed = Packed::quantize(scheme, 1, 32, &row).unwrap();
            for (a, b) in row.iter().zip(packed.dequantize()) {
                let bound = (tiny / 8.0).max(f16::MIN_POSITIVE_SUBNORMAL.to_f32());
                assert!((a - b).abs() <= bound, "{scheme:?}: {a:e} became {b:e}");
            }
        }
        // The largest that still has a scale, and what has none.
        let limit = if scheme == Scheme::Blocks4 {
            7.0
        } else {
            127.0
        };
        let most = 65504.0 * limit;
        let packed = Packed::quantize(scheme, 1, 1, &[most]).unwrap();
        assert_eq!(packed.dequantize(), [most]);
        for huge in [most * 1.01, f32::MAX] {
            assert_eq!(
                code(Packed::quantize(scheme, 1, 1, &[huge])),
                "weights/invalid"
            );
        }
    }
    assert_eq!(
        code(Packed::quantize(Scheme::Blocks8, 2, 2, &[0.0; 3])),
        "engine/internal"
    );
}

#[test]
fn rows_join_to_one_matrix() {
    let parts: Vec<Packed> = (0..3)
        .map(|seed| Packed::quantize(Scheme::Blocks8, 4, 40, &random(4, 40, seed)).unwrap())
        .collect();
    let joined = Packed::concat_rows(&parts).unwrap();
    assert_eq!((joined.rows, joined.cols), (12, 40));
    let rows: Vec<f32> = parts.iter().flat_map(Packed::dequantize).collect();
    assert_eq!(joined.dequantize(), rows);
    let other = Packed::quantize(Scheme::Blocks8, 4, 41, &random(4, 41, 9)).unwrap();
    assert_eq!(
        code(Packed::concat_rows(&[parts[0].clone(), other])),
        "engine/internal"
    );
    assert_eq!(code(Packed::concat_rows(&[])), "engine/internal");
}

#[test]
fn names_are_those_of_the_options() {
    for (&quantization, name) in Quantization::ALL
        .iter()
        .zip(["none", "f16", "q8", "q4", "mixed"])
    {
        assert_eq!(quantization.name(), name);
        assert_eq!(Quantization::parse(name).unwrap(), quantization);
        assert_eq!(serde_json::to_value(quantization).unwrap(), name);
    }
    assert_eq!(code(Quantization::parse("Q8")), "options/invalid");
}
