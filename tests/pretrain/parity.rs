//! Loss and gradient of one step against PyTorch; `reference.py` made the numbers.

use std::collections::BTreeMap;

use pollster::block_on;
use promptlens::device;
use promptlens::device::Choice;
use promptlens::pretrain::batch::Batch;
use promptlens::pretrain::loss::Matches;
use promptlens::pretrain::model::Start;
use promptlens::pretrain::settings::Settings;
use promptlens::pretrain::step::gradient;
use promptlens::pretrain::towers::Kept;
use serde::Deserialize;

use crate::common::shared;
use crate::fixtures::Fixture;

#[derive(Deserialize)]
struct Step {
    loss: f64,
    gradients: BTreeMap<String, Fingerprint>,
}

#[derive(Deserialize)]
struct Fingerprint {
    norm: f64,
    weighted: f64,
    first: Vec<f64>,
}

/// The step that `reference.py` describes.
fn batch(expected: &Fixture) -> Batch {
    let (ids, eot) = (&expected["input_ids"], &expected["eot"].values);
    let captions: Vec<Vec<u32>> = (0..3)
        .map(|i| {
            let length = eot[i] as usize + 1;
            ids.row(i)[..length].iter().map(|id| *id as u32).collect()
        })
        .collect();
    let width = expected["text_embeds"].shape[1];
    let wanted = (0..2)
        .flat_map(|i| {
            let row: Vec<f64> = (0..width)
                .map(|j| (0.7 * (i * width + j) as f64 + 0.3).sin())
                .collect();
            let norm = row.iter().map(|v| v * v).sum::<f64>().sqrt();
            row.into_iter().map(move |v| (v / norm) as f32)
        })
        .collect();
    Batch {
        pixels: expected["pixel_values"].values.clone(),
        kept: Some(Kept {
            rows: vec![0, 2, 3, 5, 1, 4, 7, 8, 0, 4, 6, 8],
            patches: 4,
        }),
        matches: Matches {
            weights: vec![1.0, 0.0, 0.0, 0.3, 0.7, 0.7, 0.0, 0.0, 1.0],
            captions: 3,
        },
        answers: vec![0, 1, 2],
        names: 3,
        taught: captions[..2].to_vec(),
        captions,
        wanted,
    }
}

fn check(choice: Choice, shards: usize) {
    let Some(dir) = shared("fixtures/tiny-rand") else {
        return;
    };
    let Ok(processor) = block_on(device::open(choice, None)) else {
        eprintln!("SKIPPED: there is no GPU adapter");
        return;
    };
    let reference: Step = serde_json::from_str(include_str!("reference.json")).unwrap();
    let expected = Fixture::read(&dir.join("expected.safetensors"));
    let start = block_on(Start::open(&dir, None, None)).unwrap();
    let settings = Settings {
        smoothing: 0.05,
        distil: 0.5,
        shards,
        ..Settings::default()
    };
    let batch = batch(&expected);
    let found = block_on(gradient(
        start.config(),
        &start.layout,
        &start.values,
        &processor.placement,
        &batch,
        &settings,
    ))
    .unwrap();
    assert!(
        (f64::from(found.loss) - reference.loss).abs() < 1e-3 * reference.loss,
        "{} is not {}",
        found.loss,
        reference.loss
    );
    let gradients = start.layout.split(&found.values);
    let names: Vec<&String> = gradients.keys().collect();
    assert_eq!(names, reference.gradients.keys().collect::<Vec<_>>());
    for (name, tensor) in gradients {
        let g: Vec<f64> = tensor.into_floats().into_iter().map(f64::from).collect();
        let r = &reference.gradients[&name];
        // Keys of softmax attention have no gradient in their bias but rounding.
        let room = 1e-3 * r.norm.max(1e-3);
        let norm = g.iter().map(|v| v * v).sum::<f64>().sqrt();
        let weighted: f64 = (0..)
            .zip(&g)
            .map(|(i, v)| (0.37 * f64::from(i)).cos() * v)
            .sum();
        assert!((norm - r.norm).abs() < room, "{name}: {norm} {}", r.norm);
        assert!(
            (weighted - r.weighted).abs() < room,
            "{name}: {weighted} {}",
            r.weighted
        );
        for (a, b) in g.iter().zip(&r.first) {
            assert!((a - b).abs() < room, "{name}: {a} {b}");
        }
    }
}

#[test]
fn one_step_is_pytorchs() {
    check(Choice::Cpu, 1);
}

#[test]
fn a_step_in_parts_is_the_same_step() {
    check(Choice::Cpu, 2);
    check(Choice::Cpu, 3);
}

#[test]
fn one_step_on_a_gpu_is_pytorchs() {
    check(Choice::WebGpu, 1);
}
