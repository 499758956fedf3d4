//! The activation as a node of the tape, and which shared WGSL other kernels include for it.

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::NoCheckpointing};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::wgpu::{CubeBackend, CubeTensor};

use super::Activation;
use crate::kernels::launch::{Kernel, contiguous, dispatch_grid, empty, launch};
use crate::kernels::source::Constants;

const WORKGROUP: usize = 64;

/// The shared WGSL file with the functions `activate` and `derivative`.
pub fn source(act: Activation) -> &'static str {
    match act {
        Activation::QuickGelu => "quick_gelu",
        Activation::Gelu => "gelu",
        Activation::Relu6 => "relu6",
    }
}

fn run(x: &CubeTensor, dy: Option<&CubeTensor>, act: Activation) -> CubeTensor {
    let y = empty(x, x.meta.shape().clone());
    let mut buffers = vec![x, &y];
    buffers.extend(dy);
    let constants = Constants::from([
        ("WORKGROUP", WORKGROUP.to_string()),
        ("BACKWARD", u8::from(dy.is_some()).to_string()),
        ("ACTIVATION", source(act).to_string()),
        ("PARAMS", buffers.len().to_string()),
    ]);
    let count = x.meta.shape().num_elements();
    launch(
        Kernel {
            name: "activation",
            source: include_str!("../../../shaders/activation.wgsl"),
            constants,
            workgroup: [WORKGROUP as u32, 1, 1],
        },
        dispatch_grid(count, WORKGROUP),
        &buffers,
        &[count.into()],
    );
    y
}

/// The activation without gradient.
pub fn infer(x: CubeTensor, act: Activation) -> CubeTensor {
    run(&contiguous(x), None, act)
}

#[derive(Debug)]
struct ActivationBackward;

impl Backward<CubeBackend, 1> for ActivationBackward {
    type State = (CubeTensor, Activation);

    fn backward(self, ops: Ops<Self::State, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [x] = ops.parents;
        let dy = contiguous(grads.consume::<CubeBackend>(&ops.node));
        let (input, act) = ops.state;
        if let Some(x) = x {
            grads.register::<CubeBackend>(x.id, run(&input, Some(&dy), act));
        }
    }
}

type TrackedTensor = <Autodiff<CubeBackend> as burn::backend::BackendTypes>::FloatTensorPrimitive;

/// The activation as a node of the gradient tape.
pub fn track(x: TrackedTensor, act: Activation) -> TrackedTensor {
    match ActivationBackward
        .prepare::<NoCheckpointing>([x.node()])
        .compute_bound()
        .stateful()
    {
        OpsKind::Tracked(prep) => {
            let input = contiguous(x.primitive().clone());
            let y = run(&input, None, act);
            prep.finish((input, act), y)
        }
        OpsKind::UnTracked(prep) => prep.finish(infer(x.into_primitive(), act)),
    }
}
