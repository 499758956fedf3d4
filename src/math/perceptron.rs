//! Two linear layers with a relu between, small enough to run on the host.

use super::dot;
use crate::rng::Rng;

/// y = W2 relu(W1 x + b1) + b2, over one flat list of parameters: W1 [hidden, input], b1, W2
/// [output, hidden], b2.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Perceptron {
    /// Numbers in.
    pub input: usize,
    /// Hidden units.
    pub hidden: usize,
    /// Numbers out.
    pub output: usize,
}

/// Activations that `forward` keeps for `backward`.
#[derive(Debug, Clone)]
pub struct Trace {
    /// y.
    pub output: Vec<f64>,
    input: Vec<f64>,
    hidden: Vec<f64>,
}

/// `count` numbers of a layer with `inputs` numbers in: uniform in ±1/√inputs.
pub(super) fn uniform_layer(inputs: usize, count: usize, rng: &mut Rng) -> Vec<f32> {
    let limit = 1.0 / (inputs as f64).sqrt();
    (0..count)
        .map(|_| rng.uniform(-limit, limit) as f32)
        .collect()
}

impl Perceptron {
    /// Parameters in all.
    pub fn count(&self) -> usize {
        self.hidden * (self.input + 1) + self.output * (self.hidden + 1)
    }

    /// Uniform in ±1/√fan-in, as PyTorch's linear layers start.
    pub fn start(&self, rng: &mut Rng) -> Vec<f32> {
        let mut layer =
            |inputs: usize, outputs: usize| uniform_layer(inputs, outputs * (inputs + 1), rng);
        let mut all = layer(self.input, self.hidden);
        all.extend(layer(self.hidden, self.output));
        all
    }

    fn split<'a, P>(&self, p: &'a [P]) -> [&'a [P]; 4] {
        let (w1, rest) = p.split_at(self.hidden * self.input);
        let (b1, rest) = rest.split_at(self.hidden);
        let (w2, b2) = rest.split_at(self.output * self.hidden);
        [w1, b1, w2, b2]
    }

    /// y for `x` [input].
    pub fn forward<P: Copy + Into<f64>>(&self, parameters: &[P], x: &[f64]) -> Trace {
        let [w1, b1, w2, b2] = self.split(parameters);
        let hidden: Vec<f64> = w1
            .chunks_exact(self.input)
            .zip(b1)
            .map(|(row, b)| (dot(row, x) + (*b).into()).max(0.0))
            .collect();
        let output = w2
            .chunks_exact(self.hidden)
            .zip(b2)
            .map(|(row, b)| dot(row, &hidden) + (*b).into())
            .collect();
        Trace {
            output,
            input: x.to_vec(),
            hidden,
        }
    }

    /// Adds d loss / d parameters to `gradient` and returns d loss / d x, from d loss / d y.
    pub fn backward<P: Copy + Into<f64>>(
        &self,
        p: &[P],
        trace: &Trace,
        dy: &[f64],
        gradient: &mut [f64],
    ) -> Vec<f64> {
        let [w1, _, w2, _] = self.split(p);
        let (g1, rest) = gradient.split_at_mut(self.hidden * self.input);
        let (gb1, rest) = rest.split_at_mut(self.hidden);
        let (g2, gb2) = rest.split_at_mut(self.output * self.hidden);
        let mut dh = vec![0.0; self.hidden];
        for (o, dy) in dy.iter().enumerate() {
            gb2[o] += dy;
            let row = o * self.hidden..(o + 1) * self.hidden;
            for ((g, w), (dh, h)) in g2[row.clone()]
                .iter_mut()
                .zip(&w2[row])
                .zip(dh.iter_mut().zip(&trace.hidden))
            {
                *g += dy * h;
                *dh += dy * (*w).into();
            }
        }
        let mut dx = vec![0.0; self.input];
        for (h, dh) in dh.iter().enumerate() {
            if trace.hidden[h] <= 0.0 {
                continue;
            }
            gb1[h] += dh;
            let row = h * self.input..(h + 1) * self.input;
            for ((g, w), (dx, x)) in g1[row.clone()]
                .iter_mut()
                .zip(&w1[row])
                .zip(dx.iter_mut().zip(&trace.input))
            {
                *g += dh * x;
                *dx += dh * (*w).into();
            }
        }
        dx
    }
}
