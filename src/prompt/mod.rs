//! Prompts: templates, learned contexts, their file format, and encoding them with the text tower.
//!
//! The letters in formulas and shapes are those of docs/design/notation.md.

#[cfg(feature = "engine")]
pub mod context_encoder;
pub mod ensemble;
pub mod file;
pub mod heads;
#[cfg(not(target_arch = "wasm32"))]
pub mod import;
pub mod layout;
pub mod model;
pub mod pair_texts;
pub mod several;
pub mod template;
#[cfg(feature = "engine")]
pub mod text_encoder;
pub mod tokens;
#[cfg(feature = "engine")]
pub mod tunable;
