//! Learning through the real text tower, against PyTorch and against itself.

use promptlens::device::Choice;
use promptlens::model::Model;
use promptlens::prompt::layout::{NamePosition, PromptLayout};
use promptlens::prompt::model::PromptModel;
use promptlens::prompt_learning::examples::{Batch, Examples};
use promptlens::prompt_learning::method::Method;
use promptlens::prompt_learning::parametrizations::Direct;
use promptlens::prompt_learning::schedule::Schedule;
use promptlens::prompt_learning::text::{TextLearner, cross_entropy};
use promptlens::prompt_learning::trainer::{FitResult, Learner, Observer, Settings, Step, fit};
use promptlens::prompt_learning::values::Auto;
use promptlens::quant::Quantization;

use crate::common::{cosine, relative_error, shared};
use crate::fixtures::Fixture;

pub fn mini(choice: Choice) -> Option<Model> {
    let dir = shared("models/mini-0")?;
    let model = pollster::block_on(Model::open(&dir, choice, Some(Quantization::None)));
    Some(model.expect("mini-0 loads"))
}

fn learner<'a>(model: &'a Model, names: &[String], layout: &PromptLayout) -> TextLearner<'a> {
    TextLearner {
        side: model.text_side(names, layout).expect("names fit"),
        parametrization: Box::new(Direct),
        losses: cross_entropy(),
        prograd: None,
        scale: f64::from(model.logit_scale()),
        classes: names.len(),
    }
}

/// The trace's names, images and first context.
struct Trace {
    names: Vec<String>,
    examples: Examples,
    start: Vec<f32>,
    gradient: Vec<f32>,
    end: Vec<f32>,
    losses: Vec<f32>,
    settings: Settings,
}

fn trace() -> Trace {
    let tensors = Fixture::open("coop/trace.safetensors").expect("checked before");
    let names = tensors.names("names");
    let labels = tensors.places("labels");
    let features = tensors["image_features"].values.clone();
    let count = labels.len();
    let number = |key: &str| tensors.text(key).parse::<f64>().unwrap();
    Trace {
        examples: Examples::new(features, labels, 1, 512, names.len()).unwrap(),
        names,
        start: tensors["ctx_init"].values.clone(),
        gradient: tensors["first_grad"].values.clone(),
        end: tensors["ctx_final"].values.clone(),
        losses: tensors["losses"].values.clone(),
        settings: Settings {
            method: Method::Sgd {
                momentum: number("momentum") as f32,
                weight_decay: number("weight_decay") as f32,
                nesterov: false,
            },
            lr: Auto::Set(number("lr")),
            schedule: Schedule::CONSTANT,
            epochs: 5,
            batch: count,
            seed: 0,
            clip: None,
            average: None,
        },
    }
}

fn first(trace: &Trace, learner: &mut TextLearner<'_>, start: &[f32]) -> Step {
    let picks: Vec<_> = (0..trace.examples.len()).map(|i| (i, 0)).collect();
    let batch = Batch::gather(&trace.examples, &picks);
    pollster::block_on(learner.step(start, &batch)).expect("a step")
}

fn descend(trace: &Trace, learner: &mut TextLearner<'_>) -> FitResult {
    let observer = Observer {
        progress: &(),
        observe: &|_| {},
    };
    let run = fit(
        learner,
        trace.start.clone(),
        &trace.examples,
        &trace.settings,
        observer,
    );
    pollster::block_on(run).expect("five steps")
}

fn norm(values: impl Iterator<Item = f32>) -> f64 {
    values.map(|v| f64::from(v).powi(2)).sum::<f64>().sqrt()
}

fn five_steps(choice: Choice, tolerance: f64) {
    let Some(model) = mini(choice) else { return };
    let trace = trace();
    let mut learner = learner(&model, &trace.names, &PromptLayout::end(4));
    let step = first(&trace, &mut learner, &trace.start);
    let alike = cosine(&step.gradient, &trace.gradient);
    assert!(alike >= 0.9999, "first gradient: cosine {alike}");
    let found = descend(&trace, &mut learner);
    let mut worst = 0f64;
    for (a, b) in found.losses.iter().zip(&trace.losses) {
        worst = worst.max((a - f64::from(*b)).abs());
    }
    assert!(worst <= tolerance.min(1e-4), "losses: {worst}");
    let pairs = found.parameters.iter().zip(&trace.end);
    let off = norm(pairs.map(|(a, b)| a - b));
    let way = norm(trace.end.iter().zip(&trace.start).map(|(a, b)| a - b));
    eprintln!(
        "coop {choice:?}: cosine {alike:.8}, losses {worst:.2e}, context {:.2e}",
        off / way
    );
    assert!(off / way <= tolerance, "final context: {}", off / way);
}

#[test]
fn five_steps_of_coop_match_pytorch_on_cpu() {
    five_steps(Choice::Cpu, 1e-3);
}

#[test]
fn five_steps_of_coop_match_pytorch_on_gpu() {
    five_steps(Choice::WebGpu, 1e-2);
}

#[test]
fn a_context_per_class_adds_up_to_the_shared_one() {
    let Some(model) = mini(Choice::Cpu) else {
        return;
    };
    let trace = trace();
    let k = trace.names.len();
    for layout in [NamePosition::End, NamePosition::Middle, NamePosition::Front] {
        let shared = PromptLayout {
            layout,
            ..PromptLayout::end(4)
        };
        let own = PromptLayout {
            assigned: Some((0..k).collect()),
            ..shared.clone()
        };
        let one = first(
            &trace,
            &mut learner(&model, &trace.names, &shared),
            &trace.start,
        );
        let many = first(
            &trace,
            &mut learner(&model, &trace.names, &own),
            &trace.start.repeat(k),
        );
        assert!((one.loss - many.loss).abs() < 1e-5, "{layout:?}");
        let mut sum = vec![0f32; trace.start.len()];
        for part in many.gradient.chunks_exact(sum.len()) {
            sum.iter_mut().zip(part).for_each(|(s, g)| *s += g);
        }
        let error = relative_error(&sum, &one.gradient);
        assert!(error < 1e-4, "{layout:?}: {error}");
    }
}

#[test]
fn gradients_of_all_layouts_match_finite_differences() {
    let Some(model) = mini(Choice::Cpu) else {
        return;
    };
    let trace = trace();
    for (layout, attributes) in [
        (NamePosition::End, vec![]),
        (NamePosition::Middle, vec![]),
        (NamePosition::Front, vec![]),
        (
            NamePosition::End,
            vec!["color".to_owned(), "playfulness".to_owned()],
        ),
    ] {
        let mut layout = PromptLayout {
            layout,
            attributes,
            per_attribute: 1,
            ..PromptLayout::end(4)
        };
        layout.vectors -= layout.attributes.len();
        let mut learner = learner(&model, &trace.names, &layout);
        let at = first(&trace, &mut learner, &trace.start);
        // Along the gradient the loss changes most, so that f32 rounding does not hide the slope.
        let length = norm(at.gradient.iter().copied());
        let mut along = |h: f64| {
            let moved = trace.start.iter().zip(&at.gradient);
            let moved: Vec<f32> = moved
                .map(|(v, g)| v + (h * f64::from(*g) / length) as f32)
                .collect();
            first(&trace, &mut learner, &moved).loss
        };
        let slope = (along(1e-3) - along(-1e-3)) / 2e-3;
        let error = (slope - length).abs() / length;
        assert!(error < 1e-2, "{layout:?}: {slope} {length}");
    }
}

/// Both LAPT contexts by the way that the recipe takes: every name assigned its own.
#[test]
fn two_contexts_on_one_tape_get_the_gradients_of_pytorch() {
    let Some(model) = mini(Choice::Cpu) else {
        return;
    };
    for file in [
        "lapt/contexts_mini.safetensors",
        "authors/core/lapt_contexts.safetensors",
    ] {
        two_contexts_match(&model, &Fixture::open(file).unwrap());
    }
}

fn two_contexts_match(model: &Model, stored: &Fixture) {
    let (own, other) = (stored.names("id_names"), stored.names("negative_names"));
    let assigned: Vec<usize> = std::iter::repeat_n(0, own.len())
        .chain(std::iter::repeat_n(1, other.len()))
        .collect();
    let images = stored["image_features"].values.iter();
    let batch = Batch {
        places: Vec::new(),
        images: images.map(|v| f64::from(*v)).collect(),
        local_features: Vec::new(),
        labels: stored.places("labels"),
        dim: model.clip.config.projection_dim,
    };
    let start = [&stored["v_id"].values[..], &stored["v_neg"].values].concat();
    let half = start.len() / 2;
    // In runs that share a beginning, and name by name where no two neighbors do.
    let joint = [own.clone(), other].concat();
    let order: Vec<usize> = {
        let (a, b) = (0..own.len(), own.len()..joint.len());
        let mut mixed: Vec<usize> = a.clone().zip(b.clone()).flat_map(|(a, b)| [a, b]).collect();
        mixed.extend(a.skip(mixed.len() / 2));
        let rest: Vec<usize> = b.filter(|i| !mixed.contains(i)).collect();
        mixed.extend(rest);
        mixed
    };
    for order in [(0..joint.len()).collect(), order] {
        let layout = PromptLayout {
            assigned: Some(order.iter().map(|i| assigned[*i]).collect()),
            ..PromptLayout::end(4)
        };
        let names: Vec<String> = order.iter().map(|i| joint[*i].clone()).collect();
        let mut batch = batch.clone();
        for label in &mut batch.labels {
            *label = order.iter().position(|i| i == label).unwrap();
        }
        let mut learner = learner(model, &names, &layout);
        let step = pollster::block_on(learner.step(&start, &batch)).unwrap();
        let expected = f64::from(stored["loss"].values[0]);
        assert!((step.loss - expected).abs() <= 2e-5, "{}", step.loss);
        let (v_id, v_neg) = step.gradient.split_at(half);
        for (name, found) in [("grad_v_id", v_id), ("grad_v_neg", v_neg)] {
            let alike = cosine(found, &stored[name].values);
            assert!(alike >= 0.9999, "{name}: cosine {alike}");
            let error = relative_error(found, &stored[name].values);
            assert!(error <= 2e-5, "{name}: error {error:.2e}");
        }
    }
}
