//! `classify --classifier` and `inspect` of classifier files.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::{Run, promptlens, text};

/// The built-in model.
fn model() -> PathBuf {
    std::env::current_dir().unwrap().join("www/models/mini")
}

fn photo() -> PathBuf {
    std::env::current_dir().unwrap().join("www/samples/cat.jpg")
}

/// A file in `dir` with these settings, that names the built-in model.
fn file(dir: &Path, change: impl FnOnce(&mut Value)) -> PathBuf {
    let inspected = promptlens(&["inspect", "--json", text(&model())]).json();
    let mut settings = json!({
        "format": "promptlens-classifier",
        "version": 1,
        "labels": ["cat", "dog", "cup"],
        "templates": ["a photo of a {}.", "a drawing of a {}."],
        "prompt": null,
        "rejection": { "score": "energy", "threshold": { "score": "energy", "value": 1e6 } },
        "tuning": { "tune": "none" },
        "model": { "address": "elsewhere/", "name": "mini", "quantization": null, "sha256": inspected["model_sha256"] }
    });
    change(&mut settings);
    let path = dir.join("cats.promptlens");
    std::fs::write(&path, settings.to_string()).unwrap();
    path
}

fn classify(rest: &[&str]) -> Run {
    promptlens(&[&["classify", "--json"], rest].concat())
}

#[test]
fn a_classifier_file_answers_as_its_settings_on_the_command_line_do() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(dir.path(), |_| {});
    let (photo, model) = (photo(), model());
    let found = classify(&[
        "--classifier",
        text(&path),
        "--model",
        text(&model),
        text(&photo),
    ]);
    assert_eq!(found.status, 0, "{}", found.stderr);
    let asked = classify(&[
        "--model",
        text(&model),
        "--labels",
        "cat,dog,cup",
        "--template",
        "a photo of a {}.",
        "--template",
        "a drawing of a {}.",
        "--ood",
        "energy",
        text(&photo),
    ]);
    let (found, asked) = (found.json(), asked.json());
    let (found, asked) = (&found["results"][0], &asked["results"][0]);
    assert_eq!(found["predictions"], asked["predictions"]);
    assert_eq!(found["ood"]["value"], asked["ood"]["value"]);
    // No photo is above a threshold of a million.
    assert_eq!(found["ood"]["threshold"], 1e6);
    assert_eq!(found["ood"]["is_outlier"], true);
    assert_eq!(asked["ood"]["is_outlier"], Value::Null);
}

#[test]
fn the_model_beside_the_file_is_found() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("model");
    std::fs::create_dir(&folder).unwrap();
    for entry in std::fs::read_dir(model()).unwrap() {
        let entry = entry.unwrap();
        std::fs::copy(entry.path(), folder.join(entry.file_name())).unwrap();
    }
    let path = file(dir.path(), |settings| {
        settings["model"]["address"] = json!("model/");
    });
    let found = classify(&["--classifier", text(&path), text(&photo())]);
    assert_eq!(found.status, 0, "{}", found.stderr);
    assert_eq!(found.json()["results"][0]["predictions"][0]["label"], "cat");
}

#[test]
fn files_that_do_not_fit_are_refused_with_codes() {
    let dir = tempfile::tempdir().unwrap();
    let (photo, model) = (photo(), model());
    let code = |path: &Path, more: &[&str]| {
        let all = [&["--classifier", text(path)], more, &[text(&photo)]].concat();
        classify(&all).code()
    };
    let with_model = ["--model", text(&model)];
    let path = file(dir.path(), |_| {});
    assert_eq!(code(&path, &[]), "options/invalid");
    let path = file(dir.path(), |s| {
        s["model"]["address"] = json!("https://models.example/")
    });
    assert_eq!(code(&path, &[]), "options/invalid");
    let path = file(dir.path(), |s| s["model"]["sha256"] = json!("0".repeat(64)));
    assert_eq!(code(&path, &with_model), "prompt/wrong-model");
    let path = file(dir.path(), |s| s["version"] = json!(2));
    assert_eq!(code(&path, &with_model), "prompt/invalid");
    assert_eq!(code(&dir.path().join("none"), &with_model), "io/failed");
    let path = file(dir.path(), |_| {});
    let both = classify(&["--classifier", text(&path), "--labels", "a,b", text(&photo)]);
    assert_eq!(both.status, 2);
}

#[test]
fn inspect_says_what_is_in_a_classifier_file() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(dir.path(), |settings| {
        settings["tuning"] = json!({ "tune": "tpt", "views": 16 });
    });
    let found = promptlens(&["inspect", "--json", text(&path)]).json();
    assert_eq!(found["kind"], "classifier");
    assert_eq!(found["class_names"], json!(["cat", "dog", "cup"]));
    assert_eq!(found["score"], "energy");
    assert_eq!(found["threshold"], 1e6);
    assert_eq!(found["recipe"], Value::Null);
    assert!(
        found["tuning"]
            .as_str()
            .unwrap()
            .starts_with("tpt views=16")
    );
    assert_eq!(found["model"], "elsewhere/");
}
