//! `promptlens pretrain`.

use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};

use pollster::block_on;
use promptlens::checkpoint::{digest, read_file};
use promptlens::clock::now;
use promptlens::device::{self, Choice};
use promptlens::error::{Error, Kind, Result};
use promptlens::pretrain::captions::{Captions, TEMPLATES, WORDS};
use promptlens::pretrain::checkpoint::About;
use promptlens::pretrain::held_out::HeldOut;
use promptlens::pretrain::model::{Start, TRAINING_FILE, Training, check_out, export};
use promptlens::pretrain::pack::{Packing, pack};
use promptlens::pretrain::photos::Photos;
use promptlens::pretrain::run::{Run, RunProgress};
use promptlens::pretrain::teacher::Teacher;
use serde::Serialize;

use super::model::labels;
use super::output::{Answer, percent, plain, table};
use super::pretrain_args::{DataArgs, PrepareArgs, Pretrain, RunArgs};
use super::pretrain_lit;

/// The largest list of words, or training.json.
const SMALL_BYTES: u64 = 16 << 20;
/// Milliseconds between lines of progress if they are not overwritten.
const LINE_EVERY: f64 = 30e3;
const MINUTE: f64 = 60e3;

pub fn run(args: &Pretrain, device: Choice) -> Result<Answer> {
    match args {
        Pretrain::Prepare(args) => prepare(args),
        Pretrain::Lit(args) => pretrain_lit::run(args),
        Pretrain::Run(args) => train(args, device),
    }
}

/// What is held out: as asked for, else as the model says.
fn held_out(args: &DataArgs, model: Option<&Path>) -> Result<HeldOut> {
    match args.hold_out.as_deref() {
        Some("none") => return Ok(HeldOut::default()),
        Some(given) => return Ok(HeldOut::new(&labels(given)?)),
        None => {}
    }
    let path = model.map(|dir| dir.join(TRAINING_FILE));
    let said = path
        .filter(|path| path.exists())
        .map(|path| read_file(&path, SMALL_BYTES, Kind::Io))
        .transpose()?
        .and_then(|bytes| serde_json::from_slice::<serde_json::Value>(&bytes).ok())
        .and_then(|json| {
            let names = json["near_ood"].as_array()?;
            let names = names.iter().map(|name| name.as_str().map(str::to_owned));
            names.collect::<Option<Vec<String>>>()
        });
    said.map(|names| HeldOut::new(&names)).ok_or_else(|| {
        Error::new(
            Kind::OptionInvalid,
            "What is held out of training is not known; name it with --hold-out, or say --hold-out none.",
        )
    })
}

#[derive(Serialize)]
struct Prepared<'a> {
    classes: &'a BTreeMap<String, usize>,
    images: usize,
    unchanged: usize,
    held_out: &'a [String],
    left_out: usize,
    failed: usize,
    bytes: u64,
    out: String,
}

fn prepare(args: &PrepareArgs) -> Result<Answer> {
    let held_out = held_out(&args.data, args.model.as_deref())?;
    let packing = Packing {
        edge: args.data.edge,
        quality: args.quality,
        max_bytes: args.max_mb.saturating_mul(1_000_000),
    };
    let packed = pack(&args.data.data, &held_out, &packing, &args.out)?;
    let document = Prepared {
        images: packed.classes.values().sum(),
        classes: &packed.classes,
        unchanged: packed.unchanged,
        held_out: held_out.names(),
        left_out: packed.left_out,
        failed: packed.failures.len(),
        bytes: packed.bytes,
        out: args.out.display().to_string(),
    };
    let mut rows: Vec<Vec<String>> = packed
        .classes
        .iter()
        .map(|(name, count)| vec![name.clone(), count.to_string()])
        .collect();
    rows.push(vec!["all".to_owned(), document.images.to_string()]);
    rows.push(vec!["held out".to_owned(), packed.left_out.to_string()]);
    rows.push(vec!["bytes".to_owned(), packed.bytes.to_string()]);
    let answer = Answer::new(&document, table(&rows), true)?;
    Ok(with_failures(answer, &packed.failures))
}

pub fn with_failures(answer: Answer, failures: &[(String, Error)]) -> Answer {
    failures.iter().fold(answer, |answer, (file, error)| {
        answer.note(format!("{file}: {} [{}]", error.message(), error.code()))
    })
}

#[derive(Serialize)]
struct Trained {
    steps: usize,
    of: usize,
    images: usize,
    classes: usize,
    left_out: usize,
    failed: usize,
    loss: Option<f64>,
    validation: Option<f64>,
    images_per_second: f64,
    device: &'static str,
    out: String,
}

fn train(args: &RunArgs, choice: Choice) -> Result<Answer> {
    let settings = args.settings.settings();
    settings.check()?;
    check_out(&args.model, &args.out)?;
    let held_out = held_out(&args.data, Some(&args.model))?;
    let start = block_on(Start::open(
        &args.model,
        args.fresh.then_some(settings.seed),
        args.merges,
    ))?;
    let words = match &args.words_file {
        Some(path) => text(path)?,
        None => WORDS.to_owned(),
    };
    let templates: Vec<String> = if args.templates.is_empty() {
        TEMPLATES.iter().map(|t| (*t).to_owned()).collect()
    } else {
        args.templates.clone()
    };
    let teacher = args
        .teacher
        .as_deref()
        .map(|path| Teacher::read(path, start.config().projection_dim, &held_out))
        .transpose()?;
    let photos = Photos::load(&args.data.data, &held_out, args.data.edge)?;
    let captions = Captions::new(
        &start.tokenizer,
        &photos.names,
        &words,
        &templates,
        &held_out,
    )?;
    let about = About {
        settings,
        names: photos.names.clone(),
        photos: photos.train.len(),
        start: start.sha256.clone(),
    };
    let processor = block_on(device::open(choice, None))?;
    let threads = args
        .threads
        .unwrap_or_else(|| std::thread::available_parallelism().map_or(1, std::num::NonZero::get));
    let run = Run {
        start: &start,
        photos: &photos,
        captions: &captions,
        teacher: teacher.as_ref(),
        about: &about,
        placement: &processor.placement,
        threads,
        checkpoint: args.checkpoint.clone(),
        every: args.every * MINUTE,
        stop_after: args.stop_after,
        stop_at: args.minutes.map(|minutes| now() + minutes * MINUTE),
    };
    let mut bar = Bar::new();
    let outcome = block_on(run.go(&mut |progress| {
        bar.show(progress);
        Ok(())
    }));
    bar.end();
    let outcome = outcome?;
    let command: Vec<String> = std::env::args().collect();
    let training = Training {
        train_names: &photos.names,
        near_ood: held_out.names(),
        templates,
        steps: outcome.state.step,
        images_seen: outcome.state.step * about.settings.batch,
        seed: about.settings.seed,
        command: &command.join(" "),
        commit: &args.commit.clone().unwrap_or_else(commit),
        about: &about,
        data: hashes(&args.data.data)?,
        curve: &outcome.curve,
    };
    export(
        &args.model,
        &args.out,
        &start,
        &outcome.state.average,
        args.half,
        &training,
    )?;
    let point = outcome.curve.last();
    let document = Trained {
        steps: outcome.state.step,
        of: about.settings.steps,
        images: photos.train.len(),
        classes: photos.names.len(),
        left_out: photos.left_out,
        failed: photos.failures.len(),
        loss: point.map(|point| point.loss),
        validation: point.and_then(|point| point.validation),
        images_per_second: outcome.rate,
        device: processor.info.kind,
        out: args.out.display().to_string(),
    };
    let line = |name: &str, value: String| vec![name.to_owned(), value];
    let shown = |value: Option<f64>| value.map_or_else(|| "not measured".to_owned(), percent);
    let rows = [
        line("steps", format!("{} of {}", document.steps, document.of)),
        line("images", document.images.to_string()),
        line("classes", document.classes.to_string()),
        line("held out", document.left_out.to_string()),
        line("validation", shown(document.validation)),
        line("images/s", format!("{:.1}", document.images_per_second)),
        line("written to", document.out.clone()),
    ];
    let answer = Answer::new(&document, table(&rows), true)?;
    Ok(with_failures(answer, &photos.failures))
}

fn text(path: &Path) -> Result<String> {
    String::from_utf8(read_file(path, SMALL_BYTES, Kind::Io)?)
        .map_err(|_| Error::new(Kind::Io, format!("{} is not UTF-8 text.", path.display())))
}

/// SHA-256 of each data file; folders have none.
fn hashes(paths: &[PathBuf]) -> Result<BTreeMap<String, String>> {
    let mut found = BTreeMap::new();
    for path in paths.iter().filter(|path| path.is_file()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        found.insert(name.into_owned(), digest(path)?.1);
    }
    Ok(found)
}

/// The checked-out commit of the current folder.
fn commit() -> String {
    std::process::Command::new("git")
        .args(["rev-parse", "HEAD"])
        .output()
        .ok()
        .filter(|output| output.status.success())
        .and_then(|output| String::from_utf8(output.stdout).ok())
        .map_or_else(|| "unknown".to_owned(), |hash| hash.trim().to_owned())
}

/// One line on stderr: overwritten on a terminal, now and then in a file.
struct Bar {
    terminal: bool,
    last: f64,
}

impl Bar {
    fn new() -> Self {
        Self {
            terminal: std::io::stderr().is_terminal(),
            last: f64::NEG_INFINITY,
        }
    }

    fn show(&mut self, p: &RunProgress) {
        let due = p.step == p.steps || p.validation.is_some() || now() - self.last >= LINE_EVERY;
        if !self.terminal && !due {
            return;
        }
        self.last = now();
        let minutes = (p.left / 60.0).ceil() as u64;
        let validation = p.validation.map_or_else(String::new, |accuracy| {
            format!(", validation {}", percent(accuracy).trim())
        });
        let line = plain(&format!(
            "step {}/{}  loss {:.3}  accuracy {}  {:.1} images/s  {}:{:02} left{validation}",
            p.step,
            p.steps,
            p.loss,
            percent(p.accuracy).trim(),
            p.rate,
            minutes / 60,
            minutes % 60,
        ));
        // A lost line of progress is no reason to lose a run.
        let _ = match self.terminal {
            true => write!(std::io::stderr(), "\r\x1b[K{line}"),
            false => writeln!(std::io::stderr(), "{line}"),
        };
    }

    fn end(&self) {
        if self.terminal {
            let _ = writeln!(std::io::stderr());
        }
    }
}
