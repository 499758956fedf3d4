//! Little, much and odd to learn from: every case has a defined result.

use std::cell::RefCell;

use promptlens::error::{Error, Kind};
use promptlens::progress::{LocalBoxFuture, Progress};
use promptlens::prompt::file::{MAX_BYTES, Prompt};
use promptlens::prompt::heads;
use promptlens::prompt_learning::examples::{Examples, batches};
use promptlens::prompt_learning::job::TrainingJob;
use promptlens::prompt_learning::material::Material;
use promptlens::prompt_learning::outliers::OutlierData;
use promptlens::prompt_learning::recipes::{RECIPES, find};
use promptlens::prompt_learning::trainer::{Observer, TrainingProgress};

use super::toy::{D, Extras, Toy, UNSEEN, W, images, names, teach_with, words};

fn quick(recipe: &str) -> Vec<(&'static str, &'static str)> {
    let known = find(recipe).unwrap().parameters();
    [("epochs", "2"), ("rounds", "1"), UNSEEN]
        .into_iter()
        .filter(|(name, _)| known.iter().any(|p| p.name == *name))
        .collect()
}

fn every_recipe(names: &[String], examples: &Examples) {
    let negatives = words();
    let extras = Extras {
        outliers: OutlierData {
            negatives: &negatives,
            images: None,
        },
        ..Extras::default()
    };
    for recipe in RECIPES.iter().filter(|r| !r.needs.descriptions) {
        let set = quick(recipe.name);
        let learned = match teach_with(recipe.name, names, Some(examples), &set, extras) {
            Ok(learned) => learned,
            Err(error) => {
                let outside = recipe.check_classes(names.len()).is_err();
                // With photos of one class there is nothing to compare.
                let one = match recipe.name {
                    "ranking" | "ogen" | "proxies" | "clip-lit" => {
                        let counts = examples.counts(names.len());
                        counts.into_iter().filter(|n| *n > 0).count() < 2
                    }
                    _ => false,
                };
                assert!(
                    (outside || one) && error.code() == "options/invalid",
                    "{}: {error}",
                    recipe.name
                );
                continue;
            }
        };
        let head = pollster::block_on(heads::open(&learned.prompt, &Toy, names)).unwrap();
        let z = pollster::block_on(head.logits(&Toy, examples.view(0, 0))).unwrap();
        assert_eq!(z.len(), names.len(), "{}", recipe.name);
        assert!(z.iter().all(|z| z.is_finite()), "{}", recipe.name);
    }
}

#[test]
fn one_image_one_class_and_unequal_counts_are_enough() {
    every_recipe(&names(4), &images(4, 3, 1, 1).subset(&[7]).unwrap());
    every_recipe(&names(1), &images(1, 5, 2, 1));
    every_recipe(
        &names(4),
        &images(4, 5, 2, 1)
            .subset(&[0, 1, 2, 3, 4, 9, 12, 12, 12])
            .unwrap(),
    );
}

#[test]
fn a_thousand_classes_are_taught() {
    let examples = images(1000, 1, 1, 1);
    let all = names(1000);
    for recipe in ["templates", "tip-adapter", "taskres", "coop"] {
        let set = match recipe {
            "taskres" | "coop" => vec![("epochs", "1"), ("batch", "256")],
            _ => vec![],
        };
        teach_with(recipe, &all, Some(&examples), &set, Extras::default())
            .unwrap_or_else(|e| panic!("{recipe}: {e}"));
    }
    let refused = teach_with("cocoop", &all, Some(&examples), &[], Extras::default());
    assert_eq!(refused.unwrap_err().code(), "options/invalid");
}

#[test]
fn what_cannot_be_taught_is_said() {
    let examples = images(3, 2, 1, 1);
    let code = |names: &[String], examples| {
        teach_with("coop", names, examples, &[], Extras::default())
            .unwrap_err()
            .code()
    };
    assert_eq!(code(&names(3), None), "data/empty");
    assert_eq!(code(&[], Some(&examples)), "labels/empty");
    let blank = ["a".to_owned(), " ".to_owned(), "b".to_owned()];
    assert_eq!(code(&blank, Some(&examples)), "labels/empty");
    let twice = ["a".to_owned(), "a".to_owned(), "b".to_owned()];
    assert_eq!(code(&twice, Some(&examples)), "labels/duplicate");
    let made = |features: Vec<f32>, labels: Vec<usize>| {
        Examples::new(features, labels, 1, D, 2).unwrap_err().code()
    };
    assert_eq!(made(vec![], vec![]), "data/empty");
    assert_eq!(made(vec![f32::NAN; D], vec![0]), "engine/not-finite");
    assert_eq!(made(vec![0.1; D], vec![2]), "engine/internal");
    assert_eq!(made(vec![0.1; D + 1], vec![0]), "engine/internal");
}

#[test]
fn an_epoch_sees_every_image_once() {
    let examples = images(3, 5, 4, 1);
    for epoch in 0..3 {
        let order = batches(&examples, 4, 1, epoch);
        assert_eq!(order, batches(&examples, 4, 1, epoch));
        assert_eq!(order.iter().map(Vec::len).collect::<Vec<_>>(), [4, 4, 4, 3]);
        let mut seen: Vec<usize> = order.iter().flatten().map(|(i, _)| *i).collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..15).collect::<Vec<_>>());
        assert!(order.iter().flatten().all(|(_, view)| *view < 4));
    }
    assert_ne!(batches(&examples, 4, 1, 0), batches(&examples, 4, 1, 1));
    assert_ne!(batches(&examples, 4, 1, 0), batches(&examples, 4, 2, 0));
}

struct StopAt(usize);

impl Progress for StopAt {
    fn step(&self, _: &'static str, done: usize, _: usize) -> LocalBoxFuture<'_, ()> {
        let outcome = if done < self.0 {
            Ok(())
        } else {
            Err(Error::new(Kind::Cancelled, "stopped"))
        };
        Box::pin(std::future::ready(outcome))
    }
}

#[test]
fn people_see_every_step_and_can_stop() {
    let examples = images(3, 4, 1, 1);
    let all = names(3);
    let set = [("epochs", "5"), ("batch", "5")];
    let recipe = find("coop").unwrap().configure(&set).unwrap();
    let seen: RefCell<Vec<TrainingProgress>> = RefCell::default();
    let run = |progress: &dyn Progress| {
        let job = TrainingJob {
            recipe: &recipe,
            model: &Toy,
            names: &all,
            examples: Some(&examples),
            material: Material::default(),
            seed: 0,
            observer: Observer {
                progress,
                observe: &|p| seen.borrow_mut().push(*p),
            },
        };
        pollster::block_on(job.run())
    };
    let learned = run(&()).unwrap();
    let steps = seen.take();
    assert_eq!(steps.len(), 15);
    assert!(
        steps
            .iter()
            .enumerate()
            .all(|(i, p)| p.done == i + 1 && p.total == 15)
    );
    assert_eq!(
        steps.iter().map(|p| p.loss).collect::<Vec<_>>(),
        learned.losses
    );
    assert_eq!(run(&StopAt(7)).unwrap_err().code(), "engine/cancelled");
    assert_eq!(seen.take().len(), 7);
}

#[test]
fn a_rate_that_blows_up_is_an_error_and_no_result() {
    let examples = images(3, 4, 1, 1);
    let set = [("lr", "10"), ("epochs", "400"), ("alpha", "100")];
    match teach_with(
        "taskres",
        &names(3),
        Some(&examples),
        &set,
        Extras::default(),
    ) {
        Ok(learned) => assert!(learned.losses.iter().all(|l| l.is_finite())),
        Err(error) => assert_eq!(error.code(), "engine/not-finite"),
    }
}

#[test]
fn snapshots_of_many_long_contexts_stay_within_a_prompt_file() {
    let (classes, vectors) = (1400, 64);
    let asked = 50;
    let size = classes * vectors * W * size_of::<f32>();
    assert!(asked * size > MAX_BYTES / 2, "the limit is reached");
    let examples = images(classes, 2, 1, 1);
    let set = [
        ("vectors", "64"),
        ("snapshots", "50"),
        ("batch", "64"),
        ("epochs", "3"),
    ];
    let all = names(classes);
    let learned = teach_with(
        "coop-snapshots",
        &all,
        Some(&examples),
        &set,
        Extras::default(),
    )
    .unwrap();
    // Every context is the last or an earlier one, and they fill the half that is theirs.
    let sets = learned.prompt.tensors["earlier_contexts"].shape[0] / classes + 1;
    assert_eq!(sets, MAX_BYTES / 2 / size);
    assert!(sets < asked);
    let bytes = learned.prompt.to_bytes().unwrap();
    assert!(bytes.len() <= MAX_BYTES);
    assert_eq!(Prompt::from_bytes(&bytes).unwrap(), learned.prompt);
}
