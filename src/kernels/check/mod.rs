//! Every kernel compared with its reference on the CPU backend, on the adapter at hand.
//!
//! A case is one function of a placement: on the GPU it runs this crate's WGSL, on the CPU backend the
//! operation's reference, on the same generated values. The error is max|difference| / max|reference|.
//! Products are held to 1e-5; where softmax, LayerNorm or GELU enter, and backward, to 1e-4, since
//! WGSL's exp and inverseSqrt are not exact and it has no erf. Pixels are integers and must be equal.
//!
//! Shapes are a list of edges and, behind it, draws of a seed that their names tell.

pub mod draw;

use burn::tensor::{Device, Tensor};
use serde::Serialize;

use super::{OPERATIONS, Placement, Tiling, floats, read};
use crate::error::{Error, Kind, Result};
use crate::progress::Progress;

/// One kernel on one shape.
pub struct Case {
    /// The shader, the shape and what is fused.
    pub name: String,
    /// Largest relative error that is allowed.
    pub limit: f64,
    /// The values to compare, on whichever device.
    pub run: Box<dyn Fn(&Placement) -> Tensor<1>>,
}

impl Case {
    /// A case whose kernel may differ from its reference by `limit`.
    pub fn new<const D: usize>(
        name: String,
        limit: f64,
        run: impl Fn(&Placement) -> Tensor<D> + 'static,
    ) -> Self {
        let run = move |on: &Placement| run(on).flatten(0, D - 1);
        Self {
            name,
            limit,
            run: Box::new(run),
        }
    }
}

/// The result of one case.
#[derive(Debug, Clone, Serialize)]
pub struct Checked {
    /// The shader, the shape and what is fused.
    pub name: String,
    /// How the work was divided: `registers` or `workgroup`.
    pub tiling: &'static str,
    /// max|difference| / max|reference|; `None` if the values were not finite.
    pub error: Option<f64>,
    /// Largest error that is allowed.
    pub limit: f64,
    /// Whether the error is within the limit.
    pub passed: bool,
}

/// One operation with its backward, and what to compare.
pub struct Operation {
    /// The name of its folder.
    pub name: &'static str,
    /// Its cases, of which some shapes are drawn from a seed.
    pub cases: fn(u32) -> Vec<Case>,
}

/// The seed of the drawn shapes unless another is given.
pub const SEED: u32 = 17;

/// Runs the cases of every operation, or of the one called `only`, on the device of `placement` with each
/// tiling. `seed` decides the drawn shapes.
///
/// # Errors
/// `options/invalid` for an unknown operation or a device without kernels, `gpu/lost`, and what `progress`
/// returns.
pub async fn check(
    placement: &Placement,
    only: Option<&str>,
    seed: u32,
    progress: &dyn Progress,
) -> Result<Vec<Checked>> {
    if !super::is_gpu(&placement.device) {
        return Err(Error::new(
            Kind::OptionInvalid,
            "The CPU runs no kernels that could be checked; choose the device \"webgpu\".",
        ));
    }
    let cases: Vec<Case> = OPERATIONS
        .iter()
        .filter(|operation| only.is_none_or(|only| only == operation.name))
        .flat_map(|operation| (operation.cases)(seed))
        .collect();
    if cases.is_empty() {
        let names: Vec<_> = OPERATIONS.iter().map(|operation| operation.name).collect();
        return Err(Error::new(
            Kind::OptionInvalid,
            format!("There is no kernel of that name; use {}.", names.join(", ")),
        ));
    }
    let reference = Placement::cpu();
    let total = Tiling::ALL.len() * cases.len();
    let mut checked = Vec::with_capacity(total);
    for case in &cases {
        let expected = read((case.run)(&reference)).await?;
        for tiling in Tiling::ALL {
            progress.step("kernels", checked.len(), total).await?;
            let error = match read((case.run)(&placement.with_tiling(tiling))).await {
                Ok(found) => Some(relative_error(&found, &expected)),
                Err(error) if error.kind() == Kind::NotFinite => None,
                Err(error) => return Err(error),
            };
            checked.push(Checked {
                name: case.name.clone(),
                tiling: tiling.name(),
                error,
                limit: case.limit,
                passed: error.is_some_and(|error| error <= case.limit),
            });
        }
    }
    Ok(checked)
}

fn relative_error(found: &[f32], expected: &[f32]) -> f64 {
    let difference = found
        .iter()
        .zip(expected)
        .map(|(a, b)| f64::from((a - b).abs()));
    let top = expected.iter().map(|v| f64::from(v.abs()));
    let (difference, top) = (
        difference.fold(0.0, f64::max),
        top.fold(f64::MIN_POSITIVE, f64::max),
    );
    difference / top
}

/// `count` generated values in [-1, 1).
pub fn values(count: usize, seed: u64) -> Vec<f32> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    (0..count)
        .map(|_| {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            (state >> 40) as f32 / (1u64 << 23) as f32 - 1.0
        })
        .collect()
}

/// A generated tensor.
pub fn tensor<const D: usize>(shape: [usize; D], seed: u64, device: &Device) -> Tensor<D> {
    floats(values(shape.iter().product(), seed), shape, device)
}

/// d sum(f(x) * c) / dx with generated c.
pub fn gradient<const D: usize, const E: usize>(
    x: Tensor<D>,
    f: impl Fn(Tensor<D>) -> Tensor<E>,
) -> Tensor<D> {
    let x = x.autodiff().require_grad();
    let y = f(x.clone());
    let c = tensor(y.dims(), 5, &y.device().inner());
    let grads = (y * c).sum().backward();
    x.grad(&grads).expect("x asked for a gradient")
}
