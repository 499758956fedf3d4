//! The measurements: that they measure, never how fast.

use std::path::Path;

use serde_json::Value;

use super::{Run, mini, promptlens, text, tiny};

fn bench_of(model: &Path, what: &str, rest: &[&str]) -> Run {
    let given = ["bench", what, "--json", "--model", text(model)];
    promptlens(&[&given[..], rest].concat())
}

#[test]
fn a_step_is_measured_in_both_forms() {
    let Some(model) = mini() else { return };
    let folder = tempfile::tempdir().unwrap();
    let inputs = folder.path().join("inputs.json");
    let bench = |rest: &[&str]| {
        let common = [
            "--classes",
            "3",
            "--classes",
            "12",
            "--views",
            "8",
            "--repeats",
            "2",
        ];
        let run = bench_of(&model, "tune-step", &[&common[..], rest].concat());
        assert_eq!(run.status, 0, "{}", run.stderr);
        run.json()["results"].as_array().unwrap().clone()
    };
    let number = |of: &Value, name: &str| of[name].as_f64().unwrap();
    let ours = bench(&["--inputs", text(&inputs)]);
    let full = bench(&["--full-length"]);
    assert_eq!((ours.len(), full.len()), (2, 2));
    for (ours, full) in ours.iter().zip(&full) {
        assert_eq!(ours["classes"], full["classes"]);
        assert_eq!(number(full, "token_rows"), 77.0 * number(full, "classes"));
        assert!(8.0 * number(ours, "token_rows") <= number(full, "token_rows"));
        for result in [ours, full] {
            assert!(number(result, "seconds") > 0.0);
            assert!(number(result, "entropy_after") < number(result, "entropy_before"));
        }
        for name in ["entropy_before", "gradient_norm"] {
            let (a, b) = (number(ours, name), number(full, name));
            assert!((a - b).abs() <= 1e-3 * b, "{name}: {a} {b}");
        }
    }
    let inputs: Value = serde_json::from_slice(&std::fs::read(inputs).unwrap()).unwrap();
    assert_eq!(inputs["suffixes"].as_array().unwrap().len(), 12);
    assert_eq!(inputs["features"].as_array().unwrap().len(), 8 * 512);
    let wrong = promptlens(&["bench", "tune-step", "--model", "m", "--classes", "0"]);
    assert_eq!(wrong.status, 2);
}

#[test]
fn every_stage_is_measured_and_the_machine_named() {
    let Some(model) = tiny() else { return };
    let rest = ["--repeats", "3", "--classes", "2", "--views", "4"];
    let run = bench_of(&model, "stages", &rest);
    assert_eq!(run.status, 0, "{}", run.stderr);
    let json = run.json();
    assert_eq!(json["model"], text(&model));
    assert_eq!(json["device"]["kind"], "cpu");
    for name in ["promptlens", "burn", "wgpu"] {
        let version = json["versions"][name].as_str().expect("a version");
        assert_eq!(version.split('.').count(), 3, "{name} {version}");
    }
    assert!(json["machine"]["cores"].as_u64().expect("cores") >= 1);
    let stages = json["stages"].as_array().expect("stages");
    let names: Vec<_> = stages
        .iter()
        .map(|s| s["stage"].as_str().expect("a name"))
        .collect();
    let expected = [
        "load",
        "text",
        "decode",
        "preprocess",
        "encode",
        "classify",
        "tpt views",
        "tpt step",
        "tpt",
    ];
    assert_eq!(names, expected);
    for stage in stages {
        let time = |key: &str| stage[key].as_f64().expect("milliseconds");
        assert!(
            time("first") > 0.0 && time("median") >= time("least"),
            "{stage}"
        );
        assert_eq!(
            stage["repeats"],
            if stage["stage"] == "load" { 1 } else { 3 }
        );
    }
    // A part is never longer than the whole it belongs to.
    let least = |name: &str| {
        let at = names.iter().position(|n| *n == name).expect("a stage");
        stages[at]["least"].as_f64().expect("milliseconds")
    };
    assert!(least("encode") <= least("classify") && least("tpt step") <= least("tpt"));

    let rest = ["--repeats", "1", "--views", "0"];
    let stages = bench_of(&model, "stages", &rest).json()["stages"].clone();
    assert_eq!(stages.as_array().expect("stages").len(), 6);
}

#[test]
fn shapes_are_measured_without_a_file() {
    let args = [
        "bench", "shape", "--device", "cpu", "--shape", "vit-b-32", "--quant", "q8",
    ];
    let sizes = [
        "--batch",
        "1",
        "--texts",
        "2",
        "--tuned",
        "2",
        "--repeats",
        "1",
        "--json",
    ];
    let run = promptlens(&[args.as_slice(), sizes.as_slice()].concat());
    assert_eq!(run.status, 0, "{}", run.stderr);
    let found = run.json();
    assert_eq!(found["quantization"], "q8");
    let results = found["results"].as_array().unwrap();
    let named: Vec<_> = results
        .iter()
        .map(|r| (r["what"].as_str().unwrap(), r["count"].as_u64().unwrap()))
        .collect();
    assert_eq!(named, [("images", 1), ("texts", 2), ("tuning step", 2)]);
    assert!(results.iter().all(|r| r["seconds"].as_f64().unwrap() > 0.0));

    let run = promptlens(&[
        "bench", "shape", "--device", "cpu", "--shape", "vit-h-14", "--json",
    ]);
    assert_eq!(run.code(), "options/invalid");
}
