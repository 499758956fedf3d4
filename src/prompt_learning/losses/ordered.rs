//! Are photos in order of a quality? (CLIP-LIT, Liang et al., 2023)

use super::{Gradient, Loss, LossInput};
use crate::error::Result;
use crate::math::softmax;

/// λ Σ R(a, b; m) over a chain of stages from worst to best, with R the mean of max(0, m − (p_a − p_b)) over
/// pairs of photos and p the probability of the first, the bad class. The worst is compared with the
/// best and with the stage after it, and every later stage with the one after it.
#[derive(Debug, Clone)]
pub struct Ordered {
    /// λ, the weight of this loss.
    pub strength: f64,
    /// m between the worst and the best, and between the worst and the stage after it.
    pub first: f64,
    /// m between later stages.
    pub next: f64,
    /// The stage of every example, from 0 on.
    pub stages: Vec<usize>,
}

impl Ordered {
    /// The value without λ, and the slope on each p, for probabilities of two or more stages. Stages of
    /// different sizes pair their photos around.
    pub fn on(&self, stages: &[Vec<f64>]) -> (f64, Vec<Vec<f64>>) {
        let mut slopes: Vec<Vec<f64>> = stages.iter().map(|p| vec![0.0; p.len()]).collect();
        let mut value = 0.0;
        let mut compare = |a: usize, b: usize, margin: f64| {
            let pairs = stages[a].len().max(stages[b].len());
            if stages[a].is_empty() || stages[b].is_empty() {
                return;
            }
            for pair in 0..pairs {
                let (i, j) = (pair % stages[a].len(), pair % stages[b].len());
                let lack = margin - (stages[a][i] - stages[b][j]);
                if lack > 0.0 {
                    value += lack / pairs as f64;
                    slopes[a][i] -= 1.0 / pairs as f64;
                    slopes[b][j] += 1.0 / pairs as f64;
                }
            }
        };
        let best = stages.len() - 1;
        compare(0, best, self.first);
        if best > 1 {
            compare(0, 1, self.first);
            (1..best).for_each(|stage| compare(stage, stage + 1, self.next));
        }
        (value, slopes)
    }
}

impl Loss for Ordered {
    fn add(&mut self, input: &LossInput<'_>, gradient: &mut Gradient) -> Result<f64> {
        let k = input.classes;
        let rows: Vec<Vec<f64>> = (input.logits.chunks_exact(k))
            .map(|z| softmax(z, 1.0))
            .collect();
        let count = self.stages.iter().max().map_or(0, |last| last + 1);
        let mut members: Vec<Vec<usize>> = vec![Vec::new(); count.max(2)];
        for (row, place) in input.batch.places.iter().enumerate() {
            members[self.stages[*place]].push(row);
        }
        let bad = |rows_of: &Vec<usize>| rows_of.iter().map(|row| rows[*row][0]).collect();
        let (value, slopes) = self.on(&members.iter().map(bad).collect::<Vec<_>>());
        for (rows_of, slopes) in members.iter().zip(slopes) {
            for (row, slope) in rows_of.iter().zip(slopes) {
                let p = &rows[*row];
                let dz = &mut gradient.logits[row * k..(row + 1) * k];
                for (class, (dz, own)) in dz.iter_mut().zip(p).enumerate() {
                    let first = f64::from(u8::from(class == 0));
                    *dz += self.strength * slope * p[0] * (first - own);
                }
            }
        }
        Ok(self.strength * value)
    }
}
