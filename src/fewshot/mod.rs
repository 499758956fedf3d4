//! From photos to a prompt: reads and encodes photos, runs a recipe on them, and measures the result.
//!
//! [`run`] is the whole workflow. The command line and the browser differ only in where photos come
//! from ([`PhotoSource`]) and in how they print a [`Report`].

#[cfg(not(target_arch = "wasm32"))]
pub mod benchmark;
#[cfg(not(target_arch = "wasm32"))]
pub mod data_set;
pub mod photos;
pub mod pseudo_label;
mod report;
mod request;
mod run;
pub mod source;

pub use report::Report;
pub use request::{NegativeLabels, Request};
pub use run::run;
pub use source::{PhotoSet, PhotoSource};
