//! The wasm-bindgen facade: translates between JavaScript and the classifier, and computes nothing.

mod convert;
mod engine;
mod fetch;
mod listener;
mod log;

pub use engine::Engine;
