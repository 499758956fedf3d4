//! A genetic search for the set of sentences whose mean tells the images apart best (ProAPO, Qu et
//! al., 2025). No language model takes part: sentences come from lists.

use std::collections::BTreeSet;

use super::examples::Batch;
use super::losses::{self, CrossEntropy, LossInput};
use crate::error::Result;
use crate::math::UnitRows;
use crate::rng::Rng;

/// Children of each kind per round: with a sentence more, one less, one replaced, several changed,
/// and crossed.
const CHILDREN: [usize; 5] = [8, 8, 8, 8, 16];

/// Sets that survive a round.
const SURVIVORS: usize = 4;

/// A set of sentences, ascending, and how well it does.
#[derive(Debug, Clone, PartialEq)]
pub struct Scored {
    /// Which sentences.
    pub set: Vec<usize>,
    /// 0.5 top-1 % + 0.05 top-5 % − 10 cross-entropy.
    pub fitness: f64,
}

/// Sentences and images of a search.
pub struct Search<'a> {
    /// Unit features of every sentence for every class, [P, K, d].
    pub sentences: &'a [f64],
    /// The images.
    pub images: &'a Batch,
    /// The number of classes.
    pub classes: usize,
    /// exp(logit_scale): multiplies cosines before the softmax.
    pub scale: f64,
}

impl Search<'_> {
    /// P, the number of sentences.
    pub fn count(&self) -> usize {
        self.sentences.len() / (self.classes * self.images.dim)
    }

    /// The normalized mean of the sentences of `set`, [K, d].
    pub fn texts(&self, set: &[usize]) -> Vec<f64> {
        let size = self.classes * self.images.dim;
        let mut sum = vec![0f64; size];
        for p in set {
            let rows = &self.sentences[p * size..(p + 1) * size];
            sum.iter_mut().zip(rows).for_each(|(s, v)| *s += v);
        }
        UnitRows::new(&sum, self.images.dim).values
    }

    /// The fitness of `set`.
    ///
    /// # Errors
    /// `engine/internal` if the shapes disagree.
    pub fn fitness(&self, set: &[usize]) -> Result<f64> {
        let texts = self.texts(set);
        let input = LossInput::new(&texts, self.classes, self.images, self.scale, None)?;
        let (loss, _) = losses::on_logits(&input, &mut CrossEntropy)?;
        let ranks = input
            .logits
            .chunks_exact(self.classes)
            .zip(&self.images.labels)
            .map(|(z, y)| {
                let better = z
                    .iter()
                    .enumerate()
                    .filter(|(i, v)| **v > z[*y] || (**v == z[*y] && i < y));
                better.count()
            });
        let (mut first, mut fifth) = (0, 0);
        for rank in ranks {
            first += usize::from(rank < 1);
            fifth += usize::from(rank < 5);
        }
        let percent = 100.0 / self.images.len() as f64;
        Ok(percent * (0.5 * first as f64 + 0.05 * fifth as f64) - 10.0 * loss)
    }

    /// The best sets before the first round, from `base` and every single sentence.
    ///
    /// # Errors
    /// As [`fitness`](Self::fitness).
    pub fn start(&self, base: &[usize]) -> Result<Vec<Scored>> {
        let singles = (0..self.count()).map(|p| vec![p]);
        let all: BTreeSet<Vec<usize>> = singles.chain([base.to_vec()]).collect();
        self.best(all, Vec::new())
    }

    /// One round: the survivors among `parents` and their children, best first. Never worse.
    ///
    /// # Errors
    /// As [`fitness`](Self::fitness).
    pub fn round(&self, parents: Vec<Scored>, rng: &mut Rng) -> Result<Vec<Scored>> {
        let count = self.count() as u64;
        let mut children = BTreeSet::new();
        for (kind, number) in CHILDREN.into_iter().enumerate() {
            for _ in 0..number {
                let mut pick = || &parents[rng.below(parents.len() as u64) as usize].set;
                let (one, other) = (pick(), pick());
                let mut set: BTreeSet<usize> = one.iter().copied().collect();
                let mut flip = |set: &mut BTreeSet<usize>| {
                    let p = rng.below(count) as usize;
                    if !set.remove(&p) {
                        set.insert(p);
                    }
                };
                match kind {
                    0 => {
                        let p = rng.below(count) as usize;
                        set.insert(p);
                    }
                    1 => drop_one(&mut set, rng),
                    2 => {
                        drop_one(&mut set, rng);
                        set.insert(rng.below(count) as usize);
                    }
                    3 => (0..3).for_each(|_| flip(&mut set)),
                    _ => {
                        let both = one.iter().chain(other);
                        set = both.copied().filter(|_| rng.chance(0.5)).collect();
                    }
                }
                if !set.is_empty() {
                    children.insert(set.into_iter().collect());
                }
            }
        }
        self.best(children, parents)
    }

    fn best(&self, new: BTreeSet<Vec<usize>>, known: Vec<Scored>) -> Result<Vec<Scored>> {
        let mut all = known;
        for set in new {
            if all.iter().all(|scored| scored.set != set) {
                let fitness = self.fitness(&set)?;
                all.push(Scored { set, fitness });
            }
        }
        all.sort_by(|a, b| {
            b.fitness
                .total_cmp(&a.fitness)
                .then(a.set.len().cmp(&b.set.len()))
                .then(a.set.cmp(&b.set))
        });
        all.truncate(SURVIVORS);
        Ok(all)
    }
}

fn drop_one(set: &mut BTreeSet<usize>, rng: &mut Rng) {
    let at = rng.below(set.len().max(1) as u64) as usize;
    if let Some(p) = set.iter().nth(at).copied() {
        set.remove(&p);
    }
}
