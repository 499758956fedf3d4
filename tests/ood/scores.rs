//! Every score against the stored values, by hand, and at the edges.

use promptlens::math::{MatrixView, cosines};
use promptlens::ood::score::{Needs, REGISTRY, Score, ScoreInput, ScoreParameters, by_name};

use super::uniform::Uniform;
use crate::fixtures::{Fixture, worst};

const NO_SHUFFLE: ScoreParameters = ScoreParameters {
    tau: 0.01,
    local_weight: 0.5,
    groups: 10,
    shuffle_seed: None,
};

fn values(
    name: &str,
    classes: &[f64],
    k: usize,
    negatives: &[f64],
    p: &ScoreParameters,
) -> Vec<f64> {
    let score = by_name(name).unwrap();
    let n = negatives.len() / (classes.len() / k);
    classes
        .chunks_exact(k)
        .enumerate()
        .map(|(i, classes)| {
            let negatives = &negatives[i * n..(i + 1) * n];
            score
                .score(
                    &ScoreInput {
                        classes,
                        negatives,
                        patches: &[],
                    },
                    p,
                )
                .unwrap()
        })
        .collect()
}

#[test]
fn stored_scores() {
    let Some(f) = Fixture::open("ood/case.safetensors") else {
        return;
    };
    let classes = f.numbers("id_text");
    let candidates = f.numbers("candidate_text");
    let negatives: Vec<f64> = f
        .places("negative_order")
        .iter()
        .flat_map(|i| candidates[i * 512..(i + 1) * 512].to_vec())
        .collect();
    for side in ["id", "ood"] {
        let images = f.numbers(&format!("{side}_features"));
        let images = MatrixView::new(images, 512).unwrap();
        let to_classes = cosines(images, MatrixView::new(classes, 512).unwrap()).unwrap();
        let to_negatives = cosines(images, MatrixView::new(&negatives, 512).unwrap()).unwrap();
        let tau_1 = ScoreParameters {
            tau: 1.0,
            ..NO_SHUFFLE
        };
        let one_group = ScoreParameters {
            groups: 1,
            ..NO_SHUFFLE
        };
        for (stored, name, parameters) in [
            ("mcm_tau1", "mcm", tau_1),
            ("mcm_tau001", "mcm", NO_SHUFFLE),
            ("max_logit", "max-logit", NO_SHUFFLE),
            ("energy_tau1", "energy", tau_1),
            ("entropy_tau001", "entropy", NO_SHUFFLE),
            ("variance_tau001", "variance", NO_SHUFFLE),
            ("neglabel", "neglabel", NO_SHUFFLE),
            ("neglabel_g1", "neglabel", one_group),
            ("neglabel", "lapt", NO_SHUFFLE),
        ] {
            let expected = f.numbers(&format!("{side}_{stored}"));
            let actual = values(name, &to_classes, 20, &to_negatives, &parameters);
            let error = worst(&actual, expected);
            assert!(error <= 1e-9, "{side} {stored}: {error}");
            if stored == "mcm_tau1" {
                let relative = actual.iter().zip(expected).map(|(a, b)| (a - b).abs() / b);
                assert!(relative.fold(0.0, f64::max) <= 1e-6);
            }
        }
    }
}

#[test]
fn stored_gl_mcm_from_patch_features() {
    let Some(f) = Fixture::open("mini/gl_mcm.safetensors") else {
        return;
    };
    let Some(expected) = Fixture::open("mini/expected.safetensors") else {
        return;
    };
    let unit = |values: &[f64]| -> Vec<f64> {
        values
            .chunks_exact(512)
            .flat_map(|row| {
                let length = row.iter().map(|v| v * v).sum::<f64>().sqrt();
                row.iter().map(move |v| v / length).collect::<Vec<_>>()
            })
            .collect()
    };
    let texts = unit(expected.numbers("text_embeds"));
    let texts = MatrixView::new(&texts, 512).unwrap();
    let k = texts.len();
    let images = unit(expected.numbers("image_embeds"));
    let classes = cosines(MatrixView::new(&images, 512).unwrap(), texts).unwrap();
    let patches = f.numbers("patch_features");
    let patches = cosines(MatrixView::new(patches, 512).unwrap(), texts).unwrap();
    let tau = f.text("tau").parse().unwrap();
    let local_weight = f.text("lam").parse().unwrap();
    let parameters = ScoreParameters {
        tau,
        local_weight,
        groups: 1,
        shuffle_seed: None,
    };
    let (mut mcm, mut gl_mcm) = (Vec::new(), Vec::new());
    for (classes, patches) in classes.chunks_exact(k).zip(patches.chunks_exact(64 * k)) {
        let input = ScoreInput {
            classes,
            negatives: &[],
            patches,
        };
        mcm.push(by_name("mcm").unwrap().score(&input, &parameters).unwrap());
        gl_mcm.push(
            by_name("gl_mcm")
                .unwrap()
                .score(&input, &parameters)
                .unwrap(),
        );
    }
    assert!(worst(&mcm, f.numbers("mcm_tau1")) <= 1e-6);
    assert!(worst(&gl_mcm, f.numbers("gl_mcm")) <= 1e-6);
}

/// Three classes with e^{cos/τ} = 4, 2, 2 and six negatives with 1, 3, 8, 0.5, 7, 4.5 at τ = 1:
/// groups of two hold 4, 8.5 and 11.5, so the shares are 8/12, 8/16.5 and 8/19.5.
#[test]
fn neglabel_by_hand() {
    let ln = |values: &[f64]| values.iter().map(|v| v.ln()).collect::<Vec<f64>>();
    let (classes, negatives) = (ln(&[4.0, 2.0, 2.0]), ln(&[1.0, 3.0, 8.0, 0.5, 7.0, 4.5]));
    let score = |groups| {
        let p = ScoreParameters {
            tau: 1.0,
            groups,
            ..NO_SHUFFLE
        };
        let input = ScoreInput {
            classes: &classes,
            negatives: &negatives,
            patches: &[],
        };
        by_name("neglabel").unwrap().score(&input, &p).unwrap()
    };
    let close = |a: f64, b: f64| assert!((a - b).abs() < 1e-12, "{a} {b}");
    close(score(3), (8.0 / 12.0 + 8.0 / 16.5 + 8.0 / 19.5) / 3.0);
    close(score(1), 8.0 / 32.0);
    // Four groups of one; the last two negatives are the remainder.
    close(
        score(4),
        (8.0 / 9.0 + 8.0 / 11.0 + 8.0 / 16.0 + 8.0 / 8.5) / 4.0,
    );
    let alone = [9.0, 11.0, 16.0, 8.5, 15.0, 12.5].map(|t| 8.0 / t);
    close(score(6), alone.iter().sum::<f64>() / 6.0);
    // More groups than negatives mean one negative each.
    close(score(1000), score(6));
}

#[test]
fn shuffle_is_frozen_and_deals_every_negative_once() {
    let mut u = Uniform(1);
    let (classes, negatives) = (u.many(5, 0.1, 0.4), u.many(60, 0.1, 0.4));
    let score = |seed, negatives: &[f64], groups| {
        let p = ScoreParameters {
            tau: 0.05,
            groups,
            shuffle_seed: seed,
            ..NO_SHUFFLE
        };
        let input = ScoreInput {
            classes: &classes,
            negatives,
            patches: &[],
        };
        by_name("neglabel").unwrap().score(&input, &p).unwrap()
    };
    assert_eq!(
        score(Some(7), &negatives, 10).to_bits(),
        score(Some(7), &negatives, 10).to_bits()
    );
    assert_ne!(
        score(Some(7), &negatives, 10),
        score(Some(8), &negatives, 10)
    );
    assert_ne!(score(Some(7), &negatives, 10), score(None, &negatives, 10));
    // With a group each or one for all, the order of dealing cannot matter.
    for groups in [1, 60] {
        assert!(
            (score(Some(7), &negatives, groups) - score(None, &negatives, groups)).abs() < 1e-12
        );
    }
    // Frozen: a stored threshold relies on this order. Huge negatives bring the share of their groups to
    // 0 and leave the others at 1: one group of three has both of a pair, or two have one each.
    let with_huge = |huge: &[usize], groups| {
        let mut negatives = [-100.0; 6];
        huge.iter().for_each(|i| negatives[*i] = 100.0);
        score(Some(0), &negatives, groups)
    };
    let pairs = (0..6).flat_map(|i| (i + 1..6).map(move |j| [i, j]));
    let together: Vec<[usize; 2]> = pairs.filter(|pair| with_huge(pair, 3) > 0.5).collect();
    assert_eq!(together, FROZEN);
    // Six negatives in four groups: the last two take no part, whatever the shuffle.
    let dealt: Vec<usize> = (0..6).filter(|i| with_huge(&[*i], 4) < 0.9).collect();
    assert_eq!(dealt, [0, 1, 2, 3]);
}

/// The negatives that seed 0 deals into three groups of two, from an independent xoshiro256++ and
/// Fisher-Yates shuffle, which gives 2, 3, 1, 4, 0, 5.
const FROZEN: [[usize; 2]; 3] = [[0, 5], [1, 4], [2, 3]];

#[test]
fn order_of_classes_patches_and_single_group_negatives_does_not_matter() {
    let mut u = Uniform(2);
    let (classes, negatives) = (u.many(7, 0.1, 0.4), u.many(31, 0.1, 0.4));
    let patches = u.many(7 * 9, 0.0, 0.4);
    let reversed = |v: &[f64]| v.iter().rev().copied().collect::<Vec<_>>();
    for score in REGISTRY {
        let p = ScoreParameters {
            groups: 1,
            tau: 0.05,
            ..NO_SHUFFLE
        };
        let a = ScoreInput {
            classes: &classes,
            negatives: &negatives,
            patches: &patches,
        };
        let (rc, rn, rp) = (reversed(&classes), reversed(&negatives), reversed(&patches));
        let b = ScoreInput {
            classes: &rc,
            negatives: &rn,
            patches: &rp,
        };
        let (a, b) = (score.score(&a, &p).unwrap(), score.score(&b, &p).unwrap());
        assert!((a - b).abs() < 1e-12, "{}: {a} {b}", score.name);
    }
}

#[test]
fn neglabel_rises_with_any_class_and_falls_with_any_negative() {
    let mut u = Uniform(3);
    for seed in 0..20 {
        let (classes, negatives) = (u.many(6, 0.1, 0.4), u.many(40, 0.1, 0.4));
        let p = ScoreParameters {
            groups: 8,
            tau: 0.07,
            shuffle_seed: Some(seed),
            ..NO_SHUFFLE
        };
        let value = |classes: &[f64], negatives: &[f64]| {
            let input = ScoreInput {
                classes,
                negatives,
                patches: &[],
            };
            by_name("neglabel").unwrap().score(&input, &p).unwrap()
        };
        let base = value(&classes, &negatives);
        for i in 0..6 {
            let mut more = classes.clone();
            more[i] += 0.01;
            assert!(value(&more, &negatives) > base);
        }
        for i in 0..40 {
            let mut more = negatives.clone();
            more[i] += 0.01;
            assert!(value(&classes, &more) < base);
        }
    }
}

#[test]
fn registry_names_are_unique_and_found() {
    let names: Vec<_> = REGISTRY.iter().map(|s| s.name).collect();
    let expected = [
        "mcm",
        "max-logit",
        "energy",
        "entropy",
        "variance",
        "gl-mcm",
        "neglabel",
        "lapt",
    ];
    assert_eq!(names, expected);
    for score in REGISTRY {
        assert_eq!(
            by_name(&score.name.replace('-', "_").to_uppercase())
                .unwrap()
                .name,
            score.name
        );
        assert!(!score.summary.is_empty());
    }
    assert_eq!(by_name("msp").err().unwrap().code(), "options/invalid");
    assert!(by_name("lapt").unwrap().needs.learned_contexts);
}

#[test]
fn defaults_follow_the_model() {
    for (name, tau) in [("mcm", 1.0), ("energy", 1.0), ("gl-mcm", 1.0)] {
        assert_eq!(by_name(name).unwrap().defaults(14.0).tau, tau);
    }
    for name in ["neglabel", "lapt", "entropy", "variance"] {
        assert_eq!(by_name(name).unwrap().defaults(100.0).tau, 0.01);
        assert_eq!(by_name(name).unwrap().defaults(14.0).tau, 1.0 / 14.0);
    }
    let neglabel = by_name("neglabel").unwrap().defaults(100.0);
    assert_eq!(
        (
            neglabel.groups,
            neglabel.shuffle_seed,
            neglabel.local_weight
        ),
        (100, Some(0), 0.0)
    );
    // What a score does not read does not count.
    let odd = ScoreParameters {
        tau: 9.0,
        local_weight: 3.0,
        groups: 4,
        shuffle_seed: Some(5),
    };
    let max_logit = by_name("max-logit").unwrap();
    assert_eq!(max_logit.canonical(&odd), max_logit.defaults(100.0));
}

fn all(input: &ScoreInput<'_>, parameters: &ScoreParameters) -> Vec<(&'static str, f64)> {
    REGISTRY
        .iter()
        .map(|s| (s.name, s.score(input, parameters).unwrap()))
        .collect()
}

#[test]
fn one_class() {
    let input = ScoreInput {
        classes: &[0.3],
        negatives: &[0.3, 0.3],
        patches: &[0.1, 0.2],
    };
    for (name, value) in all(
        &input,
        &ScoreParameters {
            groups: 2,
            ..NO_SHUFFLE
        },
    ) {
        let expected = match name {
            "mcm" => 1.0,
            "max-logit" | "energy" => 0.3,
            "entropy" | "variance" => 0.0,
            "gl-mcm" => 1.5,
            _ => 0.5,
        };
        assert!((value - expected).abs() < 1e-12, "{name}: {value}");
    }
}

#[test]
fn identical_logits_and_many_classes() {
    for k in [2usize, 2000] {
        let classes = vec![0.25; k];
        let negatives = vec![0.25; 2 * k];
        let patches = vec![0.25; 3 * k];
        let input = ScoreInput {
            classes: &classes,
            negatives: &negatives,
            patches: &patches,
        };
        let n = k as f64;
        for (name, value) in all(
            &input,
            &ScoreParameters {
                groups: 2,
                ..NO_SHUFFLE
            },
        ) {
            let expected = match name {
                "mcm" => 1.0 / n,
                "max-logit" => 0.25,
                "energy" => 0.25 + 0.01 * n.ln(),
                "entropy" => -n.ln(),
                "variance" => 0.0,
                "gl-mcm" => 1.5 / n,
                _ => 0.5,
            };
            assert!((value - expected).abs() < 1e-9, "{name} with {k}: {value}");
        }
    }
}

#[test]
fn extreme_temperatures_stay_finite() {
    let input = ScoreInput {
        classes: &[1.0, -1.0],
        negatives: &[-1.0, 1.0],
        patches: &[1.0, -1.0],
    };
    for tau in [1e-6, 1e6] {
        for (name, value) in all(
            &input,
            &ScoreParameters {
                tau,
                groups: 2,
                ..NO_SHUFFLE
            },
        ) {
            assert!(value.is_finite(), "{name} at {tau}");
        }
    }
    for tau in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-7] {
        let error = by_name("mcm")
            .unwrap()
            .score(&input, &ScoreParameters { tau, ..NO_SHUFFLE });
        assert_eq!(error.unwrap_err().code(), "options/invalid");
    }
}

#[test]
fn unusable_inputs_are_refused() {
    let code = |s: &Score, input: &ScoreInput<'_>| {
        s.score(input, &NO_SHUFFLE)
            .map_err(|e| e.code())
            .map(|_| "")
    };
    let (good, bad): ([f64; 2], [f64; 2]) = ([0.1, 0.2], [0.1, f64::NAN]);
    let whole = ScoreInput {
        classes: &good,
        negatives: &good,
        patches: &good,
    };
    for s in REGISTRY {
        assert_eq!(code(s, &whole), Ok(""));
        assert_eq!(
            code(
                s,
                &ScoreInput {
                    classes: &bad,
                    ..whole
                }
            ),
            Err("engine/not-finite")
        );
        assert_eq!(
            code(
                s,
                &ScoreInput {
                    classes: &[],
                    ..whole
                }
            ),
            Err("labels/empty")
        );
        let Needs {
            negatives, patches, ..
        } = s.needs;
        let or = |needed: bool, code| if needed { Err(code) } else { Ok("") };
        let no_negatives = ScoreInput {
            negatives: &[],
            ..whole
        };
        assert_eq!(code(s, &no_negatives), or(negatives, "negatives/empty"));
        let nan_negatives = ScoreInput {
            negatives: &bad,
            ..whole
        };
        assert_eq!(code(s, &nan_negatives), or(negatives, "engine/not-finite"));
        for count in [0, 1] {
            let short = ScoreInput {
                patches: &good[..count],
                ..whole
            };
            assert_eq!(code(s, &short), or(patches, "options/invalid"));
        }
        let huge = [f64::MAX, f64::MIN];
        let overflow = ScoreInput {
            classes: &huge,
            negatives: &huge,
            patches: &huge,
        };
        assert!(
            s.score(&overflow, &NO_SHUFFLE).is_ok_and(f64::is_finite)
                || code(s, &overflow) == Err("engine/not-finite")
        );
    }
    let zero_groups = ScoreParameters {
        groups: 0,
        ..NO_SHUFFLE
    };
    let error = by_name("neglabel")
        .unwrap()
        .score(&whole, &zero_groups)
        .unwrap_err();
    assert_eq!(error.code(), "options/invalid");
}

#[test]
fn duplicate_negatives_count_each_time() {
    let one = ScoreInput {
        classes: &[0.0],
        negatives: &[0.0],
        patches: &[],
    };
    let two = ScoreInput {
        classes: &[0.0],
        negatives: &[0.0, 0.0],
        patches: &[],
    };
    let p = ScoreParameters {
        groups: 1,
        ..NO_SHUFFLE
    };
    let neglabel = by_name("neglabel").unwrap();
    assert!((neglabel.score(&one, &p).unwrap() - 1.0 / 2.0).abs() < 1e-15);
    assert!((neglabel.score(&two, &p).unwrap() - 1.0 / 3.0).abs() < 1e-15);
}
