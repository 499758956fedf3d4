//! Test-time tuning against PyTorch traces, on the CPU backend and on the software Vulkan device.

mod edges;
mod published;
mod templates;

use promptlens::device::Choice;
use promptlens::image::Rgb8;
use promptlens::model::Model;
use promptlens::prompt::layout::PromptLayout;
use promptlens::quant::Quantization;
use promptlens::tpt::{Config, Text, Tuned, tune};

use crate::common::{cosine, relative_error, shared};
use crate::fixtures::{Fixture, Tensor};

fn mini(choice: Choice) -> Option<Model> {
    let dir = shared("models/mini-0")?;
    Some(
        pollster::block_on(Model::open(&dir, choice, Some(Quantization::None)))
            .expect("mini-0 loads"),
    )
}

fn features(model: &Model, views: &Tensor) -> Vec<f32> {
    let size = views.shape[1] as u32;
    let pixels: Vec<f32> = views
        .values
        .chunks(views.values.len() / views.shape[0])
        .flat_map(|view| {
            let bytes = view.iter().map(|v| *v as u8).collect();
            promptlens::image::to_chw(&Rgb8::new(size, size, bytes).unwrap(), &model.preprocess)
        })
        .collect();
    pollster::block_on(model.embed_pixels(&pixels)).expect("features")
}

fn run(model: &Model, images: &[f32], labels: &[String], config: &Config) -> Tuned {
    let encoder = model.text_encoder();
    let context = encoder.words("a photo of a").unwrap();
    let mut side = encoder.contexts(labels, &PromptLayout::end(4)).unwrap();
    let text = Text {
        side: &mut side,
        classes: labels.len(),
        logit_scale: model.clip.logit_scale,
    };
    pollster::block_on(tune(text, &context, images, config, &())).expect("tuning runs")
}

fn absolute(what: &str, found: &[f64], expected: &[f32], limit: f64) {
    assert_eq!(found.len(), expected.len(), "{what}");
    for (a, b) in found.iter().zip(expected) {
        assert!((a - f64::from(*b)).abs() <= limit, "{what}: {a} is not {b}");
    }
}

fn check(choice: Choice, case: &str, tolerance: f64) {
    let Some(model) = mini(choice) else { return };
    let expected = Fixture::open(&format!("tpt/{case}.safetensors")).unwrap();
    let labels = expected.names("labels");
    let mut config = if case.starts_with("difftpt") {
        Config::difftpt_lite()
    } else {
        Config::tpt(16)
    };
    config.steps = expected.metadata("steps").map_or(1, |s| s.parse().unwrap());
    assert_eq!(config.rho, expected.text("rho").parse::<f64>().unwrap());

    let images = features(&model, &expected["views_u8"]);
    let error = relative_error(&images, &expected["image_features"].values);
    assert!(
        f64::from(error) <= tolerance,
        "{case} image features: {error:.2e}"
    );

    let tuned = run(&model, &images, &labels, &config);
    assert!(!tuned.guarded);
    if let Some(entropy) = expected.get("entropy") {
        absolute("entropy", &tuned.entropies, &entropy.values, tolerance);
    }
    let sorted = |v: &[usize]| {
        let mut v: Vec<f32> = v.iter().map(|i| *i as f32).collect();
        v.sort_by(f32::total_cmp);
        v
    };
    let reference = |name: &str| {
        let mut v = expected[name].values.clone();
        v.sort_by(f32::total_cmp);
        v
    };
    assert_eq!(sorted(&tuned.selected), reference("selected"));
    if expected.get("kept_by_cosine").is_some() {
        assert_eq!(sorted(&tuned.passed), reference("kept_by_cosine"));
    }
    let (losses, gradients, contexts) = if config.steps > 1 || expected.get("losses").is_some() {
        ("losses", "grad_per_step", "ctx_per_step")
    } else {
        ("loss", "ctx_grad", "ctx_after")
    };
    absolute(
        "losses",
        &tuned.losses[..config.steps],
        &expected[losses].values,
        tolerance,
    );
    absolute(
        "loss after",
        &tuned.losses[config.steps..],
        &expected["loss_after"].values,
        tolerance.max(1e-3),
    );
    let size = tuned.contexts[0].len();
    for step in 0..config.steps {
        let g = &expected[gradients].values[step * size..(step + 1) * size];
        let alike = cosine(&tuned.gradients[step], g);
        assert!(
            alike >= 0.9999,
            "{case} gradient of step {step}: cosine {alike}"
        );
        let top = g.iter().fold(0f32, |m, v| m.max(v.abs()));
        let context = &expected[contexts].values[step * size..(step + 1) * size];
        let strong = g.iter().map(|v| v.abs() > 1e-4 * top);
        for ((a, b), _) in tuned.contexts[step + 1]
            .iter()
            .zip(context)
            .zip(strong)
            .filter(|(_, s)| *s)
        {
            assert!(
                f64::from((a - b).abs()) <= tolerance.max(1e-4),
                "{case} context of step {step}: {a} {b}"
            );
        }
    }
    // From rest AdamW moves every coordinate by lr against the gradient's sign, whatever its size,
    // as far as it is more than eps.
    let (from, to) = (&tuned.contexts[0], &tuned.contexts[1]);
    for ((g, from), to) in tuned.gradients[0].iter().zip(from).zip(to) {
        let moved = f64::from(to - from) + 0.005 * 0.01 * f64::from(*from);
        let g = f64::from(*g);
        assert!(
            (moved + 0.005 * g / (g.abs() + 1e-8)).abs() < 1e-7,
            "{case}: {moved}, gradient {g}"
        );
        assert!(
            g.abs() < 1e-4 || (moved.abs() - 0.005).abs() < 1e-6,
            "{case}: {moved}"
        );
    }
    absolute(
        "logits before",
        &tuned.logits_before,
        &expected["logits_before"].values,
        1e-2,
    );
    absolute(
        "logits after",
        &tuned.logits_after,
        &expected["logits_after"].values,
        1e-2,
    );
    assert_ne!(tuned.logits_before, tuned.logits_after);
}

#[test]
fn one_step_of_tpt_matches_pytorch_on_cpu() {
    for case in ["case0", "case1", "case2"] {
        check(Choice::Cpu, case, 1e-4);
    }
}

#[test]
fn several_steps_match_pytorch_on_cpu() {
    check(Choice::Cpu, "two_steps", 1e-4);
    check(Choice::Cpu, "difftpt_lite", 1e-4);
}

#[test]
fn tuning_matches_pytorch_on_gpu() {
    check(Choice::WebGpu, "case0", 1e-3);
    check(Choice::WebGpu, "two_steps", 1e-3);
}
