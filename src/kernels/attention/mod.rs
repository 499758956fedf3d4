//! Multi-head attention, with keys and values of a prefix that every batch entry shares.

pub mod cases;
pub mod cpu;
pub mod gpu;
pub mod reference;

use burn::tensor::Tensor;

use super::Tiling;
use super::primitive::{from_primitive, from_tracked, is_gpu, primitive, tracked};
#[cfg(feature = "stock")]
use super::stock;

/// Attention of one block: it has no weights of its own.
#[derive(Debug, Clone, Copy)]
pub struct Attention {
    /// Heads, which divide the width W.
    pub heads: usize,
    /// Whether row i sees the prefix and rows 0..=i alone.
    pub causal: bool,
    /// How its kernels divide their work.
    pub tiling: Tiling,
}

impl Attention {
    /// Queries, keys and values qkv [B, T, 3 W]; prefix [P, 3 W] holds keys and values that every batch
    /// entry sees before its own -> [B, T, W].
    pub fn forward(&self, qkv: Tensor<3>, prefix: Option<Tensor<2>>) -> Tensor<3> {
        let Self { heads, causal, .. } = *self;
        #[cfg(feature = "stock")]
        if stock::takes(&qkv) {
            return stock::attention(qkv, prefix, heads, causal);
        }
        if !is_gpu(&qkv.device()) {
            return match prefix {
                Some(prefix) => reference::attention(qkv, Some(prefix), heads, causal),
                None => cpu::attention(qkv, heads, causal),
            };
        }
        if qkv.is_autodiff() || prefix.as_ref().is_some_and(Tensor::is_autodiff) {
            return from_tracked(gpu::track(tracked(qkv), prefix.map(tracked), *self));
        }
        from_primitive(gpu::infer(primitive(qkv), prefix.map(primitive), *self))
    }
}
