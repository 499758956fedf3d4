//! Accuracy on images that were left out, against doing it by hand.

use std::cell::RefCell;

use promptlens::progress::{LocalBoxFuture, Progress};
use promptlens::prompt::heads;
use promptlens::prompt_learning::examples::Examples;
use promptlens::prompt_learning::job::TrainingJob;
use promptlens::prompt_learning::material::Material;
use promptlens::prompt_learning::recipes::find;
use promptlens::prompt_learning::trainer::Observer;
use promptlens::prompt_learning::validate::{HeldOutAccuracy, Validation, folds, validate};

use super::toy::{Extras, Toy, images, names, teach_with};

/// Remembers the rounds that it was told of.
#[derive(Default)]
struct Rounds(RefCell<Vec<(usize, usize)>>);

impl Progress for Rounds {
    fn step(&self, stage: &'static str, done: usize, total: usize) -> LocalBoxFuture<'_, ()> {
        if stage == "validate" {
            self.0.borrow_mut().push((done, total));
        }
        Box::pin(std::future::ready(Ok(())))
    }
}

fn held(
    recipe: &str,
    examples: &Examples,
    validation: Validation,
    set: &[(&str, &str)],
) -> (Option<HeldOutAccuracy>, Rounds) {
    let recipe = find(recipe).unwrap().configure(set).unwrap();
    let rounds = Rounds::default();
    let all = names(3);
    let job = TrainingJob {
        recipe: &recipe,
        model: &Toy,
        names: &all,
        examples: Some(examples),
        material: Material::default(),
        seed: 0,
        observer: Observer {
            progress: &rounds,
            observe: &|_| {},
        },
    };
    let found = pollster::block_on(validate(&job, validation, &())).unwrap();
    (found, rounds)
}

/// Right answers to the images at `out` by a prompt that learned from all others.
fn by_hand(recipe: &str, examples: &Examples, out: &[usize], set: &[(&str, &str)]) -> f64 {
    let left: Vec<usize> = (0..examples.len()).filter(|i| !out.contains(i)).collect();
    let rest = examples.subset(&left).unwrap();
    let learned = teach_with(recipe, &names(3), Some(&rest), set, Extras::default()).unwrap();
    let head = pollster::block_on(heads::open(&learned.prompt, &Toy, &names(3))).unwrap();
    let own = examples.subset(out).unwrap();
    let share = pollster::block_on(head.accuracy(&Toy, &own.plain(), own.labels())).unwrap();
    share * out.len() as f64
}

#[test]
fn leave_one_out_matches_training_once_per_image() {
    let examples = images(3, 4, 1, 7);
    let (found, rounds) = held("tip-adapter", &examples, Validation::LeaveOneOut, &[]);
    let found = found.unwrap();
    assert_eq!((found.on.as_str(), found.n), ("leave-one-out", 12));
    let right: f64 = (0..12)
        .map(|i| by_hand("tip-adapter", &examples, &[i], &[]))
        .sum();
    assert!((found.accuracy_after - right / 12.0).abs() < 1e-9);
    assert_eq!(rounds.0.into_inner().last(), Some(&(12, 12)));
}

#[test]
fn many_images_are_left_out_in_five_parts() {
    let examples = images(3, 8, 1, 7);
    let set = [("epochs", "2")];
    let (found, _) = held("coop", &examples, Validation::LeaveOneOut, &set);
    let found = found.unwrap();
    assert_eq!((found.on.as_str(), found.n), ("5 folds", 24));
    let assigned = folds(&examples, 5);
    let right: f64 = (0..5)
        .map(|fold| {
            let out: Vec<usize> = (0..24).filter(|i| assigned[*i] == fold).collect();
            by_hand("coop", &examples, &out, &set)
        })
        .sum();
    assert!((found.accuracy_after - right / 24.0).abs() < 1e-9);
}

#[test]
fn every_fourth_image_is_held_out_once() {
    let examples = images(3, 8, 1, 7);
    let (found, rounds) = held("tip-adapter", &examples, Validation::HoldOut, &[]);
    let found = found.unwrap();
    assert_eq!((found.on.as_str(), found.n), ("held-out images", 6));
    let assigned = folds(&examples, 4);
    let out: Vec<usize> = (0..24).filter(|i| assigned[*i] == 0).collect();
    let labels: Vec<usize> = out.iter().map(|i| examples.labels()[*i]).collect();
    assert_eq!(labels.iter().filter(|y| **y == 0).count(), 2);
    let right = by_hand("tip-adapter", &examples, &out, &[]);
    assert!((found.accuracy_after - right / 6.0).abs() < 1e-9);
    assert_eq!(rounds.0.into_inner(), [(0, 1), (1, 1)]);
    // Hard prompts learn nothing, so both accuracies are one.
    let (found, _) = held("templates", &examples, Validation::LeaveOneOut, &[]);
    let found = found.unwrap();
    assert_eq!(found.accuracy_before, found.accuracy_after);
}

#[test]
fn one_image_cannot_be_left_out() {
    let one = images(3, 1, 1, 7).subset(&[1]).unwrap();
    for validation in [Validation::LeaveOneOut, Validation::HoldOut] {
        assert_eq!(held("tip-adapter", &one, validation, &[]).0, None);
    }
    assert_eq!(Validation::parse_or_none("none").unwrap(), None);
    assert_eq!(
        Validation::parse_or_none("held-out").unwrap(),
        Some(Validation::HoldOut)
    );
    assert_eq!(
        Validation::parse_or_none("all").unwrap_err().code(),
        "options/invalid"
    );
}
