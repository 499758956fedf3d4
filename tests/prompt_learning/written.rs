//! Prompt files written by version 0.1.0 (commit 95be3b0) answer as they did there. `files/README.md`
//! says how they were made.

use std::collections::BTreeSet;
use std::path::Path;

use pollster::block_on;
use promptlens::classifier::{ClassSet, ClassifyOptions, OodOptions};
use promptlens::device::Choice;
use promptlens::model::Model;
use promptlens::prompt::file::Prompt;
use promptlens::prompt::heads::{self, KINDS};
use promptlens::prompt::template::DEFAULT;
use serde::Deserialize;

const FILES: &str = "tests/prompt_learning/files";

/// Another processor may round the towers' sums in another order.
const TOLERANCE: f64 = 1e-6;

#[derive(Deserialize)]
struct Expected {
    file: String,
    labels: Vec<String>,
    /// In the order of the labels.
    probabilities: Vec<f64>,
    /// The score `lapt` of the photo, for prompts that know negative labels.
    lapt: Option<f64>,
}

#[test]
fn files_of_the_first_version_answer_as_they_did() {
    let path = |name: &str| Path::new(FILES).join(name);
    let photo = std::fs::read(path("photo.png")).unwrap();
    let expected = std::fs::read(path("answers.json")).unwrap();
    let expected: Vec<Expected> = serde_json::from_slice(&expected).unwrap();
    let model = Path::new("www/models/mini-vit");
    let model = block_on(Model::open(model, Choice::Cpu, None)).unwrap();
    let (mut kinds, mut worst) = (BTreeSet::new(), 0f64);
    for Expected {
        file,
        labels,
        probabilities,
        lapt,
    } in expected
    {
        let prompt = Prompt::from_bytes(&std::fs::read(path(&file)).unwrap()).unwrap();
        kinds.insert(heads::kind(&prompt).unwrap().name);
        let options = ClassifyOptions {
            ood: lapt.map(|_| OodOptions::named("lapt")),
            ..ClassifyOptions::default()
        };
        let found = block_on(async {
            let classes = ClassSet::with_prompt(&model, &labels, DEFAULT, &prompt).await?;
            classes.classify(&model, &photo, &options, &()).await
        });
        let found = found.unwrap_or_else(|error| panic!("{file}: {error}"));
        for (label, expected) in labels.iter().zip(&probabilities) {
            let own = found.predictions.iter().find(|p| &p.label == label);
            let error = (own.unwrap().probability - expected).abs();
            assert!(error <= TOLERANCE, "{file} {label}: off by {error:.1e}");
            worst = worst.max(error);
        }
        if let (Some(expected), Some(ood)) = (lapt, found.ood) {
            let error = (ood.value - expected).abs();
            assert!(error <= TOLERANCE, "{file}: score off by {error:.1e}");
        }
    }
    println!("largest difference {worst:.1e}");
    // The kinds that were there.
    let later = ["pairs", "linear", "adapted", "ranking", "proxies"];
    let all = KINDS.iter().map(|kind| kind.name);
    let all: BTreeSet<&str> = all.filter(|name| !later.contains(name)).collect();
    assert_eq!(kinds, all, "a file of every kind");
}
