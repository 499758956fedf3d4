//! The nonlinearities that a tower may have.

pub mod cases;
pub mod cpu;
pub mod gpu;
mod kind;
pub mod reference;
#[cfg(not(target_arch = "wasm32"))]
pub mod trained;

pub use kind::Activation;

use burn::tensor::Tensor;

use super::is_gpu;
use super::primitive::{from_primitive, from_tracked, primitive, tracked};
#[cfg(feature = "stock")]
use super::stock;

/// The activation of x, elementwise, as operations of their own; [`Linear`](super::Linear) fuses it with
/// its product if there is no tape.
pub fn activate(x: Tensor<2>, act: Activation) -> Tensor<2> {
    #[cfg(feature = "stock")]
    if stock::takes(&x) {
        return stock::activate(x, act);
    }
    if !is_gpu(&x.device()) {
        return reference::activate(x, act);
    }
    if x.is_autodiff() {
        from_tracked(gpu::track(tracked(x), act))
    } else {
        from_primitive(gpu::infer(primitive(x), act))
    }
}
