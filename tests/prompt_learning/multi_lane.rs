//! MULTI-LANE's text form: several labels for a photo, and tasks that leave each other alone.

use promptlens::prompt::file::Prompt;
use promptlens::prompt::heads;
use promptlens::prompt::layout::PromptLayout;
use promptlens::prompt::model::PromptModel;
use promptlens::prompt_learning::examples::{Batch, Examples};
use promptlens::prompt_learning::several_labels::{BinaryCrossEntropy, SeveralLabels, targets};
use promptlens::prompt_learning::trainer::Learner;
use promptlens::rng::Rng;

use super::toy::{D, Extras, Toy, W, images, names, teach_with};

#[test]
fn a_photo_in_two_classes_has_both_labels() {
    let all = images(3, 2, 1, 4);
    // The first photo again, under the third class.
    let places: Vec<usize> = (0..all.len()).chain([0]).collect();
    let twice = all.subset(&places).unwrap();
    let mut labels = twice.labels().to_vec();
    *labels.last_mut().unwrap() = 2;
    let found = targets(&twice.labeled(labels.clone()).unwrap(), 3);
    assert_eq!(found[..3], [1.0, 0.0, 1.0]);
    assert_eq!(found[found.len() - 3..], [1.0, 0.0, 1.0]);
    let alone = found[3..found.len() - 3].chunks_exact(3).zip(&labels[1..]);
    for (row, label) in alone {
        let mut expected = [0.0; 3];
        expected[*label] = 1.0;
        assert_eq!(row, expected);
    }
}

#[test]
fn classes_of_other_tasks_add_a_constant_without_a_gradient() {
    let loss = |own: &[bool]| BinaryCrossEntropy {
        targets: Vec::new(),
        own: own.to_vec(),
        bias: Vec::new(),
        bias_gradient: Vec::new(),
    };
    let (z, y) = (
        [2.0, -1.0, 0.5, 30.0, -40.0, 3.0],
        [1.0, 0.0, 1.0, 0.0, 0.0, 1.0],
    );
    let by_hand = |z: f64, y: f64| {
        let p = 1.0 / (1.0 + (-z).exp());
        -(y * p.ln() + (1.0 - y) * (1.0 - p).ln())
    };
    let (value, slopes) = loss(&[true, true, false]).on(&z, &y);
    let own = by_hand(2.0, 1.0) + by_hand(-1.0, 0.0) + 30.0 + by_hand(-40.0, 0.0);
    let expected = (own + 2.0 * std::f64::consts::LN_2) / 6.0;
    assert!((value - expected).abs() < 1e-9, "{value} {expected}");
    assert_eq!((slopes[2], slopes[5]), (0.0, 0.0));
    for place in [0, 1, 3] {
        let at = |by: f64| {
            let mut z = z;
            z[place] += by;
            loss(&[true, true, false]).on(&z, &y).0
        };
        let difference = (at(1e-6) - at(-1e-6)) / 2e-6;
        assert!((difference - slopes[place]).abs() < 1e-8, "{place}");
    }
}

#[test]
fn its_gradient_agrees_with_differences() {
    let examples = images(3, 2, 1, 6);
    let picks: Vec<_> = (0..examples.len()).map(|i| (i, 0)).collect();
    let batch = Batch::gather(&examples, &picks);
    let mut rng = Rng::new(8);
    // A context of two vectors, and three biases.
    let parameters: Vec<f32> = (0..2 * W + 3).map(|_| rng.normal() as f32).collect();
    let step = |parameters: &[f32]| {
        let mut learner = SeveralLabels {
            side: Toy.text_side(&names(3), &PromptLayout::end(2)).unwrap(),
            loss: BinaryCrossEntropy {
                targets: targets(&examples, 3),
                own: vec![true, false, true],
                bias: Vec::new(),
                bias_gradient: Vec::new(),
            },
            scale: 3.0,
        };
        pollster::block_on(learner.step(parameters, &batch)).unwrap()
    };
    let found = step(&parameters);
    for (place, slope) in found.gradient.iter().enumerate() {
        let at = |by: f32| {
            let mut moved = parameters.clone();
            moved[place] += by;
            step(&moved).loss
        };
        let difference = (at(2e-3) - at(-2e-3)) / 4e-3;
        assert!(
            (difference - f64::from(*slope)).abs() < 2e-4,
            "{place}: {difference} {slope}"
        );
    }
    assert_eq!(found.gradient[2 * W + 1], 0.0);
    // Small steps along it lower the loss.
    let lower: Vec<f32> = parameters
        .iter()
        .zip(&found.gradient)
        .map(|(p, g)| p - 0.01 * g)
        .collect();
    assert!(step(&lower).loss < found.loss);
}

fn some(from: usize, to: usize) -> Examples {
    let all = images(4, 4, 2, 5);
    let own: Vec<usize> = (0..all.len())
        .filter(|i| (from..to).contains(&all.labels()[*i]))
        .collect();
    all.subset(&own).unwrap()
}

fn answer(prompt: &Prompt, names: &[String], photo: &[f32]) -> (Vec<f64>, Vec<f64>) {
    let head = pollster::block_on(heads::open(prompt, &Toy, names)).unwrap();
    let logits = pollster::block_on(head.logits(&Toy, photo)).unwrap();
    let probabilities = head.probabilities().of(&logits, 1.0);
    (logits, probabilities)
}

#[test]
fn another_task_leaves_the_answers_of_the_first_to_the_last_bit() {
    let all = names(4);
    let set = [("epochs", "8")];
    let first = teach_with(
        "multi-lane",
        &all[..2],
        Some(&some(0, 2)),
        &set,
        Extras::default(),
    );
    let first = first.unwrap();
    let extras = Extras {
        start: Some(&first.prompt),
        ..Extras::default()
    };
    // Photos of the first task are there again, and do not move it.
    let second = teach_with("multi-lane", &all, Some(&some(0, 4)), &set, extras).unwrap();
    let photo = images(4, 1, 1, 8).plain();
    let (before, _) = answer(&first.prompt, &all[..2], &photo[..D]);
    let (after, probabilities) = answer(&second.prompt, &all, &photo[..D]);
    assert_eq!(before, after[..2]);
    for (z, p) in after.iter().zip(&probabilities) {
        assert!((p - 1.0 / (1.0 + (-z).exp())).abs() < 1e-12);
    }
    assert!((probabilities.iter().sum::<f64>() - 1.0).abs() > 1e-6);
    // A loss of two tasks begins at the constant of the foreign half and falls.
    assert!(
        second
            .losses
            .iter()
            .all(|l| *l > 0.5 * std::f64::consts::LN_2)
    );
    // The file says it by itself.
    let again = Prompt::from_bytes(&second.prompt.to_bytes().unwrap()).unwrap();
    assert_eq!(answer(&again, &all, &photo[..D]), (after, probabilities));
    let refused = teach_with("multi-lane", &all[..2], Some(&some(0, 2)), &set, extras);
    assert_eq!(refused.unwrap_err().code(), "prompt/invalid");
}
