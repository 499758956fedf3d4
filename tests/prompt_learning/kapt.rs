//! After the idea of KAPT: what is known about a class stands in its prompt.

use promptlens::math::perceptron::Perceptron;
use promptlens::prompt_learning::descriptions::Descriptions;
use promptlens::prompt_learning::examples::Batch;
use promptlens::prompt_learning::job::TrainedPrompt;
use promptlens::prompt_learning::parametrizations::{ParamGradient, Parametrization, Told};
use promptlens::prompt_learning::recipes::kapt::keywords;
use promptlens::rng::Rng;

use super::toy::{D, Extras, images, names, teach_with};

#[test]
fn key_words_are_the_longest_that_are_no_part_of_the_name() {
    let sentences = ["A cat has whiskers.", "Cats purr; whiskers are LONG."].map(str::to_owned);
    assert_eq!(
        keywords(&sentences, "cats", 3),
        ["whiskers", "purr", "long"]
    );
    assert!(keywords(&sentences, "cats", 0).is_empty());
}

#[test]
fn the_gradient_of_the_row_agrees_with_differences() {
    let network = Perceptron {
        input: 3,
        hidden: 4,
        output: 2,
    };
    let mut rng = Rng::new(2);
    let told = Told {
        shared: 4,
        network,
        known: (0..6).map(|_| rng.normal()).collect(),
    };
    let mut parameters: Vec<f32> = (0..4).map(|_| rng.normal() as f32).collect();
    parameters.extend(network.start(&mut rng));
    let batch = Batch::default();
    // The loss is a fixed combination of all contexts.
    let contexts = told.expand(&parameters, &batch).contexts;
    assert_eq!(contexts.len(), 2 * 6);
    let weights: Vec<f32> = (0..contexts.len()).map(|_| rng.normal() as f32).collect();
    let loss = |parameters: &[f32]| -> f64 {
        let contexts = told.expand(parameters, &batch).contexts;
        contexts
            .iter()
            .zip(&weights)
            .map(|(c, w)| f64::from(c * w))
            .sum()
    };
    let gradient = told.backward(&ParamGradient {
        parameters: &parameters,
        batch: &batch,
        contexts: &weights,
        weights: &[],
    });
    for (place, slope) in gradient.iter().enumerate() {
        let at = |by: f32| {
            let mut moved = parameters.clone();
            moved[place] += by;
            loss(&moved)
        };
        let difference = (at(1e-3) - at(-1e-3)) / 2e-3;
        assert!(
            (difference - f64::from(*slope)).abs() < 1e-2,
            "{place}: {difference} {slope}"
        );
    }
}

fn learn(descriptions: &str, set: &[(&str, &str)]) -> promptlens::error::Result<TrainedPrompt> {
    let descriptions = Descriptions::from_json(descriptions.as_bytes()).unwrap();
    let extras = Extras {
        descriptions: Some(&descriptions),
        ..Extras::default()
    };
    let set = [&[("epochs", "3")], set].concat();
    teach_with("kapt", &names(3), Some(&images(3, 3, 2, 9)), &set, extras)
}

const ALL: &str =
    r#"{"class 0": ["a round thing"], "class 1": ["a square thing"], "class 2": ["a flat thing"]}"#;

#[test]
fn without_words_and_row_it_is_coop() {
    let plain = learn(ALL, &[("keywords", "0"), ("row", "no")]).unwrap();
    let set = [("epochs", "3")];
    let coop = teach_with(
        "coop",
        &names(3),
        Some(&images(3, 3, 2, 9)),
        &set,
        Extras::default(),
    );
    assert_eq!(plain.losses, coop.unwrap().losses);
    let usual = learn(ALL, &[]).unwrap();
    assert_ne!(usual.losses, plain.losses);
    assert_eq!(usual.prompt.tensors["text_features"].shape, [3, D]);
}

#[test]
fn a_description_changes_its_own_class_alone() {
    let other = ALL.replace("a flat thing", "a furry beast");
    let still = [("lr", "0.000000000001"), ("row", "no")];
    let rows = |text: &str| {
        learn(text, &still).unwrap().prompt.tensors["text_features"]
            .data
            .clone()
    };
    let (a, b) = (rows(ALL), rows(&other));
    assert_eq!(a[..2 * D], b[..2 * D]);
    assert_ne!(a[2 * D..], b[2 * D..]);
    // A class without one is known by its template.
    let lacking = ALL.replace("class 1", "class 9");
    assert_ne!(rows(&lacking)[D..2 * D], a[D..2 * D]);
    assert_eq!(rows(&lacking)[..D], a[..D]);
}
