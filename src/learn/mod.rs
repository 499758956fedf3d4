//! Fitting a prompt.

pub mod optimiser;
