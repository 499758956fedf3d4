//! The caller's progress callback and abort signal.

use gloo::timers::future::TimeoutFuture;
use js_sys::{Function, Object, Reflect};
use wasm_bindgen::JsValue;
use web_sys::AbortSignal;

use crate::error::{Error, Kind, Result};
use crate::progress::{LocalBoxFuture, Progress};

/// Refuses once the caller has aborted.
///
/// # Errors
/// `engine/cancelled`.
pub fn check(signal: Option<&AbortSignal>) -> Result<()> {
    if signal.is_some_and(AbortSignal::aborted) {
        return Err(Error::new(Kind::Cancelled, "Cancelled."));
    }
    Ok(())
}

/// Calls `callback` with `{stage, loaded, total, source}`. Exceptions thrown by the callback are
/// ignored.
pub fn progress(
    callback: Option<&Function>,
    stage: &str,
    loaded: u64,
    total: Option<u64>,
    source: &str,
) {
    let Some(callback) = callback else { return };
    let event = Object::new();
    let total = total.map_or(JsValue::NULL, |t| JsValue::from_f64(t as f64));
    let entries: [(&str, JsValue); 4] = [
        ("stage", stage.into()),
        ("loaded", JsValue::from_f64(loaded as f64)),
        ("total", total),
        ("source", source.into()),
    ];
    for (name, value) in entries {
        // Setting a property on a fresh object cannot fail.
        let _ = Reflect::set(&event, &name.into(), &value);
    }
    let _ = callback.call1(&JsValue::NULL, &event);
}

/// Progress and cancellation of one call.
pub struct JsProgress {
    /// Called with progress.
    pub callback: Option<Function>,
    /// Ends the work.
    pub signal: Option<AbortSignal>,
}

impl JsProgress {
    /// Refuses once the caller has aborted.
    ///
    /// # Errors
    /// `engine/cancelled`.
    pub fn check(&self) -> Result<()> {
        check(self.signal.as_ref())
    }
}

impl Progress for JsProgress {
    fn step(&self, stage: &'static str, done: usize, total: usize) -> LocalBoxFuture<'_, ()> {
        Box::pin(async move {
            let callback = self.callback.as_ref();
            progress(callback, stage, done as u64, Some(total as u64), "cache");
            self.pause().await
        })
    }

    fn pause(&self) -> LocalBoxFuture<'_, ()> {
        Box::pin(async move {
            // The abort message can only arrive while the thread is free.
            TimeoutFuture::new(0).await;
            self.check()
        })
    }
}
