//! "None of these" through the whole engine: scores on real features, negative labels, thresholds.

use std::cell::Cell;
use std::sync::Arc;

use pollster::block_on;
use promptlens::classifier::{
    ClassSet, ClassifyOptions, Detector, OodOptions, Seen, Verdict, calibrate,
};
use promptlens::device::Choice;
use promptlens::error::{Error, Kind, Result};
use promptlens::math::MatrixView;
use promptlens::model::Model;
use promptlens::ood::lapt::{Samples, cross_entropy};
use promptlens::ood::negatives::{ExcludedBecause, MiningOptions, PartOfSpeech, Vocabulary};
use promptlens::ood::threshold::{Calibration, ordered_list_sha256};
use promptlens::progress::{LocalBoxFuture, Progress};
use promptlens::prompt::layout::PromptLayout;
use promptlens::prompt::template::DEFAULT;
use promptlens::quant::Quantization;
use promptlens::tpt::{Overrides, Tuning};

use crate::common::{cosine, relative_error, shared};
use crate::fixtures::Fixture;

fn mini(choice: Choice) -> Option<Model> {
    let dir = shared("models/mini-0")?;
    Some(block_on(Model::open(&dir, choice, Some(Quantization::None))).expect("mini-0 loads"))
}

fn names(list: &[&str]) -> Vec<String> {
    list.iter().map(ToString::to_string).collect()
}

fn classes(model: &Model, labels: &[String]) -> ClassSet {
    block_on(ClassSet::new(model, labels, DEFAULT)).expect("classes")
}

fn fixture_labels() -> Vec<String> {
    Fixture::open("mini/expected.safetensors")
        .unwrap()
        .names("labels")
}

/// The twelve photos in the order of the stored tensors, then the same as JPEG.
fn photos() -> Vec<Vec<u8>> {
    let mut photos = Vec::new();
    for folder in ["fixtures/mini", "fixtures/mini/jpeg"] {
        let mut paths: Vec<_> = std::fs::read_dir(shared(folder).unwrap())
            .unwrap()
            .map(|entry| entry.unwrap().path())
            .filter(|p| p.extension().is_some_and(|e| e == "png" || e == "jpg"))
            .collect();
        paths.sort();
        photos.extend(paths.iter().map(|p| std::fs::read(p).unwrap()));
    }
    assert_eq!(photos.len(), 24);
    photos
}

/// TPT over so many views.
fn tpt(views: usize) -> Tuning {
    let overrides = Overrides {
        views: Some(views),
        ..Overrides::default()
    };
    Tuning::tpt(&overrides).unwrap()
}

fn scored(score: &str) -> ClassifyOptions {
    ClassifyOptions {
        ood: Some(OodOptions::named(score)),
        ..ClassifyOptions::default()
    }
}

fn ask(model: &Model, classes: &ClassSet, photo: &[u8], options: &ClassifyOptions) -> Verdict {
    block_on(classes.classify(model, photo, options, &()))
        .expect("an answer")
        .ood
        .expect("a score")
}

fn check_gl_mcm(choice: Choice) {
    let Some(model) = mini(choice) else { return };
    let expected = Fixture::open("mini/expected.safetensors").unwrap();
    let stored = Fixture::open("mini/gl_mcm.safetensors").unwrap();
    let pixels = &expected["pixel_values"].values;
    let (images, patches) = block_on(model.embed_patches(pixels)).unwrap();
    let error = relative_error(&patches, &stored["patch_features"].values);
    assert!(error <= 1e-4, "patch features: {error:.2e}");

    let classes = classes(&model, &fixture_labels());
    let d = model.clip.config.projection_dim;
    for (name, tensor) in [("gl-mcm", "gl_mcm"), ("mcm", "mcm_tau1")] {
        let options = scored(name);
        let ready = Detector::new(&model, &classes, None, options.ood.as_ref().unwrap(), &());
        let ready = block_on(ready).unwrap();
        let per_image = patches.len() / 12;
        for (i, expected) in stored[tensor].values.iter().enumerate() {
            let found = ready
                .judge(Seen {
                    feature: &images[i * d..(i + 1) * d],
                    patches: &patches[i * per_image..(i + 1) * per_image],
                    texts: &classes.features,
                })
                .unwrap();
            let error = (found.value - f64::from(*expected)).abs();
            assert!(error <= 1e-4, "{name} of photo {i}: {error:.2e}");
        }
    }
}

#[test]
fn gl_mcm_matches_pytorch_on_cpu() {
    check_gl_mcm(Choice::Cpu);
}

#[test]
fn gl_mcm_matches_pytorch_on_gpu() {
    check_gl_mcm(Choice::WebGpu);
}

/// Features [K, d] of length one, and how a gradient with respect to them reaches the features
/// before normalization: (g - t (t . g)) / |r|.
fn unit(raw: &[f32], d: usize) -> (Vec<f32>, impl Fn(&[f64]) -> Vec<f32>) {
    let lengths: Vec<f64> = raw
        .chunks(d)
        .map(|r| r.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt())
        .collect();
    let rows = raw.chunks(d).zip(&lengths);
    let units: Vec<f32> = rows
        .flat_map(|(r, l)| r.iter().map(move |v| (f64::from(*v) / l) as f32))
        .collect();
    let texts = units.clone();
    let back = move |gradient: &[f64]| {
        let rows = gradient.chunks(d).zip(texts.chunks(d)).zip(&lengths);
        rows.flat_map(|((g, t), l)| {
            let along: f64 = g.iter().zip(t).map(|(g, t)| g * f64::from(*t)).sum();
            g.iter()
                .zip(t)
                .map(move |(g, t)| ((g - along * f64::from(*t)) / l) as f32)
        })
        .collect()
    };
    (units, back)
}

#[test]
fn both_lapt_contexts_get_their_gradient() {
    let Some(model) = mini(Choice::Cpu) else {
        return;
    };
    let stored = Fixture::open("lapt/contexts_mini.safetensors").unwrap();
    let d = model.clip.config.projection_dim;
    let (encoder, layout) = (model.text_encoder(), PromptLayout::end(4));
    let mut id_side = encoder
        .contexts(&stored.names("id_names"), &layout)
        .unwrap();
    let mut neg_side = encoder
        .contexts(&stored.names("negative_names"), &layout)
        .unwrap();
    let id_raw = block_on(id_side.forward(&stored["v_id"].values)).unwrap();
    let neg_raw = block_on(neg_side.forward(&stored["v_neg"].values)).unwrap();
    let (mut texts, id_back) = unit(&id_raw, d);
    let (neg_texts, neg_back) = unit(&neg_raw, d);
    let split = texts.len();
    texts.extend(neg_texts);
    let error = relative_error(&texts, &stored["text"].values);
    assert!(error <= 1e-4, "text features: {error:.2e}");

    let labels = stored.places("labels");
    let loss = cross_entropy(
        Samples {
            features: MatrixView::new(&stored["image_features"].values, d).unwrap(),
            labels: &labels,
        },
        MatrixView::new(&texts, d).unwrap(),
        f64::from(model.clip.logit_scale),
    )
    .unwrap();
    let expected = f64::from(stored["loss"].values[0]);
    assert!((loss.value - expected).abs() <= 1e-4, "{}", loss.value);
    let v_id = block_on(id_side.backward(&id_back(&loss.text_gradient[..split]))).unwrap();
    let v_neg = block_on(neg_side.backward(&neg_back(&loss.text_gradient[split..]))).unwrap();
    for (name, found) in [("grad_v_id", v_id), ("grad_v_neg", v_neg)] {
        let alike = cosine(&found, &stored[name].values);
        assert!(alike >= 0.9999, "{name}: cosine {alike}");
        let error = relative_error(&found, &stored[name].values);
        assert!(error <= 1e-3, "{name}: error {error:.2e}");
    }
}

#[test]
fn every_answer_carries_a_score_unless_switched_off() {
    let Some(model) = mini(Choice::Cpu) else {
        return;
    };
    let classes = classes(&model, &fixture_labels());
    let stored = Fixture::open("mini/gl_mcm.safetensors").unwrap();
    for (photo, expected) in photos().iter().zip(&stored["mcm_tau1"].values) {
        let ood = ask(&model, &classes, photo, &ClassifyOptions::default());
        assert_eq!(ood.score, "mcm");
        let relative = ood.value / f64::from(*expected) - 1.0;
        assert!(relative.abs() <= 1e-5, "{relative:.2e}");
        assert_eq!((ood.threshold, ood.is_outlier), (None, None));
        assert!(ood.nearest_negatives.is_empty());
    }
    assert!(classes.negatives().is_none(), "nothing was mined for mcm");
    let off = ClassifyOptions {
        ood: None,
        ..ClassifyOptions::default()
    };
    let answer = block_on(classes.classify(&model, &photos()[0], &off, &())).unwrap();
    assert!(answer.ood.is_none());
}

/// MCM at the model's own temperature is the highest probability, of whatever prompt answered.
#[test]
fn scores_are_those_of_the_prompt_that_answered() {
    let Some(model) = mini(Choice::Cpu) else {
        return;
    };
    let classes = classes(&model, &fixture_labels());
    let photo = &photos()[9];
    let mut values = Vec::new();
    for tuning in [None, Some(tpt(8))] {
        let options = ClassifyOptions {
            tuning,
            ood: Some(OodOptions {
                tau: Some(1.0 / f64::from(model.clip.logit_scale)),
                ..OodOptions::default()
            }),
            ..ClassifyOptions::default()
        };
        let answer = block_on(classes.classify(&model, photo, &options, &())).unwrap();
        let value = answer.ood.unwrap().value;
        let top = answer.predictions[0].probability;
        assert!(
            (value - top).abs() <= 1e-5,
            "{:?}: {value} {top}",
            options.tuning
        );
        values.push(value);
        for score in ["gl-mcm", "neglabel"] {
            let options = ClassifyOptions {
                ood: Some(OodOptions::named(score)),
                ..options.clone()
            };
            values.push(ask(&model, &classes, photo, &options).value);
        }
    }
    let (untuned, tuned) = values.split_at(3);
    for (a, b) in untuned.iter().zip(tuned) {
        assert_ne!(
            a, b,
            "tuning changes the class texts and with them the score"
        );
    }
}

#[test]
fn mined_negatives_work_end_to_end() {
    let Some(model) = mini(Choice::Cpu) else {
        return;
    };
    let labels = fixture_labels();
    let classes = classes(&model, &labels);
    let options = scored("neglabel");
    let photo = &photos()[4];
    let first = ask(&model, &classes, photo, &options);
    assert!(first.value > 0.0 && first.value < 1.0, "{}", first.value);
    let negatives = classes.negatives().expect("mined").clone();
    assert!(negatives.labels.len() > 500, "{}", negatives.labels.len());
    assert_eq!(
        negatives.features.len(),
        negatives.labels.len() * model.clip.config.projection_dim
    );
    assert_eq!(first.nearest_negatives.len(), 3);
    for hint in &first.nearest_negatives {
        assert!(negatives.labels.contains(hint));
    }
    for label in &labels {
        assert!(!negatives.labels.contains(label), "{label} is a class");
    }
    assert_eq!(first, ask(&model, &classes, photo, &options));
    // The candidates are encoded once; another list of classes gets other negatives.
    let other = block_on(ClassSet::new(&model, &names(&["teapot"]), DEFAULT)).unwrap();
    assert_ne!(ask(&model, &other, photo, &options).value, first.value);
    assert_ne!(other.negatives().unwrap().labels, negatives.labels);

    let mining = MiningOptions {
        struck: &negatives.labels[..2],
        added: &names(&["flux capacitor"]),
        ..MiningOptions::default()
    };
    let edited = block_on(classes.mine_negatives(&model, &mining, &())).unwrap();
    assert_eq!(edited.labels.last().unwrap(), "flux capacitor");
    assert!(!edited.labels.contains(&negatives.labels[0]));
    assert_ne!(edited.labels, negatives.labels);
    let edited = classes.clone().with_negatives(edited);
    assert_ne!(ask(&model, &edited, photo, &options).value, first.value);

    let lapt = block_on(classes.classify(&model, photo, &scored("lapt"), &()));
    assert_eq!(lapt.unwrap_err().kind(), Kind::OptionInvalid);
}

/// NegLabel's authors leave out the adjectives most like the classes if the groups do not divide the
/// negative labels, before these are shuffled.
#[test]
fn what_groups_leave_out_are_the_adjectives_most_like_the_classes() {
    let Some(model) = mini(Choice::Cpu) else {
        return;
    };
    let set = classes(&model, &fixture_labels());
    let mining = MiningOptions {
        added: &names(&["flux capacitor"]),
        ..MiningOptions::default()
    };
    let negatives = block_on(set.mine_negatives(&model, &mining, &())).unwrap();
    let n = negatives.labels.len();
    let vocabulary = Vocabulary::bundled().unwrap();
    let adjectives: Vec<usize> = (0..n)
        .filter(|place| {
            let mut known = vocabulary.candidates().iter();
            known.any(|c| c.word == negatives.labels[*place] && c.part == PartOfSpeech::Adjective)
        })
        .collect();
    // The fewest groups that leave some out, but not all adjectives.
    let left_out = |groups: usize| n % groups;
    let groups = (2..n)
        .find(|g| (3..adjectives.len()).contains(&left_out(*g)))
        .unwrap();
    let (dealt, sha256) = negatives.dealt(groups);
    let missing: Vec<usize> = (0..n).filter(|place| !dealt.contains(place)).collect();
    let most_alike = &adjectives[adjectives.len() - left_out(groups)..];
    assert_eq!(missing, most_alike);

    // The score is that of a list without them, and a threshold knows which list it was fitted with.
    let set = set.with_negatives(negatives.clone());
    let rest: Vec<String> = dealt.iter().map(|i| negatives.labels[*i].clone()).collect();
    let options = |groups| {
        let mut options = scored("neglabel");
        options.ood.as_mut().unwrap().groups = Some(groups);
        options
    };
    let key = |groups| {
        let ood = options(groups).ood.unwrap();
        let detector = block_on(Detector::new(&model, &set, None, &ood, &())).unwrap();
        detector.key().negatives_sha256.clone().unwrap()
    };
    assert_eq!(key(groups), sha256);
    assert_eq!(sha256, ordered_list_sha256(&rest));
    assert_eq!(key(1), ordered_list_sha256(&negatives.labels));
    assert_ne!(key(groups), key(1));
}

#[test]
fn given_negatives_drop_what_cannot_be_one() {
    let Some(model) = mini(Choice::Cpu) else {
        return;
    };
    let classes = classes(&model, &names(&["cat", "dog"]));
    let given = names(&["teapot", "Dogs", "pizza", "teapot", "cat", "  ", "zebra"]);
    let kept = block_on(classes.given_negatives(&model, &given, &())).unwrap();
    assert_eq!(kept.labels, ["teapot", "pizza", "zebra"]);
    let why = |word: &str| {
        &kept
            .excluded
            .iter()
            .find(|e| e.word == word)
            .unwrap()
            .because
    };
    assert_eq!(*why("teapot"), ExcludedBecause::Duplicate);
    assert!(matches!(why("Dogs"), ExcludedBecause::SameName { class } if class == "dog"));
    assert!(matches!(why("cat"), ExcludedBecause::SameName { class } if class == "cat"));
    assert_eq!(*why("  "), ExcludedBecause::Empty);
    let once =
        block_on(classes.given_negatives(&model, &names(&["teapot", "pizza", "zebra"]), &()));
    assert_eq!(once.unwrap().features, kept.features);

    let none = block_on(classes.given_negatives(&model, &names(&["cat", "dog"]), &()));
    assert_eq!(none.unwrap_err().kind(), Kind::NegativesEmpty);
    let many = block_on(classes.given_negatives(&model, &vec!["a".to_owned(); 50_001], &()));
    assert_eq!(many.unwrap_err().kind(), Kind::NegativesInvalid);
    model.set_vocabulary(Vocabulary::default());
    let empty = block_on(classes.classify(&model, &photos()[0], &scored("neglabel"), &()));
    assert_eq!(empty.unwrap_err().kind(), Kind::NegativesEmpty);
    let mut words = Vocabulary::default();
    words
        .extend(b"teapot\npizza\n", PartOfSpeech::Noun)
        .unwrap();
    model.set_vocabulary(words);
    ask(&model, &classes, &photos()[0], &scored("neglabel"));
    assert_eq!(classes.negatives().unwrap().labels.len(), 1);
}

#[test]
fn one_class_and_two_thousand() {
    let Some(model) = mini(Choice::Cpu) else {
        return;
    };
    let photo = &photos()[0];
    let single = classes(&model, &names(&["chain saw"]));
    assert_eq!(ask(&model, &single, photo, &scored("mcm")).value, 1.0);
    assert_eq!(ask(&model, &single, photo, &scored("gl-mcm")).value, 1.5);
    let alone = ask(&model, &single, photo, &scored("neglabel")).value;
    assert!(alone > 0.0 && alone < 1.0);

    let words = Vocabulary::bundled().unwrap();
    let labels: Vec<String> = words
        .candidates()
        .iter()
        .take(2000)
        .map(|c| c.word.clone())
        .collect();
    let many = classes(&model, &labels);
    for score in ["mcm", "gl-mcm", "neglabel"] {
        let ood = ask(&model, &many, photo, &scored(score));
        assert!(ood.value.is_finite() && ood.value > 0.0, "{score}");
    }
    let negatives = many.negatives().unwrap();
    assert!(labels.iter().all(|l| !negatives.labels.contains(l)));
}

fn with(calibration: &Calibration, options: &ClassifyOptions) -> ClassifyOptions {
    let mut options = options.clone();
    options.ood.as_mut().unwrap().calibration = Some(Arc::new(calibration.clone()));
    options
}

#[test]
fn a_threshold_holds_for_its_use_only() {
    let Some(model) = mini(Choice::Cpu) else {
        return;
    };
    let set = classes(&model, &fixture_labels());
    let mut images = photos();
    images.insert(3, b"GIF89a not an image".to_vec());
    let options = scored("neglabel");
    let fitted = block_on(calibrate(&model, &set, &images, &options, &())).unwrap();
    assert_eq!((fitted.calibration.n, fitted.calibration.m), (24, 1));
    assert_eq!(fitted.failures.len(), 1);
    assert_eq!(fitted.failures[0].0, 3);
    assert!(fitted.failures[0].1.code().starts_with("image/"));
    let lowest = fitted.scores.iter().copied().fold(f64::INFINITY, f64::min);
    assert_eq!(fitted.calibration.threshold, lowest);

    // After the file's detour through decimal text the lowest image is still accepted.
    let file = fitted.calibration.to_json().unwrap();
    let calibration = Calibration::from_json(file.as_bytes()).unwrap();
    let calibrated = with(&calibration, &options);
    let at = fitted.scores.iter().position(|s| *s == lowest).unwrap();
    // The scores pass over the broken image.
    let accepted = ask(
        &model,
        &set,
        &images[at + usize::from(at >= 3)],
        &calibrated,
    );
    assert_eq!(accepted.value, lowest);
    assert!((accepted.threshold.unwrap() - lowest).abs() <= 1e-12);
    assert_eq!(accepted.is_outlier, Some(false));
    let mut strict = calibration.clone();
    strict.threshold = 1.0;
    let rejected = ask(&model, &set, &images[0], &with(&strict, &options));
    assert_eq!(rejected.is_outlier, Some(true));

    let refused = |classes: &ClassSet, options: &ClassifyOptions| {
        let error = block_on(classes.classify(&model, &images[0], options, &())).unwrap_err();
        assert_eq!(error.kind(), Kind::CalibrationMismatch);
        error.message().to_owned()
    };
    let other = classes(&model, &names(&["cat", "dog"]));
    assert!(refused(&other, &calibrated).contains("class names"));
    let prompt = block_on(ClassSet::new(&model, &set.labels, &["a drawing of a {}."])).unwrap();
    let prompt = prompt.with_negatives(set.negatives().unwrap().clone());
    assert!(refused(&prompt, &calibrated).contains("the prompt"));
    let given = block_on(set.given_negatives(&model, &names(&["teapot"]), &())).unwrap();
    let given = set.clone().with_negatives(given);
    assert!(refused(&given, &calibrated).contains("negative labels"));
    let tuned = ClassifyOptions {
        tuning: Some(tpt(4)),
        ..calibrated.clone()
    };
    assert!(refused(&set, &tuned).contains("tuning"));
    let mut groups = calibrated.clone();
    groups.ood.as_mut().unwrap().groups = Some(5);
    assert!(refused(&set, &groups).contains("parameters"));
    assert!(refused(&set, &with(&calibration, &scored("mcm"))).contains("score"));

    let few = block_on(calibrate(&model, &set, &images[..12], &options, &()));
    assert_eq!(few.unwrap_err().kind(), Kind::CalibrationTooFew);
}

/// Ends the work at the given step.
struct Impatient {
    left: Cell<usize>,
}

impl Progress for Impatient {
    fn step(&self, _: &'static str, _: usize, _: usize) -> LocalBoxFuture<'_, ()> {
        let left = self.left.get();
        self.left.set(left.saturating_sub(1));
        let outcome: Result<()> = if left == 0 {
            Err(Error::new(Kind::Cancelled, "Enough."))
        } else {
            Ok(())
        };
        Box::pin(std::future::ready(outcome))
    }
}

#[test]
fn mining_can_be_cancelled_and_repeated() {
    let Some(model) = mini(Choice::Cpu) else {
        return;
    };
    let classes = classes(&model, &names(&["cat", "dog"]));
    let options = scored("neglabel");
    let photo = &photos()[0];
    for steps in [0, 5, 30] {
        let progress = Impatient {
            left: Cell::new(steps),
        };
        let error = block_on(classes.classify(&model, photo, &options, &progress)).unwrap_err();
        assert_eq!(error.kind(), Kind::Cancelled);
        assert!(classes.negatives().is_none());
    }
    ask(&model, &classes, photo, &options);
}
