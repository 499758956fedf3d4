//! Exit status, streams, and the two forms of output.

use super::{photos, promptlens, text, tiny, with_model};

#[test]
fn a_wrong_command_line_exits_with_2() {
    let wrong: &[&[&str]] = &[
        &[],
        &["nonsense"],
        &["classify"],
        &["classify", "--model", "m", "x.png"],
        &["classify", "--model", "m", "--labels", "a"],
        &[
            "classify", "--model", "m", "--labels", "a", "--quant", "q5", "x.png",
        ],
        &[
            "classify", "--model", "m", "--labels", "a", "--device", "tpu", "x.png",
        ],
        &[
            "classify",
            "--model",
            "m",
            "--labels",
            "a",
            "--no-such-flag",
            "x.png",
        ],
        &["embed", "--model", "m"],
        &["embed", "--model", "m", "--image", "a.png", "--text", "b"],
        &["eval", "--model", "m", "--labels", "auto"],
        &[
            "eval", "--model", "m", "--data", "d", "--labels", "auto", "--limit", "0",
        ],
        &["convert", "--model", "m", "--out", "o"],
        &["inspect"],
    ];
    for args in wrong {
        let run = promptlens(args);
        assert_eq!(run.status, 2, "{args:?}: {}", run.stderr);
        assert!(run.stdout.is_empty(), "{args:?}");
        assert!(!run.stderr.is_empty(), "{args:?}");
        if !args.is_empty() {
            let run = promptlens(&[args as &[&str], &["--json"]].concat());
            assert_eq!(run.status, 2);
            assert_eq!(run.code(), "options/invalid");
        }
    }
}

#[test]
fn help_and_version_are_no_errors() {
    for args in [["--help"], ["--version"]] {
        let run = promptlens(&args);
        assert_eq!(run.status, 0);
        assert!(run.stdout.contains("promptlens"));
    }
}

#[test]
fn without_json_there_is_a_table() {
    let Some(model) = tiny() else { return };
    let file = &photos("fixtures/mini", "png")[0];
    let run = promptlens(&[
        "classify",
        "--model",
        text(&model),
        "--labels",
        "cat, dog",
        text(file),
    ]);
    assert_eq!(run.status, 0, "{}", run.stderr);
    // A line for each class, and the rejection score.
    assert_eq!(run.stdout.lines().count(), 3);
    for word in ["cat", "dog", "%", "mcm", text(file)] {
        assert!(run.stdout.contains(word), "{word}: {}", run.stdout);
    }
    // What answered, and why there, is said beside it.
    assert!(run.stderr.contains("cpu"), "{}", run.stderr);
}

#[test]
fn without_json_an_error_is_a_sentence_on_stderr() {
    let run = promptlens(&["inspect", "no-such-model"]);
    assert_eq!(run.status, 1);
    assert!(run.stdout.is_empty());
    assert!(run.stderr.contains("no-such-model"), "{}", run.stderr);
}

#[test]
fn auto_is_the_cpu_and_says_so() {
    let Some(model) = tiny() else { return };
    let run = with_model("embed", &model, &["--text", "a cat"]);
    assert_eq!(run.status, 0, "{}", run.stderr);
    let json = run.json();
    assert_eq!(json["device"]["kind"], "cpu");
    assert!(!json["device"]["reason"].as_str().unwrap().is_empty());
}

#[test]
fn the_table_of_a_hostile_name_steers_no_terminal() {
    let Some(model) = tiny() else { return };
    let file = &photos("fixtures/mini", "png")[0];
    let run = promptlens(&[
        "classify",
        "--model",
        text(&model),
        "--labels",
        "cat\u{1b}[2J,dog",
        text(file),
        "no\u{1b}[31m.png",
    ]);
    assert_eq!(run.status, 0, "{}", run.stderr);
    assert!(!run.stdout.contains('\u{1b}') && !run.stderr.contains('\u{1b}'));
}
