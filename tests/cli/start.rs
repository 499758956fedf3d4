//! Going on from a prompt: classes that come later, several labels for a photo.

use std::path::Path;

use super::train::{mini, paint, taught};
use super::{text, with_model};

/// A folder of six photos for each class and color.
fn photos(dir: &Path, classes: &[(&str, [u8; 3])]) {
    for (place, (class, color)) in classes.iter().enumerate() {
        for i in 0..6 {
            let path = dir.join(format!("{class}/{i}.png"));
            paint(&path, *color, 100 * place as u64 + i);
        }
    }
}

const ALL: &str = "red,green,blue,yellow";

fn probability(found: &serde_json::Value, label: &str) -> f64 {
    let all = found["results"][0]["predictions"].as_array().unwrap();
    let own = all.iter().find(|one| one["label"] == label).unwrap();
    own["probability"].as_f64().unwrap()
}

#[test]
fn a_class_that_comes_later_is_added_and_a_photo_may_have_two_labels() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    photos(
        &at("first"),
        &[("red", [200, 40, 40]), ("green", [40, 180, 40])],
    );
    photos(
        &at("later"),
        &[("blue", [40, 40, 200]), ("yellow", [210, 200, 40])],
    );
    let new = at("new.png");
    paint(&new, [40, 40, 200], 900);
    for recipe in ["mvp", "multi-lane"] {
        let (first, second) = (at(&format!("{recipe}1")), at(&format!("{recipe}2")));
        taught(&at("first"), recipe, &first, &["--crops", "1"]);
        let more = ["--crops", "1", "--labels", ALL, "--start", text(&first)];
        let learned = taught(&at("later"), recipe, &second, &more);
        assert_eq!(learned["n_train"], 12, "{recipe}");
        let answer = |labels: &str, prompt: &Path| {
            let args = [
                "--labels",
                labels,
                "--prompt",
                text(prompt),
                "--ood",
                "none",
                text(&new),
            ];
            with_model("classify", &mini(), &args).json()
        };
        let found = answer(ALL, &second);
        assert!(
            probability(&found, "blue") > probability(&found, "yellow"),
            "{recipe}"
        );
        // What was learned before answers as before.
        let (a, b) = (answer("red,green", &first), answer("red,green", &second));
        for label in ["red", "green"] {
            assert_eq!(
                probability(&a, label),
                probability(&b, label),
                "{recipe} {label}"
            );
        }
        let sum: f64 = ["red", "green", "blue", "yellow"]
            .iter()
            .map(|l| probability(&found, l))
            .sum();
        assert_eq!((sum - 1.0).abs() < 1e-9, recipe == "mvp", "{recipe} {sum}");
    }
    // A recipe that does not go on says so.
    let (out, later, first) = (at("none"), at("later"), at("mvp1"));
    let args = [
        "--data",
        text(&later),
        "--labels",
        ALL,
        "--recipe",
        "taskres",
        "--start",
        text(&first),
        "--out",
        text(&out),
    ];
    let refused = with_model("train", &mini(), &args);
    assert_eq!(refused.code(), "options/invalid");
}
