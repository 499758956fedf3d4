//! Fitting a prompt: one trainer, and recipes that declare what it learns.
//!
//! Image features are cached once, so a step needs the text tower at most. Losses are closed forms on
//! unit features ([`losses`]); the tower is reached through [`text::TextSide`] alone.

pub mod attributes;
pub mod bound;
pub mod cache;
pub mod cache_search;
pub mod descriptions;
pub mod examples;
pub mod gather;
pub mod job;
pub mod losses;
pub mod lstm;
pub mod options;
pub mod others;
pub mod parametrizations;
pub mod photos;
pub mod plan;
pub mod recipes;
pub mod residual;
pub mod schedule;
pub mod search;
pub mod text;
pub mod trainer;
pub mod unlabeled;
pub mod validate;
