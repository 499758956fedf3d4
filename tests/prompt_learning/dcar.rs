//! The weights of DCAR's attributes.

use promptlens::math::{UnitRows, dot};
use promptlens::prompt::model::PromptModel;
use promptlens::prompt_learning::descriptions::Descriptions;
use promptlens::prompt_learning::recipes::dcar::mutual_information;

use super::toy::{D, Extras, Toy, images, names, teach_with};

#[test]
fn a_sentence_that_separates_equal_halves_tells_ln_2() {
    let own = [true, true, false, false];
    let told = mutual_information(&[0.9, 0.8, 0.2, 0.1], &own);
    assert!((told - std::f64::consts::LN_2).abs() < 1e-12, "{told}");
    // One that is against the class tells as much, one that is blind to it nothing.
    assert!((mutual_information(&[0.1, 0.2, 0.8, 0.9], &own) - told).abs() < 1e-12);
    assert!(mutual_information(&[0.9, 0.1, 0.8, 0.2], &own).abs() < 1e-12);
    assert!(mutual_information(&[0.5; 4], &own).abs() < 1e-12);
}

const SENTENCES: &[u8] =
    br#"{"class 0": ["a round one", "a red one", "a dull one"], "class 1": ["a square one"]}"#;

fn features(set: &[(&str, &str)]) -> Vec<f32> {
    let sentences = Descriptions::from_json(SENTENCES).unwrap();
    let extras = Extras {
        descriptions: Some(&sentences),
        ..Extras::default()
    };
    let learned = teach_with("dcar", &names(3), Some(&images(3, 4, 1, 5)), set, extras).unwrap();
    learned.prompt.tensors["text_features"].data.clone()
}

#[test]
fn equal_weights_are_the_plain_mean_and_small_temperatures_choose() {
    let texts = ["a round one", "a red one", "a dull one"].map(str::to_owned);
    let rows = UnitRows::new(&pollster::block_on(Toy.features(&texts)).unwrap(), D).values;
    let mut mean = vec![0.0; D];
    for row in rows.chunks_exact(D) {
        mean.iter_mut().zip(row).for_each(|(m, v)| *m += v);
    }
    let mean = UnitRows::new(&mean, D).values;
    let even = features(&[("tau", "1000000")]);
    for (a, b) in even[..D].iter().zip(&mean) {
        assert!((f64::from(*a) - b).abs() < 1e-5, "{a} {b}");
    }
    let chosen: Vec<f64> = features(&[("tau", "0.001")])[..D]
        .iter()
        .map(|v| f64::from(*v))
        .collect();
    let nearest = rows
        .chunks_exact(D)
        .map(|row| dot(row, &chosen))
        .fold(0.0, f64::max);
    assert!(nearest > 0.999, "{nearest}");
    // A single sentence stands alone, and a class without one keeps its template.
    let single = texts_of(&["a square one"]);
    let plain = texts_of(&["a photo of a class 2."]);
    for (a, b) in even[D..].iter().zip(single.iter().chain(&plain)) {
        assert!((f64::from(*a) - b).abs() < 1e-5);
    }
}

fn texts_of(texts: &[&str]) -> Vec<f64> {
    let texts: Vec<String> = texts.iter().map(ToString::to_string).collect();
    UnitRows::new(&pollster::block_on(Toy.features(&texts)).unwrap(), D).values
}

#[test]
fn it_asks_for_sentences_and_for_photos() {
    let none = teach_with(
        "dcar",
        &names(3),
        Some(&images(3, 2, 1, 5)),
        &[],
        Extras::default(),
    );
    assert_eq!(none.unwrap_err().code(), "data/empty");
    let sentences = Descriptions::from_json(SENTENCES).unwrap();
    let extras = Extras {
        descriptions: Some(&sentences),
        ..Extras::default()
    };
    let blind = teach_with("dcar", &names(3), None, &[], extras);
    assert_eq!(blind.unwrap_err().code(), "data/empty");
}
