// The logits and entropies of 64 views as src/tune/entropy.rs takes them, alone in a module:
//   rustc -O --edition 2024 --target wasm32-unknown-unknown -C target-feature=+simd128 --crate-type cdylib benches/kernels/logits.rs -o logits.wasm
const VIEWS: usize = 64;
const WIDTH: usize = 512;

fn dot(a: &[f32], b: &[f32]) -> f64 {
    let mut lanes = [0f64; 8];
    for (x, y) in a.as_chunks::<8>().0.iter().zip(b.as_chunks::<8>().0) {
        for i in 0..8 {
            lanes[i] += f64::from(x[i]) * f64::from(y[i]);
        }
    }
    lanes.iter().sum()
}

fn entropies(z: &[f64], k: usize) -> f64 {
    let entropy = |row: &[f64]| {
        let top = row.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        let whole = top + row.iter().map(|v| (v - top).exp()).sum::<f64>().ln();
        -row.iter().map(|v| (v - whole).exp() * (v - whole)).sum::<f64>()
    };
    z.chunks_exact(k).map(entropy).sum()
}

#[unsafe(no_mangle)]
pub extern "C" fn logits(classes: usize, lanes: bool, times: usize) -> f64 {
    let values = |n: usize| (0..n).map(|i| ((i * 7919) % 1009) as f32 / 1009.0 - 0.5).collect::<Vec<_>>();
    let (images, texts) = (values(VIEWS * WIDTH), values(classes * WIDTH));
    let mut sum = 0.0;
    for _ in 0..times {
        let z: Vec<f64> = images
            .chunks_exact(WIDTH)
            .flat_map(|f| {
                texts.chunks_exact(WIDTH).map(move |t| {
                    if lanes {
                        0.1 * dot(f, t)
                    } else {
                        0.1 * f.iter().zip(t).map(|(a, b)| f64::from(*a) * f64::from(*b)).sum::<f64>()
                    }
                })
            })
            .collect();
        sum += entropies(&z, classes);
    }
    sum
}
