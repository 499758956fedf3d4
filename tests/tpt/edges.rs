//! The edges of tuning: few and many classes, views that say nothing, work that ends half-way.

use std::cell::RefCell;

use pollster::block_on;
use promptlens::bench::full_length::FullLength;
use promptlens::classifier::{ClassSet, Classification, ClassifyOptions};
use promptlens::device::Choice;
use promptlens::error::{Error, Kind, Result};
use promptlens::image::views::{ViewPlan, make_views};
use promptlens::image::{Limits, decode};
use promptlens::model::Model;
use promptlens::progress::{LocalBoxFuture, Progress};
use promptlens::prompt::model::TextSide;
use promptlens::quant::Quantization;
use promptlens::tpt::{Config, Method, Overrides, StrongViews, Text, Tuning, TuningKind, tune};

use crate::common::shared;

const BOTH: [Method; 2] = [Method::Tpt, Method::DiffTptLite];

fn open(dir: &str) -> Option<Model> {
    let dir = shared(dir)?;
    let quantization = Some(Quantization::None);
    Some(block_on(Model::open(&dir, Choice::Cpu, quantization)).expect("the model loads"))
}

fn tiny() -> Option<Model> {
    open("fixtures/tiny-rand")
}

fn mini() -> Option<Model> {
    open("models/mini-0")
}

fn classes(model: &Model, labels: &[impl ToString]) -> ClassSet {
    let labels: Vec<String> = labels.iter().map(ToString::to_string).collect();
    block_on(ClassSet::new(model, &labels, &["a photo of a {}."])).expect("classes")
}

/// The twelve reference photos with their class names.
fn photos() -> Vec<(String, Vec<u8>)> {
    let folder = shared("fixtures/mini").expect("the reference folder");
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "png"))
        .collect();
    paths.sort();
    let name = |path: &std::path::Path| {
        let stem = path.file_stem().unwrap().to_str().unwrap();
        stem[3..].replace('_', " ")
    };
    let read = |path: &std::path::PathBuf| (name(path), std::fs::read(path).unwrap());
    paths.iter().map(read).collect()
}

fn blank() -> Vec<u8> {
    let mut bytes = Vec::new();
    let picture = image::RgbImage::from_pixel(40, 30, image::Rgb([120; 3]));
    let mut to = std::io::Cursor::new(&mut bytes);
    picture.write_to(&mut to, image::ImageFormat::Png).unwrap();
    bytes
}

fn tuning(method: Method, overrides: &Overrides) -> Result<Tuning> {
    let kind = match method {
        Method::Tpt => TuningKind::Tpt { augmix: false },
        Method::DiffTptLite => TuningKind::DiffTptLite(StrongViews::Drawn),
    };
    Tuning::new(kind, overrides)
}

fn of_views(views: usize) -> Overrides {
    Overrides {
        views: Some(views),
        ..Overrides::default()
    }
}

fn only(tuning: Tuning) -> ClassifyOptions {
    ClassifyOptions {
        tuning: Some(tuning),
        ood: None,
        heatmap: None,
    }
}

fn how(method: Method, count: usize) -> ClassifyOptions {
    only(tuning(method, &of_views(count)).unwrap())
}

fn classify(
    model: &Model,
    classes: &ClassSet,
    bytes: &[u8],
    options: &ClassifyOptions,
) -> Classification {
    block_on(classes.classify(model, bytes, options, &())).expect("an answer")
}

/// What does not depend on the clock.
fn said(answer: &Classification) -> String {
    format!("{:?} {:?}", answer.predictions, answer.tuning)
}

#[test]
fn one_class_is_certain_and_has_no_entropy() {
    let Some(model) = tiny() else { return };
    let classes = classes(&model, &["cat"]);
    let photo = &photos()[0].1;
    for method in BOTH {
        let answer = classify(&model, &classes, photo, &how(method, 8));
        assert_eq!(answer.predictions.len(), 1);
        assert_eq!(answer.predictions[0].probability, 1.0);
        let tuning = answer.tuning.unwrap();
        assert!(!tuning.guarded);
        for entropy in [tuning.entropy_before, tuning.entropy_after] {
            assert!(entropy == 0.0 && entropy.is_sign_positive(), "{entropy}");
        }
        assert!(
            tuning
                .kept_views
                .iter()
                .all(|v| v.entropy.is_sign_positive())
        );
        assert!(!serde_json::to_string(&tuning).unwrap().contains("-0.0"));
    }
}

#[test]
fn two_and_a_thousand_classes_are_tuned() {
    let Some(model) = tiny() else { return };
    let photo = &photos()[0].1;
    for count in [2, 1000] {
        let labels: Vec<String> = (0..count).map(|i| format!("thing number {i}")).collect();
        let classes = classes(&model, &labels);
        for method in BOTH {
            let answer = classify(&model, &classes, photo, &how(method, 8));
            let tuning = answer.tuning.as_ref().unwrap();
            let sum: f64 = answer.predictions.iter().map(|p| p.probability).sum();
            assert!((sum - 1.0).abs() < 1e-9 && answer.predictions.len() == count);
            assert!(!tuning.guarded);
            assert!(tuning.entropy_before <= (count as f64).ln() + 1e-9);
            assert!(
                tuning.entropy_after < tuning.entropy_before - 1e-6,
                "{count}"
            );
            assert_ne!(answer.predictions, tuning.predictions_before);
        }
    }
}

#[test]
fn one_view_is_the_photo_itself() {
    let Some(model) = mini() else { return };
    let classes = classes(&model, &["cat", "dog", "church"]);
    for method in BOTH {
        let answer = classify(&model, &classes, &photos()[1].1, &how(method, 1));
        let tuning = answer.tuning.unwrap();
        assert_eq!((tuning.views, tuning.kept), (1, 1));
        assert_eq!(tuning.kept_views[0].index, 0);
        assert_eq!(tuning.kept_views[0].kind, "plain");
        assert!((tuning.entropy_before - tuning.kept_views[0].entropy).abs() < 1e-9);
        assert!(tuning.entropy_after < tuning.entropy_before);
    }
}

#[test]
fn a_blank_photo_is_like_one_view_of_it() {
    let Some(model) = mini() else { return };
    let classes = classes(&model, &["cat", "dog", "church"]);
    let many = classify(&model, &classes, &blank(), &how(Method::Tpt, 16));
    let one = classify(&model, &classes, &blank(), &how(Method::Tpt, 1));
    let tuning = many.tuning.as_ref().unwrap();
    assert!(!tuning.guarded && tuning.kept == 4);
    // Every crop of it is the same picture.
    let first = tuning.kept_views[0].entropy;
    assert!(
        tuning
            .kept_views
            .iter()
            .all(|v| (v.entropy - first).abs() < 1e-5)
    );
    assert!(tuning.entropy_after < tuning.entropy_before);
    for (a, b) in many.predictions.iter().zip(&one.predictions) {
        assert_eq!(a.label, b.label);
        assert!((a.probability - b.probability).abs() < 1e-3);
    }
    let strong = classify(&model, &classes, &blank(), &how(Method::DiffTptLite, 16));
    assert!(!strong.tuning.unwrap().guarded);
    assert!(strong.predictions.iter().all(|p| p.probability.is_finite()));
}

#[test]
fn identical_views_tune_as_one_of_them() {
    let Some(model) = mini() else { return };
    let classes = classes(&model, &["cat", "dog", "church"]);
    let feature = block_on(model.embed_image(&photos()[2].1)).unwrap();
    let steer = |n: usize, method| {
        let features = feature.repeat(n);
        let tuning = tuning(method, &of_views(n)).unwrap();
        block_on(classes.tune_features(&model, &features, None, tuning.config(), &())).unwrap()
    };
    for method in BOTH {
        let (one, many) = (steer(1, method), steer(64, method));
        // Ties keep the order of the views, and the plain one comes first.
        let expected = if method == Method::Tpt { 6 } else { 15 };
        assert_eq!(many.selected, (0..expected).collect::<Vec<_>>());
        assert!(many.entropies.iter().all(|e| *e == many.entropies[0]));
        for (a, b) in one.losses.iter().zip(&many.losses) {
            assert!((a - b).abs() < 1e-6);
        }
        for (a, b) in one.logits_after.iter().zip(&many.logits_after) {
            assert!((a - b).abs() < 1e-3);
        }
    }
}

#[test]
fn filters_keep_the_published_numbers_of_views() {
    let Some(model) = mini() else { return };
    let classes = classes(&model, &["cat", "dog", "church", "ship"]);
    let photo = &photos()[3].1;
    for (method, kept) in [(Method::Tpt, 6), (Method::DiffTptLite, 15)] {
        let tuning = classify(&model, &classes, photo, &how(method, 64))
            .tuning
            .unwrap();
        assert_eq!(
            (tuning.views, tuning.kept, tuning.kept_views.len()),
            (64, kept, kept)
        );
    }
}

/// L2-normalized features of the 64 views of DiffTPT-lite for every reference photo.
fn views(model: &Model, photos: &[(String, Vec<u8>)]) -> Vec<Vec<f32>> {
    let of = |(_, bytes): &(String, Vec<u8>)| {
        let image = decode(bytes, &Limits::default()).unwrap();
        let plan = ViewPlan::difftpt_lite(64, &[]);
        let views = make_views(&image, &model.preprocess, &plan, 1).unwrap();
        let pixels: Vec<f32> = views.into_iter().flat_map(|v| v.chw).collect();
        block_on(model.embed_pixels(&pixels)).unwrap()
    };
    photos.iter().map(of).collect()
}

#[test]
fn a_view_of_something_else_is_dropped_and_the_photo_itself_passes() {
    let Some(model) = mini() else { return };
    let photos = photos();
    let mut labels: Vec<&String> = photos.iter().map(|(name, _)| name).collect();
    labels.sort();
    labels.dedup();
    let classes = classes(&model, &labels);
    let features = views(&model, &photos);
    let d = model.clip.config.projection_dim;
    let one_step = Overrides {
        steps: Some(1),
        ..of_views(64)
    };
    let tuning = tuning(Method::DiffTptLite, &one_step).unwrap();
    let (mut cases, mut steered, mut passed) = (0, 0, 0);
    for (i, own) in features.iter().enumerate() {
        for (j, other) in features.iter().enumerate() {
            if photos[i].0 == photos[j].0 {
                continue;
            }
            // One of the strong views is the plain view of another class.
            let planted = 40;
            let mut all = own.clone();
            all[planted * d..(planted + 1) * d].copy_from_slice(&other[..d]);
            let tuned =
                block_on(classes.tune_features(&model, &all, None, tuning.config(), &())).unwrap();
            assert_eq!((tuned.passed.len(), tuned.selected.len()), (51, 15));
            assert_eq!(
                tuned.passed[0], 0,
                "the photo itself passes the cosine filter"
            );
            cases += 1;
            steered += usize::from(tuned.selected.contains(&planted));
            passed += usize::from(tuned.passed.contains(&planted));
        }
    }
    println!("{cases} cases: {passed} pass the cosine filter, {steered} steer the prompt");
    assert!(cases >= 100);
    assert!(
        20 * steered <= cases,
        "{steered} of {cases} steer the prompt"
    );
}

/// Ends the work when `stage` has come to `done`, and writes down what it was told after that.
struct Stop {
    stage: &'static str,
    done: usize,
    told: RefCell<Vec<(&'static str, usize)>>,
}

impl Progress for Stop {
    fn step(&self, stage: &'static str, done: usize, _: usize) -> LocalBoxFuture<'_, ()> {
        self.told.borrow_mut().push((stage, done));
        let stop = stage == self.stage && done >= self.done;
        let outcome = if stop {
            Err(Error::new(Kind::Cancelled, "Cancelled."))
        } else {
            Ok(())
        };
        Box::pin(std::future::ready(outcome))
    }
}

#[test]
fn work_that_is_cancelled_half_way_leaves_nothing_behind() {
    let Some(model) = mini() else { return };
    let classes = classes(&model, &["cat", "dog", "church"]);
    let photo = &photos()[4].1;
    let three_steps = Overrides {
        steps: Some(3),
        ..of_views(64)
    };
    let options = only(tuning(Method::Tpt, &three_steps).unwrap());
    let whole = classify(&model, &classes, photo, &options);
    for (stage, done) in [("views", 1), ("tune", 0), ("tune", 1), ("tune", 3)] {
        let stop = Stop {
            stage,
            done,
            told: RefCell::default(),
        };
        let error = block_on(classes.classify(&model, photo, &options, &stop)).unwrap_err();
        assert_eq!(error.code(), "engine/cancelled");
        let told = stop.told.borrow();
        let (last, at) = told[told.len() - 1];
        assert!(last == stage && at >= done, "it went on to {last} {at}");
        let chunks = told.iter().filter(|(stage, _)| *stage == "views").count();
        assert!(chunks >= 2, "views come in more than one piece");
        assert_eq!(
            said(&classify(&model, &classes, photo, &options)),
            said(&whole)
        );
    }
}

#[test]
fn values_that_are_not_finite_leave_the_untuned_answer() {
    let Some(model) = tiny() else { return };
    let classes = classes(&model, &["cat", "dog", "church"]);
    let feature = block_on(model.embed_image(&photos()[0].1)).unwrap();
    let prompt = classes.tunable().unwrap();
    let mut side = block_on(prompt.open(&model.text_encoder())).unwrap();
    let text = Text {
        side: &mut side,
        classes: classes.labels.len(),
        logit_scale: model.clip.logit_scale,
    };
    let config = Config {
        lr: f32::INFINITY,
        ..Config::tpt(1)
    };
    let tuned = block_on(tune(text, prompt.start(), &feature, &config, &())).unwrap();
    assert!(tuned.guarded);
    assert_eq!(tuned.logits_after, tuned.logits_before);
    assert!(tuned.logits_after.iter().all(|v| v.is_finite()));
    assert!(tuned.text_features.iter().all(|v| v.is_finite()));
}

#[test]
fn given_features_and_contexts_are_checked() {
    let Some(model) = tiny() else { return };
    let classes = classes(&model, &["cat", "dog"]);
    let d = model.clip.config.projection_dim;
    let (feature, w) = (vec![0.5f32; d], model.clip.text.config.width);
    let run = |features: &[f32], context: Option<&[f32]>| {
        let tuning = tuning(Method::Tpt, &of_views((features.len() / d).max(1)))?;
        block_on(classes.tune_features(&model, features, context, tuning.config(), &()))
    };
    let code = |features: &[f32], context: Option<&[f32]>| {
        run(features, context).map_or_else(|error| error.code(), |_| "answered")
    };
    assert_eq!(code(&feature, None), "answered");
    assert_eq!(code(&[], None), "options/invalid");
    assert_eq!(code(&feature[1..], None), "options/invalid");
    assert_eq!(code(&vec![f32::NAN; d], None), "options/invalid");
    assert_eq!(code(&vec![1.0; d * 1025], None), "options/invalid");
    assert_eq!(code(&feature, Some(&[])), "options/invalid");
    assert_eq!(code(&feature, Some(&vec![0.1; w + 1])), "options/invalid");
    assert_eq!(
        code(&feature, Some(&vec![f32::INFINITY; w])),
        "options/invalid"
    );
    assert_eq!(code(&feature, Some(&vec![0.1; w * 76])), "prompt/invalid");
    // A context of another length than the template's stands in front of the names all the same.
    let seven: Vec<f32> = (0..7 * w).map(|i| (i as f32).sin() * 0.02).collect();
    let tuned = run(&feature, Some(&seven)).unwrap();
    assert_eq!(tuned.contexts[0], seven);
    assert_eq!(tuned.contexts[1].len(), 7 * w);
    // The length of a feature means nothing.
    let long: Vec<f32> = feature.iter().map(|v| v * 9.0).collect();
    assert_eq!(
        run(&long, None).unwrap().logits_after,
        run(&feature, None).unwrap().logits_after
    );
}

#[test]
fn prompts_at_their_full_length_are_tuned_alike() {
    let Some(model) = mini() else { return };
    // More than one tape holds at full length.
    let labels: Vec<String> = (0..60).map(|i| format!("thing number {i}")).collect();
    let classes = classes(&model, &labels);
    let features: Vec<f32> = photos()[..4]
        .iter()
        .flat_map(|(_, bytes)| block_on(model.embed_image(bytes)).unwrap())
        .collect();
    let tower = &model.clip.text;
    let prompt = classes.tunable().unwrap();
    let run = |side: &mut dyn TextSide| {
        let config = Config {
            rho: 0.5,
            ..Config::tpt(4)
        };
        let text = Text {
            side,
            classes: labels.len(),
            logit_scale: model.clip.logit_scale,
        };
        block_on(tune(text, prompt.start(), &features, &config, &())).unwrap()
    };
    let mut shared = block_on(prompt.open(&model.text_encoder())).unwrap();
    let suffixes = prompt.tokens().unwrap().suffixes();
    let mut each = FullLength::new(tower, model.tokenizer.sot(), suffixes);
    let (ours, full) = (run(&mut shared), run(&mut each));
    assert_eq!(each.token_rows(), 60 * 77);
    assert!(
        8 * shared.token_rows() <= each.token_rows(),
        "{}",
        shared.token_rows()
    );
    assert_eq!(ours.selected, full.selected);
    for (a, b) in ours.losses.iter().zip(&full.losses) {
        assert!((a - b).abs() < 1e-5, "{a} {b}");
    }
    assert!(crate::common::cosine(&ours.gradients[0], &full.gradients[0]) > 0.999_99);
    for (a, b) in ours.logits_after.iter().zip(&full.logits_after) {
        assert!((a - b).abs() < 1e-2, "{a} {b}");
    }
}
