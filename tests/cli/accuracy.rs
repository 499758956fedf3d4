//! Accuracy on whole test splits against PyTorch's.

use serde_json::Value;

use super::{mini, text, with_model};
use crate::common::shared;

/// `eval` on one data set; `points` is the most that the accuracy may differ by.
fn reproduces(set: &str, quant: &str, points: f64) {
    let (Some(model), Some(reference)) = (mini(), shared("fixtures/mini/accuracy.json")) else {
        return;
    };
    let reference: Value = serde_json::from_slice(&std::fs::read(reference).unwrap()).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let labels = folder.path().join("labels.json");
    std::fs::write(&labels, reference["labels_all"].to_string()).unwrap();
    let data = shared(&format!("data/{set}.tar.gz")).unwrap();
    let run = with_model(
        "eval",
        &model,
        &[
            "--quant",
            quant,
            "--data",
            text(&data),
            "--labels",
            &format!("@{}", text(&labels)),
            "--template",
            reference["template"].as_str().unwrap(),
        ],
    );
    assert_eq!(run.status, 0, "{}", run.stderr);
    let found = run.json();
    let expected = &reference["accuracy"][set];
    let (accuracy, wanted) = (
        found["accuracy"].as_f64().unwrap(),
        expected["all_names"].as_f64().unwrap(),
    );
    println!(
        "{set} {quant}: {accuracy:.4}, PyTorch {wanted:.4}, {:.1} s",
        found["seconds"].as_f64().unwrap()
    );
    assert_eq!(found["n"], expected["n"]);
    assert_eq!(found["failed"], 0);
    assert_eq!(found["quant"], quant);
    let one = 1.0 / found["n"].as_f64().unwrap();
    let tolerance = points / 100.0 + 1e-9;
    assert!(
        (accuracy - wanted).abs() <= tolerance,
        "{set} {quant}: {accuracy} instead of {wanted}"
    );
    let sum: f64 = found["per_class"]
        .as_object()
        .unwrap()
        .iter()
        .map(|(label, a)| a.as_f64().unwrap() * found["per_class_n"][label].as_f64().unwrap())
        .sum();
    assert!((sum * one - accuracy).abs() < 1e-9, "classes do not add up");
}

#[test]
fn floats_reproduce_the_accuracy_of_pytorch() {
    for set in ["flowers", "imagenette", "cifar10"] {
        reproduces(set, "none", 0.3);
    }
}

#[test]
fn eight_bits_reproduce_the_accuracy_of_pytorch() {
    for set in ["flowers", "imagenette", "cifar10"] {
        reproduces(set, "q8", 1.0);
    }
}
