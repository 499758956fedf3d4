//! The shared-prefix text tower against the full-length form: features and context gradients.

use std::sync::Arc;

use burn::tensor::{Int, Tensor, TensorData};
use promptlens::clip::text::TextTower;
use promptlens::device::Choice;
use promptlens::kernels::floats;
use promptlens::kernels::read;
use promptlens::model::Model;
use promptlens::prompt::context_encoder::ContextEncoder;
use promptlens::prompt::tokens::PromptTokens;
use promptlens::quant::Quantization;

use crate::common::{relative_error, shared};
use promptlens::kernels::check::values;

/// Features [K, d] of every prompt at the model's full length, each row on its own, and
/// d sum(features * c) / d context.
fn full(
    tower: &TextTower,
    sot: u32,
    suffixes: &[Vec<u32>],
    context: &[f32],
    c: &[f32],
) -> (Vec<f32>, Vec<f32>) {
    let (w, length) = (tower.config.width, tower.config.context_length);
    let (k, m) = (suffixes.len(), context.len() / w);
    let device = &tower.device;
    let leaf = floats(context.to_vec(), [m, w], device)
        .autodiff()
        .require_grad();
    let start = floats(tower.embed(&[sot], 0), [1, 1, w], device).repeat_dim(0, k);
    let learned = (leaf.clone() + tower.positions(1, m))
        .unsqueeze::<3>()
        .repeat_dim(0, k);
    let rest: Vec<f32> = suffixes
        .iter()
        .flat_map(|suffix| {
            let mut ids = suffix.clone();
            ids.resize(length - 1 - m, 0);
            tower.embed(&ids, 1 + m)
        })
        .collect();
    let rest = floats(rest, [k, length - 1 - m, w], device);
    let mut x = Tensor::cat(vec![start, learned, rest], 1);
    for block in &tower.blocks {
        x = block.forward(x, None);
    }
    let at: Vec<i32> = suffixes
        .iter()
        .enumerate()
        .map(|(i, s)| (i * length + m + s.len()) as i32)
        .collect();
    let at = Tensor::<1, Int>::from_data(TensorData::new(at, [k]), device);
    let rows = x.reshape([k * length, w]).select(0, at);
    let features = tower
        .projection
        .forward(tower.last.forward(rows), None, None);
    let d = features.dims()[1];
    let grads = (features.clone() * floats(c.to_vec(), [k, d], device))
        .sum()
        .backward();
    let gradient = leaf.grad(&grads).expect("a gradient");
    let host = |x: Tensor<2>| pollster::block_on(read(x)).expect("finite values");
    (host(features.inner()), host(gradient))
}

/// The shared-prefix form on `choice` against the full-length form on the CPU.
fn check(model: &str, choice: Choice, classes: usize) {
    let Some(dir) = shared(model) else { return };
    let open = |choice| {
        let whole = Some(Quantization::None);
        pollster::block_on(Model::open(&dir, choice, whole)).unwrap()
    };
    let (model, reference) = (open(choice), open(Choice::Cpu));
    let tower = &model.clip.text;
    let (w, d, vocabulary) = (
        tower.config.width,
        model.clip.config.projection_dim,
        tower.config.vocab_size as u32,
    );
    // Token ids that need no words, so that random vocabularies serve as well.
    let (sot, eot) = (vocabulary - 2, vocabulary - 1);
    let suffixes: Vec<Vec<u32>> = (0..classes as u32)
        .map(|i| {
            let mut ids: Vec<u32> = (0..1 + i % 4)
                .map(|j| (i * 7 + j * 13 + 5) % (vocabulary - 2))
                .collect();
            ids.push(eot);
            ids
        })
        .collect();
    let tokens = PromptTokens::from_suffixes(sot, 4, &suffixes);
    let context: Vec<f32> = values(4 * w, 3).iter().map(|v| v * 0.05).collect();
    let c = values(classes * d, 9);

    let mut encoder = ContextEncoder::new(tower, Arc::new(tokens));
    let features = pollster::block_on(encoder.forward(&context)).unwrap();
    let longest = 5.min(classes + 1);
    assert_eq!(encoder.rows.full, classes * tower.config.context_length);
    assert!(
        encoder.rows.processed >= 1 + 4 + classes * 2
            && encoder.rows.processed <= (1 + 4) * 8 + classes * longest
    );
    let gradient = pollster::block_on(encoder.backward(&c)).unwrap();
    // A hundred classes at a time: the full-length form keeps every row of every block for its tape.
    let (mut expected, mut slope) = (Vec::new(), vec![0f32; context.len()]);
    for (suffixes, c) in suffixes.chunks(100).zip(c.chunks(100 * d)) {
        let (features, part) = full(&reference.clip.text, sot, suffixes, &context, c);
        expected.extend(features);
        slope
            .iter_mut()
            .zip(part)
            .for_each(|(sum, part)| *sum += part);
    }
    let (f, g) = (
        relative_error(&features, &expected),
        relative_error(&gradient, &slope),
    );
    println!("{choice:?}, {classes} classes: features {f:.1e}, gradient {g:.1e}");
    assert!(f <= 1e-5, "{classes} classes: features {f:.2e}");
    assert!(g <= 1e-5, "{classes} classes: gradient {g:.2e}");
}

#[test]
fn one_ten_and_a_thousand_classes_match_on_a_random_model() {
    for classes in [1, 10, 1000] {
        check("fixtures/tiny-rand", Choice::Cpu, classes);
    }
}

#[test]
fn one_ten_and_a_thousand_classes_match_on_a_trained_model() {
    for classes in [1, 10, 1000] {
        check("models/mini-0", Choice::Cpu, classes);
    }
}

#[test]
fn one_ten_and_a_thousand_classes_of_a_random_model_match_on_the_gpu() {
    for classes in [1, 10, 1000] {
        check("fixtures/tiny-rand", Choice::WebGpu, classes);
    }
}

#[test]
fn one_ten_and_a_thousand_classes_of_a_trained_model_match_on_the_gpu() {
    for classes in [1, 10, 1000] {
        check("models/mini-0", Choice::WebGpu, classes);
    }
}
