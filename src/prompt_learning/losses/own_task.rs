//! Is the class right among those of its own task? (MVLPT, Shen et al., 2024)

use super::{Gradient, Loss, LossInput, entropy};
use crate::error::Result;
use crate::prompt_learning::values::words;

words! {
    /// What the classes of other tasks are to a photo.
    pub enum OtherTasks {
        /// Classes like its own.
        Joint = "joint",
        /// Their logits are multiplied by 0, so each counts e⁰.
        Zero = "zero",
        /// Left out of the softmax.
        Apart = "apart",
    }
}

/// The cross-entropy, mean over the photos of a batch whatever their tasks.
#[derive(Debug, Clone)]
pub struct OwnTask {
    /// The task of every class, [K].
    pub tasks: Vec<usize>,
    /// What the classes of other tasks are to a photo.
    pub others: OtherTasks,
}

impl OwnTask {
    /// The value and d loss / d z [B, K] of logits z [B, K].
    pub fn on(&self, logits: &[f64], labels: &[usize]) -> (f64, Vec<f64>) {
        let k = self.tasks.len();
        let share = 1.0 / labels.len() as f64;
        let mut slopes = vec![0.0; logits.len()];
        let mut value = 0.0;
        let rows = logits.chunks_exact(k).zip(slopes.chunks_exact_mut(k));
        for ((z, slopes), label) in rows.zip(labels) {
            let own = |class: usize| self.tasks[class] == self.tasks[*label];
            let seen: Vec<f64> = z
                .iter()
                .enumerate()
                .map(|(class, z)| match self.others {
                    OtherTasks::Joint => *z,
                    _ if own(class) => *z,
                    OtherTasks::Zero => 0.0,
                    OtherTasks::Apart => f64::NEG_INFINITY,
                })
                .collect();
            value += share * entropy::one(&seen, *label, share, slopes);
            if self.others != OtherTasks::Joint {
                let foreign = slopes.iter_mut().enumerate();
                foreign
                    .filter(|(class, _)| !own(*class))
                    .for_each(|(_, slope)| *slope = 0.0);
            }
        }
        (value, slopes)
    }
}

impl Loss for OwnTask {
    fn add(&mut self, input: &LossInput<'_>, gradient: &mut Gradient) -> Result<f64> {
        let (value, slopes) = self.on(&input.logits, &input.batch.labels);
        let sums = gradient.logits.iter_mut().zip(slopes);
        sums.for_each(|(sum, slope)| *sum += slope);
        Ok(value)
    }
}
