//! Damage anywhere in a model's files: a coded error or a right answer, and never a panic.

use promptlens::error::Error;
use promptlens::quant::Quantization;
use promptlens::tokenize::ClipTokenizer;

use super::folder::{Memory, hugging_face, open_clip};
use super::tiny::{Random, code};
use crate::common;

const ROOMS: &[&str] = &["weights/", "config/", "tokenizer/"];

fn coded(error: &Error) {
    assert!(
        ROOMS.iter().any(|room| error.code().starts_with(room)),
        "{error:?}"
    );
    assert!(error.message().len() < 1000, "{error}");
}

/// The models whose files are damaged, and those files.
fn subjects() -> Vec<(&'static str, Memory)> {
    vec![
        ("hugging face", hugging_face()),
        ("open clip", open_clip()),
        (
            "q8 pack",
            hugging_face().pack(Some(Quantization::Q8)).unwrap(),
        ),
        (
            "mixed pack",
            open_clip().pack(Some(Quantization::Mixed)).unwrap(),
        ),
    ]
}

#[test]
fn every_file_cut_at_every_length() {
    for (what, folder) in subjects() {
        let whole = folder.load(None).unwrap();
        for (name, bytes) in &folder.files {
            // The tokenizer here is a stand-in; complete ones have tests of their own.
            let weights = !name.ends_with(".json");
            for end in 0..bytes.len() {
                match folder.with(name, &bytes[..end]).load(None) {
                    Err(error) => coded(&error),
                    Ok(loaded) => {
                        assert!(!weights, "{what}: {name} cut at {end} was accepted");
                        assert!(name == "tokenizer.json" || loaded.0 == whole.0);
                    }
                }
            }
        }
    }
}

#[test]
fn ten_thousand_flipped_bytes() {
    let mut random = Random(2026);
    let (mut fine, mut refused) = (0, 0);
    let subjects = subjects();
    for round in 0..10_000 {
        let (what, folder) = &subjects[round % subjects.len()];
        let names: Vec<&String> = folder.files.keys().collect();
        let name = names[random.below(names.len())];
        let mut bytes = folder.files[name].clone();
        for _ in 0..1 + random.below(3) {
            let place = random.below(bytes.len());
            bytes[place] = random.bits() as u8;
        }
        let changed = bytes != folder.files[name];
        match folder.with(name, &bytes).load(None) {
            Err(error) => {
                assert!(changed, "{what}: {error}");
                coded(&error);
                refused += 1;
            }
            Ok((loaded, _)) => {
                let packed = what.ends_with("pack");
                let guarded = packed && name != "manifest.json";
                assert!(
                    !changed || !guarded,
                    "{what}: {name} is guarded by its hash"
                );
                for tensor in loaded.into_values() {
                    assert!(tensor.into_floats().iter().all(|v| v.is_finite()));
                }
                fine += 1;
            }
        }
    }
    println!("{refused} refused, {fine} still whole models");
    assert!(refused > 1000 && fine > 100);
}

#[test]
fn a_damaged_tokenizer_is_refused_or_reads() {
    let Some(path) = common::shared("fixtures/tiny-rand/tokenizer.json") else {
        return;
    };
    let bytes = std::fs::read(path).unwrap();
    let read = |bytes: &[u8]| ClipTokenizer::from_bytes(bytes, 77, 1 << 20);
    assert_eq!(code(read(&bytes)), "fine");
    // Of this large one the ends and a stride; a small one is cut at every length in `whole`.
    let cuts =
        (0..bytes.len()).filter(|end| *end < 300 || bytes.len() - end < 300 || end % 997 == 0);
    for end in cuts {
        let got = code(read(&bytes[..end]));
        assert!(got.starts_with("tokenizer/"), "cut at {end}: {got}");
    }
    let mut random = Random(8);
    for _ in 0..300 {
        let mut damaged = bytes.clone();
        let place = random.below(damaged.len());
        damaged[place] = random.bits() as u8;
        match read(&damaged) {
            Err(error) => assert!(error.code().starts_with("tokenizer/"), "{error:?}"),
            Ok(tokenizer) => {
                let ids = tokenizer
                    .encode("a photo of a cat.")
                    .map(|tokens| tokens.ids);
                assert!(ids.is_err() || ids.is_ok_and(|ids| ids.len() <= 77));
            }
        }
    }
}
