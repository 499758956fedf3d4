//! Class lists, images and views that no single binding holds: they run in chunks with the same result.
//!
//! The towers of the random model are narrow, so that the limit is lowered to what 4096 of its token
//! rows fill, as 128 MiB are filled by those of a wide one.

use std::cell::Cell;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use pollster::block_on;
use promptlens::checkpoint::Directory;
use promptlens::classifier::{ClassSet, ClassifyOptions};
use promptlens::clip::text::TextTower;
use promptlens::device::{Processor, cpu};
use promptlens::error::Result;
use promptlens::kernels::check::values;
use promptlens::kernels::{Placement, read};
use promptlens::model::{Loading, Model};
use promptlens::progress::{LocalBoxFuture, Progress};
use promptlens::prompt::context_encoder::ContextEncoder;
use promptlens::prompt::tokens::PromptTokens;
use promptlens::quant::Quantization;
use promptlens::tpt::{Overrides, Tuning};

use crate::common::{relative_error, shared};
use crate::limits::limited;

/// 4096 rows of the hidden layer of 256.
const LIMIT: u64 = 4096 * 256 * 4;

fn open(dir: &Path, placement: Placement) -> Model {
    let info = cpu("a test asked for it").info;
    let processor = Processor { placement, info };
    let folder = Directory::open(dir).expect("a model");
    let whole = Some(Quantization::None);
    block_on(async {
        let mut loading = Loading::start(&folder, None, whole, processor).await?;
        loading.weights(&folder, None).await?;
        loading.finish().await
    })
    .expect("the model loads")
}

/// SOT, one to four tokens and EOT, of a vocabulary without words.
fn sequences(tower: &TextTower, count: u32) -> Vec<Vec<u32>> {
    let end = tower.config.vocab_size as u32 - 1;
    let token = |i: u32, j: u32| (i * 7 + j * 13 + 5) % (end - 1);
    (0..count)
        .map(|i| {
            let inner = (0..1 + i % 4).map(|j| token(i, j));
            [end - 1].into_iter().chain(inner).chain([end]).collect()
        })
        .collect()
}

#[test]
fn a_thousand_classes_run_in_chunks() {
    let Some(dir) = shared("fixtures/tiny-rand") else {
        return;
    };
    let run = |placement| {
        let model = open(&dir, placement);
        let tower = &model.clip.text;
        let all = sequences(tower, 1000);
        let (features, rows) = tower.encode(&all);
        let features = block_on(read(features)).expect("finite values");
        // 819 classes of 5 rows and the others, each behind SOT.
        assert_eq!(rows.processed, 2 + 1000 * 5);

        let suffixes: Vec<_> = all.iter().map(|ids| ids[1..].to_vec()).collect();
        let tokens = PromptTokens::from_suffixes(all[0][0], 4, &suffixes);
        let context: Vec<f32> = values(4 * tower.config.width, 3)
            .iter()
            .map(|v| v * 0.05)
            .collect();
        let gradient = block_on(async {
            let mut encoder = ContextEncoder::new(tower, Arc::new(tokens));
            encoder.forward(&context).await?;
            encoder.backward(&values(features.len(), 9)).await
        });
        (features, gradient.expect("finite values"))
    };
    let (features, gradient) = run(limited(LIMIT));
    let expected = run(Placement::cpu());
    assert!(relative_error(&features, &expected.0) <= 1e-5);
    assert!(relative_error(&gradient, &expected.1) <= 1e-5);
}

/// A tower without a causal mask pads every prompt to its full length.
#[test]
fn classes_of_a_tower_that_sees_everything_run_in_chunks() {
    let Some(dir) = shared("fixtures/tiny-rand") else {
        return;
    };
    let copy = tempfile::tempdir().expect("a folder");
    for file in fs::read_dir(&dir).expect("a model") {
        let path = file.expect("a file").path();
        if path.is_file() {
            let name = path.file_name().expect("a name");
            fs::write(copy.path().join(name), fs::read(&path).unwrap()).unwrap();
        }
    }
    let path = copy.path().join("config.json");
    let mut config: serde_json::Value = serde_json::from_slice(&fs::read(&path).unwrap()).unwrap();
    config["text_config"]["causal"] = false.into();
    fs::write(&path, config.to_string()).unwrap();

    let run = |placement| {
        let model = open(copy.path(), placement);
        let all = sequences(&model.clip.text, 100);
        let (features, rows) = model.clip.text.encode(&all);
        assert_eq!(rows.processed, 100 * 77);
        block_on(read(features)).expect("finite values")
    };
    let found = run(limited(LIMIT));
    assert!(relative_error(&found, &run(Placement::cpu())) <= 1e-5);
}

/// Counts the passes over views.
#[derive(Default)]
struct Passes(Cell<usize>);

impl Progress for Passes {
    fn step(&self, stage: &'static str, done: usize, total: usize) -> LocalBoxFuture<'_, ()> {
        if stage == "views" && done < total {
            self.0.set(self.0.get() + 1);
        }
        Box::pin(std::future::ready(Ok(())))
    }
}

#[test]
fn two_hundred_views_run_in_chunks() {
    let (Some(dir), Some(file)) = (
        shared("fixtures/tiny-rand"),
        shared("fixtures/mini/00_chain_saw.png"),
    ) else {
        return;
    };
    let views = Overrides {
        views: Some(200),
        ..Overrides::default()
    };
    let options = ClassifyOptions {
        tuning: Some(Tuning::tpt(&views).unwrap()),
        ood: None,
        heatmap: None,
    };
    let run = |placement| -> Result<Vec<f32>> {
        let model = open(&dir, placement);
        let labels = ["cat", "church", "golf ball"].map(str::to_owned);
        let (file, passes) = (fs::read(&file).unwrap(), Passes::default());
        block_on(async {
            let classes = ClassSet::new(&model, &labels, &["a photo of a {}."]).await?;
            let answer = classes.classify(&model, &file, &options, &passes).await?;
            assert!(passes.0.get() >= 2, "{} passes", passes.0.get());
            let probability = |label| answer.predictions.iter().find(|p| &p.label == label);
            Ok(labels
                .iter()
                .map(|label| probability(label).expect("every label").probability as f32)
                .collect())
        })
    };
    let found = run(limited(LIMIT)).expect("an answer");
    let expected = run(Placement::cpu()).expect("an answer");
    assert!(relative_error(&found, &expected) <= 1e-4);
}

/// More images than 128 MiB hold the patches of.
#[test]
fn images_run_in_chunks() {
    let Some(dir) = shared("fixtures/tiny-rand") else {
        return;
    };
    let model = open(&dir, Placement::cpu());
    let vision = &model.clip.vision;
    let (most, each) = (vision.images_within(usize::MAX), vision.pixels_per_image());
    // Ten rows of an image, of which nine are patches of 768 values.
    assert_eq!(most, (128 << 20) / (4 * 768) / 10);
    assert_eq!(vision.images_within(1024), 102);
    let pixels = values((most + 2) * each, 3);
    let all = block_on(read(vision.encode(&pixels))).expect("finite values");
    let d = all.len() / (most + 2);
    for image in [0, most - 1, most, most + 1] {
        let own = vision.encode(&pixels[image * each..(image + 1) * each]);
        let own = block_on(read(own)).expect("finite values");
        let error = relative_error(&all[image * d..(image + 1) * d], &own);
        assert!(error <= 1e-5, "image {image}: {error:.1e}");
    }
}
