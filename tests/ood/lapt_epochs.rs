//! LAPT's losses over two epochs as its authors' code ran them.
//!
//! The stored file has the losses, and of 1,040 texts every fortieth. Whatever else went in was drawn:
//! the numbers by PyTorch and NumPy from seeds 0 and 9, which this repeats, and which texts and
//! partners were mixed, which is written out below.

use promptlens::math::{MatrixView, UnitRows};
use promptlens::ood::lapt::{
    Mix, MixedLoss, Samples, cross_distribution, cross_entropy, cross_modal,
};
use promptlens::prompt_learning::schedule::Schedule;

use super::mersenne::Mersenne;
use crate::fixtures::{Fixture, worst};

const D: usize = 64;
const CLASSES: usize = 1000;
const TEXTS: usize = 1040;
const TEMPLATES: usize = 7;
const IMAGES: usize = 32;
const SCALE: f64 = 14.0;

/// The images of each batch; the last has images of the classes alone.
const BATCHES: [[usize; 8]; 4] = [
    [3, 5, 6, 19, 21, 22, 25, 29],
    [4, 7, 8, 10, 15, 24, 28, 30],
    [12, 14, 17, 20, 23, 26, 27, 31],
    [0, 1, 2, 9, 11, 13, 16, 18],
];

/// One step: the template that each image is mixed in, and the image that it is mixed with.
struct Step {
    templates: [usize; 8],
    partners: Option<[usize; 8]>,
}

const fn step(templates: [usize; 8], partners: Option<[usize; 8]>) -> Step {
    Step {
        templates,
        partners,
    }
}

const WCCM: [Step; 8] = [
    step([3, 5, 4, 4, 3, 3, 4, 5], None),
    step([6, 2, 0, 4, 5, 6, 1, 0], None),
    step([6, 1, 6, 5, 3, 4, 5, 1], None),
    step([1, 5, 3, 2, 0, 6, 0, 1], None),
    step([6, 1, 2, 2, 1, 0, 2, 1], None),
    step([0, 6, 4, 0, 5, 2, 3, 0], None),
    step([4, 4, 5, 5, 4, 3, 6, 1], None),
    step([2, 6, 2, 2, 0, 3, 5, 6], None),
];

const WCCM_CD: [Step; 8] = [
    step(
        [3, 5, 4, 4, 3, 3, 4, 5],
        Some([29, 25, 25, 22, 5, 19, 6, 3]),
    ),
    step(
        [1, 6, 6, 5, 1, 4, 5, 3],
        Some([24, 30, 28, 24, 30, 10, 4, 4]),
    ),
    step(
        [2, 6, 1, 0, 1, 1, 2, 2],
        Some([26, 26, 26, 12, 17, 17, 17, 14]),
    ),
    step([4, 4, 5, 3, 5, 6, 4, 1], None),
    step(
        [2, 6, 6, 5, 0, 2, 3, 2],
        Some([21, 29, 29, 25, 19, 6, 19, 6]),
    ),
    step(
        [4, 5, 0, 4, 0, 6, 0, 4],
        Some([30, 24, 24, 24, 24, 15, 15, 4]),
    ),
    step(
        [2, 5, 2, 0, 6, 6, 0, 5],
        Some([20, 31, 20, 17, 17, 17, 14, 14]),
    ),
    step([5, 6, 0, 1, 3, 3, 6, 2], None),
];

/// What the authors' code was given.
struct Inputs {
    texts: Vec<f64>,
    /// [texts, templates, d].
    hard: Vec<f64>,
    labels: Vec<usize>,
    images: Vec<f64>,
}

impl Inputs {
    fn drawn() -> Self {
        let unit = |values: &[f64]| UnitRows::new(values, D).values;
        let mut torch = Mersenne::new(0);
        let texts = unit(&torch.torch_normal(TEXTS * D));
        // Around the text of their label, at a distance.
        let around = |label: usize, distance: f64, noise: &[f64]| -> Vec<f64> {
            let own = &texts[label * D..(label + 1) * D];
            own.iter()
                .zip(noise)
                .map(|(t, n)| t + distance * n)
                .collect()
        };
        let noise = unit(&torch.torch_normal(TEXTS * TEMPLATES * D));
        let rows = noise.chunks_exact(D).enumerate();
        let hard: Vec<f64> = rows
            .flat_map(|(i, n)| around(i / TEMPLATES, 1.5, n))
            .collect();
        let labels: Vec<usize> = (0..IMAGES)
            .map(|i| match (torch.next() as usize, i < 20) {
                (drawn, true) => drawn % CLASSES,
                (drawn, false) => CLASSES + drawn % (TEXTS - CLASSES),
            })
            .collect();
        let noise = unit(&torch.torch_normal(IMAGES * D));
        let rows = noise.chunks_exact(D).zip(&labels);
        let images: Vec<f64> = rows.flat_map(|(n, label)| around(*label, 2.5, n)).collect();
        let (hard, images) = (unit(&hard), unit(&images));
        Self {
            texts,
            hard,
            labels,
            images,
        }
    }
}

fn view(values: &[f64]) -> MatrixView<'_, f64> {
    MatrixView::new(values, D).unwrap()
}

#[test]
fn losses_and_texts_of_two_epochs() {
    let inputs = Inputs::drawn();
    for (case, steps) in [("wccm", &WCCM), ("wccm_cd", &WCCM_CD)] {
        let Some(f) = Fixture::open(&format!("authors/core/lapt_epoch_{case}.safetensors")) else {
            return;
        };
        assert!(worst(&inputs.texts, f.numbers("start")) <= 1e-9, "{case}");
        let mut stored_losses = f.numbers("losses").iter();
        let (rates, gradients) = (f.numbers("rates"), f.numbers("gradients"));
        let stored = f.numbers("parameters");
        // One share for a batch; NumPy drew them.
        let mut numpy = Mersenne::new(9);
        let mut shares = f.numbers("lam").iter();
        let mut share = || {
            let (drawn, stored) = (numpy.numpy_beta_1_1(), shares.next().unwrap());
            assert!((drawn - stored).abs() <= 1e-7);
            [drawn; 8]
        };
        let mut parameters = inputs.texts.clone();
        let mut velocity = vec![0.0; parameters.len()];
        for (number, step) in steps.iter().enumerate() {
            let batch = &BATCHES[number % 4];
            let labels = batch.map(|i| inputs.labels[i]);
            let features: Vec<f64> = batch
                .iter()
                .flat_map(|i| inputs.images[i * D..(i + 1) * D].to_vec())
                .collect();
            let samples = Samples {
                features: view(&features),
                labels: &labels,
            };
            let unit = UnitRows::new(&parameters, D);
            let texts = view(&unit.values);
            let with: Vec<usize> = labels
                .iter()
                .zip(step.templates)
                .map(|(label, template)| label * TEMPLATES + template)
                .collect();
            let mix = Mix {
                with: &with,
                lambda: &share(),
            };
            let mut loss = cross_modal(samples, view(&inputs.hard), mix, texts, SCALE).unwrap();
            let mut compare = |loss: &MixedLoss, what: &str| {
                let error = (loss.value - stored_losses.next().unwrap()).abs();
                assert!(error <= 1e-9, "{case} step {number}, {what}: {error}");
            };
            compare(&loss, "images and texts");
            if case == "wccm_cd" {
                let lambda = share();
                let second = match step.partners {
                    Some(partners) => {
                        let place = |p| batch.iter().position(|i| *i == p).unwrap();
                        let mix = Mix {
                            with: &partners.map(place),
                            lambda: &lambda,
                        };
                        cross_distribution(samples, mix, texts, SCALE).unwrap()
                    }
                    // A batch of one kind has nothing to mix.
                    None => cross_entropy(samples, texts, SCALE).unwrap(),
                };
                compare(&second, "classes and others");
                loss = loss.plus(&second);
            }
            let gradient = unit.backward(&loss.text_gradient);
            let every_fortieth = |values: &[f64]| -> Vec<f64> {
                let rows = values.chunks_exact(D).step_by(40);
                rows.flatten().copied().collect()
            };
            let part = number * TEXTS / 40 * D..(number + 1) * TEXTS / 40 * D;
            let error = worst(&every_fortieth(&gradient), &gradients[part.clone()]);
            assert!(error <= 1e-9, "{case} step {number}, gradient: {error}");

            let rate = Schedule::COSINE.rate(0.01, number / 4, 2, number % 4, 4);
            // Theirs ends at 1e-10, not at 0.
            assert!((rate - rates[number]).abs() <= 1e-9, "{case} step {number}");
            for ((p, v), g) in parameters.iter_mut().zip(&mut velocity).zip(gradient) {
                let g = g + 1e-5 * *p;
                *v = if number == 0 { g } else { 0.9 * *v + g };
                *p -= rates[number] * (g + 0.9 * *v);
            }
            let error = worst(&every_fortieth(&parameters), &stored[part]);
            assert!(error <= 1e-9, "{case} step {number}, texts: {error}");
        }
        assert_eq!(stored_losses.next(), None);
    }
}
