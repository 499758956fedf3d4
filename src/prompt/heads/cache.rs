//! Images remembered as they are, added to the text's logits (Tip-Adapter, Zhang et al., 2022; TFUP,
//! Long et al., 2024).

use std::sync::Arc;

use super::texts::{FEATURES, TextFeatures};
use super::{Head, Kind, Weights, invalid, scaled_cosines};
use crate::error::Result;
use crate::math::{dot, softmax};
use crate::progress::LocalBoxFuture;
use crate::prompt::file::Prompt;
use crate::prompt::model::PromptModel;
use crate::tokenize::NameIndex;

const KEYS: &str = "cache.keys";
const CLASSES: &str = "cache.classes";
const ALPHA: &str = "alpha";
const BETA: &str = "beta";
const LIKENESS: &str = "likeness";
const VOTES: &str = "votes";
const BALANCED: &str = "balanced";
const COSINE: &str = "cosine";
const PREDICTIONS: &str = "predictions";

/// The kind.
pub const KIND: Kind = Kind {
    name: "cache",
    required: &[FEATURES, KEYS, CLASSES],
    optional: &[],
    load: |file| Ok(Box::new(CachedTexts::load(file)?)),
};

/// The temperature of the predictions that images are compared by: q = softmax(10 f · T).
const SHARPNESS: f64 = 10.0;

/// Keys and their classes.
#[derive(Debug, Clone, PartialEq)]
pub struct Cache {
    /// Unit image features F [N, d].
    pub keys: Vec<f64>,
    /// The class of every key, [N].
    pub classes: Vec<usize>,
    /// α, the weight of the cache.
    pub alpha: f64,
    /// β, how fast likeness fades.
    pub beta: f64,
    /// How likeness is measured.
    pub likeness: Likeness,
    /// How the keys of a class are combined.
    pub votes: Votes,
}

/// What a cache adds to a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Votes {
    /// The sum over its keys, as published for classes with equally many. A class without keys gets
    /// nothing, so its images are given to a class that has some; and so does a class with few.
    Counted,
    /// The mean over its keys times the mean number of keys of a class that has some. A class without
    /// keys gets the mean of the others.
    Balanced,
}

/// How alike an image and a key are.
#[derive(Debug, Clone, PartialEq)]
pub enum Likeness {
    /// Their cosine.
    Cosine,
    /// Their cosine times how alike their predictions are (TFUP); the keys' predictions [N, K], which
    /// depend on the names and are empty before there are any.
    Predictions(Vec<f64>),
}

impl Cache {
    /// exp(−β (1 − likeness)) of an image with every key, [N].
    pub fn affinities(&self, image: &[f64], texts: &[f64]) -> Vec<f64> {
        let cosines = self
            .keys
            .chunks_exact(image.len())
            .map(|key| dot(image, key));
        let fade = |a: f64| (-self.beta * (1.0 - a)).exp();
        match &self.likeness {
            Likeness::Cosine => cosines.map(fade).collect(),
            Likeness::Predictions(keys) => {
                let own = predictions(image, texts);
                let alike = likeness(&own, keys);
                cosines.zip(alike).map(|(a, sim)| fade(a * sim)).collect()
            }
        }
    }

    /// What the cache adds to the logits [K] of an image.
    pub fn logits(&self, image: &[f64], texts: &[f64], classes: usize) -> Vec<f64> {
        if self.alpha == 0.0 {
            return vec![0.0; classes];
        }
        self.tally(classes).add(
            self.alpha,
            self.classes
                .iter()
                .copied()
                .zip(self.affinities(image, texts)),
        )
    }

    /// How its keys count for `classes` classes.
    pub fn tally(&self, classes: usize) -> Tally {
        Tally::new(self.votes, &self.classes, classes)
    }
}

/// How much a key of each class counts.
#[derive(Debug, Clone, PartialEq)]
pub struct Tally {
    votes: Votes,
    /// The factor of the keys of each class, [K]; 0 for a class without keys.
    factors: Vec<f64>,
}

impl Tally {
    /// For keys of `of`, of which those of no class in 0..`classes` do not count.
    pub fn new(votes: Votes, of: &[usize], classes: usize) -> Self {
        let mut counts = vec![0.0; classes];
        for class in of {
            if let Some(count) = counts.get_mut(*class) {
                *count += 1.0;
            }
        }
        let seen = counts.iter().filter(|n| **n > 0.0).count().max(1) as f64;
        let mean = counts.iter().sum::<f64>() / seen;
        let factor = |n: f64| match votes {
            _ if n == 0.0 => 0.0,
            Votes::Counted => 1.0,
            Votes::Balanced => mean / n,
        };
        Self {
            votes,
            factors: counts.into_iter().map(factor).collect(),
        }
    }

    /// The logits [K] that keys add, each given by its class and its affinity, with weight `alpha`.
    pub fn add(&self, alpha: f64, keys: impl Iterator<Item = (usize, f64)>) -> Vec<f64> {
        let mut out = vec![0.0; self.factors.len()];
        for (class, affinity) in keys {
            if let Some(z) = out.get_mut(class) {
                *z += alpha * self.factors[class] * affinity;
            }
        }
        let common = self.common(&out);
        let unseen = out.iter_mut().zip(&self.factors);
        unseen
            .filter(|(_, f)| **f == 0.0)
            .for_each(|(z, _)| *z = common);
        out
    }

    /// d loss / d affinity of a key of each class [K], from d loss / d logits [K].
    pub fn backward(&self, alpha: f64, dz: &[f64]) -> Vec<f64> {
        let unseen = dz.iter().zip(&self.factors).filter(|(_, f)| **f == 0.0);
        let unseen: f64 = unseen.map(|(g, _)| g).sum();
        let share = match self.votes {
            Votes::Counted => 0.0,
            Votes::Balanced => unseen / self.seen(),
        };
        let pairs = dz.iter().zip(&self.factors);
        pairs.map(|(g, f)| alpha * f * (g + share)).collect()
    }

    /// What a class without keys gets of the logits of those with keys.
    fn common(&self, logits: &[f64]) -> f64 {
        match self.votes {
            Votes::Counted => 0.0,
            Votes::Balanced => logits.iter().sum::<f64>() / self.seen(),
        }
    }

    /// Classes with keys, at least 1.
    fn seen(&self) -> f64 {
        self.factors.iter().filter(|f| **f > 0.0).count().max(1) as f64
    }
}

/// q [K] of a unit image feature and unit text features [K, d].
pub fn predictions(image: &[f64], texts: &[f64]) -> Vec<f64> {
    let z: Vec<f64> = texts
        .chunks_exact(image.len())
        .map(|t| SHARPNESS * dot(image, t))
        .collect();
    softmax(&z, 1.0)
}

/// Σ p ln(p / q).
pub fn divergence(p: &[f64], q: &[f64]) -> f64 {
    p.iter()
        .zip(q)
        .map(|(p, q)| if *p > 0.0 { p * (p / q).ln() } else { 0.0 })
        .sum()
}

/// How alike the prediction of an image is to those of the keys [N, K], 0 to 2: twice one minus
/// KL(image ‖ key) brought to 0..1 over the keys. All 2 if the keys are equally far.
pub fn likeness(own: &[f64], keys: &[f64]) -> Vec<f64> {
    let far: Vec<f64> = keys
        .chunks_exact(own.len())
        .map(|key| divergence(own, key))
        .collect();
    let low = far.iter().copied().fold(f64::INFINITY, f64::min);
    let high = far.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let range = high - low;
    far.iter()
        .map(|d| {
            let share = if range > 0.0 { (d - low) / range } else { 0.0 };
            2.0 * (1.0 - share)
        })
        .collect()
}

/// Text features and a cache of images.
#[derive(Debug, Clone, PartialEq)]
pub struct CachedTexts {
    /// Of the known names.
    pub texts: TextFeatures,
    /// The images; their classes count through the known names.
    pub cache: Cache,
}

impl CachedTexts {
    fn load(file: &Prompt) -> Result<Self> {
        let Some(keys) = file.get(KEYS, 2)? else {
            return Err(invalid("it has no cache"));
        };
        let Some(classes) = file.shaped(CLASSES, &keys.shape[..1])? else {
            return Err(invalid("its cache does not name the classes of its images"));
        };
        let class = |class: &f32| {
            let whole = *class as usize;
            (*class >= 0.0 && whole < file.class_names.len())
                .then_some(whole)
                .ok_or_else(|| invalid("its cache names a class that it does not have"))
        };
        Ok(Self {
            texts: TextFeatures::load(file)?,
            cache: Cache {
                keys: keys.data.iter().map(|v| f64::from(*v)).collect(),
                classes: classes.iter().map(class).collect::<Result<_>>()?,
                alpha: file.number(ALPHA)?,
                beta: file.number(BETA)?,
                likeness: match file.extra.get(LIKENESS).map(String::as_str) {
                    Some(PREDICTIONS) => Likeness::Predictions(Vec::new()),
                    _ => Likeness::Cosine,
                },
                votes: match file.extra.get(VOTES).map(String::as_str) {
                    Some(BALANCED) => Votes::Balanced,
                    _ => Votes::Counted,
                },
            },
        })
    }
}

impl Weights for CachedTexts {
    fn save(&self, file: &mut Prompt) {
        self.texts.put(file);
        let cache = &self.cache;
        let count = cache.classes.len();
        let keys: Vec<f32> = cache.keys.iter().map(|v| *v as f32).collect();
        file.put(KEYS, &[count, keys.len() / count.max(1)], keys);
        let classes = cache.classes.iter().map(|c| *c as f32).collect();
        file.put(CLASSES, &[count], classes);
        file.note(ALPHA, cache.alpha);
        file.note(BETA, cache.beta);
        let likeness = match cache.likeness {
            Likeness::Cosine => COSINE,
            Likeness::Predictions(_) => PREDICTIONS,
        };
        file.note(LIKENESS, likeness);
        if cache.votes == Votes::Balanced {
            file.note(VOTES, BALANCED);
        }
    }

    fn open<'a>(
        &'a self,
        known: &'a [String],
        model: &'a dyn PromptModel,
        names: &'a [String],
    ) -> LocalBoxFuture<'a, Arc<dyn Head>> {
        Box::pin(async move {
            let d = model.dim();
            if self.cache.keys.len() != self.cache.classes.len() * d {
                return Err(invalid("its cache is not as wide as the model's features"));
            }
            let texts = self.texts.on(known, model, names).await?;
            let mut cache = Cache {
                keys: Vec::new(),
                classes: Vec::new(),
                likeness: self.cache.likeness.clone(),
                ..self.cache
            };
            let index = NameIndex::new(names);
            for (key, class) in self.cache.keys.chunks_exact(d).zip(&self.cache.classes) {
                // Skip images of classes that are not in `names`.
                if let Some(k) = index.place(&known[*class]) {
                    cache.classes.push(k);
                    cache.keys.extend_from_slice(key);
                }
            }
            if let Likeness::Predictions(own) = &mut cache.likeness {
                let keys = cache.keys.chunks_exact(d);
                *own = keys.flat_map(|key| predictions(key, &texts)).collect();
            }
            Ok(Arc::new(CacheHead { texts, cache }) as Arc<dyn Head>)
        })
    }
}

/// A cache in use.
#[derive(Debug)]
struct CacheHead {
    texts: Vec<f64>,
    cache: Cache,
}

impl Head for CacheHead {
    fn answer<'a>(
        &'a self,
        model: &'a dyn PromptModel,
        image: &'a [f64],
    ) -> LocalBoxFuture<'a, Vec<f64>> {
        let mut logits = scaled_cosines(model, image, &self.texts);
        let added = self.cache.logits(image, &self.texts, logits.len());
        logits
            .iter_mut()
            .zip(added)
            .for_each(|(z, more)| *z += more);
        Box::pin(std::future::ready(Ok(logits)))
    }

    fn centers<'a>(&'a self, _: &'a dyn PromptModel) -> LocalBoxFuture<'a, Vec<f64>> {
        Box::pin(std::future::ready(Ok(self.texts.clone())))
    }
}
