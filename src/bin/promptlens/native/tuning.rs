//! Arguments of test-time tuning and of corruptions, and what tuning did as text.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use promptlens::classifier::{Prediction, TuningReport};
use promptlens::dataset::read_image;
use promptlens::error::{Error, Kind, Result};
use promptlens::image::views::{Corruption, MAX_VIEWS};
use promptlens::model::Model;
use promptlens::tpt::{ExtraImages, MAX_STEPS, Method, Overrides, StrongViews, Tuning, TuningKind};

use super::args::at_least_one;

/// Tuning the prompt on every image.
#[derive(Debug, Args)]
pub struct TuneArgs {
    /// Tune the prompt on every image: tpt, difftpt-lite (no diffusion model), or none.
    #[arg(long, value_name = "METHOD", value_parser = method)]
    pub tune: Option<Wanted>,
    /// Views in all, the image itself among them; 64 when left out.
    #[arg(long, value_name = "N", requires = "tune", value_parser = views)]
    pub views: Option<usize>,
    /// Gradient steps; 1 for tpt and 4 for difftpt-lite when left out.
    #[arg(long, value_name = "N", requires = "tune", value_parser = steps)]
    pub steps: Option<usize>,
    /// Share of the views that is kept, the surest; the method's own when left out.
    #[arg(long, value_name = "R", requires = "tune", value_parser = share)]
    pub rho: Option<f64>,
    /// Mix the crops of tpt with altered copies of themselves, for fine-grained classes.
    #[arg(long, requires = "tune")]
    pub augmix: bool,
    /// Decides everything random: views, and noise if there is any.
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub seed: u64,
}

/// The value of `--tune`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted(pub Option<Method>);

fn method(name: &str) -> Result<Wanted> {
    Method::parse_or_none(name).map(Wanted)
}

impl TuneArgs {
    /// The method that was asked for.
    pub fn method(&self) -> Option<Method> {
        self.tune.and_then(|wanted| wanted.0)
    }

    /// The tuning that was asked for.
    pub fn tuning(&self) -> Result<Option<Tuning>> {
        let kind = match self.method() {
            None => return Ok(None),
            Some(Method::Tpt) => TuningKind::Tpt {
                augmix: self.augmix,
            },
            Some(Method::DiffTptLite) => TuningKind::DiffTptLite(StrongViews::Drawn),
        };
        let overrides = Overrides {
            views: self.views,
            steps: self.steps,
            rho: self.rho,
            seed: self.seed,
        };
        Tuning::new(kind, &overrides).map(Some)
    }
}

/// A shift of the data.
#[derive(Debug, Args)]
pub struct CorruptArgs {
    /// Corrupt every image first: gaussian-noise, blur, contrast, brightness, jpeg, pixelate or fog,
    /// at a severity from 1 to 5.
    #[arg(long = "corrupt", value_name = "NAME:SEVERITY", value_parser = Corruption::parse)]
    pub corruption: Option<Corruption>,
}

fn at_most(text: &str, limit: usize) -> Result<usize, String> {
    match at_least_one(text)? {
        n if n <= limit => Ok(n),
        _ => Err(format!("give a whole number from 1 to {limit}")),
    }
}

fn views(text: &str) -> Result<usize, String> {
    at_most(text, MAX_VIEWS)
}

fn steps(text: &str) -> Result<usize, String> {
    at_most(text, MAX_STEPS)
}

fn share(text: &str) -> Result<f64, String> {
    match text.parse() {
        Ok(share) if share > 0.0 && share <= 1.0 => Ok(share),
        _ => Err("give a number above 0 and at most 1".to_owned()),
    }
}

/// The variants of `photo`, in the order of their names: the files of the folder in `dir` that is
/// named after it, or of `dir` itself if it is the `only` photo.
pub fn variants(
    model: &Model,
    dir: &Path,
    photo: &Path,
    only: bool,
) -> Result<Option<Arc<ExtraImages>>> {
    let own = dir.join(photo.file_stem().unwrap_or_default());
    let folder = if own.is_dir() || !only { &own } else { dir };
    read_images(model, folder)
}

/// The pictures in `folder`, in the order of their names.
pub fn read_images(model: &Model, folder: &Path) -> Result<Option<Arc<ExtraImages>>> {
    let files = files(folder)?;
    if files.is_empty() {
        let sentence = format!("There are no pictures in {}.", folder.display());
        return Err(Error::new(Kind::DataEmpty, sentence));
    }
    let mut pictures = ExtraImages::new();
    for file in &files {
        pictures.add(&model.preprocess, read_image(file))?;
    }
    pictures.finish()
}

fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let failed = |error| Error::new(Kind::Io, format!("{}: {error}.", folder.display()));
    let mut files = Vec::new();
    for entry in folder.read_dir().map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
        if !hidden && entry.path().is_file() {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

/// What tuning did to one image: a word and a sentence.
pub fn sentence(tuning: &TuningReport, now: &[Prediction]) -> [String; 2] {
    let best = |of: &[Prediction]| of.first().map(|p| p.label.clone()).unwrap_or_default();
    let (was, is) = (best(&tuning.predictions_before), best(now));
    let what = if tuning.guarded {
        "a value was not finite, so this is the untuned answer".to_owned()
    } else {
        let answer = if was == is {
            "the answer stayed".to_owned()
        } else {
            format!("before it was {was}")
        };
        format!(
            "entropy {:.4} -> {:.4} nats; {answer}",
            tuning.entropy_before, tuning.entropy_after
        )
    };
    let (kept, all) = (tuning.kept, tuning.views);
    let variants = match (tuning.variants, tuning.variant_failures.len()) {
        (0, 0) => String::new(),
        (used, 0) => format!(" ({used} of them variants)"),
        (used, bad) => format!(" ({used} of them variants; {bad} more cannot be read)"),
    };
    let started = match tuning.started_from {
        Some(words) => {
            format!("; tuning started from \"{words}\", as the template begins with the name")
        }
        None => String::new(),
    };
    [
        "tuned".to_owned(),
        format!("{kept} of {all} views kept{variants}: {what}{started}"),
    ]
}
