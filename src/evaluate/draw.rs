//! How often is the answer right among a few names drawn at random, the right one among them?

use serde::Serialize;

use crate::error::{Error, Kind, Result};
use crate::rng::Rng;

/// The most draws.
const MAX_DRAWS: usize = 1_000_000;
/// The most names of all lists together, which bounds the memory for them.
const MAX_NAMES: usize = 100_000_000;

/// What to draw.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct DrawOptions {
    /// Names of a list, the right one among them.
    pub names: usize,
    /// How many lists.
    pub draws: usize,
    /// Decides which.
    pub seed: u64,
}

impl DrawOptions {
    /// Reads `NAMES:DRAWS`, as in `6:2000`.
    ///
    /// # Errors
    /// `options/invalid`.
    pub fn parse(text: &str, seed: u64) -> Result<Self> {
        let numbers = text.split_once(':').and_then(|(names, draws)| {
            Some((names.parse::<usize>().ok()?, draws.parse::<usize>().ok()?))
        });
        let (names, draws) = numbers
            .filter(|(names, draws)| {
                *names >= 2
                    && (1..=MAX_DRAWS).contains(draws)
                    && names.checked_mul(*draws).is_some_and(|all| all <= MAX_NAMES)
            })
            .ok_or_else(|| {
                Error::new(
                    Kind::OptionInvalid,
                    "Write draws as NAMES:DRAWS, for example 6:2000: at least 2 names, at most a million draws.",
                )
            })?;
        Ok(Self { names, draws, seed })
    }
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct DrawEvaluation {
    /// Names of a list.
    pub names: usize,
    /// Draws whose image could be measured.
    pub draws: usize,
    /// Fraction of these whose most probable name was the right one.
    pub accuracy: f64,
}

/// The lists of names, by image.
#[derive(Debug, Clone)]
pub struct Draws {
    names: usize,
    /// (image, the other names of a list), sorted by the image.
    lists: Vec<(usize, Vec<usize>)>,
    seen: usize,
    right: usize,
}

impl Draws {
    /// Draws for images of these classes, of `labels` names in all: an image, and the names that stand
    /// beside its own.
    ///
    /// # Errors
    /// `options/invalid` if there are fewer names than a list needs.
    pub fn new(options: DrawOptions, truths: &[usize], labels: usize) -> Result<Self> {
        if options.names > labels {
            return Err(Error::new(
                Kind::OptionInvalid,
                format!(
                    "There are {labels} names; no {} different ones can be drawn from them.",
                    options.names
                ),
            ));
        }
        let mut lists = Vec::new();
        // Without images there is nothing to draw; that is told elsewhere.
        let draws = if truths.is_empty() { 0 } else { options.draws };
        for draw in 0..draws {
            let mut rng = Rng::derive(options.seed, draw as u64);
            let image = rng.below(truths.len() as u64) as usize;
            let mut others = Vec::with_capacity(options.names - 1);
            while others.len() + 1 < options.names {
                let name = rng.below(labels as u64) as usize;
                if name != truths[image] && !others.contains(&name) {
                    others.push(name);
                }
            }
            lists.push((image, others));
        }
        lists.sort_by_key(|(image, _)| *image);
        Ok(Self {
            names: options.names,
            lists,
            seen: 0,
            right: 0,
        })
    }

    /// Counts the lists of the image at `index`, of class `truth`, with these scores, [K]. A name that
    /// scores as high as the right one counts as a wrong answer.
    pub fn add(&mut self, index: usize, truth: usize, scores: &[f64]) {
        let start = self.lists.partition_point(|(image, _)| *image < index);
        for (_, others) in self.lists[start..]
            .iter()
            .take_while(|(image, _)| *image == index)
        {
            self.seen += 1;
            self.right += usize::from(others.iter().all(|name| scores[*name] < scores[truth]));
        }
    }

    /// The measurement; none if no image of a draw was measured.
    pub fn finish(self) -> Option<DrawEvaluation> {
        (self.seen > 0).then(|| DrawEvaluation {
            names: self.names,
            draws: self.seen,
            accuracy: self.right as f64 / self.seen as f64,
        })
    }
}
