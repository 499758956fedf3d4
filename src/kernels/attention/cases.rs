//! `attention` and its two backward kernels, with and without a shared prefix.

use burn::tensor::Tensor;

use super::{Attention, reference};
use crate::kernels::check::draw::Draw;
use crate::kernels::check::{Case, gradient, tensor};
use crate::kernels::{Placement, is_gpu};

#[derive(Clone, Copy)]
struct Shape {
    batch: usize,
    rows: usize,
    heads: usize,
    head: usize,
    prefix: usize,
}

const fn shape([batch, rows, heads, head, prefix]: [usize; 5]) -> Shape {
    Shape {
        batch,
        rows,
        heads,
        head,
        prefix,
    }
}

/// Batch, rows, heads, head dimension, prefix rows.
const SHAPES: &[Shape] = &[
    shape([1, 1, 1, 16, 0]),
    shape([1, 50, 3, 64, 0]),
    shape([2, 17, 2, 32, 3]),
    shape([64, 5, 2, 16, 5]),
    shape([1, 600, 1, 16, 0]),
    shape([3, 7, 2, 128, 1]),
    shape([2, 33, 1, 128, 20]),
    shape([2, 9, 3, 15, 4]),
    shape([1, 40, 1, 15, 0]),
    shape([1, 65, 12, 64, 0]),
    shape([64, 3, 1, 80, 2]),
    shape([1, 600, 2, 32, 0]),
    // The narrowest head that a config may ask for.
    shape([2, 5, 3, 1, 2]),
];

/// Kernels take longer to compile in a browser than to run, so that its draws are of the heads above.
const BROWSER: bool = cfg!(target_arch = "wasm32");

const DRAWS: usize = if BROWSER { 5 } else { 20 };
/// Multiply-adds of the scores of one draw.
const WORK: usize = 12 << 20;
/// Around the tiles of queries and of staged keys, and the lengths of CLIP's towers.
const ROWS: &[usize] = &[
    1, 2, 16, 17, 31, 32, 33, 50, 63, 64, 65, 77, 197, 257, 577, 600,
];
/// Of whole vectors, a few beside those above: each is a set of kernels to compile.
const HEADS: &[usize] = match BROWSER {
    true => &[16, 32, 64, 80, 128],
    false => &[16, 32, 64, 80, 128, 20, 48, 96, 124],
};
/// Of single floats, whose unrolled kernels take longest to compile.
const ODD_HEADS: &[usize] = if BROWSER { &[15] } else { &[15, 17, 33] };

fn drawn(draw: &mut Draw) -> Shape {
    let odd = draw.chance(0.25);
    let head = draw.one_of(if odd { ODD_HEADS } else { HEADS });
    draw.spend(head);
    let rows = draw.size(ROWS, 600);
    let prefix = match draw.chance(0.5) {
        true => draw.size(&[1, 5, 15, 16, 17], 80),
        false => 0,
    };
    // Every row meets every key.
    draw.spend(rows);
    let batch = draw.size(&[1, 64], 64);
    let heads = draw.size(&[1, 12], 12);
    Shape {
        batch,
        rows,
        heads,
        head,
        prefix,
    }
}

/// The kernel on a GPU, Burn operations on the CPU, even if the engine has passes of its own there.
fn attend(x: Tensor<3>, prefix: Option<Tensor<2>>, attention: Attention) -> Tensor<3> {
    match is_gpu(&x.device()) {
        true => attention.forward(x, prefix),
        false => reference::attention(x, prefix, attention.heads, attention.causal),
    }
}

/// The kernels forward and backward on one shape; `drawn` says where that came from.
fn on(shape: Shape, causal: bool, drawn: &str) -> Vec<Case> {
    let Shape {
        batch,
        rows,
        heads,
        head,
        prefix,
    } = shape;
    let width = 3 * heads * head;
    let name = format!(
        "{drawn}batch {batch} rows {rows} heads {heads}x{head} prefix {prefix} causal {causal}"
    );
    let attention = move |on: &Placement| Attention {
        heads,
        causal,
        tiling: on.tiling,
    };
    let x = move |on: &Placement| tensor([batch, rows, width], 1, &on.device);
    let shared = move |on: &Placement| tensor([prefix, width], 2, &on.device);
    let known = move |on: &Placement| (prefix > 0).then(|| shared(on));
    let mut cases = vec![
        Case::new(format!("attention {name}"), 1e-4, move |on| {
            attend(x(on), known(on), attention(on))
        }),
        Case::new(format!("attention_backward {name}"), 1e-4, move |on| {
            gradient(x(on), |x| attend(x, known(on), attention(on)))
        }),
    ];
    if prefix > 0 {
        cases.push(Case::new(
            format!("attention_backward of the prefix {name}"),
            1e-4,
            move |on| {
                gradient(shared(on), |shared| {
                    attend(x(on), Some(shared), attention(on))
                })
            },
        ));
    }
    cases
}

/// The fixed shapes, and draws of `seed`.
pub fn cases(seed: u32) -> Vec<Case> {
    let fixed = SHAPES.iter().flat_map(|shape| {
        let both = [false, true].into_iter();
        both.flat_map(|causal| on(*shape, causal, ""))
    });
    let drawn = Draw::several(seed, DRAWS, WORK).flat_map(|mut draw| {
        let causal = draw.chance(0.5);
        let shape = drawn(&mut draw);
        on(shape, causal, &draw.name)
    });
    fixed.chain(drawn).collect()
}

#[cfg(test)]
mod tests {
    use super::{DRAWS, Draw, Shape, WORK, drawn};
    use crate::kernels::check::SEED;

    #[test]
    fn the_draws_reach_the_edges() {
        let shapes: Vec<Shape> = Draw::several(SEED, DRAWS, WORK)
            .map(|mut draw| {
                draw.chance(0.5);
                drawn(&mut draw)
            })
            .collect();
        let any = |what: fn(&Shape) -> bool| shapes.iter().any(what);
        assert!(any(|s| s.rows == 1) && any(|s| s.rows > 256 && s.prefix > 0));
        assert!(any(|s| s.batch == 1) && any(|s| s.batch == 64));
        assert!(any(|s| s.head > 100) && any(|s| !s.head.is_multiple_of(4)));
        assert!(any(|s| s.rows >= 32 && s.heads > 1 && s.batch > 1));
    }
}
