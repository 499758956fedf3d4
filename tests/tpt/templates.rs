//! The prompt that is tuned is the prompt that answers without tuning.

use pollster::block_on;
use promptlens::classifier::{Answerer, ClassSet, ClassifyOptions};
use promptlens::device::Choice;
use promptlens::model::Model;
use promptlens::prompt::model::TextSide;
use promptlens::tpt::{Overrides, Tuning};

use super::mini;
use crate::common::shared;

const NAMES: [&str; 5] = ["cat", "dog", "church", "French horn", "golf ball"];

fn classes(model: &Model, templates: &[&str]) -> ClassSet {
    let names = NAMES.map(str::to_owned);
    block_on(ClassSet::new(model, &names, templates)).unwrap()
}

fn photo() -> Vec<u8> {
    std::fs::read(shared("fixtures/mini/jpeg/09_dog.jpg").unwrap()).unwrap()
}

/// The largest difference between the answer before tuning and the answer without it, and what the
/// report says that tuning started from.
fn difference(model: &Model, templates: &[&str]) -> (f64, Option<&'static str>) {
    let classes = classes(model, templates);
    let answer = |tuning: Option<Tuning>| {
        let options = ClassifyOptions {
            tuning,
            ood: None,
            heatmap: None,
        };
        let answerer = block_on(Answerer::new(model, &classes, &options, &())).unwrap();
        block_on(answerer.classify(&photo(), &())).unwrap()
    };
    let overrides = Overrides {
        views: Some(8),
        ..Overrides::default()
    };
    let tuned = answer(Some(Tuning::tpt(&overrides).unwrap()));
    let report = tuned.tuning.unwrap();
    let plain = answer(None).predictions;
    let of = |label: &str| {
        let found = report.predictions_before.iter().find(|p| p.label == label);
        found.unwrap().probability
    };
    let differences = plain
        .iter()
        .map(|p| (p.probability - of(&p.label)).abs())
        .fold(0.0, f64::max);
    assert!(tuned.predictions != report.predictions_before, "it moves");
    (differences, report.started_from)
}

#[test]
fn words_behind_the_name_and_every_template_take_part() {
    let Some(model) = mini(Choice::Cpu) else {
        return;
    };
    for templates in [
        &["a photo of a {}."][..],
        &["a photo of a {}, a type of flower."],
        &["a photo of many {}"],
        &[
            "a bad photo of the {}.",
            "a {} in a video game.",
            "itap of a {}.",
        ],
        // One that begins with the name stays as it is beside others.
        &["a photo of a {}.", "{} in the wild."],
        // No space: the last word and the name are one token in the prompt.
        &["a photo of a un{}."],
    ] {
        let (difference, started) = difference(&model, templates);
        assert!(difference <= 1e-5, "{templates:?}: {difference}");
        assert_eq!(started, None, "{templates:?}");
    }
}

#[test]
fn a_template_that_begins_with_the_name_borrows_words_and_says_so() {
    let Some(model) = mini(Choice::Cpu) else {
        return;
    };
    let (_, started) = difference(&model, &["{} in the wild."]);
    assert_eq!(started, Some("a photo of a"));
    let borrowed = classes(&model, &["{} in the wild."]);
    let spelled = classes(&model, &["a photo of a {} in the wild."]);
    let side = |classes: &ClassSet| {
        let prompt = classes.tunable().unwrap();
        let mut side = block_on(prompt.open(&model.text_encoder())).unwrap();
        block_on(side.forward(prompt.start())).unwrap()
    };
    assert_eq!(side(&borrowed), side(&spelled));
}

#[test]
fn the_gradient_of_an_ensemble_matches_finite_differences() {
    let Some(model) = mini(Choice::Cpu) else {
        return;
    };
    let classes = classes(
        &model,
        &["a bad photo of the {}.", "a {} in a video game.", "{}!"],
    );
    let prompt = classes.tunable().unwrap();
    let mut side = block_on(prompt.open(&model.text_encoder())).unwrap();
    let start = prompt.start().to_vec();
    let weights: Vec<f32> = (0..NAMES.len() * 512).map(|i| (i as f32).sin()).collect();
    let mut loss = |context: &[f32]| {
        let features = block_on(side.forward(context)).unwrap();
        let pairs = features.iter().zip(&weights);
        pairs.map(|(f, w)| f64::from(f * w)).sum::<f64>()
    };
    let direction: Vec<f32> = (0..start.len()).map(|i| (i as f32 * 0.7).cos()).collect();
    let moved = |h: f32| -> Vec<f32> {
        let pairs = start.iter().zip(&direction);
        pairs.map(|(s, d)| s + h * d).collect()
    };
    let slope = (loss(&moved(1e-3)) - loss(&moved(-1e-3))) / 2e-3;
    loss(&start);
    let gradient = block_on(side.backward(&weights)).unwrap();
    assert_eq!(gradient.len(), start.len());
    let along: f64 = gradient
        .iter()
        .zip(&direction)
        .map(|(g, d)| f64::from(g * d))
        .sum();
    assert!(
        (along - slope).abs() <= 2e-2 * slope.abs(),
        "{along} {slope}"
    );
}
