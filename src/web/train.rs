//! The engine's part that learns: photos of the classes in, a prompt file out.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::rc::Rc;

use js_sys::{Function, Promise};
use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::*;
use web_sys::{AbortSignal, Blob};

use super::blobs::BlobPhotos;
use super::convert::{to_js, to_js_error};
use super::engine::Engine;
use super::listener::JsProgress;
use super::session::Session;
use super::throttled::ThrottledProgress;
use crate::classifier::ClassSet;
use crate::error::{Error, Kind, Result};
use crate::fewshot::pseudo_label::{PER_CLASS, PseudoLabelRequest, pseudo_label_photos};
use crate::fewshot::{self, NegativeLabels, Report, Request};
use crate::prompt::file::Prompt;
use crate::prompt_learning::descriptions::Descriptions;
use crate::prompt_learning::recipes::{RECIPES, find};
use crate::prompt_learning::trainer::{Observer, TrainingProgress};
use crate::prompt_learning::validate::Validation;

/// The recipe if none is named.
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
    /// The file of a prompt to go on from.
    start: Option<serde_bytes::ByteBuf>,
    /// The recipe's own parameters.
    set: BTreeMap<String, String>,
}

/// A report with the prompt file.
#[derive(Serialize)]
struct TrainAnswer {
    #[serde(with = "serde_bytes")]
    file: Vec<u8>,
    #[serde(flatten)]
    report: Report,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct PseudoLabelOptions {
    per_class: Option<usize>,
    negatives: Option<Vec<String>>,
}

/// The words that were given, or those of the class list.
fn negatives<'a>(given: Option<&'a [String]>, classes: &'a ClassSet) -> NegativeLabels<'a> {
    given.map_or(NegativeLabels::Of(classes), NegativeLabels::Given)
}

#[wasm_bindgen]
impl Engine {
    /// Every recipe with its paper and its parameters.
    pub fn recipes() -> Result<JsValue, JsValue> {
        to_js(&RECIPES).map_err(|e| to_js_error(&e))
    }

    /// Learns a prompt from photos whose classes are `labels`, by their position in the list; 2³² − 1
    /// is none of the classes and 2³² − 2 a photo without a label, for recipes that learn from such
    /// photos. Files are read one at a time.
    pub fn train(
        &self,
        classes: u32,
        images: Vec<Blob>,
        labels: Vec<u32>,
        options: JsValue,
        on_progress: Option<Function>,
        signal: Option<AbortSignal>,
    ) -> Promise {
        let work = async move |session: Rc<Session>, given: TrainOptions, progress: JsProgress| {
            let classes = session.set(classes)?.current();
            let recipe = find(given.recipe.as_deref().unwrap_or(DEFAULT_RECIPE))?;
            let set: Vec<_> = given.set.iter().collect();
            let recipe = recipe.configure(&set)?;
            let text = given.descriptions.as_deref();
            let descriptions = text.map(|text| Descriptions::from_json(text.as_bytes()));
            let descriptions = descriptions.transpose()?;
            let start = given
                .start
                .as_deref()
                .map(|bytes| Prompt::from_bytes(bytes));
            let start = start.transpose()?;
            let request = Request {
                model: &session.model,
                recipe: &recipe,
                names: &classes.labels,
                descriptions: descriptions.as_ref(),
                start: start.as_ref(),
                negatives: negatives(given.negatives.as_deref(), &classes),
                crops: given.crops,
                corruption: None,
                seed: given.seed.unwrap_or(0),
                pseudo_label: None,
                validation: Validation::parse_or_none(
                    given.validation.as_deref().unwrap_or("none"),
                )?,
            };
            let progress = ThrottledProgress::new(progress);
            let observer = Observer {
                progress: &progress,
                observe: &|step: &TrainingProgress| progress.observe(step),
            };
            let photos = BlobPhotos::labeled(images, labels);
            let report = fewshot::run(&request, &photos, observer).await?;
            to_js(&TrainAnswer {
                file: report.prompt.to_bytes()?,
                report,
            })
        };
        self.session.call(options, on_progress, signal, work)
    }

    /// Labels image files by the names of a class list and its negative labels. Files are read one at
    /// a time.
    #[wasm_bindgen(js_name = pseudoLabel)]
    pub fn pseudo_label(
        &self,
        classes: u32,
        images: Vec<Blob>,
        options: JsValue,
        on_progress: Option<Function>,
        signal: Option<AbortSignal>,
    ) -> Promise {
        let work =
            async move |session: Rc<Session>, given: PseudoLabelOptions, progress: JsProgress| {
                let classes = session.set(classes)?.current();
                let too_few = || Error::new(Kind::OptionInvalid, "Keep at least 1 per class.");
                let per_class = match given.per_class {
                    Some(count) => NonZeroUsize::new(count).ok_or_else(too_few)?,
                    None => PER_CLASS,
                };
                let request = PseudoLabelRequest {
                    model: &session.model,
                    names: &classes.labels,
                    negatives: negatives(given.negatives.as_deref(), &classes),
                    per_class,
                };
                let photos = BlobPhotos::unlabeled(images);
                to_js(&pseudo_label_photos(&request, &photos, &progress).await?)
            };
        self.session.call(options, on_progress, signal, work)
    }
}
