//! Where photos come from, and reading them into examples.

use super::photos::{ExampleBuilder, ViewEncoder};
use crate::error::{Error, FailedItem, Failure, Kind, Result};
use crate::model::Model;
use crate::progress::{LocalBoxFuture, Progress};
use crate::prompt_learning::examples::Examples;

/// Photos by what they are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum PhotoSet {
    /// Photos of the classes, to learn from.
    Classes,
    /// Photos of none of the classes, all under label 0.
    Outliers,
    /// Photos without labels, all under label 0.
    Unlabeled,
    /// Photos of the classes, to measure on.
    Test,
}

/// Photos to learn from and to measure on: files of a browser, or a data set.
#[expect(
    async_fn_in_trait,
    reason = "neither the engine nor a browser moves its futures between threads"
)]
pub trait PhotoSource {
    /// The class of every photo of `set`. `None`: there is no such set.
    fn labels(&self, set: PhotoSet) -> Option<Vec<usize>>;

    /// What photo `number` of `set` is called in a list of failures.
    fn item(&self, set: PhotoSet, number: usize) -> FailedItem;

    /// Whether training stops if no photo of `set` is usable.
    fn requires(&self, set: PhotoSet) -> bool;

    /// Pushes every photo of `set` to `photos`, in order. `progress` counts photos.
    ///
    /// # Errors
    /// `engine/not-finite`, `gpu/lost`, errors that concern the whole set, such as those of a damaged
    /// archive, and what `progress` returns.
    async fn encode(
        &self,
        set: PhotoSet,
        model: &Model,
        photos: &mut ExampleBuilder,
        progress: &dyn Progress,
    ) -> Result<()>;
}

/// Encodes one photo after the other, for sources that have one thread. `read` gets the number of a
/// photo and gives its file, or why it cannot be used.
///
/// # Errors
/// `engine/not-finite`, `gpu/lost`, and what `progress` returns.
pub async fn encode_in_turn(
    labels: &[usize],
    read: impl AsyncFn(usize) -> Result<Vec<u8>>,
    model: &Model,
    photos: &mut ExampleBuilder,
    progress: &dyn Progress,
) -> Result<()> {
    for (number, label) in labels.iter().enumerate() {
        progress.step("photos", number, labels.len()).await?;
        match read(number).await {
            Ok(bytes) => photos.add(model, &bytes, *label).await?,
            Err(error) => photos.push(Err(error), *label),
        }
    }
    Ok(())
}

/// Reads several sets of one source and counts their photos together.
pub struct PhotoReader<'a, S> {
    source: &'a S,
    model: &'a Model,
    progress: Counter<'a>,
    failures: Vec<Failure>,
}

impl<'a, S: PhotoSource> PhotoReader<'a, S> {
    /// Will read `sets`, and tell of photos as `stage`.
    pub fn new(
        source: &'a S,
        model: &'a Model,
        sets: &[PhotoSet],
        (stage, progress): (&'static str, &'a dyn Progress),
    ) -> Self {
        let counts = sets.iter().filter_map(|set| source.labels(*set));
        Self {
            source,
            model,
            progress: Counter {
                progress,
                stage,
                before: 0,
                total: counts.map(|labels| labels.len()).sum(),
            },
            failures: Vec::new(),
        }
    }

    /// The usable photos of `set` with the number of each; `None` if there are none and training may
    /// go on without them.
    ///
    /// # Errors
    /// Those of [`PhotoSource::encode`]; if the source requires the set, `data/empty` for a set
    /// without photos. If none of its photos is usable: `data/empty` for files, which the sentence
    /// names, and else the error of the first photo.
    pub async fn examples(
        &mut self,
        set: PhotoSet,
        classes: usize,
        encoder: ViewEncoder,
    ) -> Result<Option<(Examples, Vec<usize>)>> {
        let Some(labels) = self.source.labels(set) else {
            return Ok(None);
        };
        let mut photos = ExampleBuilder::new(classes, encoder);
        self.source
            .encode(set, self.model, &mut photos, &self.progress)
            .await?;
        self.progress.before += labels.len();
        let item = |number| self.source.item(set, number);
        self.failures.extend(failures(&photos, &item));
        if photos.is_empty() && !self.source.requires(set) {
            return Ok(None);
        }
        let numbers = photos.numbers().to_vec();
        Ok(Some((finish(photos, &item)?, numbers)))
    }

    /// Tells that all photos are read; gives those that were not usable.
    ///
    /// # Errors
    /// What the progress returns.
    pub async fn finish(self) -> Result<Vec<Failure>> {
        let Counter {
            progress,
            stage,
            total,
            ..
        } = self.progress;
        progress.step(stage, total, total).await?;
        Ok(self.failures)
    }
}

/// The photos that are not usable.
pub fn failures(photos: &ExampleBuilder, item: &dyn Fn(usize) -> FailedItem) -> Vec<Failure> {
    let failures = photos.failures().iter();
    failures
        .map(|(number, error)| Failure::new(item(*number), error))
        .collect()
}

/// The examples of `photos`.
///
/// # Errors
/// As [`PhotoReader::examples`].
pub fn finish(photos: ExampleBuilder, item: &dyn Fn(usize) -> FailedItem) -> Result<Examples> {
    match photos.failures() {
        [(number, error), ..] if photos.is_empty() => Err(match item(*number) {
            FailedItem::Index(_) => error.clone(),
            FailedItem::File(file) => {
                let count = photos.failures().len();
                let message = error.message();
                Error::new(
                    Kind::DataEmpty,
                    format!("None of the {count} images can be read; {file}: {message}"),
                )
            }
        }),
        _ => photos.finish(),
    }
}

/// Counts photos of several sets as one stage.
struct Counter<'a> {
    progress: &'a dyn Progress,
    stage: &'static str,
    before: usize,
    total: usize,
}

impl Progress for Counter<'_> {
    fn step(&self, _: &'static str, done: usize, _: usize) -> LocalBoxFuture<'_, ()> {
        self.progress
            .step(self.stage, self.before + done, self.total)
    }

    fn pause(&self) -> LocalBoxFuture<'_, ()> {
        self.progress.pause()
    }
}
