//! `y = act(x Wᵀ + b) + residual` from f32, Q8 or Q4 weights, with the backward for `x`.

use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::NoCheckpointing};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::ops::FloatTensorOps;
use burn::backend::wgpu::{CubeBackend, CubeTensor};
use burn::backend::{Autodiff, FloatDType, TensorMetadata};

use crate::kernels::activation::gpu as activation;
use crate::kernels::launch::{Kernel, Param, contiguous, dispatch_grid, empty, launch};
use crate::kernels::source::Constants;
use crate::kernels::{Activation, Tiling};

/// Rows of x that one invocation may own, with the time per row relative to the last: a larger tile
/// reads a weight for more rows, a fitting one wastes fewer rows at the edge. Few sizes, because each
/// is a kernel to compile.
pub type Tiles = &'static [(usize, f32)];
/// Measured on the software adapter of Chromium.
pub const BROWSER_ROWS: Tiles = &[(4, 1.6), (8, 1.2), (13, 1.05), (16, 1.0)];
/// The native software adapter compiles with LLVM, which takes minutes over large unrolled tiles.
const NATIVE_ROWS: Tiles = &[(8, 1.0)];
const ROWS: Tiles = if cfg!(target_arch = "wasm32") {
    BROWSER_ROWS
} else {
    NATIVE_ROWS
};
/// Columns of W that one invocation owns, of a small and of a large matrix: more of them use every value
/// of x more often, and make a kernel that takes longer to compile, which small products never pay back.
const COLS: [usize; 2] = if cfg!(target_arch = "wasm32") {
    [8, 16]
} else {
    [4, 4]
};
/// The fewest weights of a large matrix; CLIP's base models have no smaller one.
pub const LARGE: usize = 1 << 18;
/// Rows of dy, and groups of four inputs, that one invocation of the backward owns.
const BACKWARD_ROWS: usize = 8;
const BACKWARD_COLS: usize = if cfg!(target_arch = "wasm32") { 4 } else { 2 };
/// Invocations per workgroup; small, so that a small product still spreads over all cores.
const WORKGROUP: usize = 16;
/// Sides of the square of invocations of a workgroup on a real GPU; its piece of y or dx is four times as
/// wide and high. A large piece reads each value more often; small ones are more workgroups, so that
/// all cores have one.
const SIDES: [usize; 2] = [8, 16];
/// The fewest workgroups of the larger side.
const ENOUGH: usize = 64;
/// vec4s that a workgroup stages of each of its rows or columns.
const STEP: usize = 8;

/// The side for a piece of `rows` x `columns`, with the constants that follow from it.
fn sided(rows: usize, columns: usize, constants: &mut Constants) -> (usize, usize) {
    let workgroups = |side: usize| rows.div_ceil(4 * side) * columns.div_ceil(4 * side);
    let [small, large] = SIDES;
    let side = if workgroups(large) < ENOUGH {
        small
    } else {
        large
    };
    constants.insert("SIDE", side.to_string());
    constants.insert("STAGED", (4 * side * STEP).to_string());
    constants.insert("LOADS", (4 * STEP / side).to_string());
    (side, workgroups(side))
}

/// A frozen weight matrix [N, K] on the GPU.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "one value for each layer of a model, never moved in bulk"
)]
pub enum Weight {
    /// f32 [N, K], K padded with zeros to a multiple of four.
    Dense(CubeTensor),
    /// Packed integers [N, words] and f16 scale pairs [N, pairs]; K padded to whole blocks of 32.
    Packed {
        /// 8 or 4 bits per value.
        bits: u8,
        /// u32 words.
        words: CubeTensor,
        /// Two f16 scales per u32 word.
        scales: CubeTensor,
    },
}

/// A frozen layer on the GPU: `N` outputs of `K` inputs.
#[derive(Clone, Debug)]
pub struct Layer {
    /// The matrix.
    pub weight: Weight,
    /// [N], or none.
    pub bias: Option<CubeTensor>,
    /// Outputs.
    pub n: usize,
    /// Inputs before padding.
    pub k: usize,
    /// Inputs after padding.
    pub k_padded: usize,
    /// How its kernels divide their work.
    pub tiling: Tiling,
}

impl Layer {
    fn constants(&self) -> Constants {
        let bits = match self.weight {
            Weight::Dense(_) => 0,
            Weight::Packed { bits, .. } => bits,
        };
        Constants::from([
            ("WORKGROUP", WORKGROUP.to_string()),
            ("PACKED", u8::from(bits != 0).to_string()),
            ("Q8", u8::from(bits == 8).to_string()),
            ("Q4", u8::from(bits == 4).to_string()),
        ])
    }

    /// Whether the last block of packed weights reaches behind a row of x, which then is read as it
    /// is: it ends with a whole word of weights.
    fn ragged(&self) -> bool {
        match self.weight {
            Weight::Dense(_) => false,
            Weight::Packed { bits, .. } => {
                let per_word = 32 / usize::from(bits);
                self.k != self.k_padded && self.k.is_multiple_of(per_word)
            }
        }
    }

    /// The parameter block of every product with `m` rows. The last block of packed weights and ReLU6
    /// are values here and no constants: each constant is a kernel more to compile.
    fn params(&self, m: usize, act: Option<Activation>) -> [Param; 7] {
        let scale_stride = match &self.weight {
            Weight::Dense(_) => 0,
            Weight::Packed { scales, .. } => scales.meta.shape()[1],
        };
        let x = if self.ragged() { self.k } else { self.k_padded };
        let relu6 = usize::from(act == Some(Activation::Relu6));
        let sizes = [
            m,
            self.n,
            self.k_padded / 4,
            scale_stride,
            self.k,
            x / 4,
            relu6,
        ];
        sizes.map(Param::from)
    }
}

/// The one of `tiles` that covers `m` rows in the least time.
pub fn rows_per_invocation(m: usize, tiles: Tiles) -> usize {
    let cost = |(rows, each): &(usize, f32)| (m.div_ceil(*rows) * rows) as f32 * each;
    let best = tiles.iter().min_by(|a, b| cost(a).total_cmp(&cost(b)));
    best.map_or(1, |(rows, _)| *rows)
}

/// y [M, N] of contiguous x [M, K_padded].
fn forward(
    x: &CubeTensor,
    layer: &Layer,
    act: Option<Activation>,
    residual: Option<&CubeTensor>,
) -> CubeTensor {
    let m = x.meta.shape()[0];
    let y = empty(x, [m, layer.n]);
    let mut constants = layer.constants();
    let mut buffers = vec![x];
    let weight = match &layer.weight {
        Weight::Dense(w) => w,
        Weight::Packed { words, .. } => words,
    };
    buffers.extend([weight, &y]);
    if let Weight::Packed { scales, .. } = &layer.weight {
        constants.insert("SCALES", buffers.len().to_string());
        buffers.push(scales);
    }
    constants.insert("BIAS", u8::from(layer.bias.is_some()).to_string());
    if let Some(bias) = &layer.bias {
        constants.insert("BIAS_AT", buffers.len().to_string());
        buffers.push(bias);
    }
    constants.insert("RESIDUAL", u8::from(residual.is_some()).to_string());
    if let Some(residual) = residual {
        constants.insert("RESIDUAL_AT", buffers.len().to_string());
        buffers.push(residual);
    }
    constants.insert("PARAMS", buffers.len().to_string());
    let compiled = act.filter(|act| *act != Activation::Relu6);
    constants.insert("ACTIVATE", u8::from(compiled.is_some()).to_string());
    constants.insert(
        "ACTIVATION",
        compiled.map_or("", activation::source).to_string(),
    );
    let (kernel, groups) = match layer.tiling {
        Tiling::Registers => {
            let rows = rows_per_invocation(m, ROWS);
            constants.insert("ROWS", rows.to_string());
            let cols = COLS[usize::from(layer.n * layer.k >= LARGE)];
            constants.insert("COLS", cols.to_string());
            let kernel = Kernel {
                name: "linear",
                source: include_str!("../../../shaders/linear.wgsl"),
                constants,
                workgroup: [WORKGROUP as u32, 1, 1],
            };
            let pieces = m.div_ceil(rows) * layer.n.div_ceil(cols);
            (kernel, dispatch_grid(pieces, WORKGROUP))
        }
        Tiling::Workgroup => {
            let (side, workgroups) = sided(m, layer.n, &mut constants);
            let kernel = Kernel {
                name: "linear_tiled",
                source: include_str!("../../../shaders/linear_tiled.wgsl"),
                constants,
                workgroup: [side as u32, side as u32, 1],
            };
            (kernel, dispatch_grid(workgroups, 1))
        }
    };
    launch(kernel, groups, &buffers, &layer.params(m, act));
    y
}

/// dx [M, K] of contiguous dy [M, N].
fn backward(dy: &CubeTensor, layer: &Layer) -> CubeTensor {
    let m = dy.meta.shape()[0];
    let dx = empty(dy, [m, layer.k]);
    let mut constants = layer.constants();
    let mut buffers = vec![dy];
    match &layer.weight {
        Weight::Dense(w) => buffers.extend([w, &dx]),
        Weight::Packed { words, scales, .. } => {
            constants.insert("SCALES", "3".to_string());
            buffers.extend([words, &dx, scales]);
        }
    }
    constants.insert("PARAMS", buffers.len().to_string());
    let k4 = layer.k_padded / 4;
    let (kernel, groups) = match layer.tiling {
        Tiling::Registers => {
            constants.insert("ROWS", BACKWARD_ROWS.to_string());
            constants.insert("COLS", BACKWARD_COLS.to_string());
            let kernel = Kernel {
                name: "linear_backward",
                source: include_str!("../../../shaders/linear_backward.wgsl"),
                constants,
                workgroup: [WORKGROUP as u32, 1, 1],
            };
            let pieces = m.div_ceil(BACKWARD_ROWS) * k4.div_ceil(BACKWARD_COLS);
            (kernel, dispatch_grid(pieces, WORKGROUP))
        }
        Tiling::Workgroup => {
            let (side, workgroups) = sided(m, layer.k_padded, &mut constants);
            let kernel = Kernel {
                name: "linear_backward_tiled",
                source: include_str!("../../../shaders/linear_backward_tiled.wgsl"),
                constants,
                workgroup: [side as u32, side as u32, 1],
            };
            (kernel, dispatch_grid(workgroups, 1))
        }
    };
    launch(kernel, groups, &buffers, &layer.params(m, None));
    dx
}

/// Pads the columns of x to what the weights are padded to. The widths of real models need none.
fn padded(x: CubeTensor, layer: &Layer) -> CubeTensor {
    let x = if layer.k == layer.k_padded || layer.ragged() {
        x
    } else {
        let m = x.meta.shape()[0];
        let device = x.device();
        let zeros = CubeBackend::float_zeros(
            [m, layer.k_padded - layer.k].into(),
            &device,
            FloatDType::F32,
        );
        CubeBackend::float_cat(vec![x, zeros], 1)
    };
    contiguous(x)
}

/// The fused product without gradient.
pub fn infer(
    x: CubeTensor,
    layer: &Layer,
    act: Option<Activation>,
    residual: Option<CubeTensor>,
) -> CubeTensor {
    let residual = residual.map(contiguous);
    forward(&padded(x, layer), layer, act, residual.as_ref())
}

type Tracked = Autodiff<CubeBackend>;
type TrackedTensor = <Tracked as burn::backend::BackendTypes>::FloatTensorPrimitive;

#[derive(Debug)]
struct LinearBackward;

impl Backward<CubeBackend, 1> for LinearBackward {
    type State = Layer;

    fn backward(self, ops: Ops<Layer, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [x] = ops.parents;
        let dy = contiguous(grads.consume::<CubeBackend>(&ops.node));
        if let Some(x) = x {
            grads.register::<CubeBackend>(x.id, backward(&dy, &ops.state));
        }
    }
}

/// `x Wᵀ + b` as a node of the gradient tape.
pub fn track(x: TrackedTensor, layer: &Layer) -> TrackedTensor {
    match LinearBackward
        .prepare::<NoCheckpointing>([x.node()])
        .compute_bound()
        .stateful()
    {
        OpsKind::Tracked(prep) => {
            let y = infer(x.primitive().clone(), layer, None, None);
            prep.finish(layer.clone(), y)
        }
        OpsKind::UnTracked(prep) => prep.finish(infer(x.into_primitive(), layer, None, None)),
    }
}
