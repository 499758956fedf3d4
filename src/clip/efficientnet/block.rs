//! One inverted residual block.

use burn::tensor::Tensor;

use crate::kernels::{Activation, Depthwise, Linear, Squares};

/// `y = W2 dw(relu6(W1 x + b1)) + b2 (+ x)`, where `dw` is a depthwise convolution with ReLU6. The
/// first block has no W1.
#[derive(Clone, Debug)]
pub struct Block {
    /// input -> hidden; none in the first block.
    pub expand: Option<Linear>,
    /// Over the hidden channels, with bias and ReLU6.
    pub depthwise: Depthwise,
    /// hidden -> output, without an activation.
    pub project: Linear,
    /// Whether the input is added to the output.
    pub residual: bool,
}

impl Block {
    /// x [B S S, input] of `squares` -> [B S' S', output] and their squares.
    pub fn forward(&self, x: Tensor<2>, squares: Squares) -> (Tensor<2>, Squares) {
        let input = self.residual.then(|| x.clone());
        let hidden = match &self.expand {
            Some(expand) => expand.forward(x, Some(Activation::Relu6), None),
            None => x,
        };
        let (hidden, squares) = self.depthwise.forward(hidden, squares);
        (self.project.forward(hidden, None, input), squares)
    }
}
