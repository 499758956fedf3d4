//! The command line, run as a process.

mod accuracy;
mod archives;
mod bench;
mod cases;
mod check;
mod classifier;
mod convert;
mod errors;
mod evaluation;
mod lapt;
mod mini;
mod pairs;
mod rejection;
mod retrieve;
mod scores;
mod start;
mod tools;
mod train;
mod train_edges;
mod tuning;
mod usage;
mod variants;
mod zips;

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use crate::common::shared;

/// What a run left behind.
pub struct Run {
    pub status: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Run {
    /// The one JSON document on stdout.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.stdout)
            .unwrap_or_else(|e| panic!("{e}: {:?}, {:?}", self.stdout, self.stderr))
    }

    /// The code of the error that ended it.
    pub fn code(&self) -> String {
        let json = self.json();
        let message = json["error"]["message"].as_str().expect("a message");
        assert!(!message.is_empty());
        json["error"]["code"].as_str().expect("a code").to_owned()
    }
}

fn command() -> Command {
    Command::new(env!("CARGO_BIN_EXE_promptlens"))
}

fn finish(output: Output) -> Run {
    Run {
        status: output.status.code().expect("an exit status, not a signal"),
        stdout: String::from_utf8(output.stdout).expect("UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("UTF-8"),
    }
}

/// Runs `promptlens` with these arguments.
pub fn promptlens<S: AsRef<std::ffi::OsStr>>(args: &[S]) -> Run {
    finish(command().args(args).output().expect("the command runs"))
}

/// `promptlens NAME --json --model MODEL REST...`.
pub fn with_model(name: &str, model: &Path, rest: &[&str]) -> Run {
    let mut command = command();
    command.args([name, "--json", "--model"]).arg(model);
    finish(command.args(rest).output().expect("the command runs"))
}

pub fn text(path: &Path) -> &str {
    path.to_str().expect("a UTF-8 path")
}

/// A model that loads in no time and knows nothing.
pub fn tiny() -> Option<PathBuf> {
    shared("fixtures/tiny-rand")
}

pub fn mini() -> Option<PathBuf> {
    shared("models/mini-0")
}

/// The twelve reference photos with this extension, in the order of the reference tensors.
pub fn photos(folder: &str, extension: &str) -> Vec<PathBuf> {
    let folder = shared(folder).expect("the reference folder");
    let mut found: Vec<PathBuf> = std::fs::read_dir(&folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|e| e == extension))
        .collect();
    found.sort();
    assert_eq!(found.len(), 12, "{}", folder.display());
    found
}

/// The whole of a model directory, to be damaged.
pub fn copy_model(from: &Path, to: &Path) {
    for name in [
        "config.json",
        "model.safetensors",
        "tokenizer.json",
        "preprocessor_config.json",
    ] {
        std::fs::write(to.join(name), std::fs::read(from.join(name)).unwrap()).unwrap();
    }
}
