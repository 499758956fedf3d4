//! What an engine holds between calls, and how a call runs.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::rc::Rc;

use js_sys::{Function, Promise};
use serde::de::DeserializeOwned;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::future_to_promise;
use web_sys::AbortSignal;

use super::calibrated_classes::CalibratedClasses;
use super::convert::{from_js, to_js_error};
use super::listener::JsProgress;
use crate::classifier::ClassSet;
use crate::device::health;
use crate::error::{Error, Kind, Result};
use crate::model::Model;

/// A loaded model with the class lists that were made for it.
pub struct Session {
    /// The model.
    pub model: Model,
    sets: RefCell<BTreeMap<u32, Rc<CalibratedClasses>>>,
    next: Cell<u32>,
}

impl Session {
    /// Without class lists.
    pub fn new(model: Model) -> Self {
        Self {
            model,
            sets: RefCell::new(BTreeMap::new()),
            next: Cell::new(1),
        }
    }

    /// Runs one call of the facade: reads its options, refuses it once `signal` is aborted, and
    /// gives `work` the session, the options and the caller's progress.
    pub fn call<O, W>(
        self: &Rc<Self>,
        options: JsValue,
        on_progress: Option<Function>,
        signal: Option<AbortSignal>,
        work: W,
    ) -> Promise
    where
        O: DeserializeOwned + Default,
        W: AsyncFnOnce(Rc<Self>, O, JsProgress) -> Result<JsValue> + 'static,
    {
        let session = self.clone();
        promise(async move {
            let progress = JsProgress {
                callback: on_progress,
                signal,
            };
            progress.check()?;
            work(session, from_js(options)?, progress).await
        })
    }

    /// Keeps a class list; the id that it goes by.
    pub fn add(&self, classes: ClassSet) -> JsValue {
        let id = self.next.get();
        self.next.set(id + 1);
        let set = Rc::new(CalibratedClasses::new(classes));
        self.sets.borrow_mut().insert(id, set);
        JsValue::from_f64(f64::from(id))
    }

    /// The class list `id`.
    ///
    /// # Errors
    /// `options/invalid` if it was freed.
    pub fn set(&self, id: u32) -> Result<Rc<CalibratedClasses>> {
        self.sets.borrow().get(&id).cloned().ok_or_else(|| {
            Error::new(
                Kind::OptionInvalid,
                "These classes were freed; make them again with classes().",
            )
        })
    }

    /// Forgets the class list `id`.
    pub fn remove(&self, id: u32) {
        self.sets.borrow_mut().remove(&id);
    }
}

/// A promise of what `work` gives, provided that the device is still sound then.
pub fn promise<F>(work: F) -> Promise
where
    F: Future<Output = Result<JsValue>> + 'static,
{
    future_to_promise(async move {
        let outcome = work.await;
        // A kernel that the browser skipped shows up only here, and before any answer leaves.
        outcome
            .and_then(|value| health::check().map(|()| value))
            .map_err(|e| to_js_error(&e))
    })
}
