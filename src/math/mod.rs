//! Arithmetic on host memory that every layer above shares: cosines, softmax, unit rows, optimizers.
//!
//! The letters in formulas and shapes are those of docs/design/notation.md.

pub mod adapter;
mod argmax;
pub mod attention;
mod cosines;
pub mod optimizer;
pub mod perceptron;
mod rank_correlation;
mod softmax;
pub mod stack;
mod unit_rows;

pub use argmax::argmax;
pub use cosines::{MatrixView, cosines, dot, same_width};
pub use rank_correlation::{pair_accuracy, spearman};
pub use softmax::*;
pub use unit_rows::{UnitRows, normalize_rows};
