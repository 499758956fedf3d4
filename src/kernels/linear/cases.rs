//! `linear` and `linear_backward` over shapes, formats and fusions.

use burn::tensor::Tensor;

use super::{Linear, reference};
use crate::kernels::activation::{self, Activation};
use crate::kernels::check::draw::Draw;
use crate::kernels::check::{Case, gradient, tensor, values};
use crate::kernels::{Placement, floats, is_gpu};
use crate::quant::{HostTensor, Packed, Scheme};

/// Rows, inputs, outputs: one of each, odd ones, and ones that no tile divides.
const SHAPES: &[[usize; 3]] = &[
    [1, 32, 1],
    [1, 192, 576],
    [7, 96, 5],
    [8, 64, 4],
    [9, 100, 33],
    [13, 64, 40],
    [50, 192, 192],
    [65, 768, 67],
    [64, 32, 64],
    // Fewer inputs than a vector and than a block of packed weights hold, which are padded.
    [1, 1, 1],
    [5, 1, 7],
    [3, 2, 1],
    [17, 31, 9],
    [4, 33, 6],
    // Packed weights that are padded, and x that is not.
    [19, 40, 24],
    [65, 144, 24],
    // Large matrices, with columns that no wide tile divides.
    [8, 512, 517],
    [49, 768, 345],
];

/// Rows of the shapes on which every activation is fused too; each is a kernel to compile.
const WITH_ACTIVATIONS: &[usize] = &[9, 50];

/// A layer of generated weights [N, K] and, with `bias`, a bias.
#[derive(Clone, Copy)]
struct Layer {
    n: usize,
    k: usize,
    scheme: Option<Scheme>,
    bias: bool,
}

impl Layer {
    fn weight(self) -> HostTensor {
        let Self { n, k, .. } = self;
        let data = values(n * k, 7);
        let shape = vec![n, k];
        match self.scheme {
            None => HostTensor::Float { shape, data },
            Some(scheme) => HostTensor::Packed {
                shape,
                packed: Packed::quantize(scheme, n, k, &data).expect("generated values are finite"),
            },
        }
    }

    fn bias(self) -> Option<Vec<f32>> {
        self.bias.then(|| values(self.n, 3))
    }

    /// The kernel on a GPU; on the CPU Burn operations on the dequantized weights, one after the other.
    fn forward(
        self,
        x: Tensor<2>,
        act: Option<Activation>,
        residual: Option<Tensor<2>>,
        on: &Placement,
    ) -> Tensor<2> {
        if is_gpu(&on.device) {
            return Linear::new(self.weight(), self.bias(), on).forward(x, act, residual);
        }
        let weight = floats(self.weight().into_floats(), [self.n, self.k], &on.device);
        let bias = self.bias().map(|bias| floats(bias, [self.n], &on.device));
        let mut y = reference::linear(x, weight, bias);
        if let Some(act) = act {
            y = activation::reference::activate(y, act);
        }
        match residual {
            Some(residual) => y + residual,
            None => y,
        }
    }
}

/// Inputs and outputs of matrices that are read back through the product with the identity: each
/// output is then one weight and zeros, so that not a bit may differ.
const DEQUANTIZED: &[[usize; 2]] = &[[32, 1], [96, 7], [100, 33]];

fn dequantized() -> Vec<Case> {
    let mut cases = Vec::new();
    for [k, n] in DEQUANTIZED.iter().copied() {
        for scheme in [Scheme::Blocks8, Scheme::Blocks4] {
            cases.push(Case::new(
                format!("linear dequantises {k}x{n} {scheme:?}"),
                0.0,
                move |on| {
                    let one = |at| f32::from(u8::from(at % (k + 1) == 0));
                    let identity = floats((0..k * k).map(one).collect(), [k, k], &on.device);
                    let layer = Layer {
                        n,
                        k,
                        scheme: Some(scheme),
                        bias: false,
                    };
                    layer.forward(identity, None, None, on)
                },
            ));
        }
    }
    cases
}

/// What is fused with a product.
#[derive(Clone, Copy, Debug)]
struct Fused {
    bias: bool,
    residual: bool,
    act: Option<Activation>,
}

/// The layers of a CLIP: both projections, queries, keys and values, what goes back into the
/// residual, and both hidden layers.
const FUSED: &[Fused] = &[
    fused(false, false, None),
    fused(true, false, None),
    fused(true, true, None),
    fused(true, false, Some(Activation::QuickGelu)),
    fused(true, false, Some(Activation::Gelu)),
    fused(true, false, Some(Activation::Relu6)),
];

const fn fused(bias: bool, residual: bool, act: Option<Activation>) -> Fused {
    Fused {
        bias,
        residual,
        act,
    }
}

const SCHEMES: &[Option<Scheme>] = &[None, Some(Scheme::Blocks8), Some(Scheme::Blocks4)];

/// The kernels forward and backward on one shape; `drawn` says where that came from.
fn on([m, k, n]: [usize; 3], scheme: Option<Scheme>, with: Fused, drawn: &str) -> [Case; 2] {
    let Fused {
        bias,
        residual,
        act,
    } = with;
    let layer = Layer { n, k, scheme, bias };
    let name = format!("{drawn}{m}x{k}x{n} {scheme:?} {act:?} bias {bias}");
    let limit = if act.is_none() { 1e-5 } else { 1e-4 };
    [
        Case::new(
            format!("linear {name} residual {residual}"),
            limit,
            move |on| {
                let residual = residual.then(|| tensor([m, n], 2, &on.device));
                layer.forward(tensor([m, k], 1, &on.device), act, residual, on)
            },
        ),
        Case::new(format!("linear_backward {name}"), 1e-4, move |on| {
            gradient(tensor([m, k], 1, &on.device), |x| {
                layer.forward(x, act, None, on)
            })
        }),
    ]
}

/// In a browser every tile of rows is a kernel of its own to compile, which takes longer than to run
/// it, so that its draws fuse what the shapes above do.
const BROWSER: bool = cfg!(target_arch = "wasm32");

const DRAWS: usize = if BROWSER { 8 } else { 24 };
/// Multiply-adds of one draw.
const WORK: usize = 4 << 20;
/// Around the tiles of rows and outputs and the blocks of inputs.
const EDGES: &[usize] = &[
    1, 2, 4, 5, 8, 31, 32, 33, 63, 64, 65, 77, 128, 257, 512, 768,
];

/// Each dimension has the first choice in turn, and so may be the large one.
fn drawn(index: usize, draw: &mut Draw) -> [usize; 3] {
    let mut shape = [0; 3];
    for turn in 0..3 {
        shape[(index + turn) % 3] = draw.size(EDGES, 2048);
    }
    shape
}

/// The fixed shapes, and draws of `seed`.
pub fn cases(seed: u32) -> Vec<Case> {
    let mut cases = dequantized();
    for [m, k, n] in SHAPES.iter().copied() {
        for scheme in SCHEMES.iter().copied() {
            let acts = [
                None,
                Some(Activation::QuickGelu),
                Some(Activation::Gelu),
                Some(Activation::Relu6),
            ];
            let several = if WITH_ACTIVATIONS.contains(&m) { 4 } else { 1 };
            for act in acts.into_iter().take(several) {
                let with = fused(true, m % 2 == 1, act);
                cases.extend(on([m, k, n], scheme, with, ""));
            }
        }
    }
    for (index, mut draw) in Draw::several(seed, DRAWS, WORK).enumerate() {
        let shape = drawn(index, &mut draw);
        let scheme = draw.one_of(SCHEMES);
        let with = match BROWSER {
            true => fused(true, shape[0] % 2 == 1, None),
            false => draw.one_of(FUSED),
        };
        cases.extend(on(shape, scheme, with, &draw.name));
    }
    cases
}

#[cfg(test)]
mod tests {
    use super::{DRAWS, Draw, SHAPES, WORK, drawn};
    use crate::kernels::check::SEED;
    use crate::kernels::linear::gpu::{BROWSER_ROWS, LARGE, rows_per_invocation};

    #[test]
    fn the_shapes_reach_every_tile_of_a_browser() {
        for (tile, _) in BROWSER_ROWS {
            let reaches = |[m, ..]: &[usize; 3]| rows_per_invocation(*m, BROWSER_ROWS) == *tile;
            assert!(SHAPES.iter().any(reaches), "{tile} rows");
        }
        let large = |[_, k, n]: &&[usize; 3]| k * n >= LARGE;
        assert!(SHAPES.iter().filter(large).count() > 1);
    }

    #[test]
    fn the_draws_reach_the_edges() {
        let shapes: Vec<_> = Draw::several(SEED, DRAWS, WORK)
            .enumerate()
            .map(|(index, mut draw)| drawn(index, &mut draw))
            .collect();
        for dimension in 0..3 {
            let sizes = || shapes.iter().map(|shape| shape[dimension]);
            assert_eq!(sizes().min(), Some(1));
            assert!(sizes().max() > Some(700));
            assert!(sizes().any(|size| size > 8 && size % 2 == 1));
        }
    }
}
