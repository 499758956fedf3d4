//! The wasm-bindgen facade: translates between JavaScript and the classifier, and computes nothing.

mod answer;
mod blobs;
mod browser_decoder;
mod calibrated_classes;
mod camel_case;
mod convert;
mod engine;
mod labels;
mod listener;
mod log;
mod plain_view;
mod prompt;
mod reliability;
mod session;
mod source;
mod throttled;
mod train;
mod tuned;
mod unpack;

pub use engine::Engine;
