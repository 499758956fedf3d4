//! Metrics against the stored values and against brute force.

use promptlens::math::MatrixView;
use promptlens::ood::metrics::{OodMetrics, intervals};

use super::uniform::Uniform;
use crate::fixtures::Fixture;

#[test]
fn stored_metrics() {
    let Some(f) = Fixture::open("ood/case.safetensors") else {
        return;
    };
    let stored = f.json("metrics");
    let mut seen = 0;
    for (name, expected) in stored.as_object().unwrap() {
        let (id, ood) = match name.as_str() {
            "conformal" => continue,
            "tied_integers" => ("tied_id".to_owned(), "tied_ood".to_owned()),
            _ => (format!("id_{name}"), format!("ood_{name}")),
        };
        let m = OodMetrics::of(f.numbers(&id), f.numbers(&ood)).unwrap();
        for (key, actual) in [
            ("auroc", m.auroc),
            ("fpr95_id_positive", m.fpr95),
            ("fpr95_ood_positive", m.fpr95_ood_positive),
            ("aupr_in", m.aupr_in),
            ("aupr_out", m.aupr_out),
            ("threshold", m.threshold),
        ] {
            let expected = expected[key].as_f64().unwrap();
            assert!(
                (actual - expected).abs() <= 1e-12,
                "{name} {key}: {actual} {expected}"
            );
        }
        seen += 1;
    }
    assert_eq!(seen, 9);
}

/// Pairs, thresholds and precisions counted one by one.
fn brute_force(id: &[f64], ood: &[f64]) -> [f64; 5] {
    let share = |of: &[f64], test: &dyn Fn(f64) -> bool| {
        of.iter().filter(|s| test(**s)).count() as f64 / of.len() as f64
    };
    let mut thresholds: Vec<f64> = id.iter().chain(ood).copied().collect();
    thresholds.sort_by(|a, b| b.total_cmp(a));
    thresholds.dedup();
    let down = thresholds.iter().copied();
    let a = down
        .clone()
        .find(|t| 20 * id.iter().filter(|s| **s >= *t).count() >= 19 * id.len());
    let b = down
        .rev()
        .find(|t| 20 * ood.iter().filter(|s| **s <= *t).count() >= 19 * ood.len());
    let (a, b) = (a.unwrap(), b.unwrap());
    let mut pairs = 0.0;
    for x in id {
        pairs += ood
            .iter()
            .map(|y| {
                if x > y {
                    1.0
                } else if x == y {
                    0.5
                } else {
                    0.0
                }
            })
            .sum::<f64>();
    }
    let precision = |positive: &[f64], negative: &[f64]| {
        let mut previous = 0.0;
        let mut area = 0.0;
        let mut thresholds: Vec<f64> = positive.iter().chain(negative).copied().collect();
        thresholds.sort_by(|a, b| b.total_cmp(a));
        thresholds.dedup();
        for t in thresholds {
            let hits = positive.iter().filter(|s| **s >= t).count() as f64;
            let false_hits = negative.iter().filter(|s| **s >= t).count() as f64;
            let recall = hits / positive.len() as f64;
            area += (recall - previous) * hits / (hits + false_hits);
            previous = recall;
        }
        area
    };
    let minus = |v: &[f64]| v.iter().map(|s| -s).collect::<Vec<_>>();
    [
        share(ood, &|s| s >= a),
        pairs / (id.len() * ood.len()) as f64,
        precision(id, ood),
        precision(&minus(ood), &minus(id)),
        share(id, &|s| s <= b),
    ]
}

#[test]
fn brute_force_agrees_with_and_without_ties() {
    let mut u = Uniform(4);
    for case in 0..200 {
        let levels = if case % 2 == 0 { 6.0 } else { 1e9 };
        let (n, m) = (
            1 + (u.next() * 70.0) as usize,
            1 + (u.next() * 70.0) as usize,
        );
        let id: Vec<f64> = u
            .many(n, 0.0, 1.0)
            .iter()
            .map(|v| (v * levels).round())
            .collect();
        let ood: Vec<f64> = u
            .many(m, -0.5, 1.0)
            .iter()
            .map(|v| (v * levels).round())
            .collect();
        let m = OodMetrics::of(&id, &ood).unwrap();
        let actual = [
            m.fpr95,
            m.auroc,
            m.aupr_in,
            m.aupr_out,
            m.fpr95_ood_positive,
        ];
        for (a, b) in actual.iter().zip(brute_force(&id, &ood)) {
            assert!((a - b).abs() < 1e-12, "case {case}: {actual:?}");
        }
    }
}

#[test]
fn perfect_reversed_and_constant_scores() {
    let (low, high): (Vec<f64>, Vec<f64>) = (
        (0..40).map(f64::from).collect(),
        (50..90).map(f64::from).collect(),
    );
    let perfect = OodMetrics::of(&high, &low).unwrap().with_accuracy(0.75);
    assert_eq!(perfect.row(), [0.0, 1.0, 1.0, 1.0, 0.75]);
    assert_eq!(perfect.fpr95_ood_positive, 0.0);
    let reversed = OodMetrics::of(&low, &high).unwrap();
    assert_eq!(
        (reversed.auroc, reversed.fpr95, reversed.fpr95_ood_positive),
        (0.0, 1.0, 1.0)
    );
    assert!(reversed.row()[4].is_nan());
    let constant = OodMetrics::of(&[1.0; 30], &[1.0; 10]).unwrap();
    assert_eq!(
        (constant.auroc, constant.fpr95, constant.aupr_in),
        (0.5, 1.0, 0.75)
    );
}

#[test]
fn unusable_scores_are_refused() {
    assert_eq!(
        OodMetrics::of(&[], &[1.0]).unwrap_err().code(),
        "options/invalid"
    );
    assert_eq!(
        OodMetrics::of(&[1.0], &[]).unwrap_err().code(),
        "options/invalid"
    );
    assert_eq!(
        OodMetrics::of(&[f64::NAN], &[1.0]).unwrap_err().code(),
        "engine/not-finite"
    );
    assert_eq!(
        intervals(&[1.0], &[1.0], 0, 0).unwrap_err().code(),
        "options/invalid"
    );
    assert!(MatrixView::new(&[0.0; 3], 2).is_err() && MatrixView::new(&[0.0; 3], 0).is_err());
}

#[test]
fn bootstrap_is_seeded_and_has_the_width_that_theory_gives() {
    let mut u = Uniform(5);
    let (id, ood) = (u.many(200, 0.3, 1.3), u.many(150, 0.0, 1.0));
    let m = OodMetrics::of(&id, &ood).unwrap();
    let a = intervals(&id, &ood, 1000, 11).unwrap();
    assert_eq!(a, intervals(&id, &ood, 1000, 11).unwrap());
    assert_ne!(a, intervals(&id, &ood, 1000, 12).unwrap());
    for (i, value) in [
        (a.fpr95, m.fpr95),
        (a.auroc, m.auroc),
        (a.aupr_in, m.aupr_in),
        (a.aupr_out, m.aupr_out),
        (a.fpr95_ood_positive, m.fpr95_ood_positive),
    ] {
        assert!(i.low < value && value < i.high, "{i:?} {value}");
    }
    // Hanley and McNeil (1982): the standard error of AUROC.
    let (q1, q2) = (
        m.auroc / (2.0 - m.auroc),
        2.0 * m.auroc.powi(2) / (1.0 + m.auroc),
    );
    let variance = (m.auroc * (1.0 - m.auroc)
        + 199.0 * (q1 - m.auroc.powi(2))
        + 149.0 * (q2 - m.auroc.powi(2)))
        / (200.0 * 150.0);
    let width = (a.auroc.high - a.auroc.low) / (2.0 * 1.96 * variance.sqrt());
    assert!((0.75..1.25).contains(&width), "{width}");
}
