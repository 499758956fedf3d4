//! A genetic search for the set of sentences whose mean tells the images apart best (ProAPO, Qu et
//! al., 2025). No language model takes part: sentences come from lists.

use std::collections::BTreeSet;

use super::examples::Batch;
use super::losses::{self, CrossEntropy, LossInput};
use crate::error::Result;
use crate::math::{UnitRows, dot};
use crate::rng::Rng;

/// Children of every survivor per round with a sentence more, one less, and one replaced.
const OWN_CHILDREN: usize = 8;

/// Further children per round of the best of all, with several sentences changed.
const MUTATIONS: usize = 8;

/// The same, crossed.
const CROSSINGS: usize = 16;

/// The fewest sentences of a set that loses one, as published.
const MOST_KEPT: usize = 3;

/// Sets that survive a round.
const SURVIVORS: usize = 4;

/// A set of sentences, ascending, and how well it does.
#[derive(Debug, Clone, PartialEq)]
pub struct Scored {
    /// Which sentences.
    pub set: Vec<usize>,
    /// The [`Fitness`].
    pub fitness: f64,
}

/// How well texts T do: a top-1 % + b top-5 % + c ‖upper triangle of T Tᵀ − I‖ − e cross-entropy.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Fitness {
    /// a.
    pub top1: f64,
    /// b.
    pub top5: f64,
    /// c.
    pub redundancy: f64,
    /// e.
    pub cross_entropy: f64,
}

impl Fitness {
    /// The most frequent of the 26 published configurations.
    pub const PUBLISHED: Self = Self {
        top1: 0.5,
        top5: 0.05,
        redundancy: 0.0,
        cross_entropy: 10.0,
    };
}

/// ‖upper triangle of T Tᵀ − I‖ of unit texts [K, d]: how much alike the classes are.
pub fn redundancy(texts: &[f64], d: usize) -> f64 {
    let rows: Vec<&[f64]> = texts.chunks_exact(d).collect();
    let mut sum = 0.0;
    for (i, a) in rows.iter().enumerate() {
        sum += (dot(a, a) - 1.0).powi(2);
        sum += rows[i + 1..].iter().map(|b| dot(a, b).powi(2)).sum::<f64>();
    }
    sum.sqrt()
}

/// The fitness of unit texts [K, d] by what they answer.
///
/// # Errors
/// `engine/internal` if the shapes disagree.
pub fn fitness(
    texts: &[f64],
    classes: usize,
    images: &Batch,
    scale: f64,
    weights: Fitness,
) -> Result<f64> {
    let input = LossInput::new(texts, classes, images, scale, None)?;
    let (loss, _) = losses::on_logits(&input, &mut CrossEntropy)?;
    let ranks = input
        .logits
        .chunks_exact(classes)
        .zip(&images.labels)
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
    let percent = 100.0 / images.len() as f64;
    let right = weights.top1 * first as f64 + weights.top5 * fifth as f64;
    let alike = if weights.redundancy == 0.0 {
        0.0
    } else {
        weights.redundancy * redundancy(texts, images.dim)
    };
    Ok(percent * right + alike - weights.cross_entropy * loss)
}

/// What sets are made of, and how well each does.
pub trait Pool {
    /// How many there are to choose from.
    fn count(&self) -> usize;

    /// The [`Fitness`] of a set.
    ///
    /// # Errors
    /// `engine/internal` if the shapes disagree.
    fn fitness(&self, set: &[usize]) -> Result<f64>;
}

/// The best of `sets` before the first round.
///
/// # Errors
/// As [`Pool::fitness`].
pub fn first(pool: &dyn Pool, sets: BTreeSet<Vec<usize>>) -> Result<Vec<Scored>> {
    best(pool, sets, Vec::new())
}

/// One round: the survivors among `parents` and their children, best first. Never worse.
///
/// # Errors
/// As [`Pool::fitness`].
pub fn next(pool: &dyn Pool, parents: Vec<Scored>, rng: &mut Rng) -> Result<Vec<Scored>> {
    let count = pool.count() as u64;
    let mut children = BTreeSet::new();
    for parent in &parents {
        for _ in 0..OWN_CHILDREN {
            let own: BTreeSet<usize> = parent.set.iter().copied().collect();
            let mut more = own.clone();
            more.insert(rng.below(count) as usize);
            let mut other = own.clone();
            drop_one(&mut other, rng);
            other.insert(rng.below(count) as usize);
            let mut less = own;
            if less.len() >= MOST_KEPT {
                drop_one(&mut less, rng);
            }
            children.extend([more, less, other]);
        }
    }
    let survivors = best(pool, as_lists(children), parents)?;
    let mut children = BTreeSet::new();
    for _ in 0..MUTATIONS {
        let mut set: BTreeSet<usize> = pick(&survivors, rng).iter().copied().collect();
        for _ in 0..3 {
            let p = rng.below(count) as usize;
            if !set.remove(&p) {
                set.insert(p);
            }
        }
        children.insert(set);
    }
    for _ in 0..CROSSINGS {
        let both = [pick(&survivors, rng), pick(&survivors, rng)].concat();
        children.insert(both.into_iter().filter(|_| rng.chance(0.5)).collect());
    }
    best(pool, as_lists(children), survivors)
}

fn best(pool: &dyn Pool, new: BTreeSet<Vec<usize>>, known: Vec<Scored>) -> Result<Vec<Scored>> {
    let mut all = known;
    for set in new {
        if all.iter().all(|scored| scored.set != set) {
            let fitness = pool.fitness(&set)?;
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
    /// What counts.
    pub weights: Fitness,
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
        fitness(&texts, self.classes, self.images, self.scale, self.weights)
    }

    /// The best sets before the first round, from `base` and every single sentence.
    ///
    /// # Errors
    /// As [`fitness`](Self::fitness).
    pub fn start(&self, base: &[usize]) -> Result<Vec<Scored>> {
        let singles = (0..self.count()).map(|p| vec![p]);
        first(self, singles.chain([base.to_vec()]).collect())
    }

    /// One round: the survivors among `parents` and their children, best first. Never worse.
    ///
    /// # Errors
    /// As [`fitness`](Self::fitness).
    pub fn round(&self, parents: Vec<Scored>, rng: &mut Rng) -> Result<Vec<Scored>> {
        next(self, parents, rng)
    }
}

impl Pool for Search<'_> {
    fn count(&self) -> usize {
        Search::count(self)
    }

    fn fitness(&self, set: &[usize]) -> Result<f64> {
        Search::fitness(self, set)
    }
}

/// A set of `from`.
fn pick<'a>(from: &'a [Scored], rng: &mut Rng) -> &'a [usize] {
    &from[rng.below(from.len() as u64) as usize].set
}

/// The sets that hold a sentence.
fn as_lists(sets: BTreeSet<BTreeSet<usize>>) -> BTreeSet<Vec<usize>> {
    let filled = sets.into_iter().filter(|set| !set.is_empty());
    filled.map(|set| set.into_iter().collect()).collect()
}

fn drop_one(set: &mut BTreeSet<usize>, rng: &mut Rng) {
    let at = rng.below(set.len().max(1) as u64) as usize;
    if let Some(p) = set.iter().nth(at).copied() {
        set.remove(&p);
    }
}
