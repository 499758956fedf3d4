//! CLIP-Adapter's two layers without biases, blended with their input (Gao et al., 2021).

use super::dot;
use super::perceptron::uniform_layer;
use crate::rng::Rng;

/// y = (1 − m) x + m relu(W2 relu(W1 x)), over one flat list of parameters: W1 [hidden, d], W2
/// [d, hidden]. The direction of y depends on that of x alone.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Adapter {
    /// d.
    pub dim: usize,
    /// Hidden units.
    pub hidden: usize,
    /// m; at 0 the output is the input.
    pub share: f64,
}

/// What `forward` keeps for `backward`.
#[derive(Debug, Clone)]
pub struct Trace {
    /// y [d].
    pub output: Vec<f64>,
    input: Vec<f64>,
    hidden: Vec<f64>,
    /// Which outputs of the second relu are above 0.
    active: Vec<bool>,
}

impl Adapter {
    /// Parameters in all.
    pub fn count(&self) -> usize {
        2 * self.hidden * self.dim
    }

    /// Uniform in ±1/√fan-in, as PyTorch's linear layers start.
    pub fn start(&self, rng: &mut Rng) -> Vec<f32> {
        let mut all = uniform_layer(self.dim, self.hidden * self.dim, rng);
        all.extend(uniform_layer(self.hidden, self.dim * self.hidden, rng));
        all
    }

    /// y for `x` [d].
    pub fn forward(&self, parameters: &[f32], x: &[f64]) -> Trace {
        let (w1, w2) = parameters.split_at(self.hidden * self.dim);
        let rows = w1.chunks_exact(self.dim);
        let hidden: Vec<f64> = rows.map(|row| dot(row, x).max(0.0)).collect();
        let rows = w2.chunks_exact(self.hidden);
        let own: Vec<f64> = rows.map(|row| dot(row, &hidden).max(0.0)).collect();
        let blended = x.iter().zip(&own);
        Trace {
            output: blended
                .map(|(x, own)| (1.0 - self.share) * x + self.share * own)
                .collect(),
            input: x.to_vec(),
            hidden,
            active: own.iter().map(|own| *own > 0.0).collect(),
        }
    }

    /// Adds d loss / d parameters to `gradient` and returns d loss / d x, from d loss / d y.
    pub fn backward(&self, p: &[f32], trace: &Trace, dy: &[f64], gradient: &mut [f64]) -> Vec<f64> {
        let (w1, w2) = p.split_at(self.hidden * self.dim);
        let (g1, g2) = gradient.split_at_mut(self.hidden * self.dim);
        let mut dh = vec![0.0; self.hidden];
        for (o, dy) in dy.iter().enumerate().filter(|(o, _)| trace.active[*o]) {
            let dy = self.share * dy;
            let row = o * self.hidden..(o + 1) * self.hidden;
            let pairs = g2[row.clone()].iter_mut().zip(&w2[row]);
            for ((g, w), (dh, h)) in pairs.zip(dh.iter_mut().zip(&trace.hidden)) {
                *g += dy * h;
                *dh += dy * f64::from(*w);
            }
        }
        let mut dx: Vec<f64> = dy.iter().map(|dy| (1.0 - self.share) * dy).collect();
        for (h, dh) in dh
            .iter()
            .enumerate()
            .filter(|(h, _)| trace.hidden[*h] > 0.0)
        {
            let row = h * self.dim..(h + 1) * self.dim;
            let pairs = g1[row.clone()].iter_mut().zip(&w1[row]);
            for ((g, w), (dx, x)) in pairs.zip(dx.iter_mut().zip(&trace.input)) {
                *g += dh * x;
                *dx += dh * f64::from(*w);
            }
        }
        dx
    }
}
