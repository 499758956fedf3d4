//! What is done with hostile bytes: one function for each kind of file that comes from outside. libFuzzer
//! calls them (`fuzz_targets/`), and the ordinary tests do on all seeds and findings
//! (`tests/fuzz_replay.rs`).
//!
//! Every target holds whatever its bytes are:
//! - it never panics, never hangs, and never has more than [`MAX_MEMORY`] in use;
//! - what it refuses has a code of its own area, never `engine/internal`, and a short sentence;
//! - what it accepts is sound, and if there is a writer, it is read again as the same.

mod classifier;
mod config;
mod image;
mod labels;
mod manifest;
mod memory_folder;
mod options;
mod pack;
mod prompt;
mod safetensors;
mod tar;
mod tiny_model;
mod tokenizer;
mod torch;
mod words;
pub mod words_model;
mod zip;

use promptlens::error::{Error, Result};
use serde_json::Value;

/// Bytes that a target may have in use.
pub const MAX_MEMORY: usize = 512 << 20;

/// The longest sentence of an error, in characters.
const MAX_SENTENCE: usize = 2000;

/// A reader of files from outside.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// The name of its binary and of its folders of seeds and findings.
    pub name: &'static str,
    /// Reads any bytes; panics if something does not hold.
    pub run: fn(&[u8]),
}

macro_rules! targets {
    ($($name:ident),* $(,)?) => {
        /// Every target.
        pub const TARGETS: &[Target] =
            &[$(Target { name: stringify!($name), run: $name::run }),*];
    };
}

targets! {
    classifier, config, image, labels, manifest, options, pack, prompt, safetensors, tar, tokenizer, torch, words, zip,
}

/// Runs the target called `name` on `bytes`.
#[allow(dead_code, reason = "the tests go through the table")]
pub fn run(name: &str, bytes: &[u8]) {
    let target = TARGETS.iter().find(|target| target.name == name);
    (target.expect("a target of this name").run)(bytes);
}

/// The value, or `None` for an error whose code begins as one of `areas` does and whose sentence is short.
fn checked<T>(outcome: Result<T>, areas: &[&str]) -> Option<T> {
    match outcome {
        Ok(value) => Some(value),
        Err(error) => {
            check(&error, areas);
            None
        }
    }
}

fn check(error: &Error, areas: &[&str]) {
    let code = error.code();
    assert!(
        areas.iter().any(|area| code.starts_with(area)),
        "{code}: {error}"
    );
    let length = error.message().chars().count();
    assert!(length <= MAX_SENTENCE, "{length} characters: {error:.200}");
}

/// Whether two documents are the same up to the last digits of their fractions: serde_json's fast way to
/// read them may miss these, so that a number which is written and read again can be its neighbor.
fn same_json(one: &Value, other: &Value) -> bool {
    match (one, other) {
        (Value::Number(one), Value::Number(other)) => {
            let near =
                |a: f64, b: f64| (a - b).abs() <= 4.0 * f64::EPSILON * b.abs() + f64::MIN_POSITIVE;
            one == other
                || one
                    .as_f64()
                    .zip(other.as_f64())
                    .is_some_and(|(a, b)| near(a, b))
        }
        (Value::Array(one), Value::Array(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(a, b)| same_json(a, b))
        }
        (Value::Object(one), Value::Object(other)) => {
            let same =
                |(key, a): (&String, &Value)| other.get(key).is_some_and(|b| same_json(a, b));
            one.len() == other.len() && one.iter().all(same)
        }
        _ => one == other,
    }
}
