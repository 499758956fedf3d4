//! ProAPO's search with gains that count less the further the texts move.

use promptlens::math::{UnitRows, dot};
use promptlens::prompt::ensemble::CLIP80;
use promptlens::prompt_learning::drift::{Drift, drift_weight};
use promptlens::prompt_learning::examples::{Batch, Examples};
use promptlens::prompt_learning::job::TrainedPrompt;
use promptlens::prompt_learning::search::{Fitness, Pool, Search};
use promptlens::rng::Rng;

use crate::prompt_learning::toy::{D, SCALE, drawn, images, names, teach};

const K: usize = 4;

/// The place of the default template among the eighty.
fn plain() -> usize {
    CLIP80
        .iter()
        .position(|t| *t == "a photo of a {}.")
        .unwrap()
}

fn sentences() -> Vec<f64> {
    let names = names(K);
    let texts = CLIP80
        .iter()
        .flat_map(|t| names.iter().map(|name| t.replace("{}", name)));
    let rows: Vec<f32> = texts.flat_map(|text| drawn(&text, 3, D)).collect();
    UnitRows::new(&rows, D).values
}

fn batch(examples: &Examples) -> Batch {
    let picks: Vec<_> = (0..examples.len()).map(|i| (i, 0)).collect();
    Batch::gather(examples, &picks)
}

fn search<'a>(sentences: &'a [f64], images: &'a Batch) -> Search<'a> {
    let published = Fitness::PUBLISHED;
    Search {
        sentences,
        images,
        classes: K,
        scale: f64::from(SCALE),
        weights: Fitness {
            cross_entropy: published.cross_entropy * f64::from(SCALE) / 100.0,
            ..published
        },
    }
}

fn note(learned: &TrainedPrompt, name: &str) -> Option<f64> {
    let found = learned.notes.iter().find(|note| note.name == name);
    found.map(|note| note.value)
}

#[test]
fn the_weight_has_the_known_values() {
    assert_eq!(drift_weight(1.0, 1.0), 1.0);
    assert_eq!(drift_weight(0.0, 0.3), 1.0);
    assert!((drift_weight(1.0, 0.8) - 0.818_730_75).abs() < 1e-8);
}

#[test]
fn gains_are_weighed_and_losses_are_not() {
    let (sentences, examples) = (sentences(), images(K, 6, 1, 4));
    let batch = batch(&examples);
    let search = search(&sentences, &batch);
    let start = [plain()];
    let drift = Drift::new(&search, &start, 1.0).unwrap();
    let before = search.fitness(&start).unwrap();
    assert_eq!(drift.fitness(&start).unwrap(), before);
    assert!((drift.cosine(&start) - 1.0).abs() < 1e-12);
    let (mut better, mut worse) = (0, 0);
    for p in 0..search.count() {
        let (plain, weighed) = (search.fitness(&[p]).unwrap(), drift.fitness(&[p]).unwrap());
        let (own, first) = (search.texts(&[p]), search.texts(&start));
        let pairs = own.chunks_exact(D).zip(first.chunks_exact(D));
        let cosine = pairs.map(|(a, b)| dot(a, b)).sum::<f64>() / K as f64;
        if plain > before {
            let expected = before + (plain - before) * (-(1.0 - cosine)).exp();
            assert!((weighed - expected).abs() < 1e-12);
            better += 1;
        } else {
            assert_eq!(weighed, plain);
            worse += 1;
        }
    }
    assert!(better > 0 && worse > 0, "{better} {worse}");
}

#[test]
fn without_drift_proapo_is_the_search_itself() {
    let (sentences, examples) = (sentences(), images(K, 6, 1, 4));
    let batch = batch(&examples);
    let search = search(&sentences, &batch);
    let mut rng = Rng::derive(0, u64::MAX);
    let mut population = search.start(&[plain()]).unwrap();
    let learned = teach("proapo", &examples, &[("rounds", "3"), ("drift", "0")]);
    for round in 1..=3 {
        population = search.round(population, &mut rng).unwrap();
        let found = note(&learned, &format!("fitness after round {round}"));
        assert_eq!(found, Some(population[0].fitness), "{round}");
    }
    let default = teach("proapo", &examples, &[("rounds", "3")]);
    assert_eq!(default, learned);
    assert_eq!(note(&learned, "cosine to the default template"), None);
}

#[test]
fn with_drift_the_texts_stay_nearer_to_the_default_template() {
    let examples = images(K, 6, 1, 4);
    let learn = |drift: &str| teach("proapo", &examples, &[("rounds", "4"), ("drift", drift)]);
    let cosine = |learned: &TrainedPrompt| note(learned, "cosine to the default template").unwrap();
    let (weak, strong) = (learn("0.000001"), learn("20"));
    assert!(
        cosine(&strong) > cosine(&weak),
        "{} {}",
        cosine(&strong),
        cosine(&weak)
    );
    let last = |learned: &TrainedPrompt| note(learned, "fitness after round 4").unwrap();
    assert!(last(&strong) < last(&weak));
    assert!(last(&strong) >= note(&strong, "fitness before").unwrap());
}
