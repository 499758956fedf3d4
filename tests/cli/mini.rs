//! Features and answers for the twelve reference photos, from their files.

use std::path::PathBuf;

use serde_json::Value;

use super::{Run, mini, photos, text, with_model};
use crate::common::cosine;
use crate::fixtures::Fixture;

fn run(name: &str, quant: &str, rest: &[&str], files: &[PathBuf]) -> Option<Run> {
    let model = mini()?;
    let mut args = vec!["--quant", quant];
    args.extend(rest);
    args.extend(files.iter().map(|path| text(path)));
    let run = with_model(name, &model, &args);
    assert_eq!(run.status, 0, "{}", run.stderr);
    Some(run)
}

fn values(embedding: &Value) -> Vec<f32> {
    let values = embedding["values"].as_array().expect("values");
    values.iter().map(|v| v.as_f64().unwrap() as f32).collect()
}

fn features(quant: &str, folder: &str, extension: &str, least: f64) {
    if mini().is_none() {
        return;
    }
    let files = photos(folder, extension);
    let found = run("embed", quant, &["--image"], &files).unwrap().json();
    let expected = Fixture::open("mini/expected.safetensors").unwrap();
    assert_eq!(found["dim"], 512);
    assert_eq!(found["quant"], quant);
    assert_eq!(found["embeddings"].as_array().unwrap().len(), files.len());
    let mut worst = 1f64;
    for (i, file) in files.iter().enumerate() {
        let embedding = &found["embeddings"][i];
        assert_eq!(embedding["input"], text(file));
        let values = values(embedding);
        let norm: f32 = values.iter().map(|v| v * v).sum();
        assert!((norm - 1.0).abs() < 1e-4, "length {norm}");
        worst = worst.min(cosine(&values, expected["image_embeds"].row(i)));
    }
    println!("{quant} {extension}: worst cosine {worst:.7}");
    assert!(
        worst >= least,
        "{quant} {extension}: cosine {worst} below {least}"
    );
}

#[test]
fn features_of_pngs_and_jpegs_are_close_to_pytorch() {
    features("none", "fixtures/mini", "png", 0.999_99);
    features("q8", "fixtures/mini", "png", 0.999);
    features("q4", "fixtures/mini", "png", 0.985);
    features("none", "fixtures/mini/jpeg", "jpg", 0.999);
}

#[test]
fn answers_have_the_best_class_of_pytorch() {
    if mini().is_none() {
        return;
    }
    let expected = Fixture::open("mini/expected.safetensors").unwrap();
    let labels = expected.names("labels");
    let files = photos("fixtures/mini", "png");
    for quant in ["none", "q8"] {
        let rest = [
            "--labels",
            expected.text("labels"),
            "--template",
            expected.text("template"),
        ];
        let found = run("classify", quant, &rest, &files).unwrap().json();
        for (i, file) in files.iter().enumerate() {
            let result = &found["results"][i];
            assert_eq!(result["file"], text(file));
            assert!(result["tuning"].is_null());
            let ood = &result["ood"];
            assert_eq!(ood["score"], "mcm");
            let value = ood["value"].as_f64().unwrap();
            assert!(value > 1.0 / labels.len() as f64 && value < 1.0);
            assert!(ood["threshold"].is_null() && ood["is_outlier"].is_null());
            let predictions = result["predictions"].as_array().unwrap();
            assert_eq!(predictions.len(), labels.len());
            let p = |place: usize| predictions[place]["probability"].as_f64().unwrap();
            let sum: f64 = (0..labels.len()).map(p).sum();
            assert!((sum - 1.0).abs() < 1e-9);
            assert!((1..labels.len()).all(|place| p(place - 1) >= p(place)));

            let row = expected["probabilities"].row(i);
            let best = (0..row.len()).max_by(|a, b| row[*a].total_cmp(&row[*b]));
            assert_eq!(predictions[0]["label"], labels[best.unwrap()], "{quant}");
            let tolerance = if quant == "none" { 1e-4 } else { 0.05 };
            for prediction in predictions {
                let label = prediction["label"].as_str().unwrap();
                let place = labels.iter().position(|l| l == label).unwrap();
                let d = prediction["probability"].as_f64().unwrap() - f64::from(row[place]);
                assert!(d.abs() <= tolerance, "{quant} {label}: off by {d}");
            }
        }
    }
}

#[test]
fn text_features_are_close_to_pytorch() {
    let Some(model) = mini() else { return };
    let expected = Fixture::open("mini/expected.safetensors").unwrap();
    // The first three labels of the reference in its template.
    let texts = [
        "a photo of a cat.",
        "a photo of a dog.",
        "a photo of a church.",
    ];
    let mut args = vec!["--quant", "none", "--text"];
    args.extend(texts);
    let run = with_model("embed", &model, &args);
    assert_eq!(run.status, 0, "{}", run.stderr);
    for (i, input) in texts.iter().enumerate() {
        let embedding = &run.json()["embeddings"][i];
        assert_eq!(embedding["input"], *input);
        let c = cosine(&values(embedding), expected["text_embeds"].row(i));
        assert!(c >= 0.999_99, "{input}: cosine {c}");
    }
}
