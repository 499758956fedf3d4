//! Losses and their gradients on the raw text features, at CLIP's logit scale of 100.

use promptlens::math::{UnitRows, dot};
use promptlens::prompt::heads::mixture::Gate;
use promptlens::prompt_learning::examples::Batch;
use promptlens::prompt_learning::losses::{
    Absolute, Anchor, CrossEntropy, Distil, Diversity, HardTexts, Loss, LossInput, total,
};
use promptlens::prompt_learning::parametrizations::Mixture;
use promptlens::prompt_learning::search::{Fitness, Search, redundancy};
use promptlens::prompt_learning::text::remove_conflict;
use promptlens::prompt_learning::trainer::gaussian;

use super::{F32, F64, reference};
use crate::fixtures::{Fixture, difference};

const D: usize = 512;
const K: usize = 6;
const SCALE: f64 = 100.0;

fn batch(file: &Fixture) -> Batch {
    Batch {
        places: Vec::new(),
        images: file.numbers("images").to_vec(),
        local_features: Vec::new(),
        labels: file.places("labels"),
        dim: D,
    }
}

/// The logits, the loss, and its gradient on texts of any length.
fn computed(raw: &[f64], batch: &Batch, losses: Vec<Box<dyn Loss>>) -> (Vec<f64>, f64, Vec<f64>) {
    let unit = UnitRows::new(raw, D);
    let input = LossInput::new(&unit.values, K, batch, SCALE, None).unwrap();
    let mut losses = losses;
    let found = total(&input, &mut losses).unwrap();
    (
        input.logits.clone(),
        found.value,
        unit.backward(&found.texts),
    )
}

#[test]
fn kgcoop_has_the_loss_and_gradient_of_its_authors() {
    let Some(file) = reference("kgcoop") else {
        return;
    };
    let anchor = Anchor {
        strength: 8.0,
        fixed: file.numbers("fixed").to_vec(),
    };
    let losses: Vec<Box<dyn Loss>> = vec![Box::new(CrossEntropy), Box::new(anchor.clone())];
    let (logits, loss, gradient) = computed(file.numbers("raw_texts"), &batch(&file), losses);
    file.check("logits", &logits, F64);
    file.check("loss", &[loss], F64);
    file.check("grad_raw", &gradient, F64);
    let (.., pull, _) = computed(
        file.numbers("raw_texts"),
        &batch(&file),
        vec![Box::new(anchor)],
    );
    file.check("score", &[pull / 8.0], F64);
}

#[test]
fn promptsrc_has_the_loss_gradient_and_average_of_its_authors() {
    let Some(file) = reference("promptsrc") else {
        return;
    };
    let losses: Vec<Box<dyn Loss>> = vec![
        Box::new(CrossEntropy),
        Box::new(Absolute {
            strength: 25.0,
            fixed: file.numbers("fixed").to_vec(),
        }),
        Box::new(Distil {
            strength: 1.0,
            fixed: file.numbers("fixed").to_vec(),
            temperature: 1.0,
            per_class: true,
        }),
    ];
    let (_, loss, gradient) = computed(file.numbers("raw_texts"), &batch(&file), losses);
    file.check("loss", &[loss], F64);
    file.check("grad_raw", &gradient, F64);
    let weights = file.tensors().map(|(name, _)| name);
    for name in weights.filter(|name| name.starts_with("gauss")) {
        let numbers: Vec<usize> = name
            .split('_')
            .skip(1)
            .map(|n| n.parse().unwrap())
            .collect();
        let [epochs, mean, deviation] = numbers[..] else {
            panic!("{name}");
        };
        file.check(name, &gaussian(epochs, mean as f64, deviation as f64), F64);
    }
}

#[test]
fn msgcoop_differs_from_its_authors_in_the_mean_that_is_pulled_alone() {
    let Some(file) = reference("msgcoop") else {
        return;
    };
    let (raw, batch) = (file.numbers("raw_texts"), batch(&file));
    let (logits, ce, _) = computed(raw, &batch, vec![Box::new(CrossEntropy)]);
    file.check("logits", &logits, F64);
    let (.., diversity, _) = computed(raw, &batch, vec![Box::new(Diversity { strength: 1.0 })]);
    file.check("diversity", &[diversity], F64);
    let anchor = || {
        Box::new(Anchor {
            strength: 1.0,
            fixed: file.numbers("fixed").to_vec(),
        })
    };
    // The authors pull the mean of features of all lengths, this crate that of unit features, which is
    // what the logits are made of.
    let (.., ours, _) = computed(raw, &batch, vec![anchor()]);
    let mut mean = vec![0.0; K * D];
    for set in raw.chunks_exact(K * D) {
        mean.iter_mut().zip(set).for_each(|(m, v)| *m += v);
    }
    let (.., theirs, _) = computed(&mean, &batch, vec![anchor()]);
    file.check("score", &[theirs], F64);
    file.check("loss", &[ce + 8.0 * theirs + diversity], F64);
    assert!(
        (theirs - ours - 0.000_555_7).abs() < 1e-6,
        "{theirs} {ours}"
    );
    // Features of one length have one mean.
    let unit = UnitRows::new(raw, D).values;
    let (.., same, _) = computed(&unit, &batch, vec![anchor()]);
    assert!((same - ours).abs() < 1e-12);
}

#[test]
fn mocoop_has_the_losses_gates_and_targets_of_its_authors() {
    let Some(file) = reference("mocoop") else {
        return;
    };
    let (batch, hard, raw) = (batch(&file), file.numbers("hard"), file.numbers("soft_raw"));
    let fixed = hard.to_vec();
    let texts = HardTexts {
        strength: 1.0,
        fixed,
    };
    let (_, loss, gradient) = computed(raw, &batch, vec![Box::new(texts)]);
    file.check("text_loss", &[loss], F64);
    file.check("text_grad_raw", &gradient, F64);

    let gate = Gate { dim: D, experts: 4 };
    let parameters = [&file["gate_weight"].values[..], &file["gate_bias"].values].concat();
    let mixture = Mixture {
        contexts: 0,
        gate,
        strength: 1.0,
        hard: hard.to_vec(),
    };
    let rows = || batch.rows().zip(&batch.labels);
    let targets: Vec<f64> = rows().flat_map(|(f, y)| mixture.target(f, *y)).collect();
    file.check("gate_target", &targets, F64);
    let shares = batch.rows().flat_map(|f| gate.shares(&parameters, f));
    let unit = UnitRows::new(raw, D);
    let shares = Some(shares.collect());
    let input = LossInput::new(&unit.values, K, &batch, SCALE, shares).unwrap();
    file.check("logits", &input.logits, F32);
    let found = total(&input, &mut CrossEntropy).unwrap();
    file.check("instance_loss", &[found.value], F32);
}

fn narrow(values: &[f64]) -> Vec<f32> {
    values.iter().map(|v| *v as f32).collect()
}

/// d loss / d context of texts = normalise(7 texts0 + context · tower).
fn through_tower(file: &Fixture, loss: Box<dyn Loss>) -> (f64, Vec<f64>) {
    let (context, tower) = (file.numbers("ctx"), file.numbers("tower"));
    let mut raw: Vec<f64> = file.numbers("texts0").iter().map(|v| 7.0 * v).collect();
    for (v, row) in context.iter().zip(tower.chunks_exact(K * D)) {
        raw.iter_mut().zip(row).for_each(|(t, w)| *t += v * w);
    }
    let (_, value, gradient) = computed(&raw, &batch(file), vec![loss]);
    let rows = tower.chunks_exact(K * D);
    (value, rows.map(|row| dot(row, &gradient)).collect())
}

#[test]
fn prograd_takes_from_the_gradient_what_its_authors_take() {
    for name in ["prograd", "prograd_conflict"] {
        let Some(file) = reference(name) else {
            return;
        };
        let (xe, g) = through_tower(&file, Box::new(CrossEntropy));
        for t in ["1", "2"] {
            file.check(&format!("xe_T{t}"), &[xe], F64);
            file.check(&format!("g_T{t}"), &g, F64);
            let distil = Distil {
                strength: 1.0,
                fixed: file.numbers("texts0").to_vec(),
                temperature: t.parse().unwrap(),
                per_class: false,
            };
            let (kl, h) = through_tower(&file, Box::new(distil));
            file.check(&format!("h_T{t}"), &h, F64);
            // Theirs is the cross-entropy against the teacher: more by its entropy, a constant.
            assert!(file.numbers(&format!("kl_T{t}"))[0] > kl && kl > 0.0);
            let conflict = dot(&g, &h);
            assert_eq!(conflict < 0.0, name.ends_with("conflict"));
            for (lambda, strength) in [("1", 1.0), ("0.8", 0.8)] {
                let mut left = narrow(&g);
                remove_conflict(&mut left, &narrow(&h), strength);
                let left: Vec<f64> = left.into_iter().map(f64::from).collect();
                let expected = file.numbers(&format!("final_l{lambda}_T{t}"));
                // What is left may be short beside what was taken, which is f32 here.
                let error = difference(&left, expected);
                assert!(error <= F32, "{name} {lambda} {t}: off by {error:.1e}");
            }
        }
    }
}

#[test]
fn proapo_has_the_fitness_of_its_authors() {
    let Some(file) = reference("proapo") else {
        return;
    };
    let batch = batch(&file);
    let search = Search {
        sentences: file.numbers("sentences"),
        images: &batch,
        classes: K,
        scale: SCALE,
        weights: Fitness::PUBLISHED,
    };
    let all = [0, 1, 2, 3];
    file.check("fitness", &[search.fitness(&all).unwrap()], F64);
    let texts = search.texts(&all);
    file.check("redundancy", &[redundancy(&texts, D)], F64);
    let one = |top1, top5, redundancy, cross_entropy| {
        let weights = Fitness {
            top1,
            top5,
            redundancy,
            cross_entropy,
        };
        Search { weights, ..search }.fitness(&all).unwrap()
    };
    file.check("top1", &[one(1.0, 0.0, 0.0, 0.0)], F64);
    file.check("top5", &[one(0.0, 1.0, 0.0, 0.0)], F64);
    file.check("redundancy", &[one(0.0, 0.0, 1.0, 0.0)], F64);
    file.check("ce", &[-one(0.0, 0.0, 0.0, 1.0)], F64);
}
