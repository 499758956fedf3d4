//! `train` on little, on much and on what is broken.

use std::path::Path;

use super::train::{mini, paint, pictures, splits, taught, train};
use super::{promptlens, text, with_model};

const QUICK: [&str; 4] = ["--set", "epochs=2", "--crops", "1"];

#[test]
fn without_splits_images_are_left_out_in_turn() {
    let dir = tempfile::tempdir().unwrap();
    pictures(dir.path(), 2, 0);
    let out = dir.path().join("prompt.safetensors");
    let found = taught(dir.path(), "coop", &out, &QUICK);
    assert_eq!(found["measured_on"], "leave-one-out");
    assert_eq!((&found["n"], &found["n_train"]), (&6.into(), &6.into()));

    pictures(dir.path(), 8, 0);
    assert_eq!(
        taught(dir.path(), "coop", &out, &QUICK)["measured_on"],
        "5 folds"
    );
    let found = taught(dir.path(), "tip-adapter", &out, &["--crops", "1"]);
    assert_eq!(found["measured_on"], "leave-one-out");
    // Its cache holds every image; without leaving them out all would be right.
    let (n, right) = (24.0, found["accuracy_after"].as_f64().unwrap());
    assert!((right * n - (right * n).round()).abs() < 1e-9);
}

#[test]
fn one_image_is_enough_to_learn_and_too_little_to_measure() {
    let dir = tempfile::tempdir().unwrap();
    paint(&dir.path().join("data/deer/0.png"), [70, 140, 40], 1);
    let out = dir.path().join("prompt.safetensors");
    let data = dir.path().join("data");
    let found = taught(
        &data,
        "coop",
        &out,
        &["--set", "epochs=2", "--labels", "deer,ship"],
    );
    assert!(found["accuracy_before"].is_null() && found["accuracy_after"].is_null());
    assert_eq!((&found["n_train"], &found["n"]), (&1.into(), &0.into()));
    // One class alone is always right.
    paint(&dir.path().join("data/deer/1.png"), [70, 140, 40], 2);
    let found = taught(&data, "coop", &out, &QUICK);
    assert_eq!(found["accuracy_after"], 1.0);
    assert_eq!(found["losses"][0], 0.0);
}

#[test]
fn broken_doubled_and_uneven_files_lose_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    splits(dir.path());
    let train_dir = dir.path().join("train");
    std::fs::write(train_dir.join("deer/00-broken.png"), b"no picture").unwrap();
    std::fs::write(dir.path().join("test/ship/00-empty.png"), b"").unwrap();
    std::fs::copy(
        train_dir.join("ship/0.png"),
        train_dir.join("ship/again.png"),
    )
    .unwrap();
    std::fs::remove_file(train_dir.join("roses/0.png")).unwrap();
    paint(&train_dir.join("car/0.png"), [1, 2, 3], 9);
    let out = dir.path().join("prompt.safetensors");
    let rest = [&QUICK[..], &["--labels", "deer,roses,ship,violin"]].concat();
    let found = taught(dir.path(), "coop", &out, &rest);
    assert_eq!(found["n_train"], 4 + 3 + 5);
    assert_eq!(
        (&found["skipped"], &found["failed"]),
        (&1.into(), &2.into())
    );
    let failures = found["failures"].as_array().unwrap();
    let files: Vec<&str> = failures
        .iter()
        .map(|f| f["file"].as_str().unwrap())
        .collect();
    assert_eq!(
        files,
        ["train/deer/00-broken.png", "test/ship/00-empty.png"]
    );
    let codes: Vec<&str> = failures
        .iter()
        .map(|f| f["code"].as_str().unwrap())
        .collect();
    assert_eq!(codes, ["image/unknown-format", "image/empty"]);
    // A name that no folder has is in the prompt all the same.
    let seen = promptlens(&["inspect", "--json", text(&out)]).json();
    assert_eq!(seen["class_names"][3], "violin");
}

#[test]
fn what_cannot_be_done_is_said_with_its_code() {
    let dir = tempfile::tempdir().unwrap();
    pictures(&dir.path().join("data"), 1, 0);
    let data = dir.path().join("data");
    let out = dir.path().join("prompt.safetensors");
    let code = |recipe: &str, rest: &[&str]| {
        let run = train(&data, recipe, &out, rest);
        assert_eq!(run.status, 1, "{}", run.stdout);
        assert!(!out.exists());
        run.code()
    };
    assert_eq!(code("alchemy", &[]), "options/invalid");
    assert_eq!(code("coop", &["--set", "lr=fast"]), "options/invalid");
    assert_eq!(code("coop", &["--set", "colour=red"]), "options/invalid");
    assert_eq!(code("coop", &["--labels", ""]), "labels/empty");
    assert_eq!(code("coop", &["--labels", "a,,a"]), "labels/duplicate");
    assert_eq!(code("coop", &["--labels", "violin"]), "data/empty");
    assert_eq!(code("cupl", &[]), "data/empty");
    assert_eq!(code("coop", &["--crops", "1000000"]), "options/invalid");
    for wrong in [
        &["--corrupt", "rust:9"][..],
        &["--set", "lr"],
        &["--shots", "0"],
    ] {
        assert_eq!(train(&data, "coop", &out, wrong).status, 2, "{wrong:?}");
    }
    let none = ["--recipe", "coop", "--labels", "a,b", "--out", text(&out)];
    assert_eq!(with_model("train", &mini(), &none).code(), "data/empty");
    let hard = [
        "--recipe",
        "templates",
        "--labels",
        "a,b",
        "--out",
        text(&out),
    ];
    assert_eq!(with_model("train", &mini(), &hard).status, 0);
    assert!(out.exists());
}

#[test]
fn a_corruption_spoils_learning_and_measuring_alike() {
    let dir = tempfile::tempdir().unwrap();
    splits(dir.path());
    let out = dir.path().join("prompt.safetensors");
    let loss = |rest: &[&str]| {
        let rest = [&QUICK[..], rest].concat();
        let found = taught(dir.path(), "coop", &out, &rest);
        found["losses"][0].as_f64().unwrap()
    };
    let clean = loss(&[]);
    let spoilt = loss(&["--corrupt", "contrast:5"]);
    assert!((clean - spoilt).abs() > 1e-3, "{clean} {spoilt}");
    assert_eq!(loss(&["--corrupt", "contrast:5"]), spoilt);
}

#[test]
fn a_thousand_classes_are_taught_through_the_command() {
    let dir = tempfile::tempdir().unwrap();
    for i in 0..3u8 {
        let class = format!("data/thing {i}/0.png");
        paint(&dir.path().join(class), [80 * i, 90, 200], u64::from(i));
    }
    let names: Vec<String> = (0..1000).map(|i| format!("thing {i}")).collect();
    let list = dir.path().join("names.json");
    std::fs::write(&list, serde_json::to_string(&names).unwrap()).unwrap();
    let labels = format!("@{}", text(&list));
    let data = dir.path().join("data");
    let out = dir.path().join("prompt.safetensors");
    for (recipe, set) in [
        ("coop", &["--set", "epochs=1"][..]),
        ("taskres", &["--set", "epochs=1"]),
        ("tip-adapter", &[]),
    ] {
        let rest = [set, &["--labels", &labels, "--crops", "1"]].concat();
        let found = taught(Path::new(&data), recipe, &out, &rest);
        assert_eq!(found["classes"].as_array().unwrap().len(), 1000, "{recipe}");
        assert_eq!(found["n"], 3, "{recipe}");
    }
    let refused = train(&data, "cocoop", &out, &["--labels", &labels]);
    assert_eq!(refused.code(), "options/invalid");
}

#[test]
fn compare_sets_recipes_side_by_side() {
    let dir = tempfile::tempdir().unwrap();
    splits(dir.path());
    let compare = |rest: &[&str]| {
        let args = [&["--data", text(dir.path())], rest].concat();
        with_model("compare", &mini(), &args)
    };
    let set = [
        "--recipes",
        "templates,tip-adapter,coop-snapshots",
        "--shots",
        "1,2",
        "--seeds",
        "2",
    ];
    let epochs = [
        "--set",
        "epochs=3",
        "--set",
        "coop-snapshots.epochs=4",
        "--crops",
        "1",
    ];
    let run = compare(&[&set[..], &epochs].concat());
    assert_eq!(run.status, 0, "{}", run.stderr);
    let found = run.json();
    assert_eq!((&found["n"], &found["base"]), (&15.into(), &2.into()));
    let outcomes = found["outcomes"].as_array().unwrap();
    assert_eq!(outcomes.len(), 3 * 2 * 2);
    for outcome in outcomes {
        let scores = &outcome["scores"];
        let of = |key: &str| scores[key].as_f64().unwrap();
        assert_eq!(of("new"), 1.0, "one new class is always right");
        let (base, harmonic) = (of("base"), of("harmonic"));
        assert!((harmonic - 2.0 * base / (base + 1.0)).abs() < 1e-9);
        if outcome["recipe"] == "templates" {
            assert_eq!(*scores, found["zero_shot"]);
        }
    }
    // The same as training by itself on the same draw.
    let out = dir.path().join("prompt.safetensors");
    let rest = [
        "--shots", "2", "--seed", "1", "--set", "epochs=4", "--crops", "1",
    ];
    let alone = taught(dir.path(), "coop-snapshots", &out, &rest);
    let same = outcomes
        .iter()
        .find(|o| o["recipe"] == "coop-snapshots" && o["shots"] == 2 && o["seed"] == 1);
    assert_eq!(same.unwrap()["scores"]["all"], alone["accuracy_after"]);
    // A context per class, however many snapshots there are of it.
    assert_eq!(same.unwrap()["trained_parameters"], 3 * 768);

    // One recipe on fewer images changes nothing for the others, and says what it is compared with.
    let run = compare(&[&set[..], &epochs, &["--limit-for", "coop-snapshots=6"]].concat());
    let fewer = run.json();
    assert_eq!(fewer["n"], 15);
    assert_eq!(fewer["fewer"].as_array().unwrap().len(), 1);
    let own = &fewer["fewer"][0];
    assert_eq!(
        (&own["recipe"], &own["n"]),
        (&"coop-snapshots".into(), &6.into())
    );
    assert_eq!(own["zero_shot"]["new"], 1.0);
    for (one, other) in fewer["outcomes"].as_array().unwrap().iter().zip(outcomes) {
        assert_eq!(one["recipe"], other["recipe"]);
        if one["recipe"] != "coop-snapshots" {
            assert_eq!(one["scores"], other["scores"]);
        }
    }

    assert_eq!(compare(&["--recipes", "alchemy"]).code(), "options/invalid");
    for wrong in ["tip-adapter=0", "tip-adapter", "tip-adapter=x"] {
        assert_eq!(compare(&["--limit-for", wrong]).status, 2, "{wrong}");
    }
    assert_eq!(
        compare(&["--recipes", "coop", "--limit-for", "pre=5"]).code(),
        "options/invalid"
    );
    assert_eq!(
        compare(&["--recipes", "coop", "--set", "alpha=1"]).code(),
        "options/invalid"
    );
    assert_eq!(
        compare(&["--recipes", "coop", "--set", "pre.epochs=1"]).code(),
        "options/invalid"
    );
}

#[test]
fn the_older_spelling_of_a_parameter_is_accepted_by_train_and_compare() {
    let dir = tempfile::tempdir().unwrap();
    splits(dir.path());
    let losses = |set: &str| {
        let out = dir.path().join("prompt.safetensors");
        let rest = ["--set", set, "--set", "epochs=2", "--crops", "1"];
        taught(dir.path(), "coop", &out, &rest)["losses"].clone()
    };
    let older = losses("optimiser=sgd");
    assert_eq!(older, losses("optimizer=sgd"));
    assert_ne!(older, losses("optimizer=adamw"));
    let set = ["--set", "coop.optimiser=sgd", "--set", "epochs=1"];
    let few = ["--recipes", "coop", "--shots", "1", "--seeds", "1"];
    let args = [
        &["--data", text(dir.path()), "--crops", "1"],
        &few[..],
        &set,
    ]
    .concat();
    let run = with_model("compare", &mini(), &args);
    assert_eq!(run.status, 0, "{}", run.stderr);
}
