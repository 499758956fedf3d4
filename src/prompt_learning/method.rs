//! The optimizers that a recipe may choose from.

use crate::math::optimizer::{AdamW, Optimizer, Sgd};

/// Which optimizer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Method {
    /// SGD with momentum and coupled weight decay.
    Sgd {
        /// Share of the last velocity.
        momentum: f32,
        /// Weight decay.
        weight_decay: f32,
        /// Whether to look ahead.
        nesterov: bool,
    },
    /// AdamW.
    AdamW {
        /// Added to the root of the second moment.
        eps: f32,
        /// Weight decay.
        weight_decay: f32,
        /// Whether the decay is part of the gradient, as in Adam before AdamW.
        coupled: bool,
    },
}

impl Method {
    /// AdamW as PyTorch's defaults: eps 1e-8, weight decay 0.01.
    pub const ADAMW: Self = Self::AdamW {
        eps: 1e-8,
        weight_decay: 0.01,
        coupled: false,
    };

    /// Adam as Dassl's defaults: weight decay 5e-4 in the gradient.
    pub const ADAM: Self = Self::AdamW {
        eps: 1e-8,
        weight_decay: 5e-4,
        coupled: true,
    };

    /// SGD as CoOp and its successors use it: momentum 0.9, weight decay 5e-4.
    pub const COOP: Self = Self::Sgd {
        momentum: 0.9,
        weight_decay: 5e-4,
        nesterov: false,
    };

    pub(super) fn start(self, count: usize) -> Box<dyn Optimizer> {
        match self {
            Self::Sgd {
                momentum,
                weight_decay,
                nesterov,
            } => {
                let mut sgd = Sgd::new(momentum, weight_decay);
                sgd.nesterov = nesterov;
                Box::new(sgd)
            }
            Self::AdamW {
                eps,
                weight_decay,
                coupled,
            } => {
                let mut adam = AdamW::new(count, weight_decay);
                adam.eps = eps;
                adam.coupled = coupled;
                Box::new(adam)
            }
        }
    }
}
