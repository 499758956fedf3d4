//! The nonlinearities that a tower may have.

pub mod cases;
pub mod cpu;
pub mod gpu;
pub mod reference;
#[cfg(not(target_arch = "wasm32"))]
pub mod trained;

use burn::tensor::Tensor;

use super::is_gpu;
use super::primitive::{from_primitive, from_tracked, primitive, tracked};
#[cfg(feature = "stock")]
use super::stock;

/// The nonlinearity of a tower's MLP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Activation {
    /// `x * sigmoid(1.702 x)`, which OpenAI's weights were trained with.
    QuickGelu,
    /// Exact GELU, `x * (1 + erf(x / sqrt 2)) / 2`, the default of OpenCLIP.
    Gelu,
    /// `x` cut to 0..6, in EfficientNet-Lite.
    Relu6,
}

impl Activation {
    /// The name in a Hugging Face `config.json`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::QuickGelu => "quick_gelu",
            Self::Gelu => "gelu",
            Self::Relu6 => "relu6",
        }
    }
}

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
