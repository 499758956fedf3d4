//! Tuning and optimizers against values that the authors' own code computed with mini-0.

use promptlens::device::Choice;
use promptlens::math::optimizer::{AdamW, Optimizer, Sgd};
use promptlens::tpt::{Config, Tuned};

use super::{absolute, features, mini, run};
use crate::common::{cosine, relative_error};
use crate::fixtures::{Fixture, worst};

fn core(name: &str) -> Option<Fixture> {
    Fixture::open(&format!("authors/core/{name}.safetensors"))
}

fn sorted(mut v: Vec<f32>) -> Vec<f32> {
    v.sort_by(f32::total_cmp);
    v
}

fn places(v: &[usize]) -> Vec<f32> {
    sorted(v.iter().map(|i| *i as f32).collect())
}

/// Every step's gradient by direction and the last context coordinate by coordinate, save those whose
/// gradient is nothing but rounding: AdamW's first step has the size of its rate whatever the gradient.
fn same_descent(tuned: &Tuned, gradients: &[f32], after: &[f32], tolerance: f32) {
    let size = after.len();
    for (step, (ours, theirs)) in tuned
        .gradients
        .iter()
        .zip(gradients.chunks_exact(size))
        .enumerate()
    {
        let alike = cosine(ours, theirs);
        assert!(alike >= 0.9999, "gradient of step {step}: cosine {alike}");
    }
    let top = gradients.iter().fold(0f32, |m, g| m.max(g.abs()));
    let last = tuned.contexts.last().unwrap();
    for ((a, b), g) in last.iter().zip(after).zip(gradients) {
        assert!(
            (a - b).abs() <= tolerance || g.abs() < 1e-3 * top,
            "{a} {b} at a gradient of {g}"
        );
    }
}

#[test]
fn tpt_of_ten_views_of_which_one_is_kept() {
    for (choice, tolerance) in [(Choice::Cpu, 2e-5), (Choice::WebGpu, 1e-3)] {
        let (Some(model), Some(t)) = (mini(choice), core("tpt_1view")) else {
            return;
        };
        let images = features(&model, &t["views_u8"]);
        let error = relative_error(&images, &t["image_features"].values);
        assert!(f64::from(error) <= tolerance, "{error:.2e}");
        let config = Config {
            rho: 0.1,
            ..Config::tpt(10)
        };
        let tuned = run(&model, &images, &t.names("labels"), &config);
        assert_eq!(
            places(&tuned.selected),
            sorted(t["selected"].values.clone())
        );
        absolute("entropy", &tuned.entropies, &t["entropy"].values, tolerance);
        let (before, after) = (&t["loss_before"].values, &t["loss_after"].values);
        absolute("loss before", &tuned.losses[..1], before, tolerance);
        absolute("loss after", &tuned.losses[1..], after, 10.0 * tolerance);
        let (gradient, context) = (&t["ctx_grad"].values, &t["ctx_after"].values);
        same_descent(&tuned, gradient, context, 1e-4);
        let logits = &t["logits_before"].values;
        absolute(
            "logits before",
            &tuned.logits_before,
            logits,
            20.0 * tolerance,
        );
        let logits = &t["logits_after"].values;
        absolute(
            "logits after",
            &tuned.logits_after,
            logits,
            50.0 * tolerance,
        );
    }
}

#[test]
fn tpt_on_the_plain_view_alone() {
    let (Some(model), Some(t)) = (mini(Choice::Cpu), core("tpt_plain_only")) else {
        return;
    };
    let images = features(&model, &t["u8"]);
    for (steps, limit) in [(1, 2e-3), (3, 5e-3)] {
        for (i, image) in images.chunks_exact(512).enumerate() {
            let config = Config {
                steps,
                rho: 1.0,
                ..Config::tpt(1)
            };
            let tuned = run(&model, image, &t.names("labels"), &config);
            let stored = |what: &str| t[&format!("{what}_{steps}")].row(i).to_vec();
            absolute("before", &tuned.logits_before, &stored("before"), 5e-4);
            absolute("after", &tuned.logits_after, &stored("after"), limit);
            let ends = [tuned.entropy_before(), tuned.entropy_after()];
            absolute("entropy", &ends, &stored("entropy"), 1e-3);
        }
    }
}

#[test]
fn difftpt_with_64_views_and_four_steps() {
    let (Some(model), Some(t)) = (mini(Choice::Cpu), core("difftpt_64")) else {
        return;
    };
    let images = features(&model, &t["views_u8"]);
    let error = relative_error(&images, &t["image_features"].values);
    assert!(error <= 2e-5, "{error:.2e}");
    let tuned = run(&model, &images, &t.names("labels"), &Config::difftpt_lite());
    assert_eq!(places(&tuned.passed), sorted(t["passed"].values.clone()));
    assert_eq!(
        places(&tuned.selected),
        sorted(t["selected"].values.clone())
    );
    absolute("losses", &tuned.losses, &t["losses"].values, 1e-4);
    same_descent(&tuned, &t["ctx_grad"].values, &t["ctx_after"].values, 5e-4);
    absolute(
        "after",
        &tuned.logits_after,
        &t["logits_after"].values,
        5e-3,
    );
}

#[test]
fn adamw_over_the_authors_gradients() {
    for case in [
        "adamw_tpt_crop64",
        "adamw_tpt_4steps",
        "adamw_difftpt_64",
        "adamw_difftpt_128",
    ] {
        let Some(f) = core(case) else {
            return;
        };
        let (start, gradients) = (f.numbers("start"), f.numbers("gradients"));
        let narrow = |v: &[f64]| v.iter().map(|x| *x as f32).collect::<Vec<_>>();
        let mut ours = narrow(start);
        let mut optimizer = AdamW::new(ours.len(), 0.01);
        // PyTorch's rule in double precision.
        let (mut theirs, mut m, mut v) = (start.to_vec(), vec![0.0; 768], vec![0.0; 768]);
        for (step, gradient) in gradients.chunks_exact(768).enumerate() {
            optimizer.step(&mut ours, &narrow(gradient), 5e-3);
            let t = step as i32 + 1;
            for i in 0..768 {
                theirs[i] *= 1.0 - 5e-3 * 0.01;
                m[i] = 0.9 * m[i] + 0.1 * gradient[i];
                v[i] = 0.999 * v[i] + 0.001 * gradient[i] * gradient[i];
                let (first, second): (f64, f64) = (
                    m[i] / (1.0 - 0.9f64.powi(t)),
                    v[i] / (1.0 - 0.999f64.powi(t)),
                );
                theirs[i] -= 5e-3 * first / (second.sqrt() + 1e-8);
            }
        }
        let wide: Vec<f64> = ours.iter().map(|v| f64::from(*v)).collect();
        let error = worst(&wide, &theirs);
        assert!(error <= 2e-5, "{case}: {error}");
    }
}

#[test]
fn sgd_over_the_gradients_of_lapts_epochs() {
    for case in ["lapt_epoch_wccm", "lapt_epoch_wccm_cd"] {
        let (Some(sgd), Some(epoch)) = (core(&format!("sgd_{case}")), core(case)) else {
            return;
        };
        let mut parameters = sgd["start"].values.clone();
        let gradients = &sgd["gradients"].values;
        let (stored, rates) = (epoch.numbers("parameters"), epoch.numbers("rates"));
        let size = parameters.len();
        let mut optimizer = Sgd::new(0.9, 1e-5);
        optimizer.nesterov = true;
        for (step, rate) in rates.iter().enumerate() {
            let gradient = &gradients[step * size..(step + 1) * size];
            optimizer.step(&mut parameters, gradient, *rate as f32);
            let expected = &stored[step * size..(step + 1) * size];
            let wide: Vec<f64> = parameters.iter().map(|v| f64::from(*v)).collect();
            let error = worst(&wide, expected);
            assert!(error <= 1e-6, "{case} step {step}: {error}");
        }
    }
}
