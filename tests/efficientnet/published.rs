//! The published Lite0 against ONNX Runtime.

use promptlens::checkpoint::Backbone;
use promptlens::clip::efficientnet::{FEATURES, Lite};
use promptlens::device::{Choice, open};
use promptlens::kernels::Placement;

use super::{host, wheel};
use crate::common::{relative_error, shared};
use crate::fixtures::Fixture;

#[test]
fn features_and_logits_match_onnxruntime() {
    matches(&Placement::cpu(), &[128, 160, 224], 1e-4);
}

#[test]
fn features_and_logits_match_onnxruntime_on_a_gpu() {
    if shared("fixtures").is_none() {
        return;
    }
    let _alone = crate::kernels::alone();
    let gpu = pollster::block_on(open(Choice::WebGpu, None)).expect("a Vulkan device");
    matches(&gpu.placement, &[128, 160, 224], 1e-3);
}

fn matches(placement: &Placement, sizes: &[usize], limit: f32) {
    let (Some(wheel), Some(expected)) = (wheel(), Fixture::open("lite0/expected.safetensors"))
    else {
        return;
    };
    let backbone = Backbone::read(&wheel).expect("the wheel is read");
    assert_eq!(backbone.lite, Lite::Lite0);
    let head = &backbone.classifier;
    assert_eq!(head.bias.len(), 1000);
    for &size in sizes {
        let trunk = backbone.trunk(size, placement).expect("a trunk");
        let features = host(trunk.pooled(&expected[&format!("input_{size}")].values));
        let logits: Vec<f32> = features
            .chunks_exact(FEATURES)
            .flat_map(|feature| {
                let rows = head.weight.chunks_exact(FEATURES).zip(&head.bias);
                rows.map(|(row, bias)| {
                    bias + row.iter().zip(feature).map(|(a, b)| a * b).sum::<f32>()
                })
                .collect::<Vec<_>>()
            })
            .collect();
        for (what, found) in [("features", features), ("logits", logits)] {
            let error = relative_error(&found, &expected[&format!("{what}_{size}")].values);
            println!("{what} at {size}: {error:.2e}");
            assert!(error <= limit, "{what} at {size}: {error:.3e}");
        }
    }
}

/// What features of a data set cost, for benchmarks: `cargo test --release -- --ignored --nocapture
/// features_a_second`.
#[test]
#[ignore = "a benchmark"]
fn features_a_second() {
    let Some(wheel) = wheel() else { return };
    let backbone = Backbone::read(&wheel).expect("the wheel is read");
    let trunk = backbone.trunk(160, &Placement::cpu()).expect("a trunk");
    let count = 64;
    let pixels = promptlens::kernels::check::values(count * 3 * 160 * 160, 1);
    host(trunk.pooled(&pixels));
    let start = std::time::Instant::now();
    for _ in 0..4 {
        host(trunk.pooled(&pixels));
    }
    let rate = (4 * count) as f64 / start.elapsed().as_secs_f64();
    println!("{rate:.1} pictures of 160 px a second");
    let start = std::time::Instant::now();
    for _ in 0..32 {
        host(trunk.pooled(&pixels[..3 * 160 * 160]));
    }
    println!(
        "{:.1} ms for one picture",
        start.elapsed().as_secs_f64() * 1e3 / 32.0
    );
}
