//! Fitting a prompt: one trainer, and recipes that declare what it learns.
//!
//! Image features are cached once, so a step needs the text tower at most. Losses are closed forms on
//! unit features ([`losses`]); the tower is reached through [`text::TextSide`] alone.

pub mod attributes;
pub mod bound;
pub mod cache;
pub mod cache_search;
pub mod class_search;
pub mod context_recipe;
pub mod descent;
pub mod descriptions;
pub mod examples;
pub mod job;
pub mod learning_rate;
pub mod losses;
pub mod lstm;
pub mod method;
pub mod outliers;
pub mod parameters;
pub mod parametrizations;
pub mod recipe;
pub mod recipes;
pub mod residual;
pub mod schedule;
pub mod search;
pub mod text;
pub mod trainer;
pub mod unlabeled;
pub mod validate;
pub mod values;
