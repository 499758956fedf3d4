//! Training pictures by what they show, and how they are drawn.

use super::concepts::Concepts;
use super::names::Vocabulary;
use super::pictures::{Change, Pictures};
use crate::rng::Rng;

/// One picture in so many is kept out of training, to fit the temperature.
const KEPT_BACK: usize = 50;

/// Pictures of the known names.
#[derive(Debug, Clone)]
pub struct Pool<'a> {
    /// All pictures.
    pub pictures: &'a Pictures,
    /// Unchanged pictures of each known name, those kept back left out.
    pub of_name: Vec<Vec<usize>>,
    /// Changed pictures with their name.
    pub changed: Vec<(usize, usize, Change)>,
    /// Pictures that have captions instead of a name.
    pub captioned: Vec<usize>,
    /// Pictures kept back, with their name.
    pub kept_back: Vec<(usize, usize)>,
    /// Upper ends of the names' shares in `[0, 1]`.
    shares: Vec<f64>,
}

impl<'a> Pool<'a> {
    /// Sorts `pictures` by the known name that their label is. Withheld names are none, so their
    /// pictures are left out with those of any other label; pictures of the set `captioned` have no
    /// label. A name of n pictures is drawn in proportion to the root of n.
    pub fn new(
        pictures: &'a Pictures,
        concepts: &Concepts,
        vocabulary: &Vocabulary,
        captioned: &str,
    ) -> Self {
        let mut pool = Self {
            pictures,
            of_name: vec![Vec::new(); concepts.known],
            changed: Vec::new(),
            captioned: Vec::new(),
            kept_back: Vec::new(),
            shares: Vec::new(),
        };
        for (index, picture) in pictures.list.iter().enumerate() {
            if picture.set == captioned {
                pool.captioned.push(index);
                continue;
            }
            let Some(concept) = concepts.find(vocabulary, &picture.label) else {
                continue;
            };
            match picture.change {
                Some(change) => pool.changed.push((index, concept, change)),
                None if index % KEPT_BACK == KEPT_BACK - 1 => {
                    pool.kept_back.push((index, concept));
                }
                None => pool.of_name[concept].push(index),
            }
        }
        let weights: Vec<f64> = pool
            .of_name
            .iter()
            .map(|of_name| (of_name.len() as f64).sqrt())
            .collect();
        let total: f64 = weights.iter().sum();
        let mut sum = 0.0;
        pool.shares = weights
            .iter()
            .map(|weight| {
                sum += weight / total.max(f64::MIN_POSITIVE);
                sum
            })
            .collect();
        pool
    }

    /// An unchanged picture and its name.
    pub fn draw(&self, rng: &mut Rng) -> (usize, usize) {
        let at = rng.unit();
        let place = self.shares.partition_point(|end| *end <= at);
        // Names without pictures have no share; rounding may leave the last end below one.
        let last = || self.of_name.iter().rposition(|of_name| !of_name.is_empty());
        let name = Some(place)
            .filter(|place| self.of_name.get(*place).is_some_and(|p| !p.is_empty()))
            .or_else(last)
            .unwrap_or_default();
        let of_name = &self.of_name[name];
        (of_name[rng.below(of_name.len() as u64) as usize], name)
    }

    /// How many unchanged pictures there are.
    pub fn len(&self) -> usize {
        self.of_name.iter().map(Vec::len).sum()
    }

    /// Whether there is no picture to train on.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
