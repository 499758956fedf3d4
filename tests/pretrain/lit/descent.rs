//! The text tower: warm start, learning, going on.

use std::path::Path;

use promptlens::error::{Error, Kind};
use promptlens::kernels::{Placement, read};
use promptlens::pretrain::lit::cut_bpe::cut_tokenizer;
use promptlens::pretrain::lit::descent::{Descent, Objective};
use promptlens::pretrain::lit::distillation::Distillation;
use promptlens::pretrain::lit::text_layout::{TextLayout, TextSizes};
use promptlens::pretrain::lit::text_settings::TextSettings;
use promptlens::pretrain::lit::text_targets::TextTargets;
use promptlens::pretrain::lit::text_tower::{Tape, Taped};
use promptlens::pretrain::lit::warm_start::{warm_start, word_knowledge};
use promptlens::tokenize::ClipTokenizer;

use super::{Small, WIDTH};
use crate::common::cosine;

fn settings(steps: usize) -> TextSettings {
    TextSettings {
        steps,
        neutral: 8,
        modified: 4,
        captions: 2,
        lr: 3e-3,
        ..TextSettings::default()
    }
}

struct Tower {
    targets: TextTargets,
    tokenizer: ClipTokenizer,
    layout: TextLayout,
    spelled: Vec<Vec<u32>>,
}

impl Tower {
    fn new() -> Self {
        let targets = Small::new().targets();
        let whole = std::fs::read("www/models/mini-vit/tokenizer.json").unwrap();
        let texts: Vec<(String, f64)> = targets
            .items
            .iter()
            .map(|item| (item.text.clone(), 1.0))
            .collect();
        let json = cut_tokenizer(&whole, &texts, 200).unwrap();
        let sizes = TextSizes {
            width: 16,
            layers: 2,
            heads: 2,
            context_length: 24,
            vocabulary: 714,
            out: WIDTH,
        };
        let tokenizer = ClipTokenizer::from_bytes(&json, 24, 714).unwrap();
        let spelled = targets
            .items
            .iter()
            .map(|item| tokenizer.encode(&item.text).unwrap().ids)
            .collect();
        Self {
            layout: TextLayout::new(sizes),
            targets,
            tokenizer,
            spelled,
        }
    }

    fn warm(&self) -> Vec<f32> {
        let (tokens, directions) = word_knowledge(&self.targets, &self.spelled, self.layout.sizes);
        warm_start(&self.layout, &tokens, &directions, 1)
    }

    fn cold(&self) -> Vec<f32> {
        let sizes = self.layout.sizes;
        let mut rng = promptlens::rng::Rng::new(8);
        let tokens = vec![(0..sizes.out).map(|_| rng.normal() as f32 * 0.1).collect(); 714];
        let directions: Vec<f64> = (0..(sizes.width - 1) * sizes.out)
            .map(|_| rng.normal() * 0.2)
            .collect();
        warm_start(&self.layout, &tokens, &directions, 1)
    }

    /// The mean cosine of all names to their targets.
    fn mean_cosine(&self, values: &[f32]) -> f64 {
        let used: std::collections::BTreeSet<u32> =
            self.spelled.iter().flatten().copied().collect();
        let tower = Taped::new(
            &self.layout,
            values,
            used.into_iter().collect(),
            Tape::Off,
            &Placement::cpu(),
        );
        let sequences: Vec<&[u32]> = self.spelled.iter().map(Vec::as_slice).collect();
        let features = pollster::block_on(read(tower.encode(&sequences))).unwrap();
        let rows = features.chunks(WIDTH).zip(&self.targets.items);
        let sum: f64 = rows
            .map(|(row, item)| cosine(row, self.targets.row(item.row)))
            .sum();
        sum / self.targets.items.len() as f64
    }

    fn train(
        &self,
        steps: usize,
        threads: usize,
        checkpoint: Option<&Path>,
        stop: Option<usize>,
    ) -> promptlens::error::Result<Vec<f32>> {
        let cpu = Placement::cpu();
        let learning = Distillation::new(
            &self.targets,
            settings(steps),
            &self.tokenizer,
            &self.layout,
            &cpu,
            threads,
        );
        Descent {
            stage: "text",
            steps,
            warm_up: 2,
            clip: 1.0,
            groups: learning.groups(),
            about: format!("a test of {steps}"),
            checkpoint: checkpoint.map(Path::to_owned),
            every: f64::INFINITY,
        }
        .run(&learning, self.warm(), &mut |progress| {
            if stop == Some(progress.done) {
                return Err(Error::new(Kind::Cancelled, "Stopped."));
            }
            Ok(())
        })
    }
}

#[test]
fn a_warm_start_already_knows_words() {
    let tower = Tower::new();
    let (warm, cold) = (
        tower.mean_cosine(&tower.warm()),
        tower.mean_cosine(&tower.cold()),
    );
    assert!(warm > cold + 0.2, "warm {warm}, cold {cold}");
}

#[test]
fn training_brings_names_to_their_targets() {
    let tower = Tower::new();
    let before = tower.mean_cosine(&tower.warm());
    let after = tower.mean_cosine(&tower.train(300, 1, None, None).unwrap());
    assert!(after > before + 0.1 && after > 0.7, "{before} -> {after}");
}

#[test]
fn a_run_that_was_stopped_and_gone_on_with_equals_an_unbroken_one() {
    let tower = Tower::new();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("text.run");
    let whole = tower.train(8, 1, None, None).unwrap();
    let stopped = tower.train(8, 1, Some(&file), Some(3)).unwrap_err();
    assert_eq!(stopped.code(), "engine/cancelled");
    assert_eq!(tower.train(8, 1, Some(&file), None).unwrap(), whole);
    // Another run's file is refused.
    let other = tower.train(9, 1, Some(&file), None).unwrap_err();
    assert_eq!(other.code(), "options/invalid");
}

#[test]
fn parts_on_threads_have_the_gradient_of_the_whole() {
    let tower = Tower::new();
    let cpu = Placement::cpu();
    let learning = |threads| {
        Distillation::new(
            &tower.targets,
            settings(8),
            &tower.tokenizer,
            &tower.layout,
            &cpu,
            threads,
        )
    };
    let values = tower.warm();
    let (loss, one) = learning(1).gradient(3, &values).unwrap();
    let (same, two) = learning(2).gradient(3, &values).unwrap();
    assert!((loss - same).abs() < 1e-4, "{loss} {same}");
    assert!(crate::common::relative_error(&two, &one) < 1e-3);
}
