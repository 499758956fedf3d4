//! "None of these" on the command line: scores, thresholds, metrics.

use std::path::{Path, PathBuf};

use super::{Run, mini, photos, promptlens, text, tiny, with_model};

/// All 24 reference photos side by side.
fn flat(root: &Path) -> Vec<PathBuf> {
    let pngs = photos("fixtures/mini", "png");
    let jpegs = photos("fixtures/mini/jpeg", "jpg");
    pngs.iter()
        .chain(&jpegs)
        .map(|from| {
            let to = root.join(from.file_name().unwrap());
            std::fs::copy(from, &to).unwrap();
            to
        })
        .collect()
}

fn ok(run: Run) -> serde_json::Value {
    assert_eq!(run.status, 0, "{}", run.stderr);
    run.json()
}

#[test]
fn a_calibrated_threshold_gives_verdicts() {
    let Some(model) = mini() else { return };
    let folder = tempfile::tempdir().unwrap();
    let images = flat(folder.path());
    std::fs::write(folder.path().join("broken.jpg"), b"\xff\xd8\xff").unwrap();
    let out = folder.path().join(".threshold.json");
    let labels = ["--labels", "cat,dog,French horn,sunflowers"];
    let words = "teapot,zebra,pizza,ladder,violin,umbrella";
    let neglabel = ["--ood", "neglabel", "--groups", "2", "--negatives", words];
    let mut args = labels.to_vec();
    args.extend(neglabel);
    args.extend(["--images", text(folder.path()), "--out", text(&out)]);
    let run = with_model("calibrate", &model, &args);
    assert!(run.stderr.contains("broken.jpg"), "{}", run.stderr);
    let fitted = ok(run);
    assert_eq!((&fitted["n"], &fitted["m"]), (&24.into(), &1.into()));
    assert_eq!(fitted["failed"], 1);
    assert_eq!(fitted["score"], "neglabel");
    let threshold = fitted["threshold"].as_f64().unwrap();

    let classify = |labels: &[&str], score: &[&str]| {
        let mut args = labels.to_vec();
        args.extend(score);
        args.extend(["--calibration", text(&out), text(&images[0])]);
        with_model("classify", &model, &args)
    };
    let found = ok(classify(&labels, &neglabel));
    let ood = &found["results"][0]["ood"];
    assert_eq!(ood["score"], "neglabel");
    assert!((ood["threshold"].as_f64().unwrap() - threshold).abs() <= 1e-12);
    assert_eq!(ood["is_outlier"], false);
    assert_eq!(ood["nearest_negatives"].as_array().unwrap().len(), 3);

    let fewer = [
        "--ood",
        "neglabel",
        "--groups",
        "2",
        "--negatives",
        "teapot,zebra",
    ];
    for (labels, score) in [
        (&["--labels", "cat,dog"][..], &neglabel[..]),
        (&labels, &["--ood", "mcm"]),
        (
            &labels,
            &[&neglabel[..2], &["--groups", "3"], &neglabel[4..]].concat(),
        ),
        (&labels, &[&neglabel[..], &["--tau", "1"]].concat()),
        (&labels, &fewer),
    ] {
        let run = classify(labels, score);
        assert_eq!(run.status, 1);
        assert_eq!(run.code(), "calibration/mismatch", "{score:?}");
    }
    std::fs::write(&out, "{}").unwrap();
    assert_eq!(classify(&labels, &neglabel).code(), "calibration/invalid");
}

#[test]
fn too_few_images_give_no_threshold() {
    let Some(model) = tiny() else { return };
    let folder = tempfile::tempdir().unwrap();
    for path in &flat(folder.path())[18..] {
        std::fs::remove_file(path).unwrap();
    }
    let out = folder.path().join("threshold.json");
    let rest = [
        "--labels",
        "a,b",
        "--images",
        text(folder.path()),
        "--out",
        text(&out),
    ];
    let run = with_model("calibrate", &model, &rest);
    assert_eq!(
        (run.status, run.code()),
        (1, "calibration/too-few".to_owned())
    );
    assert!(!out.exists());
}

#[test]
fn eval_measures_other_images() {
    let Some(model) = tiny() else { return };
    let folder = tempfile::tempdir().unwrap();
    let (own, others) = (folder.path().join("own"), folder.path().join("others"));
    for (i, photo) in photos("fixtures/mini", "png").iter().enumerate() {
        let place = match i {
            0..6 => own.join(["cat", "dog"][i % 2]),
            6..11 => others.join("flower"),
            _ => others.join("Cat"),
        };
        std::fs::create_dir_all(&place).unwrap();
        std::fs::copy(photo, place.join(format!("{i:02}.png"))).unwrap();
    }
    let eval = |rest: &[&str]| {
        let mut args = vec!["--data", text(&own), "--labels", "auto"];
        args.extend(rest);
        with_model("eval", &model, &args)
    };
    let with_others = ["--ood-data", text(&others)];
    for (score, rest) in [
        ("mcm", &[][..]),
        ("gl-mcm", &["--ood", "GL_MCM"]),
        (
            "neglabel",
            &[
                "--ood",
                "neglabel",
                "--negatives",
                "teapot,cat,pizza,teapot",
                "--groups",
                "2",
            ],
        ),
    ] {
        let run = eval(&[&with_others, rest].concat());
        if score == "neglabel" {
            assert!(run.stderr.contains("2 negative labels"), "{}", run.stderr);
        }
        let found = ok(run);
        let ood = &found["ood"];
        assert_eq!(ood["score"], score);
        assert_eq!((&ood["n_in"], &ood["n_out"]), (&6.into(), &5.into()));
        assert_eq!(ood["skipped_out"], 1);
        for name in [
            "auroc",
            "fpr95",
            "fpr95_ood_positive",
            "aupr_in",
            "aupr_out",
        ] {
            let value = ood[name].as_f64().unwrap();
            assert!((0.0..=1.0).contains(&value), "{name} is {value}");
            let range = &ood["intervals"][name];
            assert!(range["low"].as_f64().unwrap() <= range["high"].as_f64().unwrap());
        }
        assert!(ood["threshold"].is_number() && ood["calibrated"].is_null());
    }
    // The same images on both sides cannot be told apart.
    let same = folder.path().join("same");
    std::fs::create_dir_all(same.join("x")).unwrap();
    for (i, photo) in photos("fixtures/mini", "png")[..6].iter().enumerate() {
        std::fs::copy(photo, same.join(format!("x/{i}.png"))).unwrap();
    }
    assert_eq!(ok(eval(&["--ood-data", text(&same)]))["ood"]["auroc"], 0.5);

    let only_own = eval(&["--ood-data", text(&own)]);
    assert_eq!(only_own.code(), "data/empty");
    let off = eval(&[&with_others[..], &["--ood", "none"]].concat());
    assert_eq!(off.code(), "options/invalid");
}

#[test]
fn scores_are_checked_before_any_image() {
    let Some(model) = tiny() else { return };
    let photo = photos("fixtures/mini", "png")[0].clone();
    let run = |rest: &[&str]| {
        let args = [&["--labels", "cat,dog"], rest, &[text(&photo)]].concat();
        with_model("classify", &model, &args)
    };
    let off = ok(run(&["--ood", "none"]));
    assert!(off["results"][0]["ood"].is_null());
    for (rest, code) in [
        (&["--ood", "lapt"][..], "options/invalid"),
        (&["--tau", "0"], "options/invalid"),
        (&["--tau", "nan"], "options/invalid"),
        (
            &["--ood", "neglabel", "--negatives", "cat, dogs"],
            "negatives/empty",
        ),
        (
            &["--ood", "neglabel", "--negatives", "@nowhere.txt"],
            "io/failed",
        ),
    ] {
        let run = run(rest);
        assert_eq!((run.status, run.code().as_str()), (1, code), "{rest:?}");
    }
    for rest in [["--ood", "best"], ["--groups", "0"], ["--tau", "warm"]] {
        assert_eq!(run(&rest).status, 2, "{rest:?}");
    }
    assert_eq!(promptlens(&["calibrate", "--json"]).status, 2);
}
