//! LayerNorm over the last dimension, with the backward for `x`.

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::NoCheckpointing};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::wgpu::{CubeBackend, CubeTensor};

use crate::kernels::Tiling;
use crate::kernels::launch::{Kernel, contiguous, dispatch_grid, empty, launch};
use crate::kernels::source::Constants;

/// Rows per workgroup if one invocation owns a row.
const WORKGROUP: usize = 16;
/// Invocations per row if a workgroup owns it.
const TILED_WORKGROUP: usize = 64;

/// Scale and shift [W] on the GPU, and the epsilon.
#[derive(Clone, Debug)]
pub struct Norm {
    /// Scale.
    pub gamma: CubeTensor,
    /// Shift.
    pub beta: CubeTensor,
    /// Added to the variance.
    pub eps: f32,
    /// How its kernel divides its work.
    pub tiling: Tiling,
}

fn run(x: &CubeTensor, norm: &Norm, dy: Option<&CubeTensor>) -> CubeTensor {
    let (rows, width) = (x.meta.shape()[0], x.meta.shape()[1]);
    let y = empty(x, [rows, width]);
    let (name, source, workgroup, per_group) = match norm.tiling {
        Tiling::Registers => (
            "layer_norm",
            include_str!("../../../shaders/layer_norm.wgsl"),
            WORKGROUP,
            WORKGROUP,
        ),
        Tiling::Workgroup => (
            "layer_norm_tiled",
            include_str!("../../../shaders/layer_norm_tiled.wgsl"),
            TILED_WORKGROUP,
            1,
        ),
    };
    let constants = Constants::from([
        ("WORKGROUP", workgroup.to_string()),
        ("BACKWARD", u8::from(dy.is_some()).to_string()),
    ]);
    launch(
        Kernel {
            name,
            source,
            constants,
            workgroup: [workgroup as u32, 1, 1],
        },
        dispatch_grid(rows, per_group),
        &[x, &norm.gamma, &y, dy.unwrap_or(&norm.beta)],
        &[rows.into(), width.into(), norm.eps.into()],
    );
    y
}

/// LayerNorm of x [R, W] without gradient.
pub fn infer(x: CubeTensor, norm: &Norm) -> CubeTensor {
    run(&contiguous(x), norm, None)
}

#[derive(Debug)]
struct LayerNormBackward;

impl Backward<CubeBackend, 1> for LayerNormBackward {
    type State = (CubeTensor, Norm);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [x] = ops.parents;
        let dy = contiguous(grads.consume::<CubeBackend>(&ops.node));
        let (input, norm) = ops.state;
        if let Some(x) = x {
            grads.register::<CubeBackend>(x.id, run(&input, &norm, Some(&dy)));
        }
    }
}

type TrackedTensor = <Autodiff<CubeBackend> as burn::backend::BackendTypes>::FloatTensorPrimitive;

/// LayerNorm as a node of the gradient tape.
pub fn track(x: TrackedTensor, norm: &Norm) -> TrackedTensor {
    match LayerNormBackward
        .prepare::<NoCheckpointing>([x.node()])
        .compute_bound()
        .stateful()
    {
        OpsKind::Tracked(prep) => {
            let input = contiguous(x.primitive().clone());
            let y = run(&input, norm, None);
            prep.finish((input, norm.clone()), y)
        }
        OpsKind::UnTracked(prep) => prep.finish(infer(x.into_primitive(), norm)),
    }
}
