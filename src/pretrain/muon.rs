//! Muon: momentum whose singular values are all brought to about one (Jordan et al., 2024).
//!
//! A step then moves every direction of a matrix alike, where Adam's is mostly made of a few. Its size
//! is scaled so that the root mean square is 0.2, as AdamW's is in practice, and learning rate and
//! decay can be shared with the other weights (Liu et al., "Muon is Scalable for LLM Training", 2025).

use burn::tensor::{Device, Tensor};

use super::parameters::Matrix;
use crate::kernels::floats;
use crate::math::optimizer::{AdamW, Optimizer};

const MOMENTUM: f32 = 0.95;
/// Root mean square of a step at learning rate one.
const SIZE: f32 = 0.2;
/// Steps of the iteration, and its quintic polynomial.
const STEPS: usize = 5;
const QUINTIC: [f32; 3] = [3.4445, -4.7750, 2.0315];

/// AdamW on a flat list, except for some matrices in it, which take Muon's step and keep their
/// momentum where AdamW keeps its first moments.
#[derive(Debug, Clone)]
pub struct Matrices {
    /// Matrices for Muon, ascending.
    pub blocks: Vec<Matrix>,
    /// Everything else.
    pub adam: AdamW,
}

impl Optimizer for Matrices {
    fn step(&mut self, parameters: &mut [f32], gradient: &[f32], lr: f32) {
        self.adam.begin();
        let mut done = 0;
        for block in &self.blocks {
            let range = block.start..block.start + block.rows * block.cols;
            self.adam
                .update(done..range.start, parameters, gradient, lr);
            done = range.end;
            let shrink = 1.0 - lr * self.adam.weight_decay;
            let momentum = &mut self.adam.first_mut()[range.clone()];
            let ahead: Vec<f32> = momentum
                .iter_mut()
                .zip(&gradient[range.clone()])
                .map(|(m, g)| {
                    *m = MOMENTUM * *m + g;
                    g + MOMENTUM * *m
                })
                .collect();
            let size = lr * SIZE * (block.rows.max(block.cols) as f32).sqrt();
            let step = even(ahead, block.rows, block.cols);
            for (p, d) in parameters[range].iter_mut().zip(step) {
                *p = *p * shrink - size * d;
            }
        }
        self.adam
            .update(done..parameters.len(), parameters, gradient, lr);
    }
}

/// A matrix with the singular vectors of `values` [rows, cols] and singular values near one, by
/// Newton and Schulz's iteration.
fn even(values: Vec<f32>, rows: usize, cols: usize) -> Vec<f32> {
    let norm = values.iter().map(|v| v * v).sum::<f32>().sqrt();
    if norm == 0.0 {
        return values;
    }
    let [a, b, c] = QUINTIC;
    let x: Tensor<2> = floats(values, [rows, cols], &Device::flex()) / norm;
    let wide = cols >= rows;
    let mut x = if wide { x } else { x.transpose() };
    for _ in 0..STEPS {
        let square = x.clone().matmul(x.clone().transpose());
        let mixed = square.clone() * b + square.clone().matmul(square) * c;
        x = x.clone() * a + mixed.matmul(x);
    }
    let x = if wide { x } else { x.transpose() };
    x.into_data().try_into_vec().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    #[test]
    fn singular_values_come_near_one() {
        let mut rng = Rng::new(2);
        for (rows, cols) in [(6, 20), (20, 6)] {
            let values: Vec<f32> = (0..rows * cols).map(|_| rng.normal() as f32).collect();
            let x: Tensor<2> = floats(even(values, rows, cols), [rows, cols], &Device::flex());
            let x = if rows > cols { x.transpose() } else { x };
            // The trace of x xᵀ is the sum of the squares of its six singular values.
            let sum = (x.clone() * x).sum().into_scalar::<f32>();
            assert!((0.5..1.5).contains(&(sum / 6.0)), "{sum}");
        }
    }

    #[test]
    fn only_the_blocks_leave_adamw() {
        let gradient = [0.3f32, -0.2, 0.5, 0.1, 0.7, -0.4];
        let mut expected = [1f32; 6];
        AdamW::new(6, 0.1).step(&mut expected, &gradient, 0.01);
        let mut found = [1f32; 6];
        let block = Matrix {
            start: 1,
            rows: 2,
            cols: 2,
        };
        let mut both = Matrices {
            blocks: vec![block],
            adam: AdamW::new(6, 0.1),
        };
        both.step(&mut found, &gradient, 0.01);
        assert_eq!((found[0], found[5]), (expected[0], expected[5]));
        assert!(found[1..5].iter().zip(&expected[1..5]).all(|(a, b)| a != b));
    }
}
