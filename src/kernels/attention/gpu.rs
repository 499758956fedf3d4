//! Multi-head attention in one pass, with an optional prefix of keys that every batch entry sees.

use burn::backend::Autodiff;
use burn::backend::autodiff::checkpoint::{base::Checkpointer, strategy::NoCheckpointing};
use burn::backend::autodiff::grads::Gradients;
use burn::backend::autodiff::ops::{Backward, Ops, OpsKind};
use burn::backend::wgpu::{CubeBackend, CubeTensor};

use super::Attention;
use crate::kernels::Tiling;
use crate::kernels::launch::{Kernel, Param, contiguous, dispatch_grid, empty, launch};
use crate::kernels::source::Constants;

const WORKGROUP: usize = 64;

/// Queries that share one read of a key; one natively, where the unrolled kernel compiles slowly.
const QUERIES: usize = if cfg!(target_arch = "wasm32") { 4 } else { 2 };

/// Keys that a workgroup of the tiled kernel stages at a time: with 128 head dimensions their keys
/// and values fill the 16 KiB of workgroup memory that every adapter has.
const KEYS: usize = 16;

/// Rows from which the tiled kernel pays: below, most of a workgroup would be idle.
const TILED_ROWS: usize = 32;

/// The sizes that every attention kernel takes.
#[derive(Clone, Copy, Debug)]
pub struct Geometry {
    batch: usize,
    rows: usize,
    heads: usize,
    head: usize,
    prefix: usize,
    causal: bool,
    tiling: Tiling,
}

impl Geometry {
    fn of(qkv: &CubeTensor, prefix: Option<&CubeTensor>, attention: Attention) -> Self {
        let shape = qkv.meta.shape();
        let Attention {
            heads,
            causal,
            tiling,
        } = attention;
        Self {
            batch: shape[0],
            rows: shape[1],
            heads,
            head: shape[2] / 3 / heads,
            prefix: prefix.map_or(0, |p| p.meta.shape()[0]),
            causal,
            tiling,
        }
    }

    fn constants(&self, buffers: usize) -> Constants {
        let vector = self.head.is_multiple_of(4);
        let n = if vector { self.head / 4 } else { self.head };
        Constants::from([
            ("WORKGROUP", WORKGROUP.to_string()),
            ("VECTOR", u8::from(vector).to_string()),
            (
                "TYPE",
                (if vector { "vec4<f32>" } else { "f32" }).to_string(),
            ),
            ("N", n.to_string()),
            ("KEYS", KEYS.to_string()),
            ("STAGED", (KEYS * n).to_string()),
            ("CAUSAL", u8::from(self.causal).to_string()),
            ("PREFIX", u8::from(self.prefix > 0).to_string()),
            ("PARAMS", buffers.to_string()),
            ("QUERIES", QUERIES.to_string()),
        ])
    }

    fn params(&self) -> [Param; 5] {
        let scale = 1.0 / (self.head as f32).sqrt();
        [
            self.batch.into(),
            self.rows.into(),
            self.heads.into(),
            self.prefix.into(),
            scale.into(),
        ]
    }

    fn queries(&self) -> usize {
        self.batch * self.rows * self.heads
    }
}

fn run(
    name: &'static str,
    source: &'static str,
    g: &Geometry,
    shared: bool,
    items: usize,
    buffers: &[&CubeTensor],
) {
    let mut constants = g.constants(buffers.len());
    constants.insert("SHARED", u8::from(shared).to_string());
    let kernel = Kernel {
        name,
        source,
        constants,
        workgroup: [WORKGROUP as u32, 1, 1],
    };
    launch(
        kernel,
        dispatch_grid(items, WORKGROUP),
        buffers,
        &g.params(),
    );
}

/// out [B, T, W] and lse [B, H, T].
fn forward(
    qkv: &CubeTensor,
    prefix: Option<&CubeTensor>,
    g: &Geometry,
) -> (CubeTensor, CubeTensor) {
    let out = empty(qkv, [g.batch, g.rows, g.heads * g.head]);
    let lse = empty(qkv, [g.batch, g.heads, g.rows]);
    let mut buffers = vec![qkv, &out, &lse];
    buffers.extend(prefix);
    let heads = g.batch * g.heads;
    if g.tiling == Tiling::Workgroup && g.rows >= TILED_ROWS {
        let source = include_str!("../../../shaders/attention_tiled.wgsl");
        let items = heads * g.rows.div_ceil(WORKGROUP) * WORKGROUP;
        run("attention_tiled", source, g, false, items, &buffers);
    } else {
        let source = include_str!("../../../shaders/attention.wgsl");
        let items = heads * g.rows.div_ceil(QUERIES);
        run("attention", source, g, false, items, &buffers);
    }
    (out, lse)
}

/// Attention over qkv [B, T, 3 W] and, before it, prefix [P, 3 W]; out [B, T, W].
pub fn infer(qkv: CubeTensor, prefix: Option<CubeTensor>, attention: Attention) -> CubeTensor {
    let (qkv, prefix) = (contiguous(qkv), prefix.map(contiguous));
    let g = Geometry::of(&qkv, prefix.as_ref(), attention);
    forward(&qkv, prefix.as_ref(), &g).0
}

#[derive(Clone, Debug)]
struct Saved {
    qkv: CubeTensor,
    prefix: Option<CubeTensor>,
    out: CubeTensor,
    lse: CubeTensor,
    geometry: Geometry,
}

/// dqkv [B, T, 3 W], and dprefix [P, 3 W] if there is a prefix.
fn backward(saved: &Saved, dout: &CubeTensor) -> (CubeTensor, Option<CubeTensor>) {
    let Saved {
        qkv,
        prefix,
        out,
        lse,
        geometry: g,
    } = saved;
    let dqkv = empty(qkv, qkv.meta.shape().clone());
    let delta = empty(qkv, [g.batch, g.heads, g.rows]);
    let mut buffers = vec![qkv, out, lse, dout, &dqkv, &delta];
    buffers.extend(prefix);
    let query = include_str!("../../../shaders/attention_backward_query.wgsl");
    run(
        "attention_backward_query",
        query,
        g,
        false,
        g.queries(),
        &buffers,
    );
    let key = include_str!("../../../shaders/attention_backward_key.wgsl");
    run(
        "attention_backward_key",
        key,
        g,
        false,
        g.queries(),
        &[qkv, lse, dout, &delta, &dqkv],
    );
    let dprefix = prefix.as_ref().map(|prefix| {
        let dprefix = empty(prefix, prefix.meta.shape().clone());
        let buffers = [qkv, lse, dout, &delta, &dprefix, prefix];
        run(
            "attention_backward_key",
            key,
            g,
            true,
            g.prefix * g.heads,
            &buffers,
        );
        dprefix
    });
    (dqkv, dprefix)
}

#[derive(Debug)]
struct OwnBackward;

impl Backward<CubeBackend, 1> for OwnBackward {
    type State = Saved;

    fn backward(self, ops: Ops<Saved, 1>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [qkv] = ops.parents;
        let dout = contiguous(grads.consume::<CubeBackend>(&ops.node));
        if let Some(qkv) = qkv {
            grads.register::<CubeBackend>(qkv.id, backward(&ops.state, &dout).0);
        }
    }
}

#[derive(Debug)]
struct PrefixBackward;

impl Backward<CubeBackend, 2> for PrefixBackward {
    type State = Saved;

    fn backward(self, ops: Ops<Saved, 2>, grads: &mut Gradients, _: &mut Checkpointer) {
        let [qkv, prefix] = ops.parents;
        let dout = contiguous(grads.consume::<CubeBackend>(&ops.node));
        let (dqkv, dprefix) = backward(&ops.state, &dout);
        if let Some(qkv) = qkv {
            grads.register::<CubeBackend>(qkv.id, dqkv);
        }
        if let (Some(prefix), Some(dprefix)) = (prefix, dprefix) {
            grads.register::<CubeBackend>(prefix.id, dprefix);
        }
    }
}

type TrackedTensor = <Autodiff<CubeBackend> as burn::backend::BackendTypes>::FloatTensorPrimitive;

fn saved(qkv: CubeTensor, prefix: Option<CubeTensor>, attention: Attention) -> (CubeTensor, Saved) {
    let (qkv, prefix) = (contiguous(qkv), prefix.map(contiguous));
    let geometry = Geometry::of(&qkv, prefix.as_ref(), attention);
    let (out, lse) = forward(&qkv, prefix.as_ref(), &geometry);
    (
        out.clone(),
        Saved {
            qkv,
            prefix,
            out,
            lse,
            geometry,
        },
    )
}

/// Attention as a node of the gradient tape; gradients flow to qkv and to the prefix.
pub fn track(
    qkv: TrackedTensor,
    prefix: Option<TrackedTensor>,
    attention: Attention,
) -> TrackedTensor {
    match prefix {
        None => match OwnBackward
            .prepare::<NoCheckpointing>([qkv.node()])
            .compute_bound()
            .stateful()
        {
            OpsKind::Tracked(prep) => {
                let (out, state) = saved(qkv.primitive().clone(), None, attention);
                prep.finish(state, out)
            }
            OpsKind::UnTracked(prep) => prep.finish(infer(qkv.into_primitive(), None, attention)),
        },
        Some(prefix) => {
            let nodes = [qkv.node(), prefix.node()];
            match PrefixBackward
                .prepare::<NoCheckpointing>(nodes)
                .compute_bound()
                .stateful()
            {
                OpsKind::Tracked(prep) => {
                    let inner = Some(prefix.primitive().clone());
                    let (out, state) = saved(qkv.primitive().clone(), inner, attention);
                    prep.finish(state, out)
                }
                OpsKind::UnTracked(prep) => prep.finish(infer(
                    qkv.into_primitive(),
                    Some(prefix.into_primitive()),
                    attention,
                )),
            }
        }
    }
}
