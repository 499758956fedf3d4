//! Optimizers over a few thousand f32 values on the host.

use std::ops::Range;

/// Changes parameters by their gradient.
pub trait Optimizer {
    /// One step at learning rate `lr`.
    fn step(&mut self, parameters: &mut [f32], gradient: &[f32], lr: f32);
}

/// AdamW with decoupled weight decay (Loshchilov & Hutter, 2019), as PyTorch's defaults.
#[derive(Debug, Clone)]
pub struct AdamW {
    /// Decay of the first and second moment.
    pub betas: (f32, f32),
    /// Added to the root of the second moment.
    pub eps: f32,
    /// Weight decay per unit of learning rate.
    pub weight_decay: f32,
    /// Whether the decay is added to the gradient instead (Adam with L2 regularization, Kingma & Ba,
    /// 2015, as PyTorch's).
    pub coupled: bool,
    steps: i32,
    first: Vec<f32>,
    second: Vec<f32>,
}

impl AdamW {
    /// Betas 0.9 and 0.999, eps 1e-8.
    pub fn new(count: usize, weight_decay: f32) -> Self {
        Self {
            betas: (0.9, 0.999),
            eps: 1e-8,
            weight_decay,
            coupled: false,
            steps: 0,
            first: vec![0.0; count],
            second: vec![0.0; count],
        }
    }

    /// Begins a step; what follows are its [`update`](Self::update)s.
    pub fn begin(&mut self) {
        self.steps += 1;
    }

    /// Changes the parameters of `range` alone, within the step that was begun.
    pub fn update(
        &mut self,
        range: Range<usize>,
        parameters: &mut [f32],
        gradient: &[f32],
        lr: f32,
    ) {
        let (b1, b2) = self.betas;
        let (c1, c2) = (1.0 - b1.powi(self.steps), 1.0 - b2.powi(self.steps));
        let (m, v) = (
            &mut self.first[range.clone()],
            &mut self.second[range.clone()],
        );
        let changing = parameters[range.clone()].iter_mut().zip(&gradient[range]);
        for ((p, g), (m, v)) in changing.zip(m.iter_mut().zip(v)) {
            let mut g = *g;
            if self.coupled {
                g += self.weight_decay * *p;
            } else {
                *p *= 1.0 - lr * self.weight_decay;
            }
            *m = b1 * *m + (1.0 - b1) * g;
            *v = b2 * *v + (1.0 - b2) * g * g;
            *p -= lr / c1 * *m / ((*v).sqrt() / c2.sqrt() + self.eps);
        }
    }

    /// The first moments, for a rule of another kind that keeps its momentum in their place.
    pub fn first_mut(&mut self) -> &mut [f32] {
        &mut self.first
    }

    /// Steps taken, and both moments: all that a later run needs to go on.
    pub fn state(&self) -> (i32, &[f32], &[f32]) {
        (self.steps, &self.first, &self.second)
    }

    /// Goes on from a [`state`](Self::state). The moments have as many values as there are parameters.
    pub fn restore(&mut self, steps: i32, first: &[f32], second: &[f32]) {
        self.steps = steps;
        self.first.copy_from_slice(first);
        self.second.copy_from_slice(second);
    }
}

impl Optimizer for AdamW {
    fn step(&mut self, parameters: &mut [f32], gradient: &[f32], lr: f32) {
        self.begin();
        self.update(0..parameters.len(), parameters, gradient, lr);
    }
}

/// SGD with momentum and coupled weight decay, as PyTorch's.
#[derive(Debug, Clone)]
pub struct Sgd {
    /// Share of the last step's velocity.
    pub momentum: f32,
    /// Added to the gradient times the parameter.
    pub weight_decay: f32,
    /// Whether to look ahead along the velocity.
    pub nesterov: bool,
    velocity: Option<Vec<f32>>,
}

impl Sgd {
    /// Without Nesterov's look-ahead.
    pub fn new(momentum: f32, weight_decay: f32) -> Self {
        Self {
            momentum,
            weight_decay,
            nesterov: false,
            velocity: None,
        }
    }
}

impl Optimizer for Sgd {
    fn step(&mut self, parameters: &mut [f32], gradient: &[f32], lr: f32) {
        let first = self.velocity.is_none();
        let velocity = self
            .velocity
            .get_or_insert_with(|| vec![0.0; parameters.len()]);
        for ((p, g), v) in parameters.iter_mut().zip(gradient).zip(velocity) {
            let g = g + self.weight_decay * *p;
            *v = if first { g } else { self.momentum * *v + g };
            *p -= lr
                * if self.nesterov {
                    g + self.momentum * *v
                } else {
                    *v
                };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_adamw_step_is_the_sign_of_the_gradient() {
        let mut p = vec![1.0f32, -2.0, 0.5];
        let before = p.clone();
        AdamW::new(3, 0.01).step(&mut p, &[0.3, -4.0, 1e-3], 5e-3);
        for ((after, before), sign) in p.iter().zip(&before).zip([1.0f32, -1.0, 1.0]) {
            let expected = before * (1.0 - 5e-5) - 5e-3 * sign;
            assert!((after - expected).abs() < 1e-6, "{after} {expected}");
        }
    }

    #[test]
    fn coupled_decay_is_part_of_the_gradient() {
        // Without a gradient AdamW shrinks a parameter and Adam takes a full step towards zero.
        let step = |coupled| {
            let mut p = vec![1.0f32];
            let mut adam = AdamW::new(1, 0.01);
            adam.coupled = coupled;
            adam.step(&mut p, &[0.0], 0.1);
            p[0]
        };
        assert!((step(false) - 0.999).abs() < 1e-6);
        assert!((step(true) - 0.9).abs() < 1e-5);
    }

    #[test]
    fn momentum_accumulates() {
        let mut p = vec![0.0f32];
        let mut sgd = Sgd::new(0.9, 0.0);
        sgd.step(&mut p, &[1.0], 0.1);
        sgd.step(&mut p, &[1.0], 0.1);
        assert!((p[0] + 0.1 + 0.19).abs() < 1e-6);
    }
}
