//! `pairs`, from photos to a prompt that tells two classes apart, and `--temperature`.

use std::path::PathBuf;

use serde_json::Value;

use super::{Run, promptlens, text};

const NAMES: &str = "cat,dog,coffee cup,rocket,church";

fn model() -> PathBuf {
    std::env::current_dir().unwrap().join("www/models/mini")
}

fn sample(name: &str) -> PathBuf {
    std::env::current_dir()
        .unwrap()
        .join(format!("www/samples/{name}.jpg"))
}

fn run(command: &str, rest: &[&str]) -> Run {
    let model = model();
    promptlens(
        &[
            &[
                command,
                "--json",
                "--model",
                text(&model),
                "--labels",
                NAMES,
            ],
            rest,
        ]
        .concat(),
    )
}

/// The classes of a photo with their probabilities, most probable first.
fn answer(photo: &str, rest: &[&str]) -> Vec<(String, f64)> {
    let photo = sample(photo);
    let found = run("classify", &[rest, &[text(&photo)]].concat());
    assert_eq!(found.status, 0, "{}", found.stderr);
    let found = found.json()["results"][0]["predictions"].clone();
    let read = |p: &Value| {
        let label = p["label"].as_str().unwrap().to_owned();
        (label, p["probability"].as_f64().unwrap())
    };
    found.as_array().unwrap().iter().map(read).collect()
}

#[test]
fn pairs_of_the_photos_are_written_and_their_texts_answer() {
    let dir = tempfile::tempdir().unwrap();
    let (file, prompt) = (
        dir.path().join("pairs.json"),
        dir.path().join("p.safetensors"),
    );
    let photos = ["cat", "cup", "rocket"].map(sample);
    let mut rest = vec!["--top", "2", "--texts", "1", "--out", text(&file)];
    rest.extend(photos.iter().map(|photo| text(photo)));
    let found = run("pairs", &rest);
    assert_eq!(found.status, 0, "{}", found.stderr);
    let found = found.json();
    assert_eq!(found["images"], 3);
    let pairs = found["pairs"].as_array().unwrap();
    let counts: Vec<u64> = pairs
        .iter()
        .map(|p| p["images"].as_u64().unwrap())
        .collect();
    assert_eq!(counts.iter().sum::<u64>(), 3);
    assert!(counts.is_sorted_by(|a, b| a >= b));
    let first = answer("cat", &[]);
    assert!(pairs.iter().any(|pair| {
        let classes = pair["classes"].as_array().unwrap();
        [&first[0].0, &first[1].0]
            .iter()
            .all(|name| classes.iter().any(|c| c == name.as_str()))
    }));

    // Empty, it is the first pass; filled, the texts decide.
    let train = |file: &std::path::Path| {
        let rest = [
            "--recipe",
            "fudd",
            "--descriptions",
            text(file),
            "--set",
            "top=2",
            "--out",
            text(&prompt),
        ];
        let found = run("train", &rest);
        assert_eq!(found.status, 0, "{}", found.stderr);
        answer("cat", &["--prompt", text(&prompt)])
    };
    let empty = train(&file);
    for ((label, p), (own, q)) in empty.iter().zip(&first) {
        // The file keeps its features in 32 bits.
        assert!(label == own && (p - q).abs() < 1e-6, "{empty:?} {first:?}");
    }
    let mut filled: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    for entry in filled.as_object_mut().unwrap().values_mut() {
        // What the photo shows, for the second class: the texts swap the two.
        let second = entry["classes"]
            .as_array()
            .unwrap()
            .iter()
            .position(|c| c == first[1].0.as_str());
        let mut texts = [
            "a photo of an empty white wall.",
            "a photo of an empty white wall.",
        ];
        if let Some(second) = second {
            texts[second] = "a photo of a cat.";
        }
        entry["prompt_pairs"][0]["prompt_pair"] = texts.as_slice().into();
    }
    std::fs::write(&file, filled.to_string()).unwrap();
    let again = train(&file);
    assert_eq!(again[0].0, first[1].0, "{again:?}");
    assert!((again.iter().map(|(_, p)| p).sum::<f64>() - 1.0).abs() < 1e-6);
}

#[test]
fn a_temperature_softens_an_answer() {
    let (plain, soft) = (answer("cat", &[]), answer("cat", &["--temperature", "4"]));
    let labels =
        |answer: &[(String, f64)]| answer.iter().map(|(l, _)| l.clone()).collect::<Vec<_>>();
    assert_eq!(labels(&plain), labels(&soft));
    let roots: Vec<f64> = plain.iter().map(|(_, p)| p.powf(0.25)).collect();
    let sum: f64 = roots.iter().sum();
    for ((_, p), root) in soft.iter().zip(roots) {
        assert!((p - root / sum).abs() < 1e-9);
    }
    let photo = sample("cat");
    let refused = run("classify", &["--temperature", "0", text(&photo)]);
    assert_ne!(refused.status, 0);
    assert!(
        refused.stderr.contains("options/invalid") || refused.stdout.contains("options/invalid")
    );
}

#[test]
fn photos_that_cannot_be_read_are_told() {
    let dir = tempfile::tempdir().unwrap();
    let bad = dir.path().join("bad.jpg");
    std::fs::write(&bad, "no photo").unwrap();
    let photo = sample("cat");
    let found = run("pairs", &[text(&bad), text(&photo)]);
    assert_eq!(found.status, 0);
    assert_eq!(found.json()["images"], 1);
    assert!(found.stderr.contains("bad.jpg"));
    assert_ne!(run("pairs", &[text(&bad)]).status, 0);
}
