//! Batches are a function of the settings and the step alone.

use pollster::block_on;
use promptlens::error::Kind;
use promptlens::pretrain::augment::{Augmentation, mix, view};
use promptlens::pretrain::batch::{Batch, Source};
use promptlens::pretrain::captions::{Captions, TEMPLATES, WORDS};
use promptlens::pretrain::held_out::HeldOut;
use promptlens::pretrain::model::Start;
use promptlens::pretrain::photos::Photos;
use promptlens::pretrain::settings::Settings;
use promptlens::rng::Rng;

use super::{small_model, small_photos, small_settings};

fn batches(settings: &Settings, threads: usize, steps: &[usize]) -> Vec<Batch> {
    let folder = tempfile::tempdir().unwrap();
    let start = block_on(Start::open(&small_model(folder.path()), Some(1), None)).unwrap();
    let photos = small_photos(&folder.path().join("data"), 5);
    let held_out = HeldOut::new(&["frog"]);
    let captions =
        Captions::new(&start.tokenizer, &photos.names, WORDS, TEMPLATES, &held_out).unwrap();
    let source = Source::new(
        &photos,
        &captions,
        None,
        start.preprocess(),
        settings,
        16,
        threads,
    );
    steps.iter().map(|s| source.batch(*s).unwrap()).collect()
}

#[test]
fn a_batch_is_the_same_on_any_number_of_threads_and_in_any_order() {
    let settings = small_settings();
    let forward = batches(&settings, 1, &[0, 1, 2]);
    let mut backward = batches(&settings, 4, &[2, 1, 0]);
    backward.reverse();
    assert_eq!(forward, backward);
    assert_ne!(forward[0].pixels, forward[1].pixels);
    let other = Settings {
        seed: 4,
        ..settings
    };
    assert_ne!(forward[0].pixels, batches(&other, 1, &[0])[0].pixels);
}

#[test]
fn a_batch_holds_what_the_settings_say() {
    let settings = Settings {
        augmentation: Augmentation {
            mix: 1.0,
            ..Augmentation::default()
        },
        keep: 0.25,
        ..small_settings()
    };
    let found = batches(&settings, 1, &[0, 7]);
    let batch = &found[0];
    assert_eq!(batch.pixels.len(), 6 * 3 * 32 * 32);
    assert!(batch.pixels.iter().all(|v| v.abs() < 4.0));
    // Three names, then words that are true of them.
    assert_eq!((batch.names, batch.captions.len()), (3, 6));
    for row in batch.matches.weights.chunks(batch.matches.captions) {
        let names: f32 = row[..3].iter().sum();
        assert!((names - 1.0).abs() < 1e-5, "{row:?}");
    }
    let kept = batch.kept.as_ref().expect("masked at first");
    assert_eq!((kept.patches, kept.rows.len()), (4, 24));
    for rows in kept.rows.chunks(4) {
        assert!(rows.windows(2).all(|pair| pair[0] < pair[1]) && rows[3] < 16);
    }
    // The last fifth of eight steps sees every patch.
    assert_eq!(found[1].kept, None);
}

#[test]
fn a_mixture_has_its_share_of_both() {
    let size = (16, 16);
    let (a, b) = (vec![1f32; 768], vec![0f32; 768]);
    for seed in 0..40 {
        let mut mixed = a.clone();
        let share = mix(&mut mixed, &b, size, &mut Rng::new(seed));
        let mean = mixed.iter().sum::<f32>() / 768.0;
        assert!((mean - share).abs() < 1e-4, "{seed}: {mean} {share}");
    }
}

#[test]
fn every_change_can_be_switched_off() {
    let folder = tempfile::tempdir().unwrap();
    let start = block_on(Start::open(&small_model(folder.path()), Some(1), None)).unwrap();
    let photos = small_photos(&folder.path().join("data"), 1);
    let none = Augmentation {
        area: 1.0,
        color: 0.0,
        gray: 0.0,
        erase: 0.0,
        mix: 0.0,
    };
    let all = Augmentation {
        area: 0.2,
        color: 1.0,
        gray: 1.0,
        erase: 1.0,
        mix: 1.0,
    };
    let image = &photos.train[0].image;
    let look = |changes: &Augmentation, seed| {
        view(image, start.preprocess(), changes, &mut Rng::new(seed)).unwrap()
    };
    let mean = |chw: &[f32], channel: usize| {
        chw[channel * 1024..(channel + 1) * 1024]
            .iter()
            .sum::<f32>()
            / 1024.0
    };
    // A red photo stays red, and turns gray (its channels differ by the normalization alone).
    let plain = look(&none, 1);
    assert!(mean(&plain, 0) - mean(&plain, 1) > 1.0);
    let gray = Augmentation { erase: 0.0, ..all };
    let gray = look(&gray, 1);
    assert!((mean(&gray, 0) - mean(&gray, 1)).abs() < 0.3);
    // An erased rectangle is of one value in each channel.
    let erase = Augmentation { erase: 1.0, ..none };
    let erased = look(&erase, 1);
    let mut values: Vec<u32> = erased[..1024].iter().map(|v| v.to_bits()).collect();
    values.sort_unstable();
    let longest = values
        .chunk_by(|a, b| a == b)
        .map(<[u32]>::len)
        .max()
        .unwrap();
    let mut before: Vec<u32> = plain[..1024].iter().map(|v| v.to_bits()).collect();
    before.sort_unstable();
    let usual = before
        .chunk_by(|a, b| a == b)
        .map(<[u32]>::len)
        .max()
        .unwrap();
    assert!(longest >= 20 && longest != usual, "{longest} {usual}");
}

#[test]
fn held_out_names_are_refused_wherever_they_are_said() {
    let folder = tempfile::tempdir().unwrap();
    let start = block_on(Start::open(&small_model(folder.path()), Some(1), None)).unwrap();
    let data = super::small_data(&folder.path().join("data"), 3);
    let held_out = HeldOut::new(&["frog"]);
    let photos = Photos::load(std::slice::from_ref(&data), &held_out, 40).unwrap();
    assert_eq!(photos.names, ["cat", "dog", "golf_ball"]);
    assert_eq!((photos.train.len(), photos.left_out), (9, 3));
    let all = Photos::load(&[data], &HeldOut::default(), 40).unwrap();
    assert_eq!(all.names.len(), 4);

    let said = |names: &[String], words: &str, templates: &[&str]| {
        Captions::new(&start.tokenizer, names, words, templates, &held_out)
            .err()
            .map(|error| error.kind())
    };
    let refused = Some(Kind::OptionInvalid);
    assert_eq!(said(&photos.names, WORDS, TEMPLATES), None);
    assert_eq!(said(&all.names, "", TEMPLATES), refused);
    assert_eq!(said(&photos.names, "tree frog: cat", TEMPLATES), refused);
    assert_eq!(said(&photos.names, "", &["a {} and a frog"]), refused);
    assert_eq!(said(&photos.names, "no colon", TEMPLATES), refused);
}

#[test]
fn patterns_take_their_share_and_bring_their_words() {
    let with = Settings {
        patterns: 1.0,
        augmentation: Augmentation {
            mix: 0.0,
            ..Augmentation::default()
        },
        ..small_settings()
    };
    let batch = &batches(&with, 1, &[0])[0];
    let captions = batch.matches.captions;
    for row in batch.matches.weights.chunks_exact(captions) {
        assert!(row[..batch.names].iter().all(|weight| *weight == 0.0));
        assert!(row[batch.names..].contains(&1.0));
    }
    assert_eq!(batches(&with, 3, &[0])[0], *batch);
    let without = batches(&small_settings(), 1, &[0]);
    assert_ne!(without[0].pixels, batch.pixels);
}
