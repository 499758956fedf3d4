//! `train --recipe lapt`, and its prompt file in `classify`, `eval` and `calibrate`.

use std::io::Write;
use std::path::Path;

use promptlens::prompt::file::Prompt;
use serde_json::Value;

use super::train::{mini, paint, pictures, splits, taught, train};
use super::{Run, photos, text, with_model};

const QUICK: [&str; 6] = [
    "--set",
    "epochs=2",
    "--crops",
    "1",
    "--negatives",
    "gravel,soup,hat,music",
];

fn note(found: &Value, name: &str) -> f64 {
    let notes = found["notes"].as_array().unwrap();
    let note = notes.iter().find(|n| n["name"] == name);
    note.unwrap_or_else(|| panic!("{name}: {notes:?}"))["value"]
        .as_f64()
        .unwrap()
}

fn asked(name: &str, prompt: &Path, rest: &[&str]) -> Run {
    let mut args = vec!["--prompt", text(prompt)];
    args.extend(rest);
    with_model(name, &mini(), &args)
}

/// Pictures of none of the classes.
fn others(root: &Path, count: u64, from: u64) {
    for i in 0..count {
        paint(&root.join(format!("any/{i}.png")), [240, 240, 30], from + i);
    }
}

#[test]
fn its_prompt_scores_with_negatives_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    splits(dir.path());
    let strange = dir.path().join("others");
    others(&strange, 6, 9000);
    let out = dir.path().join("lapt.safetensors");
    let mut rest = QUICK.to_vec();
    rest.extend(["--ood-data", text(&strange)]);
    let found = taught(dir.path(), "lapt", &out, &rest);
    assert_eq!(found["trained_parameters"], 2 * 4 * 192);
    assert_eq!(note(&found, "images of the classes"), 12.0);
    assert_eq!(note(&found, "other images"), 6.0);
    assert_eq!(note(&found, "negative labels"), 4.0);
    let prompt = Prompt::from_bytes(&std::fs::read(&out).unwrap()).unwrap();
    assert_eq!(
        prompt.extra["taught_with"],
        "images of the classes and other images"
    );

    let image = dir.path().join("test/ship/0.png");
    let labels = ["--labels", "ship,roses,deer"];
    let answer = |prompt: &Path, rest: &[&str]| {
        let mut args = labels.to_vec();
        args.extend(rest);
        args.push(text(&image));
        asked("classify", prompt, &args)
    };
    let ood = |run: Run| run.json()["results"][0]["ood"].clone();
    let own = ood(answer(&out, &["--ood", "lapt"]));
    let value = own["value"].as_f64().unwrap();
    assert!(value > 0.0 && value < 1.0, "{own}");
    let near: Vec<&str> = own["nearest_negatives"]
        .as_array()
        .unwrap()
        .iter()
        .map(|w| w.as_str().unwrap())
        .collect();
    assert_eq!(near.len(), 3);
    assert!(
        near.iter()
            .all(|w| ["gravel", "soup", "hat", "music"].contains(w)),
        "{near:?}"
    );
    // The same formula without and with the learned contexts.
    let given = ["--negatives", "gravel,soup,hat,music"];
    let mut plain = labels.to_vec();
    plain.extend(["--ood", "neglabel"]);
    plain.extend(given);
    plain.push(text(&image));
    let hard = ood(with_model("classify", &mini(), &plain))["value"]
        .as_f64()
        .unwrap();
    assert_ne!(hard, value);
    let same = ood(answer(&out, &["--ood", "neglabel"]))["value"]
        .as_f64()
        .unwrap();
    assert_eq!(same, value);
    // Other words take its context too.
    let other = ood(answer(&out, &["--ood", "lapt", "--negatives", "hat,sea"]));
    assert_eq!(other["nearest_negatives"].as_array().unwrap().len(), 2);

    // A threshold holds for this prompt and these words alone.
    let own_pictures = dir.path().join("own");
    pictures(&own_pictures, 7, 700);
    let file = dir.path().join("lapt.json");
    let mut args = labels.to_vec();
    args.extend([
        "--ood",
        "lapt",
        "--images",
        text(&own_pictures),
        "--out",
        text(&file),
    ]);
    let run = asked("calibrate", &out, &args);
    assert_eq!(run.status, 0, "{}", run.stdout);
    let judged = ood(answer(
        &out,
        &["--ood", "lapt", "--calibration", text(&file)],
    ));
    assert!(judged["is_outlier"].is_boolean(), "{judged}");
    let rest = [
        "--ood",
        "lapt",
        "--calibration",
        text(&file),
        "--negatives",
        "hat,sea",
    ];
    assert_eq!(answer(&out, &rest).code(), "calibration/mismatch");
    let again = dir.path().join("again.safetensors");
    taught(dir.path(), "lapt", &again, &QUICK);
    let rest = ["--ood", "lapt", "--calibration", text(&file)];
    assert_eq!(answer(&again, &rest).code(), "calibration/mismatch");

    // Tuning starts from the context of the names, and the score follows the tuned texts.
    let tuned = ood(answer(
        &out,
        &["--ood", "lapt", "--tune", "tpt", "--views", "4"],
    ));
    let tuned = tuned["value"].as_f64().unwrap();
    assert!(tuned.is_finite() && tuned != value);

    // A prompt of another recipe has no such score.
    let coop = dir.path().join("coop.safetensors");
    taught(
        dir.path(),
        "coop",
        &coop,
        &["--set", "epochs=1", "--crops", "1"],
    );
    assert_eq!(answer(&coop, &["--ood", "lapt"]).code(), "options/invalid");
}

#[test]
fn it_learns_from_words_alone() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("lapt.safetensors");
    let rest = [
        "--recipe",
        "lapt",
        "--labels",
        "ship,roses",
        "--out",
        text(&out),
        "--set",
        "epochs=1",
        "--negatives",
        "gravel,hat",
    ];
    let run = with_model("train", &mini(), &rest);
    assert_eq!(run.status, 0, "{}", run.stdout);
    let found = run.json();
    assert!(note(&found, "texts in place of images") > 0.0);
    assert!(found["accuracy_after"].is_null());
    assert_eq!(found["taught_with"], "texts only");
    let prompt = Prompt::from_bytes(&std::fs::read(&out).unwrap()).unwrap();
    assert_eq!(prompt.extra["taught_with"], "texts only");
}

#[test]
fn unlabeled_photos_in_a_zip_are_labeled_by_the_names() {
    if super::mini().is_none() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let pile = dir.path().join("photos/any");
    std::fs::create_dir_all(&pile).unwrap();
    for (i, photo) in photos("fixtures/mini", "png").iter().enumerate() {
        std::fs::copy(photo, pile.join(format!("photo-{i}.png"))).unwrap();
    }
    others(&dir.path().join("photos"), 4, 9000);
    let archive = dir.path().join("photos.zip");
    let mut zip = zip::ZipWriter::new(std::fs::File::create(&archive).unwrap());
    let options = zip::write::SimpleFileOptions::default();
    let mut count = 0;
    for folder in std::fs::read_dir(dir.path().join("photos")).unwrap() {
        for file in std::fs::read_dir(folder.unwrap().path()).unwrap() {
            count += 1;
            zip.start_file(format!("IMG_{count}.png"), options).unwrap();
            zip.write_all(&std::fs::read(file.unwrap().path()).unwrap())
                .unwrap();
        }
    }
    zip.start_file("broken.png", options).unwrap();
    zip.write_all(b"no picture").unwrap();
    zip.finish().unwrap();

    let out = dir.path().join("lapt.safetensors");
    let mut rest = QUICK.to_vec();
    rest.extend(["--labels", "ship,sunflowers,dog", "--collect", "3"]);
    let found = taught(&archive, "lapt", &out, &rest);
    let (own, others) = (
        note(&found, "collected for the classes"),
        note(&found, "collected as others"),
    );
    let surplus = note(&found, "left out, as their class has enough");
    assert_eq!(own + others + surplus, f64::from(count), "{found}");
    assert!(own > 0.0 && own <= 9.0);
    assert_eq!(note(&found, "images of the classes"), own);
    assert_eq!(note(&found, "other images"), others);
    assert_eq!(found["failed"], 1);
    assert_eq!(found["failures"][0]["file"], "broken.png");

    let code = |recipe: &str, rest: &[&str]| train(&archive, recipe, &out, rest).code();
    assert_eq!(code("lapt", &["--collect", "3"]), "options/invalid");
    assert_eq!(
        code("coop", &["--labels", "ship", "--collect", "3"]),
        "options/invalid"
    );
}
