//! Linear layers, layer norms and relus one after the other, small enough to run on the host.

use std::ops::Range;

use super::dot;
use crate::rng::Rng;

/// Added to the variance in a layer norm, as PyTorch's default.
const EPSILON: f64 = 1e-5;

/// A layer over one row of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layer {
    /// W x + b, with W [output, input], then b [output].
    Linear {
        /// Numbers in.
        input: usize,
        /// Numbers out.
        output: usize,
    },
    /// The row brought to mean 0 and variance 1, times w [n], plus b [n] (Ba et al., 2016).
    Norm(usize),
    /// max(x, 0).
    Relu,
}

impl Layer {
    /// Shapes of its weight and bias; empty for one without parameters.
    fn shapes(self) -> Vec<(&'static str, Vec<usize>)> {
        match self {
            Self::Linear { input, output } => {
                vec![("weight", vec![output, input]), ("bias", vec![output])]
            }
            Self::Norm(n) => vec![("weight", vec![n]), ("bias", vec![n])],
            Self::Relu => Vec::new(),
        }
    }

    fn count(self) -> usize {
        let shapes = self.shapes().into_iter();
        shapes.map(|(_, s)| s.iter().product::<usize>()).sum()
    }

    fn forward<P: Copy + Into<f64>>(self, p: &[P], x: &[f64]) -> Vec<f64> {
        match self {
            Self::Linear { input, output } => {
                let (w, b) = p.split_at(input * output);
                let rows = w.chunks_exact(input).zip(b);
                rows.map(|(w, b)| dot(w, x) + (*b).into()).collect()
            }
            Self::Norm(n) => {
                let (w, b) = p.split_at(n);
                let (unit, _) = normalized(x);
                let lines = unit.iter().zip(w).zip(b);
                lines
                    .map(|((x, w), b)| x * (*w).into() + (*b).into())
                    .collect()
            }
            Self::Relu => x.iter().map(|x| x.max(0.0)).collect(),
        }
    }

    fn backward<P: Copy + Into<f64>>(
        self,
        p: &[P],
        x: &[f64],
        dy: &[f64],
        gradient: &mut [f64],
    ) -> Vec<f64> {
        match self {
            Self::Linear { input, output } => {
                let w = p[..input * output].chunks_exact(input);
                let (gw, gb) = gradient.split_at_mut(input * output);
                let mut dx = vec![0.0; input];
                for (((w, gw), gb), dy) in w.zip(gw.chunks_exact_mut(input)).zip(gb).zip(dy) {
                    *gb += dy;
                    if *dy == 0.0 {
                        continue;
                    }
                    for (((dx, gw), w), x) in dx.iter_mut().zip(gw).zip(w).zip(x) {
                        *gw += dy * x;
                        *dx += dy * (*w).into();
                    }
                }
                dx
            }
            Self::Norm(n) => {
                let (unit, spread) = normalized(x);
                let (gw, gb) = gradient.split_at_mut(n);
                let mut du = Vec::with_capacity(n);
                for ((((dy, w), u), gw), gb) in dy.iter().zip(p).zip(&unit).zip(gw).zip(gb) {
                    *gw += dy * u;
                    *gb += dy;
                    du.push(dy * (*w).into());
                }
                let mean = du.iter().sum::<f64>() / n as f64;
                let along = dot(&du, &unit) / n as f64;
                let pairs = du.iter().zip(&unit);
                pairs
                    .map(|(du, u)| (du - mean - u * along) / spread)
                    .collect()
            }
            Self::Relu => {
                let pairs = dy.iter().zip(x);
                pairs
                    .map(|(dy, x)| if *x > 0.0 { *dy } else { 0.0 })
                    .collect()
            }
        }
    }
}

/// `x` with mean 0 and variance 1, and the deviation that it had.
fn normalized(x: &[f64]) -> (Vec<f64>, f64) {
    let n = x.len() as f64;
    let mean = x.iter().sum::<f64>() / n;
    let variance = x.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n;
    let spread = (variance + EPSILON).sqrt();
    (x.iter().map(|x| (x - mean) / spread).collect(), spread)
}

/// Layers over one flat list of parameters: those of the first layer, then those of the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stack(pub Vec<Layer>);

/// Activations that `forward` keeps for `backward`.
#[derive(Debug, Clone)]
pub struct Trace {
    /// What comes out.
    pub output: Vec<f64>,
    /// What every layer got.
    inputs: Vec<Vec<f64>>,
}

impl Stack {
    /// Parameters in all.
    pub fn count(&self) -> usize {
        self.0.iter().map(|layer| layer.count()).sum()
    }

    /// Every layer with its parameters.
    fn layers(&self) -> impl DoubleEndedIterator<Item = (Layer, Range<usize>)> + use<> {
        let mut end = 0;
        let ranges = self.0.iter().map(|layer| {
            let start = end;
            end += layer.count();
            (*layer, start..end)
        });
        ranges.collect::<Vec<_>>().into_iter()
    }

    /// The name of every tensor among the parameters, numbered by layer as in PyTorch's `Sequential`,
    /// with its shape, in their order.
    pub fn tensors(&self) -> Vec<(String, Vec<usize>)> {
        let layers = self.0.iter().enumerate();
        layers
            .flat_map(|(i, layer)| {
                let shapes = layer.shapes().into_iter();
                shapes.map(move |(name, shape)| (format!("{i}.{name}"), shape))
            })
            .collect()
    }

    /// The parameters as PyTorch starts them: linear layers uniform in ±1/√fan-in, norms that change
    /// no row.
    pub fn start(&self, rng: &mut Rng) -> Vec<f32> {
        let mut all = Vec::with_capacity(self.count());
        for layer in &self.0 {
            match *layer {
                Layer::Linear { input, .. } => {
                    let limit = 1.0 / (input as f64).sqrt();
                    all.extend((0..layer.count()).map(|_| rng.uniform(-limit, limit) as f32));
                }
                Layer::Norm(n) => {
                    all.extend(std::iter::repeat_n(1.0, n));
                    all.extend(std::iter::repeat_n(0.0, n));
                }
                Layer::Relu => {}
            }
        }
        all
    }

    /// The output for `x`.
    pub fn forward<P: Copy + Into<f64>>(&self, parameters: &[P], x: &[f64]) -> Trace {
        let mut inputs = Vec::with_capacity(self.0.len());
        let mut row = x.to_vec();
        for (layer, own) in self.layers() {
            let next = layer.forward(&parameters[own], &row);
            inputs.push(std::mem::replace(&mut row, next));
        }
        Trace {
            output: row,
            inputs,
        }
    }

    /// Adds d loss / d parameters to `gradient` and returns d loss / d x, from d loss / d output.
    pub fn backward<P: Copy + Into<f64>>(
        &self,
        parameters: &[P],
        trace: &Trace,
        dy: &[f64],
        gradient: &mut [f64],
    ) -> Vec<f64> {
        let mut row = dy.to_vec();
        for ((layer, own), x) in self.layers().rev().zip(trace.inputs.iter().rev()) {
            row = layer.backward(&parameters[own.clone()], x, &row, &mut gradient[own]);
        }
        row
    }
}
