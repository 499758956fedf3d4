//! The LAPT losses against stored values and finite differences.

use promptlens::math::MatrixView;
use promptlens::ood::lapt::{
    Mix, MixedLoss, Samples, cross_distribution, cross_entropy, cross_modal, default_threshold,
    partners, pseudo_label,
};

use super::uniform::Uniform;
use crate::fixtures::{Fixture, worst};

fn rows(data: &[f64]) -> MatrixView<'_, f64> {
    MatrixView::new(data, 512).unwrap()
}

#[test]
fn stored_losses_and_gradient() {
    let Some(f) = Fixture::open("lapt/case.safetensors") else {
        return;
    };
    let (features, text, hard) = (
        f.numbers("features"),
        f.numbers("text"),
        f.numbers("hard_text"),
    );
    let (labels, partner) = (f.places("labels"), f.places("partner"));
    let samples = Samples {
        features: rows(features),
        labels: &labels,
    };
    let l = cross_entropy(samples, rows(text), 100.0).unwrap();
    let mix = Mix {
        with: &labels,
        lambda: f.numbers("lam"),
    };
    let cm = cross_modal(samples, rows(hard), mix, rows(text), 100.0).unwrap();
    let mix = Mix {
        with: &partner,
        lambda: f.numbers("mu"),
    };
    let cd = cross_distribution(samples, mix, rows(text), 100.0).unwrap();
    let values = [l.value, cm.value, cd.value];
    let stored = ["loss", "loss_cm", "loss_cd"].map(|name| f.numbers(name)[0]);
    assert!(worst(&values, &stored) < 1e-9, "{values:?} {stored:?}");
    let gradient = f.numbers("grad_text");
    let scale = gradient.iter().fold(0.0, |m: f64, g| m.max(g.abs()));
    let all = l.plus(&cm).plus(&cd);
    assert!(worst(&all.text_gradient, gradient) < 1e-9 * scale);

    // The engine's features are f32.
    let narrow = |v: &[f64]| v.iter().map(|x| *x as f32).collect::<Vec<_>>();
    let (features, text) = (narrow(features), narrow(text));
    let samples = Samples {
        features: MatrixView::new(&features, 512).unwrap(),
        labels: &labels,
    };
    let l = cross_entropy(samples, MatrixView::new(&text, 512).unwrap(), 100.0).unwrap();
    assert!((l.value - stored[0]).abs() < 1e-5);
}

#[test]
fn stored_loss_with_two_contexts() {
    let Some(f) = Fixture::open("lapt/contexts_mini.safetensors") else {
        return;
    };
    let (features, text, labels) = (
        f.numbers("image_features"),
        f.numbers("text"),
        f.places("labels"),
    );
    let scale = f.text("logit_scale").parse().unwrap();
    let l = cross_entropy(
        Samples {
            features: rows(features),
            labels: &labels,
        },
        rows(text),
        scale,
    );
    assert!((l.unwrap().value - f.numbers("loss")[0]).abs() < 1e-5);
}

struct Toy {
    features: Vec<f64>,
    texts: Vec<f64>,
    hard: Vec<f64>,
    labels: Vec<usize>,
    with: Vec<usize>,
    lambda: Vec<f64>,
}

const WIDTH: usize = 7;

impl Toy {
    fn new() -> Self {
        let mut u = Uniform(9);
        let mut unit = |rows: usize| -> Vec<f64> {
            let v = u.many(rows * WIDTH, -1.0, 1.0);
            v.chunks_exact(WIDTH)
                .flat_map(|r| {
                    let length = r.iter().map(|x| x * x).sum::<f64>().sqrt();
                    r.iter().map(move |x| x / length).collect::<Vec<_>>()
                })
                .collect()
        };
        let (features, texts, hard) = (unit(6), unit(5), unit(10));
        let labels = vec![0, 4, 2, 3, 1, 0];
        let with = vec![1, 0, 3, 2, 3, 1];
        Self {
            features,
            texts,
            hard,
            labels,
            with,
            lambda: u.many(6, 0.0, 1.0),
        }
    }

    fn losses(&self, texts: &[f64], lambda: &[f64]) -> [MixedLoss; 3] {
        let r = |v| MatrixView::new(v, WIDTH).unwrap();
        let samples = Samples {
            features: r(&self.features),
            labels: &self.labels,
        };
        let hard: Vec<usize> = self.labels.iter().map(|y| 2 * y + 1).collect();
        let modal = Mix {
            with: &hard,
            lambda,
        };
        let distribution = Mix {
            with: &self.with,
            lambda,
        };
        [
            cross_entropy(samples, r(texts), 14.0).unwrap(),
            cross_modal(samples, r(&self.hard), modal, r(texts), 14.0).unwrap(),
            cross_distribution(samples, distribution, r(texts), 14.0).unwrap(),
        ]
    }
}

#[test]
fn gradients_match_finite_differences() {
    let toy = Toy::new();
    let step = 1e-5;
    let exact = toy.losses(&toy.texts, &toy.lambda);
    for i in 0..toy.texts.len() {
        let at = |by: f64| {
            let mut texts = toy.texts.clone();
            texts[i] += by;
            toy.losses(&texts, &toy.lambda)
        };
        let (up, down) = (at(step), at(-step));
        for which in 0..3 {
            let numeric = (up[which].value - down[which].value) / (2.0 * step);
            let error = (numeric - exact[which].text_gradient[i]).abs();
            assert!(
                error < 1e-6 * (1.0 + numeric.abs()),
                "loss {which}, number {i}: {error}"
            );
        }
    }
}

#[test]
fn mixing_with_weight_one_is_the_plain_loss() {
    let toy = Toy::new();
    let [l, cm, cd] = toy.losses(&toy.texts, &[1.0; 6]);
    for mixed in [cm, cd] {
        assert!((mixed.value - l.value).abs() < 1e-12);
        assert!(worst(&mixed.text_gradient, &l.text_gradient) < 1e-12);
    }
    // With weight zero the partner stands alone.
    let [_, _, cd] = toy.losses(&toy.texts, &[0.0; 6]);
    let mut swapped = Toy::new();
    swapped.features = toy
        .with
        .iter()
        .flat_map(|j| toy.features[j * WIDTH..(j + 1) * WIDTH].to_vec())
        .collect();
    swapped.labels = toy.with.iter().map(|j| toy.labels[*j]).collect();
    let [l, ..] = swapped.losses(&toy.texts, &[1.0; 6]);
    assert!((cd.value - l.value).abs() < 1e-12);
}

#[test]
fn gradients_of_classes_and_negatives_are_separate() {
    // Each text's gradient depends on its own row alone to first order; rows sum to s (p − q) f.
    let toy = Toy::new();
    let [l, ..] = toy.losses(&toy.texts, &toy.lambda);
    let mut sum = vec![0.0; WIDTH];
    for row in l.text_gradient.chunks_exact(WIDTH) {
        assert!(row.iter().any(|g| g.abs() > 1e-6));
        sum.iter_mut().zip(row).for_each(|(s, g)| *s += g);
    }
    assert!(sum.iter().all(|s| s.abs() < 1e-12), "{sum:?}");
}

#[test]
fn unusable_batches_are_refused() {
    let f = [1.0, 0.0, 0.0, 1.0];
    let r = MatrixView::new(&f, 2).unwrap();
    let code = |features: &[f64], labels: &[usize], with: &[usize], lambda: &[f64]| {
        let samples = Samples {
            features: MatrixView::new(features, 2).unwrap(),
            labels,
        };
        cross_distribution(samples, Mix { with, lambda }, r, 10.0)
            .map(|_| "")
            .map_err(|e| e.code())
    };
    assert_eq!(code(&f, &[0, 1], &[1, 0], &[0.5, 0.5]), Ok(""));
    for (labels, with, lambda) in [
        (&[0, 2][..], &[1, 0][..], &[0.5, 0.5][..]),
        (&[0, 1], &[2, 0], &[0.5, 0.5]),
        (&[0, 1], &[1, 0], &[0.5]),
        (&[0, 1], &[1, 0], &[0.5, 1.5]),
        (&[0, 1], &[1, 0], &[0.5, f64::NAN]),
        (&[0], &[0], &[0.5]),
        (&[], &[], &[]),
    ] {
        assert_eq!(code(&f, labels, with, lambda), Err("engine/internal"));
    }
    let opposite = [1.0, 0.0, -1.0, 0.0];
    assert_eq!(
        code(&opposite, &[0, 1], &[1, 0], &[0.5, 0.5]),
        Err("engine/not-finite")
    );
    let nan = [f64::NAN, 0.0, 0.0, 1.0];
    assert_eq!(
        code(&nan, &[0, 1], &[1, 0], &[0.5, 0.5]),
        Err("engine/not-finite")
    );
    let wide = [1.0, 0.0, 0.0];
    let samples = Samples {
        features: MatrixView::new(&wide, 3).unwrap(),
        labels: &[0],
    };
    assert_eq!(
        cross_entropy(samples, r, 1.0).unwrap_err().code(),
        "engine/internal"
    );
}

#[test]
fn partners_are_of_the_other_kind() {
    let labels = [0, 5, 1, 6, 2, 7, 0];
    let mut u = Uniform(10);
    let mut seen = std::collections::BTreeSet::new();
    for _ in 0..100 {
        let p = partners(&labels, 3, |n| (u.next() * n as f64) as usize).unwrap();
        for (label, partner) in labels.iter().zip(&p) {
            assert_ne!(*label < 3, labels[*partner] < 3);
        }
        seen.extend(p);
    }
    assert_eq!(seen.len(), 7);
    assert_eq!(partners(&[0, 1], 3, |_| 0), None);
    assert_eq!(partners(&[3, 4], 3, |_| 0), None);
    assert_eq!(partners(&[], 3, |_| 0), None);
}

#[test]
fn images_are_labeled_by_name() {
    // Two classes, two negatives, τ = 0.1: images 0-2 show class 0, 3 shows class 1, 4 a negative.
    let classes = [[0.5, 0.1], [0.6, 0.1], [0.4, 0.1], [0.1, 0.5], [0.2, 0.2]].map(|r| r.to_vec());
    let negatives =
        [[0.1, 0.1], [0.1, 0.1], [0.1, 0.1], [0.1, 0.1], [0.2, 0.6]].map(|r| r.to_vec());
    let c = pseudo_label(&classes, &negatives, 0.1, default_threshold(2), 2).unwrap();
    let pairs = |v: &[promptlens::ood::lapt::PseudoLabel]| {
        v.iter().map(|l| (l.image, l.label)).collect::<Vec<_>>()
    };
    assert_eq!(pairs(&c.id), [(1, 0), (0, 0), (3, 1)]);
    assert_eq!(c.surplus, [2]);
    assert_eq!(pairs(&c.other), [(4, 3)]);
    let expected = 5f64.exp() / (5f64.exp() + 3.0 * 1f64.exp());
    assert!((c.id[1].confidence - expected).abs() < 1e-12);
    // Without negatives nothing can be labeled "other".
    let alone = pseudo_label(&classes, &[], 0.1, default_threshold(2), 9).unwrap();
    assert_eq!((alone.id.len(), alone.other.len()), (4, 0));
    assert_eq!(pseudo_label(&[], &[], 0.1, 0.5, 9).unwrap().id.len(), 0);
    let ragged = pseudo_label(&classes, &negatives[..2], 0.1, 0.5, 9);
    assert_eq!(ragged.unwrap_err().code(), "engine/internal");
    let nan = pseudo_label(&[vec![f64::NAN, 0.0]], &[], 0.1, 0.5, 9);
    assert_eq!(nan.unwrap_err().code(), "engine/not-finite");
    assert_eq!((default_threshold(1), default_threshold(4)), (0.5, 0.25));
}
