//! Test-time tuning and corruptions through the command line.

use std::path::{Path, PathBuf};

use promptlens::image::views::{Corruption, corruption_names};
use promptlens::image::{Limits, decode};
use serde_json::Value;

use super::{Run, mini, photos, promptlens, text, tiny, with_model};

const LABELS: &str = "cat,dog,church,French horn,golf ball,sunflowers,parachute,ship,horse,truck";

fn classify(model: &Path, rest: &[&str], files: &[PathBuf]) -> Value {
    let mut args = vec!["--labels", LABELS];
    args.extend(rest);
    args.extend(files.iter().map(|path| text(path)));
    let run = with_model("classify", model, &args);
    assert_eq!(run.status, 0, "{}", run.stderr);
    run.json()
}

fn number(value: &Value) -> f64 {
    value
        .as_f64()
        .unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn classify_says_what_tuning_did() {
    let Some(model) = mini() else { return };
    let files = &photos("fixtures/mini", "png")[..3];
    let plain = classify(&model, &[], files);
    for (method, kept) in [("tpt", 4), ("difftpt-lite", 3)] {
        let how = ["--tune", method, "--views", "16", "--seed", "5"];
        let found = classify(&model, &how, files);
        for (was, result) in plain["results"]
            .as_array()
            .unwrap()
            .iter()
            .zip(found["results"].as_array().unwrap())
        {
            assert!(was["tuning"].is_null());
            let tuning = &result["tuning"];
            assert_eq!(
                (&tuning["views"], &tuning["kept"]),
                (&16.into(), &kept.into())
            );
            assert_eq!(tuning["guarded"], false);
            assert!(number(&tuning["entropy_before"]) > number(&tuning["entropy_after"]) + 1e-6);
            let views = tuning["kept_views"].as_array().unwrap();
            assert_eq!(views.len(), kept);
            assert!(
                views
                    .windows(2)
                    .all(|w| number(&w[0]["entropy"]) <= number(&w[1]["entropy"]))
            );
            // One template: the untuned answer is where tuning starts from.
            let before = tuning["predictions_before"].as_array().unwrap();
            assert_eq!(before.len(), 10);
            for (a, b) in before.iter().zip(was["predictions"].as_array().unwrap()) {
                assert_eq!(a["label"], b["label"]);
                assert!((number(&a["probability"]) - number(&b["probability"])).abs() < 1e-4);
            }
            assert_ne!(result["predictions"], was["predictions"]);
            let sum: f64 = result["predictions"]
                .as_array()
                .unwrap()
                .iter()
                .map(|p| number(&p["probability"]))
                .sum();
            assert!((sum - 1.0).abs() < 1e-9);
            assert!(number(&result["timings"]["tune"]) > 0.0);
        }
    }
}

#[test]
fn the_same_photo_has_the_same_answer_whatever_stands_before_it() {
    let Some(model) = mini() else { return };
    let all = photos("fixtures/mini", "png");
    let files = [all[0].clone(), all[5].clone(), all[0].clone()];
    let bare = |result: &Value| {
        (
            result["predictions"].clone(),
            result["tuning"].clone(),
            result["ood"].clone(),
        )
    };
    let how = ["--tune", "tpt", "--views", "8", "--steps", "2"];
    let found = classify(&model, &how, &files);
    // JSON holds every bit of a number.
    assert_eq!(bare(&found["results"][0]), bare(&found["results"][2]));
    assert_ne!(bare(&found["results"][0]), bare(&found["results"][1]));
    assert_eq!(
        bare(&classify(&model, &how, &files[..1])["results"][0]),
        bare(&found["results"][0])
    );
    let other = classify(&model, &[&how[..], &["--seed", "1"]].concat(), &files[..1]);
    let (a, b) = (
        &found["results"][0]["tuning"],
        &other["results"][0]["tuning"],
    );
    assert_ne!(a["kept_views"], b["kept_views"]);
    assert_eq!(a["predictions_before"], b["predictions_before"]);
    for more in [["--rho", "0.5"], ["--steps", "3"], ["--views", "9"]] {
        let how: Vec<&str> = ["--tune", "tpt"].into_iter().chain(more).collect();
        let changed = classify(&model, &how, &files[..1]);
        assert_ne!(
            bare(&changed["results"][0]),
            bare(&found["results"][0]),
            "{more:?}"
        );
    }
}

#[test]
fn numbers_that_cannot_be_used_are_wrong_usage() {
    let common = ["--model", "m", "--labels", "a,b"];
    let wrong: [&[&str]; 13] = [
        &["--tune", "magic"],
        &["--tune", "TPT"],
        &["--tune", "tpt", "--views", "0"],
        &["--tune", "tpt", "--views", "1025"],
        &["--tune", "tpt", "--views", "-3"],
        &["--tune", "tpt", "--steps", "0"],
        &["--tune", "tpt", "--steps", "101"],
        &["--tune", "tpt", "--rho", "0"],
        &["--tune", "tpt", "--rho", "1.5"],
        &["--tune", "tpt", "--rho", "nan"],
        &["--tune", "tpt", "--seed", "-1"],
        &["--views", "8"],
        &["--steps", "2"],
    ];
    for options in wrong {
        for command in ["classify", "eval"] {
            let rest: &[&str] = if command == "eval" {
                &["--data", "d"]
            } else {
                &["x.png"]
            };
            let run = promptlens(&[&[command, "--json"], &common[..], options, rest].concat());
            assert_eq!(
                (run.status, run.code().as_str()),
                (2, "options/invalid"),
                "{command} {options:?}"
            );
        }
    }
    for corruption in ["blur", "blur:0", "blur:6", "snow:3", "blur:x", ""] {
        let run = promptlens(
            &[
                &["eval", "--json"],
                &common[..],
                &["--data", "d", "--corrupt", corruption],
            ]
            .concat(),
        );
        assert_eq!(
            (run.status, run.code().as_str()),
            (2, "options/invalid"),
            "{corruption}"
        );
        if corruption == "snow:3" {
            assert!(
                run.stderr.contains("pixelate"),
                "it names those that there are: {}",
                run.stderr
            );
        }
    }
}

#[test]
fn without_json_a_line_tells_what_tuning_did() {
    let Some(model) = mini() else { return };
    let file = &photos("fixtures/mini", "png")[0];
    let run = promptlens(&[
        "classify",
        "--model",
        text(&model),
        "--labels",
        "cat,dog",
        "--tune",
        "tpt",
        "--views",
        "8",
        text(file),
    ]);
    assert_eq!(run.status, 0, "{}", run.stderr);
    let line = run.stdout.lines().last().unwrap();
    assert!(line.contains("2 of 8 views kept: entropy 0."), "{line}");
}

/// Twelve photos as a data set of two classes.
fn folder(root: &Path) {
    for (i, photo) in photos("fixtures/mini", "png").iter().enumerate() {
        let class = root.join(["church", "truck"][i % 2]);
        std::fs::create_dir_all(&class).unwrap();
        std::fs::copy(photo, class.join(format!("{i:02}.png"))).unwrap();
    }
}

/// Four photos of none of the classes.
fn others() -> tempfile::TempDir {
    let root = tempfile::tempdir().unwrap();
    let class = root.path().join("other");
    std::fs::create_dir(&class).unwrap();
    for photo in photos("fixtures/mini/jpeg", "jpg").iter().take(4) {
        std::fs::copy(photo, class.join(photo.file_name().unwrap())).unwrap();
    }
    root
}

fn eval(model: &Path, data: &Path, rest: &[&str]) -> Run {
    let args = [&["--data", text(data), "--labels", LABELS], rest].concat();
    let run = with_model("eval", model, &args);
    assert_eq!(run.status, 0, "{}", run.stderr);
    run
}

#[test]
fn eval_sums_up_what_classify_does_to_each_image() {
    let Some(model) = mini() else { return };
    let data = tempfile::tempdir().unwrap();
    folder(data.path());
    std::fs::write(data.path().join("church/99.png"), b"no image").unwrap();
    let how = ["--tune", "tpt", "--views", "8", "--seed", "3"];
    let found = eval(&model, data.path(), &how).json();
    assert_eq!((&found["n"], &found["failed"]), (&12.into(), &1.into()));
    let tuning = &found["tuning"];
    for (name, value) in [
        ("method", Value::from("tpt")),
        ("views", 8.into()),
        ("steps", 1.into()),
        ("rho", 0.25.into()),
        ("seed", 3.into()),
    ] {
        assert_eq!(tuning[name], value, "{name}");
    }

    let files = photos("fixtures/mini", "png");
    let answers = classify(&model, &how, &files);
    let (mut right, mut was_right, mut changed, mut fell, mut before, mut after) =
        (0, 0, 0, 0, 0.0, 0.0);
    for (i, answer) in answers["results"].as_array().unwrap().iter().enumerate() {
        let truth = ["church", "truck"][i % 2];
        let (is, was) = (
            &answer["predictions"][0]["label"],
            &answer["tuning"]["predictions_before"][0]["label"],
        );
        right += usize::from(is == truth);
        was_right += usize::from(was == truth);
        changed += usize::from(is != was);
        let entropy = |name: &str| number(&answer["tuning"][name]);
        fell += usize::from(entropy("entropy_before") - entropy("entropy_after") > 1e-6);
        before += entropy("entropy_before") / 12.0;
        after += entropy("entropy_after") / 12.0;
    }
    let close = |name: &str, value: f64| {
        assert!(
            (number(&tuning[name]) - value).abs() < 1e-9,
            "{name}: {} instead of {value}",
            tuning[name]
        )
    };
    assert!((number(&found["accuracy"]) - right as f64 / 12.0).abs() < 1e-9);
    close("accuracy_before", was_right as f64 / 12.0);
    close("answers_changed", changed as f64);
    close("entropy_fell", fell as f64 / 12.0);
    close("entropy_before", before);
    close("entropy_after", after);
    close("probabilities_changed", 1.0);
    assert_eq!(
        right as i64 - was_right as i64,
        number(&tuning["gained"]) as i64 - number(&tuning["lost"]) as i64
    );
    assert!(eval(&model, data.path(), &[]).json()["tuning"].is_null());
}

#[test]
fn eval_scores_tuned_prompts_too() {
    let Some(model) = mini() else { return };
    let (data, others) = (tempfile::tempdir().unwrap(), others());
    folder(data.path());
    for score in ["max-logit", "gl-mcm"] {
        let rest = ["--ood-data", text(others.path()), "--ood", score];
        let plain = eval(&model, data.path(), &rest).json();
        let how = ["--tune", "tpt", "--views", "4"];
        let tuned = eval(&model, data.path(), &[&rest[..], &how].concat()).json();
        assert_eq!(tuned["ood"]["n_in"], 12);
        assert_eq!(tuned["ood"]["n_out"], 4);
        assert_ne!(
            plain["ood"]["threshold"], tuned["ood"]["threshold"],
            "{score}"
        );
    }
}

/// What was measured under, and a threshold that moves with any pixel of any image.
fn measure(model: &Path, data: &Path, others: &Path, rest: &[&str]) -> (Value, f64) {
    let common = [
        "--ood-data",
        text(others),
        "--ood",
        "max-logit",
        "--labels",
        "church,truck",
        "--data",
        text(data),
    ];
    let run = with_model("eval", model, &[&common[..], rest].concat());
    assert_eq!(run.status, 0, "{}", run.stderr);
    let json = run.json();
    (json["corrupt"].clone(), number(&json["ood"]["threshold"]))
}

#[test]
fn eval_measures_under_a_corruption() {
    let Some(model) = tiny() else { return };
    let (data, others) = (tempfile::tempdir().unwrap(), others());
    folder(data.path());
    let measure = |rest: &[&str]| measure(&model, data.path(), others.path(), rest);
    let clean = measure(&[]);
    assert!(clean.0.is_null());
    let mut seen = vec![clean.1];
    for name in corruption_names() {
        let how = format!("{name}:3");
        let (said, threshold) = measure(&["--corrupt", &how]);
        assert_eq!(said, how);
        assert!(
            !seen.contains(&threshold),
            "{name} is another corruption or none"
        );
        seen.push(threshold);
    }
    let noise = |seed| measure(&["--corrupt", "gaussian-noise:3", "--seed", seed]).1;
    assert_eq!(noise("0"), seen[1]);
    assert_ne!(noise("1"), noise("0"));
}

#[test]
fn a_corrupted_data_set_is_the_corrupted_pictures() {
    let Some(model) = tiny() else { return };
    let files = photos("fixtures/mini", "png");
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let others = others();
    folder(from.path());
    let noise = Corruption::parse("gaussian-noise:2").unwrap();
    for (i, photo) in files.iter().enumerate() {
        let class = to.path().join(["church", "truck"][i % 2]);
        std::fs::create_dir_all(&class).unwrap();
        let image = decode(&std::fs::read(photo).unwrap(), &Limits::default()).unwrap();
        let noisy = noise.apply(&image, 7).unwrap();
        let picture = image::RgbImage::from_raw(noisy.width, noisy.height, noisy.data).unwrap();
        picture.save(class.join(format!("{i:02}.png"))).unwrap();
    }
    let how = ["--corrupt", "gaussian-noise:2", "--seed", "7"];
    let (_, expected) = measure(&model, to.path(), others.path(), &[]);
    assert_eq!(
        measure(&model, from.path(), others.path(), &how).1,
        expected
    );
}

#[test]
fn a_threshold_holds_for_the_tuning_it_was_fitted_with() {
    let Some(model) = tiny() else { return };
    let data = tempfile::tempdir().unwrap();
    for (i, photo) in photos("fixtures/mini", "png")
        .iter()
        .cycle()
        .take(19)
        .enumerate()
    {
        std::fs::copy(photo, data.path().join(format!("{i:02}.png"))).unwrap();
    }
    let file = data.path().join("threshold.json");
    let how = ["--tune", "tpt", "--views", "4"];
    let labels = ["--labels", "cat,dog"];
    let fitted = with_model(
        "calibrate",
        &model,
        &[
            &labels[..],
            &["--images", text(data.path()), "--out", text(&file)],
            &how,
        ]
        .concat(),
    );
    assert_eq!(fitted.status, 0, "{}", fitted.stderr);
    let photo = &photos("fixtures/mini", "png")[0];
    let asked = |how: &[&str]| {
        with_model(
            "classify",
            &model,
            &[
                &labels[..],
                &["--calibration", text(&file)],
                how,
                &[text(photo)],
            ]
            .concat(),
        )
    };
    let same = asked(&how);
    assert_eq!(same.status, 0, "{}", same.stderr);
    let ood = &same.json()["results"][0]["ood"];
    assert_eq!(ood["threshold"], fitted.json()["threshold"]);
    assert!(ood["is_outlier"].is_boolean());
    let other = asked(&["--tune", "tpt", "--views", "5"]);
    assert_eq!(
        (other.status, other.code().as_str()),
        (1, "calibration/mismatch")
    );
}

#[test]
fn a_threshold_without_a_gallery_does_not_hold_with_one() {
    let Some(model) = tiny() else { return };
    let data = tempfile::tempdir().unwrap();
    let all = photos("fixtures/mini", "png");
    for (i, photo) in all.iter().cycle().take(19).enumerate() {
        std::fs::copy(photo, data.path().join(format!("{i:02}.png"))).unwrap();
    }
    let file = data.path().join("threshold.json");
    let common = ["--labels", "cat,dog", "--tune", "difftpt-lite"];
    let few = ["--views", "4", "--steps", "1"];
    let run = |command, rest: &[&str]| with_model(command, &model, &[&common, &few, rest].concat());
    let files = ["--images", text(data.path()), "--out", text(&file)];
    let fitted = run("calibrate", &files);
    assert_eq!(fitted.status, 0, "{}", fitted.stderr);
    let with = ["--calibration", text(&file), text(&all[0])];
    assert_eq!(run("classify", &with).status, 0);
    let gallery = tempfile::tempdir().unwrap();
    std::fs::copy(&all[1], gallery.path().join("style.png")).unwrap();
    let other = run(
        "classify",
        &[&["--gallery", text(gallery.path())], &with[..]].concat(),
    );
    assert_eq!(
        (other.status, other.code().as_str()),
        (1, "calibration/mismatch")
    );
    assert!(other.stderr.contains("gallery=1"), "{}", other.stderr);
}
