//! The engine's part that belongs to one class list: answers, negative labels and thresholds.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use js_sys::{Array, Function, Promise, Reflect};
use wasm_bindgen::prelude::*;
use web_sys::{AbortSignal, Blob};

use super::answer::{
    AnswerOptions, CalibrationAnswer, ClassesOptions, NegativesAnswer, NegativesOptions, answer,
};
use super::blobs::bytes_of;
use super::browser_decoder::readable;
use super::convert::{to_js, to_js_error};
use super::engine::Engine;
use super::listener::JsProgress;
use super::plain_view::read_views;
use super::session::Session;
use crate::classifier::{Answerer, Calibrator, ClassSet, ClassifyOptions, Detector};
use crate::error::{Error, Result};
use crate::model::Model;
use crate::ood::threshold::Calibration;
use crate::progress::{Progress, Silent};
use crate::tpt::{ExtraImages, StrongViews};

/// A class list with what was fitted to it.
pub struct CalibratedClasses {
    classes: RefCell<Rc<ClassSet>>,
    /// The negative labels of the last call that gave its own, as given, and the classes with them.
    given: RefCell<Option<(Vec<String>, Rc<ClassSet>)>>,
    /// The thresholds, the newest last; at most one for each use.
    thresholds: RefCell<Vec<Arc<Calibration>>>,
}

impl CalibratedClasses {
    /// Without thresholds.
    pub fn new(classes: ClassSet) -> Self {
        Self {
            classes: RefCell::new(Rc::new(classes)),
            given: RefCell::new(None),
            thresholds: RefCell::new(Vec::new()),
        }
    }

    /// The classes with the negative labels that were mined last.
    pub fn current(&self) -> Rc<ClassSet> {
        self.classes.borrow().clone()
    }

    /// The classes with the negative labels `words`, or with their own.
    pub(super) async fn classes(
        &self,
        model: &Model,
        words: Option<Vec<String>>,
        progress: &JsProgress,
    ) -> Result<Rc<ClassSet>> {
        let own = self.classes.borrow().clone();
        let Some(words) = words else { return Ok(own) };
        if let Some((last, classes)) = &*self.given.borrow()
            && *last == words
        {
            return Ok(classes.clone());
        }
        let negatives = own.given_negatives(model, &words, progress).await?;
        let classes = Rc::new(ClassSet::clone(&own).with_negatives(negatives));
        *self.given.borrow_mut() = Some((words, classes.clone()));
        Ok(classes)
    }

    /// The options of a call without pictures, and the classes with the negative labels that it gives.
    async fn asked(
        &self,
        model: &Model,
        mut given: AnswerOptions,
        progress: &JsProgress,
    ) -> Result<(ClassifyOptions, Rc<ClassSet>)> {
        let words = given.negatives.take();
        let options = given.classify(StrongViews::Drawn)?;
        Ok((options, self.classes(model, words, progress).await?))
    }

    /// Keeps the threshold of `calibrator`, and tells what was fitted.
    fn finish(&self, calibrator: Calibrator<'_>) -> Result<JsValue> {
        let fitted = calibrator.finish()?;
        let answer = to_js(&CalibrationAnswer::new(&fitted)?)?;
        self.keep(fitted.calibration);
        Ok(answer)
    }

    /// `detector` with the threshold that holds for it; if there are only others, says why the newest
    /// of these does not hold.
    fn with_threshold(&self, detector: Detector) -> Result<(Detector, Option<String>)> {
        let thresholds = self.thresholds.borrow();
        let Some(newest) = thresholds.last() else {
            return Ok((detector, None));
        };
        let key = detector.key();
        match thresholds.iter().rev().find(|t| t.matches(key).is_ok()) {
            Some(holds) => Ok((detector.with_threshold(holds.clone())?, None)),
            None => {
                let stale = newest.matches(key).err().map(|e| e.message().to_owned());
                Ok((detector, stale))
            }
        }
    }

    /// The score that `options` ask for, with the threshold that holds for it; if there are only others,
    /// says why the newest of these does not hold.
    async fn detector(
        &self,
        model: &Model,
        classes: &ClassSet,
        options: &ClassifyOptions,
        progress: &JsProgress,
    ) -> Result<(Option<Detector>, Option<String>)> {
        let Some(ood) = &options.ood else {
            return Ok((None, None));
        };
        let tuning = options.tuning.as_ref();
        let plain = Detector::new(model, classes, tuning, ood, progress).await?;
        let (detector, stale) = self.with_threshold(plain)?;
        Ok((Some(detector), stale))
    }

    fn keep(&self, calibration: Calibration) {
        let mut thresholds = self.thresholds.borrow_mut();
        thresholds.retain(|old| old.matches(&calibration.key).is_err());
        thresholds.push(Arc::new(calibration));
    }
}

#[wasm_bindgen]
impl Engine {
    /// Text features of class names; resolves to the id of the set.
    pub fn classes(
        &self,
        labels: Vec<String>,
        options: JsValue,
        signal: Option<AbortSignal>,
    ) -> Promise {
        let work =
            async move |session: Rc<Session>, options: ClassesOptions, progress: JsProgress| {
                let templates = options.templates();
                let classes = ClassSet::new(&session.model, &labels, &templates).await?;
                progress.check()?;
                Ok(session.add(options.finish(classes)?))
            };
        self.session.call(options, None, signal, work)
    }

    /// The answer for one image file. `pictures` may hold `variants`, files made from it, and a
    /// `gallery`, files of other photos.
    pub fn classify(
        &self,
        classes: u32,
        bytes: Vec<u8>,
        options: JsValue,
        on_progress: Option<Function>,
        signal: Option<AbortSignal>,
        pictures: JsValue,
    ) -> Promise {
        let work =
            async move |session: Rc<Session>, mut given: AnswerOptions, progress: JsProgress| {
                let set = session.set(classes)?;
                let words = given.negatives.take();
                let model = &session.model;
                let classes = set.classes(model, words, &progress).await?;
                let variants = extra_images(model, &pictures, "variants", &progress).await?;
                let gallery = extra_images(model, &pictures, "gallery", &progress).await?;
                let options = given.classify(StrongViews::of(variants, gallery))?;
                let (detector, stale) = set.detector(model, &classes, &options, &progress).await?;
                let answerer = Answerer::with_detector(model, &classes, &options, detector)?;
                let picture = readable(bytes).await?;
                let found = answerer.classify(&picture.bytes, &progress).await?;
                answer(&found, stale.as_deref(), picture.by_browser)
            };
        self.session.call(options, on_progress, signal, work)
    }

    /// The answers for several photos, from the views that [`plain_view`](super::plain_view::plain_view)
    /// made of them, in their order.
    #[wasm_bindgen(js_name = classifyViews)]
    pub fn classify_views(
        &self,
        classes: u32,
        views: Vec<JsValue>,
        options: JsValue,
        signal: Option<AbortSignal>,
    ) -> Promise {
        let work = async move |session: Rc<Session>, given: AnswerOptions, progress: JsProgress| {
            let set = session.set(classes)?;
            let model = &session.model;
            let (options, classes) = set.asked(model, given, &progress).await?;
            let (detector, stale) = set.detector(model, &classes, &options, &progress).await?;
            let answerer = Answerer::with_detector(model, &classes, &options, detector)?;
            let (views, by_browser) = read_views(views)?;
            let found = answerer.classify_views(&views, &progress).await?;
            let answers = found.iter().zip(by_browser);
            let answers: Result<Array> = answers
                .map(|(found, by_browser)| answer(found, stale.as_deref(), by_browser))
                .collect();
            Ok(answers?.into())
        };
        self.session.call(options, None, signal, work)
    }

    /// Fits a threshold on image files and keeps it for later answers with the same options. Files
    /// are read one at a time.
    pub fn calibrate(
        &self,
        classes: u32,
        images: Vec<Blob>,
        options: JsValue,
        on_progress: Option<Function>,
        signal: Option<AbortSignal>,
    ) -> Promise {
        let work = async move |session: Rc<Session>, given: AnswerOptions, progress: JsProgress| {
            let set = session.set(classes)?;
            let model = &session.model;
            let (options, classes) = set.asked(model, given, &progress).await?;
            let options = options.for_calibration();
            let answerer = Answerer::new(model, &classes, &options, &progress).await?;
            let mut calibrator = Calibrator::new(&answerer)?;
            for (done, image) in images.iter().enumerate() {
                progress.step("calibrate", done, images.len()).await?;
                match bytes_of(image).await {
                    Ok(bytes) => calibrator.add(&bytes, &Silent(&progress)).await?,
                    Err(error) => calibrator.put(Err(error))?,
                }
            }
            progress
                .step("calibrate", images.len(), images.len())
                .await?;
            set.finish(calibrator)
        };
        self.session.call(options, on_progress, signal, work)
    }

    /// Fits a threshold on the scores of photos that [`classify_views`](Self::classify_views) answered
    /// with the same options, and keeps it as [`calibrate`](Self::calibrate) does.
    #[wasm_bindgen(js_name = calibrateScores)]
    pub fn calibrate_scores(
        &self,
        classes: u32,
        scores: Vec<f64>,
        options: JsValue,
        signal: Option<AbortSignal>,
    ) -> Promise {
        let work = async move |session: Rc<Session>, given: AnswerOptions, progress: JsProgress| {
            let set = session.set(classes)?;
            let model = &session.model;
            let (options, classes) = set.asked(model, given, &progress).await?;
            let options = options.for_calibration();
            let answerer = Answerer::new(model, &classes, &options, &progress).await?;
            let mut calibrator = Calibrator::new(&answerer)?;
            for score in scores {
                calibrator.put(Ok(score))?;
            }
            set.finish(calibrator)
        };
        self.session.call(options, None, signal, work)
    }

    /// Takes a threshold that [`calibrate`](Self::calibrate) gave as a file. It takes effect for
    /// answers that it was fitted for.
    #[wasm_bindgen(js_name = useCalibration)]
    pub fn use_calibration(&self, classes: u32, file: &str) -> Result<(), JsValue> {
        let keep = || {
            let calibration = Calibration::from_json(file.as_bytes())?;
            self.session.set(classes)?.keep(calibration);
            Ok(())
        };
        keep().map_err(|e: Error| to_js_error(&e))
    }

    /// Mines the negative labels of a class list afresh and resolves to them, with what was left
    /// out and why.
    #[wasm_bindgen(js_name = mineNegatives)]
    pub fn mine_negatives(
        &self,
        classes: u32,
        options: JsValue,
        on_progress: Option<Function>,
        signal: Option<AbortSignal>,
    ) -> Promise {
        let work =
            async move |session: Rc<Session>, options: NegativesOptions, progress: JsProgress| {
                let set = session.set(classes)?;
                let own = set.current();
                let model = &session.model;
                let mined = own
                    .mine_negatives(model, &options.mining(), &progress)
                    .await?;
                let answer = to_js(&NegativesAnswer::from(&*mined))?;
                let classes = ClassSet::clone(&own).with_negatives(mined);
                *set.classes.borrow_mut() = Rc::new(classes);
                Ok(answer)
            };
        self.session.call(options, on_progress, signal, work)
    }

    /// Forgets a set of classes.
    #[wasm_bindgen(js_name = freeClasses)]
    pub fn free_classes(&self, id: u32) {
        self.session.remove(id);
    }
}

/// The files called `name` in `pictures`.
async fn extra_images(
    model: &Model,
    pictures: &JsValue,
    name: &str,
    progress: &JsProgress,
) -> Result<Option<Arc<ExtraImages>>> {
    let mut made = ExtraImages::new();
    let files = Reflect::get(pictures, &name.into()).unwrap_or_default();
    if let Ok(files) = files.dyn_into::<Array>() {
        for file in files.iter().filter_map(|file| file.dyn_into::<Blob>().ok()) {
            progress.check()?;
            made.add(&model.preprocess, bytes_of(&file).await)?;
        }
    }
    made.finish()
}
