//! A broken run ends like an unbroken one; training learns.

use pollster::block_on;
use promptlens::device::cpu;
use promptlens::error::Result;
use promptlens::pretrain::captions::{Captions, TEMPLATES, WORDS};
use promptlens::pretrain::checkpoint::About;
use promptlens::pretrain::held_out::HeldOut;
use promptlens::pretrain::model::Start;
use promptlens::pretrain::run::{Outcome, Run, RunProgress};
use promptlens::pretrain::settings::Settings;
use promptlens::pretrain::step::as_stored;
use promptlens::quant::Quantization;
use tempfile::TempDir;

use super::{small_model, small_photos, small_settings};

struct Stage {
    start: Start,
    photos: promptlens::pretrain::photos::Photos,
    folder: TempDir,
}

impl Stage {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let model = small_model(folder.path());
        Self {
            start: block_on(Start::open(&model, Some(5), None)).unwrap(),
            photos: small_photos(&folder.path().join("data"), 20),
            folder,
        }
    }

    fn run(
        &self,
        settings: &Settings,
        checkpoint: Option<&str>,
        stop_after: Option<usize>,
        tell: &mut dyn FnMut(&RunProgress) -> Result<()>,
    ) -> Result<Outcome> {
        let names = &self.photos.names;
        let held_out = HeldOut::new(&["frog"]);
        let captions =
            Captions::new(&self.start.tokenizer, names, WORDS, TEMPLATES, &held_out).unwrap();
        let about = About {
            settings: settings.clone(),
            names: names.clone(),
            photos: self.photos.train.len(),
            start: String::new(),
        };
        let run = Run {
            start: &self.start,
            photos: &self.photos,
            captions: &captions,
            teacher: None,
            about: &about,
            placement: &cpu("a test").placement,
            threads: 2,
            checkpoint: checkpoint.map(|name| self.folder.path().join(name)),
            every: f64::INFINITY,
            stop_after,
            stop_at: None,
        };
        block_on(run.go(tell))
    }
}

fn quiet(_: &RunProgress) -> Result<()> {
    Ok(())
}

#[test]
fn a_resumed_run_equals_an_unbroken_one() {
    let stage = Stage::new();
    let settings = Settings {
        quantize: Some(Quantization::Q8),
        ..small_settings()
    };
    let whole = stage.run(&settings, None, None, &mut quiet).unwrap();
    assert_eq!(whole.state.step, 8);
    assert_ne!(whole.state.values, stage.start.values);

    let mut steps = Vec::new();
    for stop in [Some(1), Some(5), None] {
        let mut tell = |p: &RunProgress| {
            steps.push(p.step);
            Ok(())
        };
        let part = stage
            .run(&settings, Some("run.safetensors"), stop, &mut tell)
            .unwrap();
        assert_eq!(part.state.step, stop.unwrap_or(8));
        if stop.is_none() {
            assert_eq!(part.state.values, whole.state.values);
            assert_eq!(part.state.average, whole.state.average);
            assert_eq!(part.state.moments(), whole.state.moments());
        } else {
            assert_ne!(part.state.values, whole.state.values);
        }
    }
    assert_eq!(steps, [1, 2, 3, 4, 5, 6, 7, 8]);

    // Other settings are another run.
    let other = Settings {
        lr: 1e-3,
        ..settings
    };
    let refused = stage
        .run(&other, Some("run.safetensors"), None, &mut quiet)
        .err()
        .unwrap();
    assert_eq!(refused.code(), "options/invalid");
    assert!(refused.message().contains("settings"), "{refused}");
}

#[test]
fn a_run_with_muon_in_parts_on_patterns_is_resumed_alike() {
    let stage = Stage::new();
    let settings = Settings {
        muon: true,
        shards: 2,
        patterns: 0.4,
        ..small_settings()
    };
    let whole = stage.run(&settings, None, None, &mut quiet).unwrap();
    for stop in [Some(3), None] {
        let part = stage
            .run(&settings, Some("muon.safetensors"), stop, &mut quiet)
            .unwrap();
        assert_eq!(part.state.values == whole.state.values, stop.is_none());
    }
    let adam = Settings {
        muon: false,
        ..settings
    };
    let other = stage.run(&adam, None, None, &mut quiet).unwrap();
    assert_ne!(other.state.values, whole.state.values);
}

#[test]
fn an_interrupted_run_ends_with_the_reason() {
    let stage = Stage::new();
    let mut tell = |p: &RunProgress| match p.step {
        3 => Err(promptlens::error::Error::new(
            promptlens::error::Kind::Cancelled,
            "Enough.",
        )),
        _ => Ok(()),
    };
    let ended = stage.run(&small_settings(), None, None, &mut tell);
    assert_eq!(ended.err().unwrap().code(), "engine/cancelled");
}

#[test]
fn training_learns_colors() {
    let stage = Stage::new();
    let settings = Settings {
        steps: 60,
        batch: 12,
        ..small_settings()
    };
    let outcome = stage.run(&settings, None, None, &mut quiet).unwrap();
    let (first, last) = (outcome.curve[0], *outcome.curve.last().unwrap());
    assert!(last.loss < 0.9 * first.loss, "{first:?} {last:?}");
    assert!(last.accuracy > 0.6, "{last:?}");
    // One of sixty photos is kept for validation, and its color tells what it is.
    assert_eq!(last.validation, Some(1.0));
}

#[test]
fn stored_weights_stay_as_they_are() {
    let stage = Stage::new();
    let (config, layout) = (stage.start.config(), &stage.start.layout);
    let values = &stage.start.values;
    for quantization in [Quantization::Q8, Quantization::Q4] {
        let stored = as_stored(config, layout, values, quantization).unwrap();
        assert_ne!(&stored, values);
        let worst = stored
            .iter()
            .zip(values)
            .fold(0f32, |max, (a, b)| max.max((a - b).abs()));
        assert!(worst < 0.2, "{worst}");
        let leaf = layout.leaf("logit_scale").unwrap().range.clone();
        assert_eq!(stored[leaf.clone()], values[leaf]);
    }
    let plain = as_stored(config, layout, values, Quantization::None).unwrap();
    assert_eq!(&plain, values);
}
