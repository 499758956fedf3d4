//! The engine's part that puts prompt files to work.

use std::rc::Rc;

use js_sys::{Float32Array, Promise, Uint32Array};
use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::*;
use web_sys::AbortSignal;

use super::answer::ClassesOptions;
use super::convert::to_js;
use super::engine::Engine;
use super::listener::JsProgress;
use super::session::Session;
use crate::classifier::ClassSet;
use crate::error::{Error, Kind};
use crate::prompt::file::Prompt;
use crate::prompt::layout::PromptLayout;
use crate::prompt::model::PromptModel;
use crate::prompt_learning::examples::{Batch, Examples};
use crate::prompt_learning::method::Method;
use crate::prompt_learning::parametrizations::Direct;
use crate::prompt_learning::schedule::Schedule;
use crate::prompt_learning::text::{TextLearner, cross_entropy};
use crate::prompt_learning::trainer::{Learner, Observer, Settings, fit};
use crate::prompt_learning::values::Auto;

#[derive(Default, Deserialize)]
#[serde(default)]
struct Descent {
    lr: Option<f64>,
    momentum: f32,
    weight_decay: f32,
    steps: usize,
}

#[derive(Serialize)]
struct Descended {
    losses: Vec<f64>,
    first_gradient: Vec<f32>,
    context: Vec<f32>,
}

#[wasm_bindgen]
impl Engine {
    /// Class names under a learned prompt; resolves to the id of the set.
    #[wasm_bindgen(js_name = classesWithPrompt)]
    pub fn classes_with_prompt(
        &self,
        labels: Vec<String>,
        options: JsValue,
        prompt: Vec<u8>,
        signal: Option<AbortSignal>,
    ) -> Promise {
        let work =
            async move |session: Rc<Session>, options: ClassesOptions, progress: JsProgress| {
                let prompt = Prompt::from_bytes(&prompt)?;
                let templates = options.templates();
                let model = &session.model;
                let classes = ClassSet::with_prompt(model, &labels, &templates, &prompt).await?;
                progress.check()?;
                Ok(session.add(options.finish(classes)?))
            };
        self.session.call(options, None, signal, work)
    }

    /// Steps of a shared context [M, W] on ready-made image features [N, d], all of them in every
    /// step. Not exposed by the package, which takes photos.
    #[wasm_bindgen(js_name = descendContext)]
    pub fn descend_context(
        &self,
        names: Vec<String>,
        start: Float32Array,
        features: Float32Array,
        labels: Uint32Array,
        options: JsValue,
    ) -> Promise {
        let work = async move |session: Rc<Session>, descent: Descent, _: JsProgress| {
            let model = &session.model;
            let start = start.to_vec();
            let vectors = start.len() / model.width();
            if vectors == 0 {
                return Err(Error::new(
                    Kind::OptionInvalid,
                    "A context has at least one vector.",
                ));
            }
            let labels: Vec<usize> = labels.to_vec().iter().map(|y| *y as usize).collect();
            let count = labels.len();
            let features = features.to_vec();
            let examples = Examples::new(features, labels, 1, model.dim(), names.len())?;
            let mut learner = TextLearner {
                side: model.text_side(&names, &PromptLayout::end(vectors))?,
                parametrization: Box::new(Direct),
                losses: cross_entropy(),
                prograd: None,
                scale: f64::from(model.logit_scale()),
                classes: names.len(),
            };
            let picks: Vec<_> = (0..count).map(|i| (i, 0)).collect();
            let first = learner
                .step(&start, &Batch::gather(&examples, &picks))
                .await?;
            let settings = Settings {
                method: Method::Sgd {
                    momentum: descent.momentum,
                    weight_decay: descent.weight_decay,
                    nesterov: false,
                },
                lr: descent.lr.map_or(Auto::Auto, Auto::Set),
                schedule: Schedule::CONSTANT,
                epochs: descent.steps,
                batch: count,
                seed: 0,
                clip: None,
                average: None,
            };
            let observer = Observer {
                progress: &(),
                observe: &|_| {},
            };
            let found = fit(&mut learner, start, &examples, &settings, observer).await?;
            to_js(&Descended {
                losses: found.losses,
                first_gradient: first.gradient,
                context: found.parameters,
            })
        };
        self.session.call(options, None, None, work)
    }
}
