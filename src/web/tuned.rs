//! Binding for tuning on views that the caller made.

use std::rc::Rc;

use js_sys::{Array, Float32Array, Function, Promise, Reflect};
use serde::Serialize;
use wasm_bindgen::prelude::*;
use web_sys::AbortSignal;

use super::answer::AnswerOptions;
use super::convert::to_js;
use super::engine::Engine;
use super::listener::JsProgress;
use super::session::Session;
use crate::classifier::{ClassSet, Prediction, named};
use crate::error::Result;
use crate::tpt::Tuned;

/// What can be told in plain numbers.
#[derive(Serialize)]
struct TunedAnswer<'a> {
    predictions: Vec<Prediction>,
    predictions_before: Vec<Prediction>,
    selected: &'a [usize],
    passed: &'a [usize],
    entropies: &'a [f64],
    losses: &'a [f64],
    logits: &'a [f64],
    logits_before: &'a [f64],
    guarded: bool,
}

/// The answer, with long rows of numbers as typed arrays.
fn answer(tuned: &Tuned, classes: &ClassSet) -> Result<JsValue> {
    let value = to_js(&TunedAnswer {
        predictions: named(&classes.rank(&tuned.logits_after), &classes.labels),
        predictions_before: named(&classes.rank(&tuned.logits_before), &classes.labels),
        selected: &tuned.selected,
        passed: &tuned.passed,
        entropies: &tuned.entropies,
        losses: &tuned.losses,
        logits: &tuned.logits_after,
        logits_before: &tuned.logits_before,
        guarded: tuned.guarded,
    })?;
    for (name, rows) in [
        ("contexts", &tuned.contexts),
        ("gradients", &tuned.gradients),
    ] {
        let rows = rows.iter().map(|row| Float32Array::from(row.as_slice()));
        // Setting a property on a fresh object cannot fail.
        let _ = Reflect::set(&value, &name.into(), &rows.collect::<Array>());
    }
    Ok(value)
}

#[wasm_bindgen]
impl Engine {
    /// Tunes on `features` [N, d] of views, the first of which is answered for, from `context`
    /// [M, W] or the words around the class names.
    #[wasm_bindgen(js_name = tuneFeatures)]
    pub fn tune_features(
        &self,
        classes: u32,
        features: Vec<f32>,
        context: Option<Vec<f32>>,
        options: JsValue,
        on_progress: Option<Function>,
        signal: Option<AbortSignal>,
    ) -> Promise {
        let work = async move |session: Rc<Session>, given: AnswerOptions, progress: JsProgress| {
            let model = &session.model;
            let set = session.set(classes)?;
            let classes = set.classes(model, None, &progress).await?;
            let views = features.len() / model.clip.config.projection_dim;
            let tuning = given.tuning_on(views.max(1))?;
            let config = tuning.config();
            let tuned = classes
                .tune_features(model, &features, context.as_deref(), config, &progress)
                .await?;
            answer(&tuned, &classes)
        };
        self.session.call(options, on_progress, signal, work)
    }
}
