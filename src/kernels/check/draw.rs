//! Shapes drawn at random, edges of the kernels often among them, each with a bounded amount of work.

use crate::rng::Rng;

/// What one drawn case is made of.
pub struct Draw {
    rng: Rng,
    left: usize,
    /// Says which draw of which seed this is, for the name of the case.
    pub name: String,
}

impl Draw {
    /// `count` draws of `seed`, each of at most `work` of whatever its sizes multiply to. Draws are
    /// independent of each other: more of them change none.
    pub fn several(seed: u32, count: usize, work: usize) -> impl Iterator<Item = Self> {
        (0..count).map(move |index| Self {
            rng: Rng::derive(u64::from(seed), index as u64),
            left: work,
            name: format!("draw {index} of seed {seed}:"),
        })
    }

    /// A size from 1 to `most` that still fits the work: half of the time one of `edges`, otherwise
    /// any, small ones as likely as large ones.
    pub fn size(&mut self, edges: &[usize], most: usize) -> usize {
        let most = most.min(self.left).max(1);
        let edges: Vec<usize> = edges.iter().copied().filter(|e| *e <= most).collect();
        let size = if self.rng.chance(0.5) && !edges.is_empty() {
            self.one_of(&edges)
        } else {
            let log = self.rng.uniform(0.0, ((most + 1) as f64).ln());
            (log.exp() as usize).clamp(1, most)
        };
        self.spend(size);
        size
    }

    /// Leaves the `by`th part of the work to the sizes that are still to be drawn.
    pub fn spend(&mut self, by: usize) {
        self.left /= by;
    }

    /// A number from 1 to `most`, all equally likely, whatever the work.
    pub fn up_to(&mut self, most: u32) -> u32 {
        self.rng.below(u64::from(most)) as u32 + 1
    }

    /// One of `several`, all equally likely.
    pub fn one_of<T: Copy>(&mut self, several: &[T]) -> T {
        several[self.rng.below(several.len() as u64) as usize]
    }

    /// True with probability `p`.
    pub fn chance(&mut self, p: f64) -> bool {
        self.rng.chance(p)
    }
}

#[cfg(test)]
mod tests {
    use super::Draw;

    #[test]
    fn draws_repeat_and_stay_within_their_work() {
        let sizes = |seed| -> Vec<[usize; 3]> {
            Draw::several(seed, 200, 5000)
                .map(|mut draw| std::array::from_fn(|_| draw.size(&[1, 33], 600)))
                .collect()
        };
        assert_eq!(sizes(1), sizes(1));
        assert_ne!(sizes(1), sizes(2));
        let drawn = sizes(1);
        assert!(drawn.iter().all(|s| s.iter().product::<usize>() <= 5000));
        for wanted in [1, 33] {
            assert!(drawn.iter().any(|s| s[0] == wanted));
        }
        assert!(drawn.iter().any(|s| s[0] > 500));
    }
}
