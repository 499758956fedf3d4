//! The wasm-bindgen facade: translates between JavaScript and the classifier, and computes nothing.

mod answer;
mod class_set;
mod convert;
mod engine;
mod gather;
mod listener;
mod log;
mod prompt;
mod source;
mod train;
mod tuned;

pub use engine::Engine;
