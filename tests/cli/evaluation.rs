//! What `eval` counts, skips and survives.

use std::path::Path;

use promptlens::error::{Error, Kind};
use promptlens::evaluate::Tally;

use super::{Run, photos, text, tiny, with_model};

#[test]
fn a_tally_counts_by_class() {
    let labels = ["a", "b", "c"].map(str::to_owned);
    let mut tally = Tally::new(&labels);
    tally.add(0, &[0.9, 0.1, 0.0]);
    tally.add(0, &[0.1, 0.9, 0.0]);
    tally.add(1, &[0.1, 0.9, 0.0]);
    // Of equal scores the first wins.
    tally.add(1, &[0.5, 0.5, 0.0]);
    tally.add(0, &[-2.0, -3.0, -4.0]);
    tally.fail("x.jpg", &Error::new(Kind::ImageEmpty, "empty"));
    let found = tally.finish(7, 1.5).unwrap();
    assert_eq!((found.n, found.skipped, found.failed), (5, 7, 1));
    assert!((found.accuracy - 0.6).abs() < 1e-12);
    assert_eq!(found.per_class.len(), 2);
    assert!((found.per_class["a"] - 2.0 / 3.0).abs() < 1e-12);
    assert!((found.per_class["b"] - 0.5).abs() < 1e-12);
    assert_eq!(found.per_class_n["a"], 3);
    assert_eq!(found.failures[0].code, "image/empty");
    assert_eq!(
        Tally::new(&labels).finish(3, 0.0).unwrap_err().code(),
        "data/empty"
    );
}

/// Two classes of six photos; "train" has one of each.
fn folder(root: &Path) {
    for (i, photo) in photos("fixtures/mini", "png").iter().enumerate() {
        let class = ["cat", "dog"][i % 2];
        let split = if i < 2 { "train" } else { "test" };
        let place = root.join(split).join(class);
        std::fs::create_dir_all(&place).unwrap();
        std::fs::copy(photo, place.join(format!("{i:02}.png"))).unwrap();
    }
}

fn eval(model: &Path, data: &Path, labels: &str, rest: &[&str]) -> Run {
    let mut args = vec!["--data", text(data), "--labels", labels];
    args.extend(rest);
    with_model("eval", model, &args)
}

#[test]
fn splits_limits_and_labels_choose_the_images() {
    let Some(model) = tiny() else { return };
    let data = tempfile::tempdir().unwrap();
    folder(data.path());
    let run = |labels: &str, rest: &[&str]| {
        let run = eval(&model, data.path(), labels, rest);
        assert_eq!(run.status, 0, "{}", run.stderr);
        run.json()
    };
    let found = run("auto", &[]);
    assert_eq!((&found["n"], &found["skipped"]), (&10.into(), &0.into()));
    assert!(found["ood"].is_null());
    assert!(found["seconds"].as_f64().unwrap() > 0.0);
    assert_eq!(run("auto", &["--split", "train"])["n"], 2);
    let some = run("cat,bird", &[]);
    assert_eq!((&some["n"], &some["skipped"]), (&5.into(), &5.into()));
    assert_eq!(some["per_class"].as_object().unwrap().len(), 1);
    let limited = run("auto", &["--limit", "5"]);
    assert_eq!(limited["n"], 5);
    assert_eq!(limited["per_class_n"]["cat"], 3);
    assert_eq!(limited["per_class_n"]["dog"], 2);

    for (labels, rest, code) in [
        ("auto", &["--split", "val"][..], "data/unknown-split"),
        ("bird,fish", &[], "data/empty"),
        ("", &[], "labels/empty"),
    ] {
        let run = eval(&model, data.path(), labels, rest);
        assert_eq!((run.status, run.code().as_str()), (1, code));
    }
}

#[test]
fn a_damaged_image_is_counted_and_named() {
    let Some(model) = tiny() else { return };
    let data = tempfile::tempdir().unwrap();
    folder(data.path());
    let bad = data.path().join("test/cat/00-first.jpg");
    std::fs::write(&bad, b"no image").unwrap();
    let run = eval(&model, data.path(), "auto", &[]);
    assert_eq!(run.status, 0, "{}", run.stderr);
    let found = run.json();
    assert_eq!((&found["n"], &found["failed"]), (&10.into(), &1.into()));
    assert_eq!(found["failures"][0]["file"], "test/cat/00-first.jpg");
    assert_eq!(found["failures"][0]["code"], "image/unknown-format");
    assert!(run.stderr.contains("00-first.jpg"));

    // With nothing else left there is no accuracy to report.
    let only = tempfile::tempdir().unwrap();
    std::fs::create_dir(only.path().join("cat")).unwrap();
    std::fs::copy(&bad, only.path().join("cat/0.jpg")).unwrap();
    let run = eval(&model, only.path(), "auto", &[]);
    assert_eq!((run.status, run.code().as_str()), (1, "data/empty"));
}
