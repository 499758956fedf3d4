//! ProAPO's second stage: sentences of their own for classes that are mistaken for each other.

use std::collections::BTreeSet;

use promptlens::math::{UnitRows, dot};
use promptlens::prompt_learning::class_search::{Measure, Sentence, groups, improve};
use promptlens::prompt_learning::descriptions::Descriptions;
use promptlens::prompt_learning::examples::Batch;
use promptlens::prompt_learning::losses::{self, CrossEntropy, LossInput};
use promptlens::prompt_learning::search::{Fitness, fitness};
use promptlens::rng::Rng;

use super::toy::{D, Extras, SCALE, drawn, images, names, teach_with};

const WEIGHTS: Fitness = Fitness {
    top1: 0.0,
    top5: 0.2,
    redundancy: 0.0,
    cross_entropy: 10.0,
};

fn batch(classes: usize) -> Batch {
    let examples = images(classes, 6, 1, 4);
    let picks: Vec<_> = (0..examples.len()).map(|i| (i, 0)).collect();
    Batch::gather(&examples, &picks)
}

fn unit(row: &[f32]) -> Vec<f64> {
    UnitRows::new(row, D).values
}

/// The direction of a class's images.
fn center(class: usize) -> Vec<f64> {
    unit(&drawn(&format!("centre {class}"), 1, D))
}

#[test]
fn groups_are_classes_with_those_that_their_images_are_taken_for() {
    let images = batch(4);
    // Texts 0 and 1 are exchanged: their images are taken for each other.
    let texts = [center(1), center(0), center(2), center(3)].concat();
    let found = groups(&texts, &images);
    assert_eq!(found, vec![BTreeSet::from([0, 1]); 2]);
    let right: Vec<f64> = (0..4).flat_map(center).collect();
    assert!(groups(&right, &images).is_empty());
}

#[test]
fn a_class_takes_the_sentence_that_tells_it_apart_and_others_stay() {
    let images = batch(4);
    let far = unit(&drawn("far", 5, D));
    let mut texts = [center(0), far.clone(), center(2), center(3)].concat();
    let before = texts.clone();
    let sentence = |class, feature, chosen| Sentence {
        class,
        feature,
        chosen,
    };
    let mut sentences = vec![
        sentence(0, center(0), true),
        sentence(1, far, true),
        sentence(1, center(1), false),
    ];
    for i in 0..10 {
        let noise = unit(&drawn(&format!("noise {i}"), 6, D));
        sentences.push(sentence(i % 2, noise, false));
    }
    let measure = Measure {
        images: &images,
        scale: f64::from(SCALE),
        weights: WEIGHTS,
    };
    let value = |texts: &[f64]| fitness(texts, 4, &images, measure.scale, WEIGHTS).unwrap();
    let group = BTreeSet::from([0, 1]);
    let mut rng = Rng::new(1);
    let (found, changed) = improve(&mut texts, &group, &sentences, measure, 6, &mut rng).unwrap();
    assert!(changed.contains(&1), "{changed:?}");
    assert!((found - value(&texts)).abs() < 1e-9);
    assert!(found > value(&before) + 0.5, "{found} {}", value(&before));
    assert_eq!(texts[2 * D..], before[2 * D..]);
    assert!(dot(&texts[D..2 * D], &center(1)) > 0.5);

    // What does no better changes nothing.
    let kept = texts.clone();
    let worse = [sentence(1, center(2), false)];
    let mut rng = Rng::new(1);
    let (_, changed) = improve(&mut texts, &group, &worse, measure, 3, &mut rng).unwrap();
    assert!(changed.is_empty());
    assert_eq!(texts, kept);
}

/// A text whose feature is near the center of a class.
fn telling(class: usize) -> String {
    let own = center(class);
    let texts = (0..3000).map(|i| format!("sign {i}"));
    let near = |text: &String| dot(&unit(&drawn(text, 3, D)), &own);
    texts.max_by(|a, b| near(a).total_cmp(&near(b))).unwrap()
}

#[test]
fn described_classes_answer_better_with_sentences_of_their_own() {
    let examples = images(4, 6, 1, 4);
    let json = format!(
        r#"{{"class 1": ["{}"], "class 3": ["{}", "x"]}}"#,
        telling(1),
        telling(3)
    );
    let descriptions = Descriptions::from_json(json.as_bytes()).unwrap();
    let errors = |set: &[(&str, &str)]| {
        let extras = Extras {
            descriptions: Some(&descriptions),
            ..Extras::default()
        };
        let learned = teach_with("proapo", &names(4), Some(&examples), set, extras).unwrap();
        let note = |name: &str| {
            learned
                .notes
                .iter()
                .find(|n| n.name == name)
                .map(|n| n.value)
        };
        (
            note("training error").unwrap(),
            note("classes with sentences of their own"),
            note("fitness before").unwrap(),
            note("PAC-Bayes bound on the error (95 %)").unwrap(),
        )
    };
    let (first, none, _, bound) = errors(&[("rounds", "1"), ("own-rounds", "0")]);
    let (second, changed, _, larger) = errors(&[("rounds", "0"), ("own-rounds", "6")]);
    assert_eq!(none, None);
    assert!(changed.unwrap() >= 1.0);
    let (plain, ..) = errors(&[("rounds", "0")]);
    assert!(second < plain, "{second} {plain}");
    assert!(second < larger && first < bound);
    // `settings=paper` searches twice.
    let (_, changed, ..) = errors(&[("settings", "paper"), ("rounds", "0")]);
    assert!(changed.is_some());
}

/// The weight of the cross-entropy was published for a scale of 100.
#[test]
fn the_cross_entropy_weighs_less_where_the_logit_scale_is_small() {
    let examples = images(4, 6, 1, 4);
    let before = |ce: &str| {
        let set = [("rounds", "0"), ("top1", "0"), ("top5", "0"), ("ce", ce)];
        let learned = teach_with(
            "proapo",
            &names(4),
            Some(&examples),
            &set,
            Extras::default(),
        );
        learned.unwrap().notes[0].value
    };
    let images = batch(4);
    let texts: Vec<f64> = names(4)
        .iter()
        .flat_map(|name| unit(&drawn(&format!("a photo of a {name}."), 3, D)))
        .collect();
    let scale = f64::from(SCALE);
    let input = LossInput::new(&texts, 4, &images, scale, None).unwrap();
    let (loss, _) = losses::on_logits(&input, &mut CrossEntropy).unwrap();
    let expected = -10.0 * scale / 100.0 * loss;
    assert!(
        (before("10") - expected).abs() < 1e-6,
        "{} {expected}",
        before("10")
    );
    assert_eq!(before("0"), 0.0);
}
