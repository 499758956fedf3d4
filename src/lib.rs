//! Zero-shot image classification with a quantized CLIP, prompts that can be learned and tuned at
//! test time, and an answer for "none of these", in the browser on WebGPU and natively.
//!
//! Data flows one way: bytes, pixels, features, logits, verdict.

#[cfg(not(target_arch = "wasm32"))]
pub mod bench;
pub mod checkpoint;
pub mod classifier;
pub mod clip;
pub mod clock;
pub mod dataset;
pub mod device;
pub mod error;
#[cfg(not(target_arch = "wasm32"))]
pub mod evaluate;
pub mod fewshot;
pub mod heatmap;
pub mod image;
pub mod kernels;
pub mod math;
pub mod model;
pub mod ood;
#[cfg(not(target_arch = "wasm32"))]
pub mod pretrain;
pub mod progress;
pub mod prompt;
pub mod prompt_learning;
pub mod quant;
pub mod rng;
pub mod tokenize;
pub mod tpt;
#[cfg(target_arch = "wasm32")]
pub mod web;
