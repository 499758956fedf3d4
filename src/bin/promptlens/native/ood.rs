//! From arguments to a score that is ready.

use std::path::Path;
use std::sync::Arc;

use pollster::block_on;
use promptlens::checkpoint::read_file;
use promptlens::classifier::{ClassSet, OodOptions};
use promptlens::error::{Error, Kind, Result};
use promptlens::model::Model;
use promptlens::ood::threshold::Calibration;

use super::args::{ScoreArgs, VerdictArgs};
use super::input::standard_input;

/// The largest list of negative labels.
const LIST_BYTES: u64 = 8 << 20;

/// The largest calibration file.
const CALIBRATION_BYTES: u64 = 64 << 10;

/// The score without a threshold; `None` if it is switched off.
pub fn scoring(args: &ScoreArgs) -> Option<OodOptions> {
    (args.ood != "none").then(|| OodOptions {
        tau: args.tau,
        groups: args.groups,
        ..OodOptions::named(&args.ood)
    })
}

/// The score with its threshold, if there is one.
pub fn with_threshold(args: &VerdictArgs) -> Result<Option<OodOptions>> {
    let mut ood = scoring(&args.score);
    if let Some(path) = &args.calibration {
        let bytes = read_file(path, CALIBRATION_BYTES, Kind::Io)?;
        let calibration = Arc::new(Calibration::from_json(&bytes)?);
        match &mut ood {
            Some(ood) => ood.calibration = Some(calibration),
            None => {
                return Err(Error::new(
                    Kind::OptionInvalid,
                    "A calibration needs a score; leave --ood none out.",
                ));
            }
        }
    }
    Ok(ood)
}

/// The classes with the negative labels that were given, and a line on those left out.
pub fn with_negatives(
    model: &Model,
    classes: ClassSet,
    args: &ScoreArgs,
) -> Result<(ClassSet, Option<String>)> {
    let Some(given) = &args.negatives else {
        return Ok((classes, None));
    };
    let negatives = block_on(classes.given_negatives(model, &words(given)?, &()))?;
    let left_out: Vec<&str> = negatives.excluded.iter().map(|e| e.word.as_str()).collect();
    let line = (!left_out.is_empty()).then(|| {
        const SHOWN: usize = 8;
        let shown = &left_out[..left_out.len().min(SHOWN)];
        format!(
            "{} negative labels name a class, repeat another or are empty, and were left out: {}{}",
            left_out.len(),
            shown.join(", "),
            if left_out.len() > SHOWN { ", ..." } else { "" }
        )
    });
    Ok((classes.with_negatives(negatives), line))
}

/// Words from `a,b,c`, `@file` or `@-` for standard input; unlike class names they may repeat.
pub fn words(given: &str) -> Result<Vec<String>> {
    let trimmed = |text: &str, at: char| -> Vec<String> {
        let words = text.split(at).map(|word| word.trim().to_owned());
        words.filter(|word| !word.is_empty()).collect()
    };
    let Some(file) = given.strip_prefix('@') else {
        return Ok(trimmed(given, ','));
    };
    let bytes = match file {
        "-" => standard_input(LIST_BYTES)?,
        file => read_file(Path::new(file), LIST_BYTES, Kind::Io)?,
    };
    let text = std::str::from_utf8(&bytes)
        .map_err(|_| Error::new(Kind::NegativesInvalid, format!("{file} is not UTF-8 text.")))?
        .trim_start_matches('\u{feff}');
    Ok(serde_json::from_str(text).unwrap_or_else(|_| trimmed(text, '\n')))
}
