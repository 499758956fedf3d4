//! Attention over each of its implementations.

use burn::tensor::Tensor;

use super::primitive::{from_primitive, from_tracked, is_gpu, primitive, tracked};
#[cfg(feature = "stock")]
use super::stock;
use super::{attention_kernel, cpu, plain};

/// Multi-head attention over qkv [B, T, 3 W]; prefix [P, 3 W] holds keys and values that every batch
/// entry sees before its own; with `causal`, row i sees the prefix and rows 0..=i -> [B, T, W].
pub fn attention(
    qkv: Tensor<3>,
    prefix: Option<Tensor<2>>,
    heads: usize,
    causal: bool,
) -> Tensor<3> {
    #[cfg(feature = "stock")]
    if stock::takes(&qkv) {
        return stock::attention(qkv, prefix, heads, causal);
    }
    if !is_gpu(&qkv.device()) {
        return match prefix {
            Some(prefix) => plain::attention(qkv, Some(prefix), heads, causal),
            None => cpu::attention(qkv, heads, causal),
        };
    }
    if qkv.is_autodiff() || prefix.as_ref().is_some_and(Tensor::is_autodiff) {
        return from_tracked(attention_kernel::track(
            tracked(qkv),
            prefix.map(tracked),
            heads,
            causal,
        ));
    }
    from_primitive(attention_kernel::infer(
        primitive(qkv),
        prefix.map(primitive),
        heads,
        causal,
    ))
}
