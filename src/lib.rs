//! Zero-shot image classification with a quantised CLIP, prompts that can be learned and tuned at
//! test time, and an answer for "none of these", in the browser on WebGPU and natively.
//!
//! Data flows one way: bytes, pixels, features, logits, verdict.

pub mod classifier;
pub mod clip;
pub mod clock;
pub mod dataset;
pub mod device;
pub mod error;
#[cfg(not(target_arch = "wasm32"))]
pub mod evaluate;
pub mod explain;
pub mod image;
pub mod kernels;
pub mod learn;
pub mod ood;
pub mod prompt;
pub mod rng;
#[cfg(not(target_arch = "wasm32"))]
pub mod teach;
#[cfg(not(target_arch = "wasm32"))]
pub mod timings;
pub mod tokenize;
#[cfg(not(target_arch = "wasm32"))]
pub mod train;
pub mod tune;
pub mod watch;
#[cfg(target_arch = "wasm32")]
pub mod web;
pub mod weights;
