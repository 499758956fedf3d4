//! Every loss and every parametrization against finite differences.

use promptlens::error::{Error, Kind, Result};
use promptlens::math::perceptron::Perceptron;
use promptlens::math::{MatrixView, UnitRows, dot};
use promptlens::ood::lapt::{self, Mix, Samples};
use promptlens::prompt::heads::conditional::Conditional;
use promptlens::prompt::heads::mixture::Gate;
use promptlens::prompt::layout::PromptLayout;
use promptlens::prompt::model::PromptModel;
use promptlens::prompt_learning::examples::Batch;
use promptlens::prompt_learning::losses::{
    Absolute, Anchor, CrossDistribution, CrossEntropy, CrossModal, Distil, Diversity, Gradient,
    HardTexts, Loss, LossInput, Mixer, total,
};
use promptlens::prompt_learning::lstm::Lstm;
use promptlens::prompt_learning::method::Method;
use promptlens::prompt_learning::parametrizations::{
    Direct, Encoder, Mixture, Parametrization, Reparametrized,
};
use promptlens::prompt_learning::schedule::Schedule;
use promptlens::prompt_learning::text::{ProGradRule, TextLearner, cross_entropy, remove_conflict};
use promptlens::prompt_learning::trainer::{Learner, Observer, Settings, fit};
use promptlens::prompt_learning::values::Auto;
use promptlens::rng::Rng;

use super::toy::{D, SCALE, Toy, W, images, names};

const K: usize = 4;

fn rows(count: usize, seed: u64) -> Vec<f64> {
    let mut rng = Rng::new(seed);
    let raw: Vec<f64> = (0..count * D).map(|_| rng.normal()).collect();
    UnitRows::new(&raw, D).values
}

fn batch() -> Batch {
    Batch {
        places: Vec::new(),
        images: rows(5, 1),
        local_features: Vec::new(),
        labels: vec![0, 1, 3, 3, 2],
        dim: D,
    }
}

fn weights(sets: usize) -> Vec<f64> {
    let mut rng = Rng::new(2);
    (0..5)
        .flat_map(|_| rng.dirichlet(&vec![1.0; sets]))
        .collect()
}

/// The gradients of `loss_part` on the texts and on the weights agree with central differences.
fn check(what: &str, mut loss: impl Loss, sets: usize) -> f64 {
    let batch = batch();
    let (texts, shares) = (rows(sets * K, 3), weights(sets));
    let mut at = |texts: &[f64], shares: &[f64]| {
        let input = LossInput::new(texts, K, &batch, 12.0, Some(shares.to_vec())).unwrap();
        total(&input, &mut loss).unwrap()
    };
    let found = at(&texts, &shares);
    let h = 1e-6;
    let near = |slope: f64, gradient: f64, at: String| {
        let error = (slope - gradient).abs();
        assert!(
            error <= 1e-6 + 1e-5 * gradient.abs(),
            "{what} {at}: {slope} {gradient}"
        );
    };
    for i in (0..texts.len()).step_by(7) {
        let mut moved = |h: f64| {
            let mut texts = texts.clone();
            texts[i] += h;
            at(&texts, &shares).value
        };
        near(
            (moved(h) - moved(-h)) / (2.0 * h),
            found.texts[i],
            format!("text {i}"),
        );
    }
    for i in 0..shares.len() {
        let mut moved = |h: f64| {
            let mut shares = shares.clone();
            shares[i] += h;
            at(&texts, &shares).value
        };
        near(
            (moved(h) - moved(-h)) / (2.0 * h),
            found.weights[i],
            format!("share {i}"),
        );
    }
    found.value
}

/// A loss that draws the same numbers every time.
struct Again<F>(F);

impl<T: Loss, F: Fn() -> T> Loss for Again<F> {
    fn add(&mut self, input: &LossInput<'_>, gradient: &mut Gradient) -> Result<f64> {
        (self.0)().add(input, gradient)
    }
}

#[test]
fn mixtures_have_the_gradient_of_their_value() {
    let modal = |strength| CrossModal {
        strength,
        texts: rows(7 * K, 21),
        mixer: mixer(4, false),
    };
    let distribution = |strength| CrossDistribution {
        strength,
        classes: 2,
        plain_instead: false,
        mixer: mixer(5, false),
    };
    let values = [
        check("cross-modal", Again(move || modal(1.0)), 1),
        check("cross-modal, doubled", Again(move || modal(2.0)), 1),
        check("cross-distribution", Again(move || distribution(1.0)), 1),
        check(
            "cross-distribution, doubled",
            Again(move || distribution(2.0)),
            1,
        ),
    ];
    assert!((values[1] - 2.0 * values[0]).abs() < 1e-9 && values[0] > 0.0);
    assert!((values[3] - 2.0 * values[2]).abs() < 1e-9 && values[2] > 0.0);

    // One kind alone has no partner.
    let mut own = CrossDistribution {
        strength: 1.0,
        classes: K,
        plain_instead: false,
        mixer: mixer(5, false),
    };
    let (batch, texts) = (batch(), rows(K, 3));
    let input = LossInput::new(&texts, K, &batch, 12.0, None).unwrap();
    let found = total(&input, &mut own).unwrap();
    assert_eq!(found.value, 0.0);
    assert!(found.texts.iter().all(|g| *g == 0.0));
    // The authors' code takes its images as they are.
    own.plain_instead = true;
    let (found, plain) = (
        total(&input, &mut own).unwrap(),
        total(&input, &mut CrossEntropy).unwrap(),
    );
    assert!((found.value - plain.value).abs() < 1e-12);
    let pairs = found.texts.iter().zip(&plain.texts);
    assert!(pairs.clone().all(|(a, b)| (a - b).abs() < 1e-12));

    // Other draws, other mixtures.
    let mut drawn = modal(1.0);
    let mut value = || total(&input, &mut drawn).unwrap().value;
    assert_ne!(value(), value());
}

fn mixer(seed: u64, one_share: bool) -> Mixer {
    Mixer {
        rng: Rng::new(seed),
        a: 1.0,
        one_share,
    }
}

/// LAPT's authors draw one share for a batch.
#[test]
fn one_share_mixes_every_pair_of_a_batch_alike() {
    let (batch, texts, hard) = (batch(), rows(K, 3), rows(7 * K, 21));
    let mut rng = Rng::new(4);
    let labels = batch.labels.iter();
    let with: Vec<usize> = labels.map(|y| rng.below(7) as usize * K + y).collect();
    let lambda = [rng.beta(1.0, 1.0); 5];
    let view = |v| MatrixView::new(v, D).unwrap();
    let samples = Samples {
        features: view(&batch.images),
        labels: &batch.labels,
    };
    let mix = Mix {
        with: &with,
        lambda: &lambda,
    };
    let expected = lapt::cross_modal(samples, view(&hard), mix, view(&texts), 12.0).unwrap();
    let input = LossInput::new(&texts, K, &batch, 12.0, None).unwrap();
    let value = |one_share| {
        let mut loss = CrossModal {
            strength: 1.0,
            texts: hard.clone(),
            mixer: mixer(4, one_share),
        };
        total(&input, &mut loss).unwrap().value
    };
    assert!((value(true) - expected.value).abs() < 1e-12);
    assert!((value(false) - expected.value).abs() > 1e-6);
}

#[test]
fn every_loss_has_the_gradient_of_its_value() {
    for sets in [1, 3] {
        check("cross-entropy", CrossEntropy, sets);
        let anchor = |strength| Anchor {
            strength,
            fixed: rows(K, 5),
        };
        check("anchor", anchor(8.0), sets);
        assert_eq!(check("no anchor", anchor(0.0), sets), 0.0);
        let absolute = Absolute {
            strength: 25.0,
            fixed: rows(K, 6),
        };
        check("absolute", absolute, sets);
        for temperature in [0.5, 1.0, 3.0] {
            let distil = Distil {
                strength: 1.5,
                fixed: rows(K, 7),
                temperature,
                per_class: sets == 3,
            };
            check("distil", distil, sets);
        }
        check("diversity", Diversity { strength: 2.0 }, sets);
        let hard = HardTexts {
            strength: 5.0,
            fixed: rows(sets * K, 9),
        };
        check("hard texts", hard, sets);
    }
}

#[test]
fn values_agree_with_plain_sums() {
    let texts = rows(2 * K, 3);
    let fixed = rows(K, 5);
    let row = |set: usize, k: usize| &texts[(set * K + k) * D..][..D];
    let mut pairs = 0.0;
    let mut apart = 0.0;
    for k in 0..K {
        pairs += dot(row(0, k), row(1, k)).powi(2) / K as f64;
        let mean: Vec<f64> = row(0, k)
            .iter()
            .zip(row(1, k))
            .map(|(a, b)| a + b)
            .collect();
        let t = &fixed[k * D..(k + 1) * D];
        apart += (1.0 - dot(&mean, t) / dot(&mean, &mean).sqrt()) / K as f64;
    }
    let value = |loss: &mut dyn Loss, texts: &[f64]| {
        let batch = batch();
        let input = LossInput::new(texts, K, &batch, 12.0, None).unwrap();
        total(&input, loss).unwrap().value
    };
    let found = value(&mut Diversity { strength: 1.0 }, &texts);
    assert!((found - pairs).abs() < 1e-12, "{found} {pairs}");
    let mut anchor = Anchor {
        strength: 8.0,
        fixed: fixed.clone(),
    };
    let found = value(&mut anchor, &texts);
    assert!((found - 8.0 * apart).abs() < 1e-12, "{found} {apart}");
    assert!(value(&mut anchor, &fixed).abs() < 1e-12);
    let mut absolute = Absolute {
        strength: 25.0,
        fixed: fixed.clone(),
    };
    assert_eq!(value(&mut absolute, &fixed), 0.0);
}

#[test]
fn distillation_measures_from_the_teacher() {
    // One image, two classes: the teacher is sure, the student is not.
    let batch = Batch {
        places: Vec::new(),
        images: vec![1.0, 0.0],
        local_features: Vec::new(),
        labels: vec![0],
        dim: 2,
    };
    let (student, teacher) = ([0.0, 1.0, 0.0, 1.0], [1.0, 0.0, 0.0, 1.0]);
    let input = LossInput::new(&student, 2, &batch, 2.0, None).unwrap();
    let mut distil = Distil {
        strength: 1.0,
        fixed: teacher.to_vec(),
        temperature: 1.0,
        per_class: true,
    };
    let p = 1.0 / (1.0 + (-2f64).exp());
    let expected = (p * (p / 0.5).ln() + (1.0 - p) * ((1.0 - p) / 0.5).ln()) / 2.0;
    let found = total(&input, &mut distil).unwrap().value;
    assert!((found - expected).abs() < 1e-12, "{found} {expected}");
}

/// The gradient of a parametrization through a text side, against central differences.
fn check_parametrization(
    what: &str,
    parametrization: impl Parametrization + Copy + 'static,
    rows: usize,
    start: &[f32],
) {
    let batch = batch();
    let mut learner = TextLearner {
        side: Toy.text_side(&names(K), &PromptLayout::end(rows)).unwrap(),
        parametrization: Box::new(parametrization),
        losses: cross_entropy(),
        prograd: None,
        scale: f64::from(SCALE),
        classes: K,
    };
    let mut at = |p: &[f32]| pollster::block_on(learner.step(p, &batch)).unwrap();
    let found = at(start).gradient;
    assert_eq!(found.len(), start.len(), "{what}");
    let top = found.iter().fold(0f32, |m, g| m.max(g.abs()));
    assert!(top > 0.0, "{what}: no gradient at all");
    for i in (0..start.len()).step_by((start.len() / 40).max(1)) {
        let mut moved = |h: f32| {
            let mut p = start.to_vec();
            p[i] += h;
            at(&p).loss
        };
        let slope = (moved(2e-3) - moved(-2e-3)) / 4e-3;
        let error = (slope - f64::from(found[i])).abs();
        assert!(
            error <= 5e-3 * f64::from(top),
            "{what} {i}: {slope} {}",
            found[i]
        );
    }
}

#[test]
fn every_parametrization_has_the_gradient_of_its_loss() {
    let mut rng = Rng::new(11);
    let mut noise =
        |count: usize| -> Vec<f32> { (0..count).map(|_| 0.3 * rng.normal() as f32).collect() };
    check_parametrization("direct", Direct, 2, &noise(2 * W));
    check_parametrization("several", Direct, 2, &noise(3 * 2 * W));
    let encoder = Perceptron {
        input: W,
        hidden: 5,
        output: W,
    };
    let lstm = Lstm {
        input: W,
        hidden: W / 2,
    };
    for encoder in [Encoder::Perceptron(encoder), Encoder::Lstm(lstm)] {
        let reparametrized = Reparametrized {
            context: 3 * W,
            encoder,
            strength: 0.7,
        };
        check_parametrization(
            "reparametrized",
            reparametrized,
            3,
            &noise(3 * W + encoder.count()),
        );
    }
    let network = Perceptron {
        input: D,
        hidden: 5,
        output: W,
    };
    let conditional = Conditional {
        context: 2 * W,
        network,
        strength: 0.7,
    };
    check_parametrization(
        "conditional",
        conditional,
        2,
        &noise(2 * W + network.count()),
    );
}

#[test]
fn a_gate_weighs_two_experts_and_has_a_gradient() {
    let gate = Gate { dim: D, experts: 3 };
    let mut rng = Rng::new(12);
    let parameters: Vec<f32> = (0..gate.count()).map(|_| rng.normal() as f32).collect();
    let batch = batch();
    for image in batch.rows() {
        let shares = gate.shares(&parameters, image);
        assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-12);
        assert_eq!(shares.iter().filter(|s| **s > 0.0).count(), 2);
    }
    let contexts = 3 * W;
    let mut start: Vec<f32> = (0..contexts).map(|_| 0.3 * rng.normal() as f32).collect();
    start.extend(&parameters);
    let mixture = || Mixture {
        contexts,
        gate,
        strength: 1.3,
        hard: rows(3 * K, 14),
    };
    let mut learner = TextLearner {
        side: Toy.text_side(&names(K), &PromptLayout::end(1)).unwrap(),
        parametrization: Box::new(mixture()),
        losses: cross_entropy(),
        prograd: None,
        scale: f64::from(SCALE),
        classes: K,
    };
    let mut at = |p: &[f32]| pollster::block_on(learner.step(p, &batch)).unwrap();
    let found = at(&start).gradient;
    for i in 0..start.len() {
        let mut moved = |h: f32| {
            let mut p = start.clone();
            p[i] += h;
            at(&p).loss
        };
        let slope = (moved(1e-3) - moved(-1e-3)) / 2e-3;
        let error = (slope - f64::from(found[i])).abs();
        assert!(error <= 2e-3, "{i}: {slope} {}", found[i]);
    }
}

#[test]
fn projection_takes_out_only_what_opposes() {
    let h = [2.0f32, 0.0];
    let mut with = [1.0f32, 3.0];
    remove_conflict(&mut with, &h, 1.0);
    assert_eq!(with, [1.0, 3.0]);
    let mut against = [-1.0f32, 3.0];
    remove_conflict(&mut against, &h, 1.0);
    assert_eq!(against, [0.0, 3.0]);
    let mut half = [-1.0f32, 3.0];
    remove_conflict(&mut half, &h, 0.5);
    assert_eq!(half, [-0.5, 3.0]);
    let mut none = [-1.0f32, 3.0];
    remove_conflict(&mut none, &h, 0.0);
    assert_eq!(none, [-1.0, 3.0]);
}

#[test]
fn no_step_of_prograd_raises_the_distillation() {
    // AdamW makes steps of equal length in every number out of a gradient, whatever was removed.
    let examples = images(K, 3, 1, 5);
    let whole = Batch::gather(
        &examples,
        &(0..examples.len()).map(|i| (i, 0)).collect::<Vec<_>>(),
    );
    // A teacher that takes the images of every class for the next.
    let mut sums = vec![0.0; K * D];
    for (image, label) in whole.rows().zip(&whole.labels) {
        let at = (label + 1) % K * D;
        let sum = sums[at..at + D].iter_mut();
        sum.zip(image).for_each(|(s, v)| *s += v);
    }
    let fixed = UnitRows::new(&sums, D).values;
    let distil = || Distil {
        strength: 1.0,
        fixed: fixed.clone(),
        temperature: 1.0,
        per_class: false,
    };
    let learner = |losses: Vec<Box<dyn Loss>>, prograd| TextLearner {
        side: Toy.text_side(&names(K), &PromptLayout::end(2)).unwrap(),
        parametrization: Box::new(Direct),
        losses,
        prograd,
        scale: f64::from(SCALE),
        classes: K,
    };
    let (mut opposed, mut raised) = (0, 0);
    for seed in 0..12 {
        let mut rng = Rng::new(seed);
        let start: Vec<f32> = (0..2 * W).map(|_| 0.3 * rng.normal() as f32).collect();
        // How a step of AdamW changes the distillation, to first order.
        let rise = |strength: f64| {
            let rule = ProGradRule::new(strength, distil());
            let mut own = learner(cross_entropy(), Some(rule));
            let settings = Settings {
                method: Method::ADAMW,
                lr: Auto::Set(0.01),
                schedule: Schedule::CONSTANT,
                epochs: 1,
                batch: examples.len(),
                seed: 0,
                clip: None,
                average: None,
            };
            let observer = Observer {
                progress: &(),
                observe: &|_| {},
            };
            let run = fit(&mut own, start.clone(), &examples, &settings, observer);
            let end = pollster::block_on(run).unwrap().parameters;
            let mut teacher = learner(vec![Box::new(distil())], None);
            let h = pollster::block_on(teacher.step(&start, &whole))
                .unwrap()
                .gradient;
            let way: Vec<f32> = end.iter().zip(&start).map(|(a, b)| a - b).collect();
            dot(&way, &h) / dot(&h, &h).sqrt()
        };
        opposed += usize::from(rise(0.0) > 1e-6);
        raised += usize::from(rise(1.0) > 1e-6);
    }
    assert!(opposed > 0, "nothing to correct");
    assert_eq!(raised, 0, "of {opposed}");
}

/// A loss that cannot be computed.
struct Failing;

impl Loss for Failing {
    fn add(&mut self, _: &LossInput<'_>, _: &mut Gradient) -> Result<f64> {
        Err(Error::new(Kind::DataEmpty, "There is nothing to mix."))
    }
}

#[test]
fn an_error_of_a_loss_ends_the_training_as_it_is() {
    let mut learner = TextLearner {
        side: Toy.text_side(&names(K), &PromptLayout::end(1)).unwrap(),
        parametrization: Box::new(Direct),
        losses: vec![Box::new(CrossEntropy), Box::new(Failing)],
        prograd: None,
        scale: f64::from(SCALE),
        classes: K,
    };
    let settings = Settings {
        method: Method::ADAMW,
        lr: Auto::Auto,
        schedule: Schedule::COSINE,
        epochs: 2,
        batch: 4,
        seed: 0,
        clip: None,
        average: None,
    };
    let observer = Observer {
        progress: &(),
        observe: &|_| panic!("no step was made"),
    };
    let examples = images(K, 2, 1, 1);
    let run = fit(&mut learner, vec![0.1; W], &examples, &settings, observer);
    let error = pollster::block_on(run).unwrap_err();
    assert_eq!(error.kind(), Kind::DataEmpty);
    assert_eq!(error.message(), "There is nothing to mix.");
}
