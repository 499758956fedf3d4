//! The measurement of a tuning step: that it measures, never how fast.

use serde_json::Value;

use super::{mini, promptlens, text, with_model};

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
        let run = with_model("bench", &model, &[&common[..], rest].concat());
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
    let wrong = promptlens(&["bench", "--model", "m", "--classes", "0"]);
    assert_eq!(wrong.status, 2);
}
