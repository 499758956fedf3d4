//! ProAPO's second stage: sentences of their own for classes that are mistaken for each other.

use std::collections::BTreeSet;

use super::examples::Batch;
use super::search::{Fitness, Pool, first, fitness, next};
use crate::error::Result;
use crate::math::{UnitRows, argmax, dot};
use crate::ood::negatives::ascending;
use crate::rng::Rng;

/// The most groups of classes that are searched.
const MOST_GROUPS: usize = 20;

/// A sentence of one class.
#[derive(Debug, Clone, PartialEq)]
pub struct Sentence {
    /// The class.
    pub class: usize,
    /// Its unit feature [d].
    pub feature: Vec<f64>,
    /// Whether it is one of the templates that the first stage chose.
    pub chosen: bool,
}

/// The images, and how texts are measured on them.
#[derive(Clone, Copy)]
pub struct Measure<'a> {
    /// The images.
    pub images: &'a Batch,
    /// exp(logit_scale): multiplies cosines before the softmax.
    pub scale: f64,
    /// What counts.
    pub weights: Fitness,
}

/// Sentences of a group of classes. A class of which a set holds none keeps its text.
struct Group<'a> {
    texts: &'a [f64],
    sentences: &'a [&'a Sentence],
    measure: Measure<'a>,
}

impl Group<'_> {
    fn texts(&self, set: &[usize]) -> Vec<f64> {
        let d = self.measure.images.dim;
        let mut texts = self.texts.to_vec();
        let members: Vec<&Sentence> = set.iter().map(|i| self.sentences[*i]).collect();
        let classes: BTreeSet<usize> = members.iter().map(|s| s.class).collect();
        for class in classes {
            let mut sum = vec![0.0; d];
            for own in members.iter().filter(|s| s.class == class) {
                sum.iter_mut().zip(&own.feature).for_each(|(s, v)| *s += v);
            }
            let unit = UnitRows::new(&sum, d).values;
            texts[class * d..(class + 1) * d].copy_from_slice(&unit);
        }
        texts
    }
}

impl Pool for Group<'_> {
    fn count(&self) -> usize {
        self.sentences.len()
    }

    fn fitness(&self, set: &[usize]) -> Result<f64> {
        let Measure {
            images,
            scale,
            weights,
        } = self.measure;
        let texts = self.texts(set);
        fitness(&texts, texts.len() / images.dim, images, scale, weights)
    }
}

/// Classes with those that their images are taken for, the least recognized first.
pub fn groups(texts: &[f64], images: &Batch) -> Vec<BTreeSet<usize>> {
    let k = texts.len() / images.dim;
    let mut taken_for = vec![BTreeSet::new(); k];
    let (mut wrong, mut all) = (vec![0.0; k], vec![0.0f64; k]);
    for (image, label) in images.rows().zip(&images.labels) {
        let cosines: Vec<f64> = texts
            .chunks_exact(images.dim)
            .map(|text| dot(image, text))
            .collect();
        let answer = argmax(&cosines);
        all[*label] += 1.0;
        if answer != *label {
            wrong[*label] += 1.0;
            taken_for[*label].extend([*label, answer]);
        }
    }
    let share = |class: usize| wrong[class] / all[class].max(1.0);
    let shares: Vec<f64> = (0..k).map(|class| -share(class)).collect();
    let order = ascending(&shares).into_iter();
    order
        .filter(|class| wrong[*class] > 0.0)
        .take(MOST_GROUPS)
        .map(|class| taken_for[class].clone())
        .collect()
}

/// Gives the classes of one group the sentences that do best after `rounds` rounds, if they do better
/// than `texts` [K, d]; returns the fitness and the classes that changed.
///
/// # Errors
/// `engine/internal` if the shapes disagree.
pub fn improve(
    texts: &mut Vec<f64>,
    group: &BTreeSet<usize>,
    sentences: &[Sentence],
    measure: Measure<'_>,
    rounds: usize,
    rng: &mut Rng,
) -> Result<(f64, BTreeSet<usize>)> {
    let own: Vec<&Sentence> = sentences
        .iter()
        .filter(|sentence| group.contains(&sentence.class))
        .collect();
    let pool = Group {
        texts,
        sentences: &own,
        measure,
    };
    let (base, new): (Vec<usize>, Vec<usize>) = (0..own.len()).partition(|i| own[*i].chosen);
    let before = pool.fitness(&[])?;
    let more = new.iter().map(|i| {
        let mut set = base.clone();
        set.push(*i);
        set.sort_unstable();
        set
    });
    let mut population = first(&pool, more.chain([base.clone()]).collect())?;
    for _ in 0..rounds {
        population = next(&pool, population, rng)?;
    }
    let best = &population[0];
    if best.fitness <= before {
        return Ok((before, BTreeSet::new()));
    }
    let changed = best.set.iter().map(|i| own[*i].class).collect();
    let found = pool.texts(&best.set);
    let fitness = best.fitness;
    *texts = found;
    Ok((fitness, changed))
}
