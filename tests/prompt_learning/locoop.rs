//! LoCoOp: its loss against the authors' code, and what it leaves as it is.

use promptlens::math::UnitRows;
use promptlens::prompt_learning::examples::Batch;
use promptlens::prompt_learning::losses::{ForeignRegions, Loss, LossInput, total};
use promptlens::rng::Rng;

use super::toy::{D, Extras, images, names, teach_with};
use crate::fixtures::Fixture;

const K: usize = 4;

fn loss(strength: f64, top: usize) -> ForeignRegions {
    ForeignRegions { strength, top }
}

#[test]
fn the_loss_and_its_gradient_are_those_of_the_authors() {
    let Some(file) = Fixture::open("authors/methods2/locoop.safetensors") else {
        return;
    };
    let logits = file.numbers("logits_local");
    let photos = file.places("labels");
    let regions = logits.len() / 6 / photos.len();
    let labels: Vec<usize> = photos
        .iter()
        .flat_map(|label| std::iter::repeat_n(*label, regions))
        .collect();
    for top in [1, 2, 4] {
        let (value, gradient) = loss(1.0, top).on_logits(logits, &labels, 6);
        file.check(&format!("loss_topk{top}"), &[value], 1e-9);
        file.check(&format!("grad_topk{top}"), &gradient, 1e-9);
    }
}

#[test]
fn a_region_is_foreign_without_its_class_among_the_most_probable() {
    // The middle one is a tie, in which the lower class comes first.
    let logits = [
        [2.0, 1.0, 0.0, -1.0],
        [0.0, 0.0, 0.0, 0.0],
        [-1.0, 3.0, 0.0, 0.0],
    ];
    let (value, gradient) = loss(1.0, 1).on_logits(&logits.concat(), &[0; 3], K);
    assert!((value - -0.444_159_17).abs() < 1e-8, "{value}");
    assert!(gradient[..8].iter().all(|g| *g == 0.0));
    assert!(gradient[8..].iter().all(|g| *g != 0.0));
    // With every class allowed nothing is foreign.
    let (value, gradient) = loss(1.0, K).on_logits(&logits.concat(), &[0; 3], K);
    assert_eq!((value, gradient), (0.0, vec![0.0; 12]));
}

#[test]
fn its_gradient_on_the_texts_agrees_with_differences() {
    let mut rng = Rng::new(4);
    let mut unit = |count: usize| {
        let raw: Vec<f64> = (0..count * D).map(|_| rng.normal()).collect();
        UnitRows::new(&raw, D).values
    };
    let batch = Batch {
        places: Vec::new(),
        images: unit(2),
        local_features: unit(6),
        labels: vec![1, 3],
        dim: D,
    };
    let texts = unit(K);
    let at = |texts: &[f64]| {
        let input = LossInput::new(texts, K, &batch, 12.0, None).unwrap();
        total(&input, &mut loss(0.25, 1)).unwrap()
    };
    let found = at(&texts);
    assert!(found.value < 0.0);
    const STEP: f64 = 1e-6;
    for place in 0..texts.len() {
        let moved = |by: f64| {
            let mut texts = texts.clone();
            texts[place] += by;
            at(&texts).value
        };
        let slope = (moved(STEP) - moved(-STEP)) / (2.0 * STEP);
        let error = (slope - found.texts[place]).abs();
        assert!(error < 1e-6, "{place}: {slope} {}", found.texts[place]);
    }
    // It is no loss for photos without regions.
    let bare = Batch {
        local_features: Vec::new(),
        ..batch.clone()
    };
    let input = LossInput::new(&texts, K, &bare, 12.0, None).unwrap();
    let mut nothing = promptlens::prompt_learning::losses::Gradient {
        logits: vec![0.0; 2 * K],
        texts: vec![0.0; K * D],
    };
    let refused = loss(0.25, 1).add(&input, &mut nothing).unwrap_err();
    assert_eq!(refused.code(), "engine/internal");
}

#[test]
fn without_its_strength_it_is_coop() {
    let examples = images(K, 3, 2, 9);
    let learn = |recipe: &str, more: &[(&str, &str)]| {
        let set = [&[("epochs", "4")], more].concat();
        teach_with(recipe, &names(K), Some(&examples), &set, Extras::default()).unwrap()
    };
    let coop = learn("coop", &[]);
    let neutral = learn("locoop", &[("lambda", "0")]);
    assert_eq!(neutral.prompt.tensors, coop.prompt.tensors);
    assert_eq!(neutral.losses, coop.losses);
    let usual = learn("locoop", &[]);
    assert_ne!(usual.prompt.tensors, coop.prompt.tensors);
    // What is allowed at most leaves a class out.
    assert_eq!(
        learn("locoop", &[("top", "9")]).losses,
        learn("locoop", &[("top", "3")]).losses
    );
}
