//! `retrieve` and what `eval` counts beside the exact name.

use std::path::Path;

use super::{mini, photos, text, tiny, with_model};
use crate::common::shared;

/// Pictures under `test` with two captions each.
fn pictures(root: &Path) -> usize {
    std::fs::create_dir(root.join("test")).unwrap();
    let mut table = String::new();
    let photos = photos("fixtures/mini", "png");
    for (i, photo) in photos.iter().enumerate() {
        let name = format!("test/{i:02}.png");
        std::fs::copy(photo, root.join(&name)).unwrap();
        table += &format!("{name}\tpicture number {i}\n{name}\tanother word for {i}\n");
    }
    table += "train/00.png\tno such picture\n";
    std::fs::write(root.join("captions.tsv"), table).unwrap();
    photos.len()
}

#[test]
fn retrieval_counts_places_both_ways() {
    let Some(model) = tiny() else { return };
    let data = tempfile::tempdir().unwrap();
    let count = pictures(data.path());
    let run = |rest: &[&str]| {
        let mut args = vec!["--data", text(data.path())];
        args.extend(rest);
        with_model("retrieve", &model, &args)
    };
    let found = run(&[]);
    assert_eq!(found.status, 0, "{}", found.stderr);
    let found = found.json();
    assert_eq!(found["images"], count);
    assert_eq!(found["captions"], 2 * count);
    for way in ["text_to_image", "image_to_text"] {
        let at = |k: &str| found[way][format!("recall@{k}")].as_f64().unwrap();
        assert!(at("1") <= at("5") && at("5") <= at("10") && at("10") <= 1.0);
        // Ten places of twelve are most of them, whatever the model.
        assert!(at("10") > 0.0);
    }
    let few = run(&["--captions", "1", "--limit", "5"]).json();
    assert_eq!((&few["images"], &few["captions"]), (&5.into(), &5.into()));
    // All five stand among the first five.
    assert_eq!(few["text_to_image"]["recall@5"], 1.0);
    assert_eq!(few["image_to_text"]["recall@5"], 1.0);

    let none = run(&["--split", "val"]);
    assert_eq!((none.status, none.code().as_str()), (1, "data/empty"));
    std::fs::write(data.path().join("captions.tsv"), "no tab").unwrap();
    let bad = run(&[]);
    assert_eq!((bad.status, bad.code().as_str()), (1, "data/invalid"));
}

#[test]
fn captions_in_an_archive_are_found() {
    let (Some(model), Some(data)) = (mini(), shared("data/flickr8k.tar.gz")) else {
        return;
    };
    let args = ["--data", text(&data), "--captions", "1", "--limit", "40"];
    let found = with_model("retrieve", &model, &args);
    assert_eq!(found.status, 0, "{}", found.stderr);
    let found = found.json();
    assert_eq!(
        (&found["images"], &found["captions"]),
        (&40.into(), &40.into())
    );
}

/// Six photos each of a cat and a dog, which the model calls as it likes.
#[test]
fn eval_counts_five_places_draws_and_relations() {
    let Some(model) = tiny() else { return };
    let data = tempfile::tempdir().unwrap();
    for (i, photo) in photos("fixtures/mini", "png").iter().enumerate() {
        let place = data.path().join(["cat", "dog"][i % 2]);
        std::fs::create_dir_all(&place).unwrap();
        std::fs::copy(photo, place.join(format!("{i:02}.png"))).unwrap();
    }
    let names = data.path().join("names.json");
    let relations = r#"{"cat": {"is_a": ["animal"]}, "dog": {"aliases": ["hound"], "is_a": ["animal"]},
        "pug": {"is_a": ["dog"]}}"#;
    std::fs::write(&names, relations).unwrap();
    let labels = "cat,dog,animal,hound,pug,stone,cloud,river";
    let run = |rest: &[&str]| {
        let mut args = vec![
            "--data",
            text(data.path()),
            "--labels",
            labels,
            "--ood",
            "none",
        ];
        args.extend(rest);
        with_model("eval", &model, &args)
    };
    let found = run(&["--draw", "3:500", "--lenient", text(&names)]).json();
    let number = |path: &str| found.pointer(path).and_then(|v| v.as_f64()).expect(path);
    let (accuracy, top5) = (number("/accuracy"), number("/top5"));
    assert!(accuracy <= top5 && top5 <= 1.0);
    let mean = (number("/per_class/cat") + number("/per_class/dog")) / 2.0;
    assert!((number("/mean_per_class") - mean).abs() < 1e-12);
    let apart: f64 = ["alias", "above", "below"]
        .map(|part| number(&format!("/lenient/{part}")))
        .iter()
        .sum();
    assert!((number("/lenient/accuracy") - accuracy - apart).abs() < 1e-12);
    assert_eq!((number("/draw/names"), number("/draw/draws")), (3.0, 500.0));
    assert!((0.0..=1.0).contains(&number("/draw/accuracy")));

    // The same seed draws the same lists; with all names in each the draws are of images alone.
    let again = run(&["--draw", "3:500"]).json();
    assert_eq!(again["draw"], found["draw"]);
    assert!(again["lenient"].is_null());
    let all = run(&["--draw", "8:4000"]).json();
    let gap = all["draw"]["accuracy"].as_f64().unwrap() - accuracy;
    assert!(gap.abs() < 0.05, "{gap}");
    for bad in ["9:10", "1:10", "6", "6:0", "a:b"] {
        let run = run(&["--draw", bad]);
        assert_eq!(
            (run.status, run.code().as_str()),
            (1, "options/invalid"),
            "{bad}"
        );
    }
}
