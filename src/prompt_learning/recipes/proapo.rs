//! ProAPO: search for the sentences that fit the images.

use std::collections::BTreeSet;

use super::templates::{TemplateSet, accuracy};
use crate::error::Result;
use crate::math::UnitRows;
use crate::prompt::template::DEFAULT;
use crate::prompt_learning::bound::{DELTA, kl_inverse};
use crate::prompt_learning::class_search::{Measure, Sentence, groups, improve};
use crate::prompt_learning::drift::Drift;
use crate::prompt_learning::examples::Batch;
use crate::prompt_learning::job::{Note, TrainedPrompt, TrainingJob};
use crate::prompt_learning::parameters::parameters;
use crate::prompt_learning::recipe::{Recipe, TypedRun};
use crate::prompt_learning::search::{Fitness, Pool, Search, first, next};
use crate::prompt_learning::trainer::TrainingProgress;
use crate::rng::Rng;

parameters! {
    /// Parameters of ProAPO.
    pub struct Params {
        /// generations of the search; 0 keeps the default template
        rounds: usize = 8, in 0..=100,
        /// weight of the share of right answers, in percent
        top1: f64 = Fitness::PUBLISHED.top1, in 0.0..=1e4,
        /// weight of the share of images whose class is among the best five, in percent
        top5: f64 = Fitness::PUBLISHED.top5, in 0.0..=1e4,
        /// weight of how much alike the texts of the classes are
        redundancy: f64 = Fitness::PUBLISHED.redundancy, in -1e4..=1e4,
        /// weight of the cross-entropy, which counts against a set, at a logit scale of 100; it falls
        /// with the scale
        ce: f64 = Fitness::PUBLISHED.cross_entropy, in 0.0..=1e4,
        /// generations of a second search in which classes that are mistaken for each other get
        /// descriptions of their own; without, descriptions are chosen for all classes at once
        own_rounds as "own-rounds": usize = 0, in 0..=100,
        /// top1 of the second search
        own_top1 as "own-top1": f64 = 0.0, in 0.0..=1e4,
        /// top5 of the second search
        own_top5 as "own-top5": f64 = 0.2, in 0.0..=1e4,
        /// how much less a gain over the default template counts as the texts move away from it: times
        /// exp(-drift (1 - cosine)) in the first search (after the idea of Sem-DPO); 0 leaves it as it is
        drift: f64 = 0.0, in 0.0..=1e4,
    }
    paper(p) {
        p.own_rounds = 8;
    }
}

/// The recipe.
pub const RECIPE: Recipe = Recipe {
    name: "proapo",
    paper: "Qu et al. 2025, ProAPO: Progressively Automatic Prompt Optimization (CVPR)",
    summary: "Breeds the set of templates and descriptions that tells the images apart best.",
    learns: "nothing; it chooses words",
    run: &TypedRun::<Params>(|job, params| Box::pin(run(job, params))),
    ..super::tip_adapter::RECIPE
};

async fn run(job: &TrainingJob<'_>, params: &Params) -> Result<TrainedPrompt> {
    let (k, d) = (job.names.len(), job.model.dim());
    let images = job.images()?;
    let templates = TemplateSet::Clip80.templates()?;
    let mut sentences = job.texts(&templates).await?;
    let plain = templates
        .iter()
        .position(|t| t.to_string() == DEFAULT[0])
        .unwrap_or(0);
    let own = params.own_rounds > 0 && job.material.descriptions.is_some();
    let depth = job.names.iter().map(|name| match own {
        true => 0,
        false => described(job, name).len(),
    });
    for j in 0..depth.max().unwrap_or(0) {
        for (class, name) in job.names.iter().enumerate() {
            match described(job, name).get(j) {
                Some(text) => {
                    let features = job.model.features(std::slice::from_ref(text)).await?;
                    sentences.extend(UnitRows::new(&features, d).values);
                }
                None => {
                    let at = (plain * k + class) * d;
                    sentences.extend_from_within(at..at + d);
                }
            }
        }
    }
    let picks: Vec<_> = (0..images.len()).map(|i| (i, 0)).collect();
    let batch = Batch::gather(images, &picks);
    let weights = Fitness {
        top1: params.top1,
        top5: params.top5,
        redundancy: params.redundancy,
        cross_entropy: job.scaled(params.ce),
    };
    let search = Search {
        sentences: &sentences,
        images: &batch,
        classes: k,
        scale: f64::from(job.model.logit_scale()),
        weights,
    };
    let rounds = params.rounds;
    let mut best = vec![plain];
    let mut notes = vec![Note::new("fitness before", search.fitness(&best)?)];
    let mut rng = Rng::derive(job.seed, u64::MAX);
    let mut population = Vec::new();
    // Without drift the search itself, to the last bit.
    let drift = match params.drift {
        0.0 => None,
        alpha => Some(Drift::new(&search, &best, alpha)?),
    };
    let pool: &dyn Pool = match &drift {
        Some(drift) => drift,
        None => &search,
    };
    for round in 0..rounds {
        job.observer.progress.step("search", round, rounds).await?;
        if round == 0 {
            let singles = (0..search.count()).map(|p| vec![p]);
            population = first(pool, singles.chain([best.clone()]).collect())?;
        }
        population = next(pool, population, &mut rng)?;
        best.clone_from(&population[0].set);
        let fitness = population[0].fitness;
        notes.push(Note::new(
            format!("fitness after round {}", round + 1),
            fitness,
        ));
        (job.observer.observe)(&TrainingProgress {
            done: round + 1,
            total: rounds,
            loss: -fitness,
            accuracy: accuracy(&search.texts(&best), d, &images.plain(), images.labels()),
        });
    }
    if let Some(drift) = &drift {
        notes.push(Note::new(
            "cosine to the default template",
            drift.cosine(&best),
        ));
    }
    let mut texts = search.texts(&best);
    // The prior: every size up to all sentences is as likely as any other, and so is every set of
    // one size.
    let mut prior = (search.count() as f64).ln() + ln_choose(search.count(), best.len());
    if own {
        let measure = Measure {
            images: &batch,
            scale: search.scale,
            weights: Fitness {
                top1: params.own_top1,
                top5: params.own_top5,
                ..weights
            },
        };
        prior +=
            own_sentences(job, params, &search, &best, measure, &mut texts, &mut notes).await?;
    }
    let error = 1.0 - accuracy(&texts, d, &images.plain(), images.labels());
    let bound = kl_inverse(error, prior, images.len(), DELTA)?;
    notes.push(Note::new("training error", error));
    notes.push(Note::new("PAC-Bayes bound on the error (95 %)", bound));
    let mut kept: Vec<_> = best
        .iter()
        .filter_map(|p| templates.get(*p))
        .cloned()
        .collect();
    if kept.is_empty() {
        kept = TemplateSet::Default.templates()?;
    }
    Ok(TrainedPrompt {
        prompt: job.text_prompt(&texts, &kept),
        losses: Vec::new(),
        trained_parameters: 0,
        notes,
    })
}

/// The second search, and what its choice adds to the prior: any classes may have changed, each to any
/// set of its sentences.
async fn own_sentences(
    job: &TrainingJob<'_>,
    params: &Params,
    search: &Search<'_>,
    best: &[usize],
    measure: Measure<'_>,
    texts: &mut Vec<f64>,
    notes: &mut Vec<Note>,
) -> Result<f64> {
    let (k, d) = (job.names.len(), job.model.dim());
    let groups = groups(texts, measure.images);
    let mut sentences = Vec::new();
    for class in groups.iter().flatten().copied().collect::<BTreeSet<_>>() {
        let from_templates = best.iter().map(|p| {
            let at = (p * k + class) * d;
            search.sentences[at..at + d].to_vec()
        });
        let from_templates = from_templates.map(|feature| (feature, true));
        let own = match described(job, &job.names[class]) {
            [] => Vec::new(),
            texts => job.model.features(texts).await?,
        };
        let own = UnitRows::new(&own, d).values;
        let own = own.chunks_exact(d).map(|row| (row.to_vec(), false));
        sentences.extend(from_templates.chain(own).map(|(feature, chosen)| Sentence {
            class,
            feature,
            chosen,
        }));
    }
    let mut rng = Rng::derive(job.seed, u64::MAX - 1);
    let mut changed = BTreeSet::new();
    for (number, group) in groups.iter().enumerate() {
        let progress = job.observer.progress;
        progress.step("search", number, groups.len()).await?;
        let (fitness, classes) = improve(
            texts,
            group,
            &sentences,
            measure,
            params.own_rounds,
            &mut rng,
        )?;
        changed.extend(classes);
        notes.push(Note::new(
            format!("fitness after group {}", number + 1),
            fitness,
        ));
    }
    notes.push(Note::new(
        "classes with sentences of their own",
        changed.len() as f64,
    ));
    let of_changed = sentences
        .iter()
        .filter(|s| changed.contains(&s.class))
        .count();
    let which = ((k + 1) as f64).ln() + ln_choose(k, changed.len());
    Ok(which + of_changed as f64 * std::f64::consts::LN_2)
}

fn described<'a>(job: &TrainingJob<'a>, name: &str) -> &'a [String] {
    job.material.descriptions.map_or(&[], |all| all.of(name))
}

/// ln of the number of sets of `m` out of `n`.
fn ln_choose(n: usize, m: usize) -> f64 {
    (0..m)
        .map(|i| ((n - i) as f64).ln() - ((i + 1) as f64).ln())
        .sum()
}
