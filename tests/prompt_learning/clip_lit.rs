//! CLIP-LIT's pair: the order of photos against the authors' code, and a quality that is found.

use promptlens::prompt::file::Prompt;
use promptlens::prompt::heads;
use promptlens::prompt_learning::examples::{Batch, Examples};
use promptlens::prompt_learning::losses::{LossInput, Ordered, on_logits};

use super::toy::{D, Extras, Toy, images, names, teach_with};
use crate::fixtures::Fixture;

fn ordered(first: f64, next: f64) -> Ordered {
    Ordered {
        strength: 1.0,
        first,
        next,
        stages: Vec::new(),
    }
}

#[test]
fn the_loss_and_its_gradient_are_those_of_the_authors() {
    let Some(file) = Fixture::open("authors/methods2/clip_lit.safetensors") else {
        return;
    };
    let chains: [&[usize]; 3] = [&[0, 3], &[0, 1, 3], &[0, 1, 2, 3]];
    let names = ["p_input", "p_mid1", "p_mid2", "p_reference"];
    for (first, next) in [(90, 20), (100, 20), (90, 10)] {
        let loss = ordered(f64::from(first) / 100.0, f64::from(next) / 100.0);
        for chain in chains {
            let stages: Vec<Vec<f64>> = chain
                .iter()
                .map(|stage| file.numbers(names[*stage]).to_vec())
                .collect();
            let (value, slopes) = loss.on(&stages);
            let case = format!("{first}_{next}_{}", chain.len());
            file.check(&format!("loss_{case}"), &[value], 1e-9);
            for (stage, slopes) in chain.iter().zip(slopes) {
                file.check(&format!("grad_{case}_{stage}"), &slopes, 1e-9);
            }
        }
    }
}

#[test]
fn equal_photos_lack_the_whole_margins_and_photos_in_order_nothing() {
    let loss = ordered(0.9, 0.2);
    let equal = |stages: usize| loss.on(&vec![vec![0.5; 3]; stages]).0;
    assert!((equal(2) - 0.9).abs() < 1e-12);
    assert!((equal(3) - 2.0).abs() < 1e-12);
    assert!((equal(4) - 2.2).abs() < 1e-12);
    let (value, slopes) = loss.on(&[vec![1.0, 0.99], vec![0.05], vec![0.0; 3]]);
    // Only the gap between the later stages is too small.
    assert!((value - 0.15).abs() < 1e-12, "{value}");
    assert_eq!(slopes[0], [0.0, 0.0]);
}

#[test]
fn its_gradient_on_the_logits_agrees_with_differences() {
    let examples = images(2, 3, 1, 5);
    let picks: Vec<_> = (0..6).map(|i| (i, 0)).collect();
    let batch = Batch::gather(&examples, &picks);
    let texts: Vec<f64> = images(2, 1, 1, 6)
        .plain()
        .iter()
        .map(|v| f64::from(*v))
        .collect();
    let mut loss = Ordered {
        strength: 3.0,
        stages: vec![0, 0, 1, 1, 2, 2],
        ..ordered(0.9, 0.2)
    };
    let mut at = |place: usize, by: f64| {
        let mut input = LossInput::new(&texts, 2, &batch, 4.0, None).unwrap();
        input.logits[place] += by;
        on_logits(&input, &mut loss).unwrap()
    };
    let (value, slopes) = at(0, 0.0);
    assert!(value > 0.0);
    for (place, slope) in slopes.iter().enumerate() {
        let difference = (at(place, 1e-6).0 - at(place, -1e-6).0) / 2e-6;
        assert!(
            (difference - slope).abs() < 1e-6,
            "{place}: {difference} {slope}"
        );
    }
}

/// The probability of the second class for each photo.
fn good(prompt: &Prompt, photos: &[f32]) -> Vec<f64> {
    let head = pollster::block_on(heads::open(prompt, &Toy, &names(2))).unwrap();
    let logits = pollster::block_on(head.logits(&Toy, photos)).unwrap();
    let odds = logits
        .chunks_exact(2)
        .map(|z| 1.0 / (1.0 + (z[0] - z[1]).exp()));
    odds.collect()
}

/// Photos between those of two classes: the more of the second, the better.
fn between(pairs: &Examples, share: f32) -> Vec<f32> {
    let plain = pairs.plain();
    let (bad, rest) = plain.split_at(plain.len() / 2);
    let mixed: Vec<f32> = bad
        .iter()
        .zip(rest)
        .map(|(a, b)| (1.0 - share) * a + share * b)
        .collect();
    promptlens::math::UnitRows::new(&mixed, D).rounded()
}

#[test]
fn a_quality_is_found_and_photos_between_lie_between() {
    let pairs = images(2, 6, 1, 3);
    let set = [("lr", "0.05"), ("epochs", "30")];
    let learned = teach_with("clip-lit", &names(2), Some(&pairs), &set, Extras::default()).unwrap();
    let shares = [0.0, 0.5, 1.0].map(|share| {
        let all = good(&learned.prompt, &between(&pairs, share));
        all.iter().sum::<f64>() / all.len() as f64
    });
    assert!(shares[0] < 0.3 && shares[2] > 0.7, "{shares:?}");
    assert!(shares[0] < shares[1] && shares[1] < shares[2], "{shares:?}");
    // No name stands in the prompts: other names change nothing.
    let again = Prompt::from_bytes(&learned.prompt.to_bytes().unwrap()).unwrap();
    assert_eq!(again.tensors, learned.prompt.tensors);
    assert_eq!(again.extra.get("nameless").map(String::as_str), Some("yes"));
    let other = ["dark", "light"].map(str::to_owned);
    let renamed = teach_with("clip-lit", &other, Some(&pairs), &set, Extras::default()).unwrap();
    assert_eq!(renamed.prompt.tensors, learned.prompt.tensors);
    // Photos between change what is learned, and are put into order.
    let mid = between(&pairs, 0.5);
    let extras = Extras {
        unlabeled: &mid,
        ..Extras::default()
    };
    let ranked = teach_with("clip-lit", &names(2), Some(&pairs), &set, extras).unwrap();
    assert_ne!(ranked.prompt.tensors, learned.prompt.tensors);
    assert!(ranked.losses.len() > learned.losses.len());
    let shares = [0.0, 0.5, 1.0].map(|share| {
        let all = good(&ranked.prompt, &between(&pairs, share));
        all.iter().sum::<f64>() / all.len() as f64
    });
    assert!(shares[0] < shares[1] && shares[1] < shares[2], "{shares:?}");
}

#[test]
fn it_takes_two_classes_with_photos() {
    let three = teach_with(
        "clip-lit",
        &names(3),
        Some(&images(3, 2, 1, 3)),
        &[],
        Extras::default(),
    );
    assert_eq!(three.unwrap_err().code(), "options/invalid");
    let one = images(1, 2, 1, 3);
    let lonely = teach_with("clip-lit", &names(2), Some(&one), &[], Extras::default());
    assert_eq!(lonely.unwrap_err().code(), "options/invalid");
}
