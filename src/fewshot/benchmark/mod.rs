//! Recipes side by side: every one on the same images, in accuracy on all names and from base to new.
//!
//! Base is the first half of the sorted class names, which is learned; new is the rest. Each half is
//! scored among its own names (CoCoOp, Zhou et al., 2022). The features of a data set are computed
//! once.

mod base_to_new;
mod compare;
mod run;
mod splits;
mod types;

pub use types::{Benchmark, Comparison, Entry, LimitedRun, Outcome, Scores, harmonic};
