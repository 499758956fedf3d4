//! The engine's part that belongs to one class list: answers, negative labels and thresholds.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use js_sys::{Array, Function, Promise, Reflect, Uint8Array};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortSignal, Blob};

use super::answer::{
    Answer, AnswerOptions, CalibrationAnswer, ClassesOptions, NegativesAnswer, NegativesOptions,
};
use super::convert::{from_js, to_js, to_js_error};
use super::engine::{Engine, Inner, promise};
use super::listener::{JsProgress, check};
use crate::classifier::{Answerer, Calibrator, Classes, Classifier, Detector};
use crate::error::{Error, Kind, Result};
use crate::image::Limits;
use crate::ood::threshold::Calibration;
use crate::progress::Progress;
use crate::tpt::{ExtraImages, StrongViews};

/// A class list with what was fitted to it.
pub struct ClassSet {
    classes: RefCell<Rc<Classes>>,
    /// The negative labels of the last call that gave its own, as given, and the classes with them.
    given: RefCell<Option<(Vec<String>, Rc<Classes>)>>,
    /// The thresholds, the newest last; at most one for each use.
    thresholds: RefCell<Vec<Arc<Calibration>>>,
}

impl ClassSet {
    fn new(classes: Classes) -> Self {
        Self {
            classes: RefCell::new(Rc::new(classes)),
            given: RefCell::new(None),
            thresholds: RefCell::new(Vec::new()),
        }
    }

    /// The classes with the negative labels that were mined last.
    pub fn current(&self) -> Rc<Classes> {
        self.classes.borrow().clone()
    }

    /// The classes with the negative labels `words`, or with their own.
    pub(super) async fn classes(
        &self,
        model: &Classifier,
        words: Option<Vec<String>>,
        listener: &JsProgress,
    ) -> Result<Rc<Classes>> {
        let own = self.classes.borrow().clone();
        let Some(words) = words else { return Ok(own) };
        if let Some((last, classes)) = &*self.given.borrow()
            && *last == words
        {
            return Ok(classes.clone());
        }
        let negatives = model.given_negatives(&own, &words, listener).await?;
        let classes = Rc::new(Classes::clone(&own).with_negatives(negatives));
        *self.given.borrow_mut() = Some((words, classes.clone()));
        Ok(classes)
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

    fn keep(&self, calibration: Calibration) {
        let mut thresholds = self.thresholds.borrow_mut();
        thresholds.retain(|old| old.matches(&calibration.key).is_err());
        thresholds.push(Arc::new(calibration));
    }
}

impl Inner {
    /// Keeps a class list; the id that it goes by.
    pub(super) fn keep(&self, classes: Classes) -> JsValue {
        let id = self.next.get();
        self.next.set(id + 1);
        let set = Rc::new(ClassSet::new(classes));
        self.sets.borrow_mut().insert(id, set);
        JsValue::from_f64(f64::from(id))
    }

    pub(super) fn set(&self, id: u32) -> Result<Rc<ClassSet>> {
        self.sets.borrow().get(&id).cloned().ok_or_else(|| {
            Error::new(
                Kind::OptionInvalid,
                "These classes were freed; make them again with classes().",
            )
        })
    }
}

/// The bytes of a file that may be an image.
pub(super) async fn bytes_of(blob: &Blob) -> Result<Vec<u8>> {
    let limit = Limits::default().max_bytes;
    if blob.size() > limit as f64 {
        return Err(Error::new(
            Kind::ImageTooLarge,
            format!("The file is larger than {limit} bytes. Choose a smaller one."),
        ));
    }
    match JsFuture::from(blob.array_buffer()).await {
        Ok(buffer) => Ok(Uint8Array::new(&buffer).to_vec()),
        Err(_) => Err(Error::new(Kind::Io, "The file could not be read.")),
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
        let inner = self.0.clone();
        promise(async move {
            let options: ClassesOptions = from_js(options)?;
            check(signal.as_ref())?;
            let templates = options.templates();
            let classes = inner.classifier.classes(&labels, &templates).await?;
            check(signal.as_ref())?;
            Ok(inner.keep(classes))
        })
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
        let inner = self.0.clone();
        promise(async move {
            check(signal.as_ref())?;
            let set = inner.set(classes)?;
            let mut given: AnswerOptions = from_js(options)?;
            let words = given.negatives.take();
            let listener = JsProgress {
                callback: on_progress,
                signal,
            };
            let model = &inner.classifier;
            let classes = set.classes(model, words, &listener).await?;
            let variants = read_images(model, &pictures, "variants", &listener).await?;
            let gallery = read_images(model, &pictures, "gallery", &listener).await?;
            let options = given.classify(StrongViews::of(variants, gallery))?;
            let tuning = options.tuning.as_ref();
            let (detector, stale) = match &options.ood {
                Some(ood) => {
                    let plain = Detector::new(model, &classes, tuning, ood, &listener).await?;
                    let (detector, stale) = set.with_threshold(plain)?;
                    (Some(detector), stale)
                }
                None => (None, None),
            };
            let answerer = Answerer::with_detector(model, &classes, &options, detector)?;
            let found = answerer.classify(&bytes, &listener).await?;
            to_js(&Answer::new(found, stale))
        })
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
        let inner = self.0.clone();
        promise(async move {
            check(signal.as_ref())?;
            let set = inner.set(classes)?;
            let mut given: AnswerOptions = from_js(options)?;
            let words = given.negatives.take();
            let options = given.classify(StrongViews::Drawn)?.for_calibration();
            let listener = JsProgress {
                callback: on_progress,
                signal,
            };
            let model = &inner.classifier;
            let classes = set.classes(model, words, &listener).await?;
            let answerer = Answerer::new(model, &classes, &options, &listener).await?;
            let mut calibrator = Calibrator::new(&answerer)?;
            // Progress counts images; within one only the signal matters.
            let within = JsProgress {
                callback: None,
                signal: listener.signal.clone(),
            };
            for (done, image) in images.iter().enumerate() {
                listener.step("calibrate", done, images.len()).await?;
                match bytes_of(image).await {
                    Ok(bytes) => calibrator.add(&bytes, &within).await?,
                    Err(error) => calibrator.put(Err(error))?,
                }
            }
            listener
                .step("calibrate", images.len(), images.len())
                .await?;
            let fitted = calibrator.finish()?;
            let answer = CalibrationAnswer::new(&fitted)?;
            set.keep(fitted.calibration);
            to_js(&answer)
        })
    }

    /// Takes a threshold that [`calibrate`](Self::calibrate) gave as a file. It takes effect for
    /// answers that it was fitted for.
    #[wasm_bindgen(js_name = useCalibration)]
    pub fn use_calibration(&self, classes: u32, file: &str) -> Result<(), JsValue> {
        let keep = || {
            let calibration = Calibration::from_json(file.as_bytes())?;
            self.0.set(classes)?.keep(calibration);
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
        let inner = self.0.clone();
        promise(async move {
            check(signal.as_ref())?;
            let set = inner.set(classes)?;
            let options: NegativesOptions = from_js(options)?;
            let listener = JsProgress {
                callback: on_progress,
                signal,
            };
            let own = set.classes.borrow().clone();
            let mined = inner
                .classifier
                .negatives(&own, &options.mining(), &listener)
                .await?;
            let answer = to_js(&NegativesAnswer::from(&*mined))?;
            let classes = Classes::clone(&own).with_negatives(mined);
            *set.classes.borrow_mut() = Rc::new(classes);
            Ok(answer)
        })
    }

    /// Forgets a set of classes.
    #[wasm_bindgen(js_name = freeClasses)]
    pub fn free_classes(&self, id: u32) {
        self.0.sets.borrow_mut().remove(&id);
    }
}

/// The files called `name` in `pictures`.
async fn read_images(
    model: &Classifier,
    pictures: &JsValue,
    name: &str,
    listener: &JsProgress,
) -> Result<Option<Arc<ExtraImages>>> {
    let mut made = ExtraImages::new();
    let files = Reflect::get(pictures, &name.into()).unwrap_or_default();
    if let Ok(files) = files.dyn_into::<Array>() {
        for file in files.iter().filter_map(|file| file.dyn_into::<Blob>().ok()) {
            check(listener.signal.as_ref())?;
            made.add(&model.preprocess, bytes_of(&file).await)?;
        }
    }
    made.finish()
}
