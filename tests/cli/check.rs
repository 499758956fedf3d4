//! `promptlens check`.

use super::promptlens;

#[test]
fn layer_norm_agrees_with_the_cpu_and_other_names_are_refused() {
    let run = promptlens(&["check", "--json", "--kernel", "layer_norm"]);
    assert_eq!(run.status, 0, "{}", run.stderr);
    let json = run.json();
    assert_eq!(json["passed"], true);
    assert_eq!(json["device"]["kind"], "webgpu");
    let cases = json["cases"].as_array().expect("cases");
    assert!(cases.len() >= 20, "{}", cases.len());
    for case in cases {
        let error = case["error"].as_f64().expect("a finite error");
        assert!(error <= case["limit"].as_f64().expect("a limit"), "{case}");
    }

    for (args, code) in [
        (["--kernel", "sort"], "options/invalid"),
        (["--device", "cpu"], "options/invalid"),
    ] {
        let run = promptlens(&["check", "--json", args[0], args[1]]);
        assert_eq!((run.status, run.code().as_str()), (1, code));
    }
}
