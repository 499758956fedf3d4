//! Answers for many photos: decoded, scaled and classified on every core.

use super::pipeline::{Done, Feed, Files, pipeline, workers};
use crate::classifier::{Answerer, Classification, PlainView};
use crate::error::{Error, Kind, Result};

/// Photos per pass through the image tower.
const BATCH: usize = 16;

/// Runs `feed`, which hands over image files, and gives their answers to `take` in the same order (on
/// another thread). A file without an answer arrives as its error; it stops no other.
///
/// # Errors
/// Those of `feed` and `take`.
pub fn classify_all<K: Send>(
    answerer: &Answerer<'_>,
    feed: impl FnOnce(&mut Feed<'_, K>) -> Result<()>,
    take: &mut (dyn FnMut(K, Result<Classification>) -> Result<()> + Send),
) -> Result<()> {
    // A photo that is tuned on makes a batch of its own views.
    let size = if answerer.takes_views() { BATCH } else { 1 };
    let plan = (workers(answerer.model()), size);
    let work = |files| {
        if answerer.takes_views() {
            Ok(together(answerer, files))
        } else {
            one_by_one(answerer, files)
        }
    };
    pipeline(plan, feed, &work, take)
}

fn one_by_one<K>(answerer: &Answerer<'_>, files: Files<K>) -> Done<K, Result<Classification>> {
    let answer = |bytes: Vec<u8>| pollster::block_on(answerer.classify(&bytes, &()));
    let answered = files
        .into_iter()
        .map(|(key, file)| (key, file.and_then(answer)));
    Ok(answered.collect())
}

fn together<K>(answerer: &Answerer<'_>, files: Files<K>) -> Vec<(K, Result<Classification>)> {
    let preprocess = &answerer.model().preprocess;
    let mut views = Vec::with_capacity(files.len());
    let mut waiting = Vec::with_capacity(files.len());
    for (key, file) in files {
        let view = file.and_then(|bytes| PlainView::of(&bytes, preprocess));
        waiting.push((key, view.map(|view| views.push(view))));
    }
    let answered = if views.is_empty() {
        Ok(Vec::new())
    } else {
        pollster::block_on(answerer.classify_views(&views, &()))
    };
    // What stops a pass stops each of its photos.
    let (answers, stopped) = match answered {
        Ok(answers) => (answers, None),
        Err(error) => (Vec::new(), Some(error)),
    };
    let mut answers = answers.into_iter();
    let missing = || {
        let none = || Error::new(Kind::Internal, "A photo has no answer.");
        stopped.clone().unwrap_or_else(none)
    };
    waiting
        .into_iter()
        .map(|(key, view)| {
            let answer = view.and_then(|()| answers.next().ok_or_else(missing));
            (key, answer)
        })
        .collect()
}
