//! Progress of training, whose steps may take less time than telling of one.

use std::cell::Cell;

use js_sys::{Object, Reflect};
use wasm_bindgen::JsValue;

use super::listener::JsProgress;
use crate::clock::now;
use crate::progress::{LocalBoxFuture, Progress};
use crate::prompt_learning::trainer::TrainingProgress;

/// Milliseconds between two moments at which messages are let in. A browser lets a timer wait at
/// least 4 ms, so doing it after every step would cost more than many steps take.
const PAUSE: f64 = 40.0;

/// Tells of a stage's steps, and lets the caller's messages in, every few milliseconds.
pub struct ThrottledProgress {
    progress: JsProgress,
    last_step: Cell<f64>,
    last_pause: Cell<f64>,
}

impl ThrottledProgress {
    /// Passes on to `progress`.
    pub fn new(progress: JsProgress) -> Self {
        Self {
            progress,
            last_step: Cell::new(0.0),
            last_pause: Cell::new(0.0),
        }
    }

    /// Tells of a training step with its loss and accuracy.
    pub fn observe(&self, progress: &TrainingProgress) {
        let Some(callback) = &self.progress.callback else {
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

    /// Whether `clock` was last set so long ago that it is time again; sets it then.
    fn due(clock: &Cell<f64>) -> bool {
        let due = now() - clock.get() >= PAUSE;
        if due {
            clock.set(now());
        }
        due
    }
}

impl Progress for ThrottledProgress {
    fn step(&self, stage: &'static str, done: usize, total: usize) -> LocalBoxFuture<'_, ()> {
        // `observe` tells of training steps.
        if stage == "train" {
            return self.pause();
        }
        let first_or_last = done == 0 || done >= total;
        if Self::due(&self.last_step) || first_or_last {
            self.last_step.set(now());
            return self.progress.step(stage, done, total);
        }
        Box::pin(std::future::ready(self.progress.check()))
    }

    fn pause(&self) -> LocalBoxFuture<'_, ()> {
        if Self::due(&self.last_pause) {
            return self.progress.pause();
        }
        Box::pin(std::future::ready(self.progress.check()))
    }
}
