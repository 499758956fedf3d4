//! The whole workflow on photos in memory, with the built-in model.

use std::cell::RefCell;
use std::collections::BTreeMap;

use promptlens::error::{Error, FailedItem, Kind, Result};
use promptlens::fewshot::photos::ExampleBuilder;
use promptlens::fewshot::pseudo_label::{PER_CLASS, PseudoLabelRequest, pseudo_label_photos};
use promptlens::fewshot::source::encode_in_turn;
use promptlens::fewshot::{self, NegativeLabels, PhotoSet, PhotoSource, Report, Request};
use promptlens::model::Model;
use promptlens::progress::{LocalBoxFuture, Progress, Silent};
use promptlens::prompt_learning::recipes::find;
use promptlens::prompt_learning::trainer::Observer;
use promptlens::prompt_learning::validate::Validation;

use super::photos::{model, picture};

/// Photos with their labels, by set.
#[derive(Default)]
struct Memory(BTreeMap<PhotoSet, Vec<(Vec<u8>, usize)>>);

impl Memory {
    fn with(mut self, set: PhotoSet, photos: &[(&[u8], usize)]) -> Self {
        let photos = photos.iter();
        let photos = photos.map(|(bytes, label)| (bytes.to_vec(), *label));
        self.0.insert(set, photos.collect());
        self
    }
}

impl PhotoSource for Memory {
    fn labels(&self, set: PhotoSet) -> Option<Vec<usize>> {
        let photos = self.0.get(&set)?.iter();
        Some(photos.map(|(_, label)| *label).collect())
    }

    fn item(&self, _: PhotoSet, number: usize) -> FailedItem {
        FailedItem::Index(number)
    }

    fn requires(&self, set: PhotoSet) -> bool {
        set == PhotoSet::Classes
    }

    async fn encode(
        &self,
        set: PhotoSet,
        model: &Model,
        photos: &mut ExampleBuilder,
        progress: &dyn Progress,
    ) -> Result<()> {
        let labels = self.labels(set).unwrap();
        let read = async |number: usize| Ok(self.0[&set][number].0.clone());
        encode_in_turn(&labels, read, model, photos, progress).await
    }
}

/// Remembers what it is told; stops the work at a stage, or at the n-th pause.
#[derive(Default)]
struct Log {
    steps: RefCell<Vec<(&'static str, usize, usize)>>,
    pauses: RefCell<usize>,
    stop_at_pause: Option<usize>,
}

impl Progress for Log {
    fn step(&self, stage: &'static str, done: usize, total: usize) -> LocalBoxFuture<'_, ()> {
        self.steps.borrow_mut().push((stage, done, total));
        Box::pin(std::future::ready(Ok(())))
    }

    fn pause(&self) -> LocalBoxFuture<'_, ()> {
        *self.pauses.borrow_mut() += 1;
        let stop = self.stop_at_pause == Some(*self.pauses.borrow());
        Box::pin(std::future::ready(if stop {
            Err(Error::new(Kind::Cancelled, "Stopped."))
        } else {
            Ok(())
        }))
    }
}

/// What differs between the runs of these tests.
struct Case<'a> {
    recipe: &'a str,
    set: &'a [(&'a str, &'a str)],
    crops: Option<usize>,
    negatives: &'a [&'a str],
    pseudo_label: Option<usize>,
    validation: Option<Validation>,
}

const TIP: Case<'_> = Case {
    recipe: "tip-adapter",
    set: &[],
    crops: Some(1),
    negatives: &[],
    pseudo_label: None,
    validation: None,
};

const LAPT: Case<'_> = Case {
    recipe: "lapt",
    set: &[("epochs", "1")],
    negatives: &["gravel", "soup", "hat"],
    ..TIP
};

fn names() -> Vec<String> {
    vec!["ship".to_owned(), "dog".to_owned()]
}

fn run(case: &Case<'_>, source: &Memory, progress: &dyn Progress) -> Result<Report> {
    let model = model();
    let names = names();
    let recipe = find(case.recipe).unwrap().configure(case.set).unwrap();
    let negatives: Vec<String> = case.negatives.iter().map(ToString::to_string).collect();
    let request = Request {
        model: &model,
        recipe: &recipe,
        names: &names,
        descriptions: None,
        start: None,
        negatives: NegativeLabels::Given(&negatives),
        crops: case.crops,
        corruption: None,
        seed: 0,
        pseudo_label: case.pseudo_label.map(|n| n.try_into().unwrap()),
        validation: case.validation,
    };
    let observer = Observer {
        progress,
        observe: &|_| {},
    };
    pollster::block_on(fewshot::run(&request, source, observer))
}

#[test]
fn unusable_photos_are_reported_by_their_position_and_the_others_are_learned() {
    let (a, b) = (picture(1), picture(2));
    let photos = [(&a[..], 0), (&b"no photo"[..], 0), (&b[..], 1)];
    let source = Memory::default().with(PhotoSet::Classes, &photos);
    let report = run(&TIP, &source, &()).unwrap();
    assert_eq!((report.images, report.recipe), (2, "tip-adapter"));
    assert_eq!(report.accuracy, None);
    let json = serde_json::to_value(&report).unwrap();
    assert_eq!(json["failures"][0]["index"], 1);
    assert_eq!(json["failures"][0]["code"], "image/unknown-format");
    // The package's names, and null if nothing was measured.
    for name in ["accuracyBefore", "accuracyAfter", "measuredOn"] {
        assert!(json[name].is_null(), "{json}");
    }
    assert_eq!(json["measured"], 0);
    assert_eq!(json["trainedParameters"], report.trained_parameters);
    assert!(json.get("prompt").is_none());
}

#[test]
fn classes_without_a_usable_photo_are_an_error_and_outliers_without_one_are_not() {
    let a = picture(1);
    let broken = [(&b""[..], 0), (&b"no photo"[..], 1)];
    let source = Memory::default().with(PhotoSet::Classes, &broken);
    let error = run(&TIP, &source, &()).unwrap_err();
    assert_eq!(error.code(), "image/empty");

    let source = Memory::default()
        .with(PhotoSet::Classes, &[(&a, 0)])
        .with(PhotoSet::Outliers, &[(b"no photo", 0)]);
    let report = run(&LAPT, &source, &()).unwrap();
    assert_eq!(report.failures.len(), 1);
    assert_eq!(
        report.prompt.extra["taught_with"],
        "images of the classes, and texts in place of other images"
    );
    let none = run(&TIP, &Memory::default(), &()).unwrap_err();
    assert_eq!(none.code(), "data/empty");
}

#[test]
fn outliers_are_read_only_for_recipes_that_learn_from_them() {
    let (a, b) = (picture(1), picture(2));
    let source = Memory::default()
        .with(PhotoSet::Classes, &[(&a, 0), (&b, 1)])
        .with(PhotoSet::Outliers, &[(&picture(3), 0)]);
    let photos = |case: &Case<'_>| {
        let log = Log::default();
        run(case, &source, &log).unwrap();
        let steps = log.steps.into_inner();
        let photos = steps.into_iter().filter(|(stage, ..)| *stage == "photos");
        photos.map(|(_, done, total)| (done, total)).collect()
    };
    let both: Vec<(usize, usize)> = photos(&LAPT);
    assert_eq!(both, [(0, 3), (1, 3), (2, 3), (3, 3)]);
    let classes: Vec<(usize, usize)> = photos(&TIP);
    assert_eq!(classes, [(0, 2), (1, 2), (2, 2)]);
}

#[test]
fn a_test_set_is_measured_on_in_place_of_validation() {
    let photos: Vec<Vec<u8>> = (0..6).map(picture).collect();
    let label = |i: usize| (&photos[i][..], i % 2);
    let classes = [label(0), label(1), label(2), label(3)];
    let source = Memory::default().with(PhotoSet::Classes, &classes);
    let case = Case {
        validation: Some(Validation::LeaveOneOut),
        ..TIP
    };
    let held_out = run(&case, &source, &()).unwrap().accuracy.unwrap();
    assert_eq!((held_out.on.as_str(), held_out.n), ("leave-one-out", 4));
    let source = source.with(PhotoSet::Test, &[label(4), label(5)]);
    let test = run(&case, &source, &()).unwrap().accuracy.unwrap();
    assert_eq!((test.on.as_str(), test.n), ("test split", 2));
}

/// Inside of a round of validation nothing is told, but the caller can stop.
#[test]
fn validation_can_be_cancelled_inside_of_a_round() {
    let photos: Vec<Vec<u8>> = (0..4).map(picture).collect();
    let label = |i: usize| (&photos[i][..], i % 2);
    let source =
        Memory::default().with(PhotoSet::Classes, &[label(0), label(1), label(2), label(3)]);
    let case = Case {
        recipe: "coop",
        set: &[("epochs", "1")],
        validation: Some(Validation::HoldOut),
        ..TIP
    };
    let log = Log::default();
    run(&case, &source, &log).unwrap();
    assert!(*log.pauses.borrow() > 0);
    let steps = log.steps.into_inner();
    let rounds = steps.iter().position(|(stage, ..)| *stage == "validate");
    let inside = &steps[rounds.unwrap()..];
    assert!(inside.iter().all(|(stage, ..)| *stage == "validate"));
    let log = Log {
        stop_at_pause: Some(1),
        ..Log::default()
    };
    let error = run(&case, &source, &log).unwrap_err();
    assert_eq!(error.code(), "engine/cancelled");
    let silent = Silent(&log);
    pollster::block_on(silent.step("train", 0, 1)).unwrap();
    assert_eq!(*log.pauses.borrow(), 2);
}

#[test]
fn pseudo_labels_name_photos_by_their_position_in_the_list_given() {
    let model = model();
    let names = names();
    let negatives: Vec<String> = ["gravel", "soup"].map(str::to_owned).to_vec();
    let (a, b) = (picture(1), picture(2));
    let photos = [
        (&b"no photo"[..], 0),
        (&a[..], 0),
        (&b""[..], 0),
        (&b[..], 0),
    ];
    let source = Memory::default().with(PhotoSet::Unlabeled, &photos);
    let label = |source: &Memory| {
        let request = PseudoLabelRequest {
            model: &model,
            names: &names,
            negatives: NegativeLabels::Given(&negatives),
            per_class: PER_CLASS,
        };
        pollster::block_on(pseudo_label_photos(&request, source, &())).unwrap()
    };
    let report = label(&source);
    let mut all: Vec<usize> = report.examples.iter().map(|photo| photo.index).collect();
    all.extend(&report.outliers);
    all.extend(&report.surplus);
    all.sort_unstable();
    assert_eq!(all, [1, 3]);
    assert!(
        report
            .examples
            .iter()
            .all(|photo| names.contains(&photo.label))
    );
    let failed: Vec<_> = report.failures.iter().map(|f| (&f.item, f.code)).collect();
    assert_eq!(
        failed,
        [
            (&FailedItem::Index(0), "image/unknown-format"),
            (&FailedItem::Index(2), "image/empty")
        ]
    );
    // Nothing usable is no error: the report says so.
    let source = Memory::default().with(PhotoSet::Unlabeled, &[(b"no photo", 0)]);
    let report = label(&source);
    assert_eq!((report.examples.len(), report.failures.len()), (0, 1));
}

#[test]
fn pseudo_labels_are_for_recipes_that_learn_outliers() {
    let source = Memory::default().with(PhotoSet::Unlabeled, &[(&picture(1), 0)]);
    let case = Case {
        pseudo_label: Some(2),
        ..TIP
    };
    assert_eq!(
        run(&case, &source, &()).unwrap_err().code(),
        "options/invalid"
    );
    let case = Case {
        pseudo_label: Some(2),
        ..LAPT
    };
    let report = run(&case, &source, &()).unwrap();
    let note = |name: &str| {
        let found = report.notes.iter().find(|note| note.name == name);
        found.unwrap_or_else(|| panic!("no note {name}")).value
    };
    let labeled = note("collected for the classes") + note("collected as others");
    assert_eq!(labeled, 1.0);
    assert_eq!(report.images as f64, note("collected for the classes"));
}
