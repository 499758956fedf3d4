//! The launches that are looked at: the products of CLIP's ViT-B/32 for one photo and for sixteen, of
//! its text tower, and what else is tiled.

use burn::tensor::Tensor;

use crate::device::{Choice, open};
use crate::error::Result;
use crate::kernels::check::{gradient, tensor, values};
use crate::kernels::launch::{Launched, launched_by};
use crate::kernels::{Attention, LayerNorm, Linear, Placement, Tiling};
use crate::quant::{HostTensor, Packed, Scheme};

/// A launch with what it is for.
pub struct Wanted {
    /// What is computed.
    pub what: String,
    /// Float operations that the result needs.
    pub useful: f64,
    /// Bytes that are read and written if nothing is read twice.
    pub bytes: f64,
    /// The launch.
    pub launched: Launched,
}

/// Rows, inputs, outputs.
const PRODUCTS: [[usize; 3]; 4] = [
    [50, 768, 768],
    [50, 768, 3072],
    [800, 768, 768],
    [800, 768, 3072],
];
const WIDTH: usize = 768;
const HEADS: usize = 12;
/// Rows of attention: ViT-B/32, ViT-B/16, and a text tower's.
const ROWS: [usize; 3] = [50, 197, 77];

/// Everything that is looked at.
///
/// # Errors
/// `gpu/unavailable`.
pub async fn wanted() -> Result<Vec<Wanted>> {
    let on = open(Choice::WebGpu, None).await?.placement;
    let on = on.with_tiling(Tiling::Workgroup);
    let mut all = Vec::new();
    for [m, k, n] in PRODUCTS {
        for (name, scheme, weight_bytes) in [
            ("f32", None, 4.0),
            ("q8", Some(Scheme::Blocks8), 1.0625),
            ("q4", Some(Scheme::Blocks4), 0.5625),
        ] {
            let layer = layer(n, k, scheme, &on)?;
            let x = tensor([m, k], 3, &on.device);
            let forward = launched_by(|| drop(layer.forward(x.clone(), None, None)));
            let backward = launched_by(|| drop(gradient(x, |x| layer.forward(x, None, None))));
            let work = Work {
                useful: 2.0 * (m * k * n) as f64,
                bytes: 4.0 * (m * (k + n)) as f64 + weight_bytes * (k * n) as f64,
            };
            let what = format!("{name} product {m} x {k} x {n}");
            add(&mut all, &what, work, forward, "linear_tiled");
            let what = format!("{name} product {m} x {k} x {n}, backward");
            add(&mut all, &what, work, backward, "linear_backward_tiled");
        }
    }
    for rows in ROWS {
        let qkv: Tensor<3> = tensor([1, rows, 3 * WIDTH], 5, &on.device);
        let attention = Attention {
            heads: HEADS,
            causal: false,
            tiling: Tiling::Workgroup,
        };
        let launched = launched_by(|| drop(attention.forward(qkv, None)));
        let work = Work {
            useful: 4.0 * (rows * rows * WIDTH) as f64,
            bytes: 16.0 * (rows * WIDTH) as f64,
        };
        let what = format!("attention over {rows} rows");
        add(&mut all, &what, work, launched, "attention_tiled");

        let norm = LayerNorm::new(values(WIDTH, 1), values(WIDTH, 2), 1e-5, &on)?;
        let x: Tensor<2> = tensor([rows, WIDTH], 6, &on.device);
        let launched = launched_by(|| drop(norm.forward(x)));
        let work = Work {
            useful: 8.0 * (rows * WIDTH) as f64,
            bytes: 8.0 * (rows * WIDTH) as f64,
        };
        let what = format!("LayerNorm of {rows} rows");
        add(&mut all, &what, work, launched, "layer_norm_tiled");
    }
    Ok(all)
}

/// What a result needs.
#[derive(Clone, Copy)]
struct Work {
    useful: f64,
    bytes: f64,
}

/// Adds the launch of the kernel called `name`.
fn add(all: &mut Vec<Wanted>, what: &str, work: Work, launched: Vec<Launched>, name: &str) {
    let found = launched.into_iter().find(|launched| launched.name == name);
    all.extend(found.map(|launched| Wanted {
        what: what.to_owned(),
        useful: work.useful,
        bytes: work.bytes,
        launched,
    }));
}

fn layer(n: usize, k: usize, scheme: Option<Scheme>, on: &Placement) -> Result<Linear> {
    let (shape, data) = (vec![n, k], values(n * k, 7));
    let weight = match scheme {
        None => HostTensor::Float { shape, data },
        Some(scheme) => HostTensor::Packed {
            shape,
            packed: Packed::quantize(scheme, n, k, &data)?,
        },
    };
    Ok(Linear::new(weight, None, on))
}
