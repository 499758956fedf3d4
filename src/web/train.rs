//! The engine's part that teaches: photos of the classes in, a prompt file out.

use std::cell::Cell;
use std::collections::BTreeMap;

use js_sys::{Function, Object, Promise, Reflect};
use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::*;
use web_sys::{AbortSignal, Blob};

use super::class_set::bytes_of;
use super::convert::{from_js, to_js, to_js_error};
use super::engine::{Engine, Inner, promise};
use super::listener::{JsProgress, check};
use crate::classifier::Classes;
use crate::clock::now;
use crate::error::{Error, Result};
use crate::ood::negatives::MiningOptions;
use crate::progress::{LocalBoxFuture, Progress};
use crate::prompt_learning::descriptions::Descriptions;
use crate::prompt_learning::examples::Examples;
use crate::prompt_learning::job::{Note, TrainedPrompt, TrainingJob};
use crate::prompt_learning::outliers::OutlierData;
use crate::prompt_learning::photos::{DEFAULT_CROPS, ExampleBuilder, ViewEncoder};
use crate::prompt_learning::recipe::{Cost, Recipe};
use crate::prompt_learning::recipes::{RECIPES, find};
use crate::prompt_learning::trainer::{Observer, TrainingProgress};
use crate::prompt_learning::validate::{HeldOutAccuracy, Validation, validate};

/// Milliseconds between two moments at which messages are let in. A browser lets a timer wait at
/// least 4 ms, so doing it after every step would cost more than many steps take.
const PAUSE: f64 = 40.0;

/// The recipe where none is named.
const DEFAULT_RECIPE: &str = "coop";

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct TrainOptions {
    recipe: Option<String>,
    seed: Option<u64>,
    crops: Option<usize>,
    validation: Option<String>,
    /// JSON text.
    descriptions: Option<String>,
    negatives: Option<Vec<String>>,
    /// The recipe's own parameters.
    set: BTreeMap<String, String>,
}

/// A photo that could not be used.
#[derive(Serialize)]
pub(super) struct Failure {
    pub index: usize,
    pub code: &'static str,
    pub message: String,
}

/// What was learned.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct TrainAnswer {
    #[serde(with = "serde_bytes")]
    file: Vec<u8>,
    recipe: &'static str,
    trained_parameters: usize,
    losses: Vec<f64>,
    notes: Vec<Note>,
    images: usize,
    seconds: f64,
    accuracy_before: Option<f64>,
    accuracy_after: Option<f64>,
    measured_on: Option<String>,
    measured: usize,
    failures: Vec<Failure>,
}

/// Passes on what happens, and lets the caller's messages in now and then.
struct ThrottledProgress {
    listener: JsProgress,
    last: Cell<f64>,
    /// Whether only the signal matters.
    quiet: bool,
}

impl ThrottledProgress {
    fn new(callback: Option<Function>, signal: Option<AbortSignal>) -> Self {
        Self {
            quiet: callback.is_none(),
            listener: JsProgress { callback, signal },
            last: Cell::new(0.0),
        }
    }

    /// Tells of a step with its loss and accuracy.
    fn observe(&self, progress: &TrainingProgress) {
        let Some(callback) = &self.listener.callback else {
            return;
        };
        let event = Object::new();
        for (name, value) in [
            ("stage", "train".into()),
            ("loaded", JsValue::from_f64(progress.done as f64)),
            ("total", JsValue::from_f64(progress.total as f64)),
            ("source", "cache".into()),
            ("loss", JsValue::from_f64(progress.loss)),
            ("accuracy", JsValue::from_f64(progress.accuracy)),
        ] {
            // Setting a property on a fresh object cannot fail.
            let _ = Reflect::set(&event, &name.into(), &value);
        }
        let _ = callback.call1(&JsValue::NULL, &event);
    }
}

impl Progress for ThrottledProgress {
    fn step(&self, stage: &'static str, done: usize, total: usize) -> LocalBoxFuture<'_, ()> {
        let told = stage == "train" || self.quiet;
        if now() - self.last.get() < PAUSE && (told || done > 0 && done < total) {
            return Box::pin(std::future::ready(check(self.listener.signal.as_ref())));
        }
        self.last.set(now());
        if told {
            return Box::pin(async move { self.listener.pause().await });
        }
        self.listener.step(stage, done, total)
    }
}

/// The label of a photo that shows none of the classes.
const NONE: u32 = u32::MAX;

/// Photos of one kind as features.
struct Taking {
    photos: ExampleBuilder,
    /// Where each of them stands among all.
    places: Vec<usize>,
}

impl Taking {
    fn new(classes: usize, crops: usize, seed: u64) -> Result<Self> {
        Ok(Self {
            photos: ExampleBuilder::new(classes, ViewEncoder::new(crops, seed, None)?),
            places: Vec::new(),
        })
    }

    async fn add(&mut self, inner: &Inner, place: usize, image: &Blob, label: usize) -> Result<()> {
        self.places.push(place);
        match bytes_of(image).await {
            Ok(bytes) => self.photos.add(&inner.classifier, &bytes, label).await,
            Err(error) => {
                self.photos.keep(Err(error), label);
                Ok(())
            }
        }
    }

    /// The examples, if any could be used; the others go to `failures`.
    fn finish(self, failures: &mut Vec<(usize, Error)>) -> Result<Option<Examples>> {
        let failed = self.photos.failures().iter();
        failures.extend(failed.map(|(number, error)| (self.places[*number], error.clone())));
        if self.photos.is_empty() {
            return Ok(None);
        }
        self.photos.finish().map(Some)
    }
}

/// Words for what is none of the classes: those given, those of the class list, or mined ones.
pub(super) async fn negatives(
    inner: &Inner,
    classes: &Classes,
    given: Option<Vec<String>>,
    progress: &dyn Progress,
) -> Result<Vec<String>> {
    if let Some(given) = given {
        return Ok(given);
    }
    if let Some(own) = classes.negatives() {
        return Ok(own.labels.clone());
    }
    let options = MiningOptions::default();
    let mined = inner
        .classifier
        .negatives(classes, &options, progress)
        .await?;
    Ok(mined.labels.clone())
}

fn crops(options: &TrainOptions, recipe: &Recipe) -> usize {
    options.crops.unwrap_or(match recipe.kind {
        Cost::Hard => 1,
        Cost::Text | Cost::Features => DEFAULT_CROPS,
    })
}

#[wasm_bindgen]
impl Engine {
    /// Every recipe with its paper and its parameters.
    pub fn recipes() -> Result<JsValue, JsValue> {
        to_js(&RECIPES).map_err(|e| to_js_error(&e))
    }

    /// Teaches a prompt from photos whose classes are `labels`, by their place in the list; 2³² − 1 is
    /// none of the classes, for recipes that learn from such photos too. Files are read one at a time.
    pub fn train(
        &self,
        classes: u32,
        images: Vec<Blob>,
        labels: Vec<u32>,
        options: JsValue,
        on_progress: Option<Function>,
        signal: Option<AbortSignal>,
    ) -> Promise {
        let inner = self.0.clone();
        promise(async move {
            check(signal.as_ref())?;
            let classes = inner.set(classes)?.current();
            let mut given: TrainOptions = from_js(options)?;
            let recipe = find(given.recipe.as_deref().unwrap_or(DEFAULT_RECIPE))?;
            let set: Vec<_> = given.set.iter().collect();
            let configured = recipe.configure(&set)?;
            let way = Validation::parse(given.validation.as_deref().unwrap_or("none"))?;
            let text = given.descriptions.as_deref();
            let descriptions = text.map(|text| Descriptions::from_json(text.as_bytes()));
            let descriptions = descriptions.transpose()?;
            let within = ThrottledProgress::new(None, signal.clone());
            let pacer = ThrottledProgress::new(on_progress, signal);
            let seed = given.seed.unwrap_or(0);
            let crops = crops(&given, recipe);
            let names = &classes.labels;

            let mut own = Taking::new(names.len(), crops, seed)?;
            let mut others = Taking::new(1, crops, seed)?;
            for (place, (image, label)) in images.iter().zip(labels).enumerate() {
                pacer.step("photos", place, images.len()).await?;
                match label {
                    NONE if recipe.needs.outliers => others.add(&inner, place, image, 0).await?,
                    NONE => {}
                    label => own.add(&inner, place, image, label as usize).await?,
                }
            }
            pacer.step("photos", images.len(), images.len()).await?;
            let mut failures = Vec::new();
            let examples = own.finish(&mut failures)?;
            if let (None, Some((_, error))) = (&examples, failures.first()) {
                return Err(error.clone());
            }
            let other_examples = others.finish(&mut failures)?;
            let mut words = Vec::new();
            if recipe.needs.outliers {
                words = negatives(&inner, &classes, given.negatives.take(), &pacer).await?;
            }

            let observe = |progress: &TrainingProgress| pacer.observe(progress);
            let job = TrainingJob {
                recipe: &configured,
                model: &inner.classifier,
                names,
                examples: examples.as_ref(),
                unlabeled: &[],
                descriptions: descriptions.as_ref(),
                outliers: OutlierData {
                    negatives: &words,
                    images: other_examples.as_ref(),
                },
                seed,
                observer: Observer {
                    progress: &pacer,
                    observe: &observe,
                },
            };
            let start = now();
            let learned = job.run().await?;
            let seconds = (now() - start) / 1e3;
            let held = match (way, &examples) {
                (Some(way), Some(_)) => validate(&job, way, &within).await?,
                _ => None,
            };
            let count = examples.as_ref().map_or(0, Examples::len);
            to_js(&answer(recipe, learned, held, failures, count, seconds)?)
        })
    }
}

fn answer(
    recipe: &Recipe,
    learned: TrainedPrompt,
    held: Option<HeldOutAccuracy>,
    failures: Vec<(usize, Error)>,
    images: usize,
    seconds: f64,
) -> Result<TrainAnswer> {
    Ok(TrainAnswer {
        file: learned.prompt.to_bytes()?,
        recipe: recipe.name,
        trained_parameters: learned.trained_parameters,
        losses: learned.losses,
        notes: learned.notes,
        images,
        seconds,
        accuracy_before: held.as_ref().map(|h| h.accuracy_before),
        accuracy_after: held.as_ref().map(|h| h.accuracy_after),
        measured: held.as_ref().map_or(0, |h| h.n),
        measured_on: held.map(|h| h.on),
        failures: failures
            .into_iter()
            .map(|(index, error)| Failure {
                index,
                code: error.code(),
                message: error.message().to_owned(),
            })
            .collect(),
    })
}
