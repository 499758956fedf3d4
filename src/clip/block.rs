//! One pre-LayerNorm transformer block, shared by both towers.

use burn::tensor::Tensor;

use crate::kernels::{Activation, Attention, LayerNorm, Linear};

/// `x += MHA(LN1(x)); x += W2 act(W1 LN2(x) + b1) + b2`.
#[derive(Clone, Debug)]
pub struct Block {
    /// Before attention.
    pub norm1: LayerNorm,
    /// Queries, keys and values side by side: W -> 3 W.
    pub qkv: Linear,
    /// W -> W.
    pub out: Linear,
    /// Before the MLP.
    pub norm2: LayerNorm,
    /// W -> mlp.
    pub fc1: Linear,
    /// mlp -> W.
    pub fc2: Linear,
    /// Heads, and whether a row sees only itself and those before it.
    pub attention: Attention,
    /// The MLP's nonlinearity.
    pub activation: Activation,
}

fn rows(x: Tensor<3>) -> Tensor<2> {
    let [b, t, w] = x.dims();
    x.reshape([b * t, w])
}

impl Block {
    /// Queries, keys and values of x [B, T, W] -> [B, T, 3 W].
    pub fn project(&self, x: Tensor<3>) -> Tensor<3> {
        let [b, t, w] = x.dims();
        self.qkv
            .forward(self.norm1.forward(rows(x)), None, None)
            .reshape([b, t, 3 * w])
    }

    /// What follows attention: `attended` [B, T, W] beside the block's input x [B, T, W].
    pub fn finish(&self, x: Tensor<3>, attended: Tensor<3>) -> Tensor<3> {
        let dims = x.dims();
        let x = self.out.forward(rows(attended), None, Some(rows(x)));
        self.mlp(x).reshape(dims)
    }

    /// The MLP with its residual, x [R, W].
    pub fn mlp(&self, x: Tensor<2>) -> Tensor<2> {
        let hidden = self
            .fc1
            .forward(self.norm2.forward(x.clone()), Some(self.activation), None);
        self.fc2.forward(hidden, None, Some(x))
    }

    /// The block on x [B, T, W]. `prefix` [P, 3 W] holds this block's projections of rows that every
    /// batch entry sees before its own.
    pub fn forward(&self, x: Tensor<3>, prefix: Option<Tensor<2>>) -> Tensor<3> {
        let attended = self.attention.forward(self.project(x.clone()), prefix);
        self.finish(x, attended)
    }

    /// [`forward`](Self::forward) if only some rows are wanted afterwards: `pick` takes them from
    /// rows [B T, W] in front of everything that treats each row by itself -> [picked, W].
    pub fn forward_picked(
        &self,
        x: Tensor<3>,
        prefix: Option<Tensor<2>>,
        pick: impl Fn(Tensor<2>) -> Tensor<2>,
    ) -> Tensor<2> {
        let attended = self.attention.forward(self.project(x.clone()), prefix);
        let x = pick(rows(x));
        let x = self.out.forward(pick(rows(attended)), None, Some(x));
        self.mlp(x)
    }

    /// The value path alone, without attention: `u = Wo (Wv LN1(x) + bv) + bo + x`, then the MLP. The
    /// local features of GL-MCM come from it (Miyai et al., 2023). x [B, T, W] -> [B, T, W].
    pub fn value_path(&self, x: Tensor<3>) -> Tensor<3> {
        let [_, _, w] = x.dims();
        let values = self.project(x.clone()).narrow(2, 2 * w, w);
        self.finish(x, values)
    }
}
