//! The towers against PyTorch, on the CPU backend and on the software Vulkan device.

use std::path::Path;

use burn::tensor::Tensor;
use promptlens::clip::text::TextTower;
use promptlens::device::Choice;
use promptlens::kernels::{floats, read};
use promptlens::model::Model;
use promptlens::quant::Quantization;

use crate::common::{cosine, relative_error, shared};
use crate::fixtures::Fixture;

fn open(dir: &Path, choice: Choice, quantization: Option<Quantization>) -> Model {
    pollster::block_on(Model::open(dir, choice, quantization)).expect("the model loads")
}

/// The token rows before the first and after every block in the full-length form, [K, T, W] each:
/// sequences are padded to `length` with id 0.
fn text_states(tower: &TextTower, sequences: &[Vec<u32>], length: usize) -> Vec<Tensor<3>> {
    let mut values = Vec::new();
    for sequence in sequences {
        let mut ids = sequence.clone();
        ids.resize(length, 0);
        values.extend(tower.embed(&ids, 0));
    }
    let shape = [sequences.len(), length, tower.config.width];
    let mut states = vec![floats(values, shape, &tower.device)];
    for block in &tower.blocks {
        let x = states[states.len() - 1].clone();
        states.push(block.forward(x, None));
    }
    states
}

fn check(name: &str, choice: Choice, tolerance: f32) {
    let Some(dir) = shared(&format!("fixtures/{name}")) else {
        return;
    };
    let model = open(&dir, choice, None);
    let expected = Fixture::read(&dir.join("expected.safetensors"));
    let close = |what: &str, actual: &[f32], expected: &[f32]| {
        let error = relative_error(actual, expected);
        println!("{name} {what}: {error:.2e}");
        assert!(
            error <= tolerance,
            "{name} {what}: error {error:.3e} above {tolerance:.0e}"
        );
    };

    let pixels = &expected["pixel_values"].values;
    for (i, state) in model
        .clip
        .vision
        .vit("a test")
        .unwrap()
        .hidden_states(pixels)
        .into_iter()
        .enumerate()
    {
        let state = pollster::block_on(read(state)).unwrap();
        close(
            &format!("vision_hidden_{i}"),
            &state,
            &expected[&format!("vision_hidden_{i}")].values,
        );
    }
    let mut image = pollster::block_on(read(model.clip.vision.encode(pixels))).unwrap();
    close("image_embeds", &image, &expected["image_embeds"].values);

    let ids = &expected["input_ids"];
    let length = ids.shape[1];
    let sequences: Vec<Vec<u32>> = (0..ids.shape[0])
        .map(|i| {
            let end = expected["eot"].values[i] as usize;
            ids.row(i)[..=end].iter().map(|v| *v as u32).collect()
        })
        .collect();
    let states = text_states(&model.clip.text, &sequences, length);
    for (i, state) in states.into_iter().enumerate() {
        let state = pollster::block_on(read(state)).unwrap();
        close(
            &format!("text_hidden_{i}"),
            &state,
            &expected[&format!("text_hidden_{i}")].values,
        );
    }
    let (features, rows) = model.clip.text.encode(&sequences);
    let mut text = pollster::block_on(read(features)).unwrap();
    assert!(rows.processed < rows.full);
    close("text_embeds", &text, &expected["text_embeds"].values);

    let d = model.clip.config.projection_dim;
    promptlens::math::normalize_rows(&mut image, d);
    promptlens::math::normalize_rows(&mut text, d);
    let logits: Vec<f32> = image
        .chunks(d)
        .flat_map(|f| {
            text.chunks(d)
                .map(|t| model.clip.logit_scale * f.iter().zip(t).map(|(a, b)| a * b).sum::<f32>())
                .collect::<Vec<_>>()
        })
        .collect();
    close("logits", &logits, &expected["logits"].values);
}

#[test]
fn cpu_matches_pytorch_with_quick_gelu() {
    check("tiny-rand", Choice::Cpu, 1e-4);
}

#[test]
fn cpu_matches_pytorch_with_gelu() {
    check("tiny-rand-gelu", Choice::Cpu, 1e-4);
}

#[test]
fn gpu_matches_pytorch_with_quick_gelu() {
    check("tiny-rand", Choice::WebGpu, 1e-4);
}

#[test]
fn gpu_matches_pytorch_with_gelu() {
    check("tiny-rand-gelu", Choice::WebGpu, 1e-4);
}

/// Feature cosine of mini-0 against PyTorch from the reference's own pixel values.
fn mini(choice: Choice, quantization: Quantization, least: f64) {
    let Some(dir) = shared("models/mini-0") else {
        return;
    };
    let model = open(&dir, choice, Some(quantization));
    let expected = Fixture::open("mini/expected.safetensors").unwrap();
    let found = pollster::block_on(model.embed_pixels(&expected["pixel_values"].values)).unwrap();
    let d = model.clip.config.projection_dim;
    for (i, row) in found.chunks(d).enumerate() {
        let c = cosine(row, expected["image_embeds"].row(i));
        assert!(c >= least, "image {i}: cosine {c} below {least}");
    }
}

#[test]
fn quantized_features_stay_close_on_cpu() {
    mini(Choice::Cpu, Quantization::None, 0.999_99);
    mini(Choice::Cpu, Quantization::Q8, 0.999);
    mini(Choice::Cpu, Quantization::Q4, 0.985);
}

#[test]
fn quantized_features_stay_close_on_gpu() {
    mini(Choice::WebGpu, Quantization::None, 0.999_99);
    mini(Choice::WebGpu, Quantization::Q8, 0.999);
    mini(Choice::WebGpu, Quantization::Q4, 0.985);
}
