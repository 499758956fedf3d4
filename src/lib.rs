//! Zero-shot image classification with a quantized CLIP: any class names, prompts that can be learned
//! and tuned at test time, and an answer for "none of these". One crate runs in the browser on WebGPU
//! and natively.
//!
//! # An answer
//!
//! A [`Model`] turns photos and texts into features, a [`ClassSet`] holds the names, and an [`Answerer`]
//! answers photo by photo:
//!
//! ```
//! use promptlens::device::Choice;
//! use promptlens::{Answerer, ClassSet, ClassifyOptions, Model};
//!
//! # fn main() -> promptlens::Result<()> { pollster::block_on(answer()) }
//! # async fn answer() -> promptlens::Result<()> {
//! let folder = std::path::Path::new("www/models/mini");
//! let model = Model::open(folder, Choice::Cpu, None).await?;
//! let names = ["cat", "dog", "rocket"].map(str::to_owned);
//! let classes = ClassSet::new(&model, &names, &["a photo of a {}."]).await?;
//! let options = ClassifyOptions::default();
//! let answerer = Answerer::new(&model, &classes, &options, &()).await?;
//!
//! let photo = std::fs::read("www/samples/rocket.jpg").expect("a photo");
//! let answer = answerer.classify(&photo, &()).await?;
//! assert_eq!(answer.predictions[0].label, "rocket");
//! let score = answer.ood.expect("a score for none of these, unless it is switched off");
//! assert_eq!(score.score, "mcm");
//! # Ok(())
//! # }
//! ```
//!
//! # Features
//!
//! Image and text features have length one, so their dot product is their cosine:
//!
//! ```
//! use promptlens::Model;
//! use promptlens::device::Choice;
//! use promptlens::math::dot;
//!
//! # fn main() -> promptlens::Result<()> { pollster::block_on(features()) }
//! # async fn features() -> promptlens::Result<()> {
//! let folder = std::path::Path::new("www/models/mini");
//! let model = Model::open(folder, Choice::Cpu, None).await?;
//! let photo = std::fs::read("www/samples/cat.jpg").expect("a photo");
//! let image = model.embed_image(&photo).await?;
//! let (texts, ..) = model.embed_texts(&["a photo of a cat.", "a photo of a cup."]).await?;
//! let (cat, cup) = texts.split_at(image.len());
//! assert!(dot(&image, cat) > dot(&image, cup));
//! # Ok(())
//! # }
//! ```
//!
//! # Errors
//!
//! Every error is an [`Error`] with a stable code and a sentence that says what to do:
//!
//! ```
//! use promptlens::ood::score::by_name;
//!
//! let error = by_name("mcn").unwrap_err();
//! assert_eq!(error.code(), "options/invalid");
//! assert!(error.message().contains("mcm"));
//! ```
//!
//! # Layers
//!
//! A module imports only modules of lower layers; a test holds it. From the ground up:
//!
//! 1. [`error`]; [`named`], [`clock`], [`progress`], [`rng`]
//! 2. [`math`], [`quant`], [`reliability`]: arithmetic on host memory, quantized matrices, whether
//!    percentages are honest
//! 3. [`image`], [`tokenize`]: files to pixels, text to token ids
//! 4. [`kernels`], [`clip`], [`device`], [`checkpoint`]: the layers, the towers, where they run, how
//!    they are loaded
//! 5. [`prompt`]: templates, learned prompts, the text encoder
//! 6. [`ood`], [`heatmap`], [`tpt`], [`prompt_learning`]: rejection, maps, test-time tuning, recipes
//! 7. [`tools`] for the words of a prompt; [`classifier_file`], [`model`], [`classifier`]: settings of a class list as a file, a loaded model, a
//!    class list, answers
//! 8. [`dataset`], [`fewshot`] and natively `evaluate`, `pretrain`, `bench`: work on many photos
//!
//! docs/design/architecture.md is the map of the code.
#![doc = include_str!("../docs/design/notation.md")]
// What only the engine calls is left over without it.
#![cfg_attr(not(feature = "engine"), allow(dead_code))]

#[macro_use]
pub mod named;

#[cfg(all(feature = "engine", not(target_arch = "wasm32")))]
pub mod bench;
pub mod checkpoint;
#[cfg(feature = "engine")]
pub mod classifier;
pub mod classifier_file;
pub mod clip;
pub mod clock;
pub mod dataset;
#[cfg(feature = "engine")]
pub mod device;
pub mod error;
#[cfg(all(feature = "engine", not(target_arch = "wasm32")))]
pub mod evaluate;
#[cfg(feature = "engine")]
pub mod fewshot;
pub mod heatmap;
pub mod image;
#[cfg(feature = "engine")]
pub mod kernels;
// Of the layers, configurations need only the name of one: that of the activation.
#[cfg(not(feature = "engine"))]
#[path = "kernels/activation/kind.rs"]
pub mod kernels;
pub mod math;
#[cfg(feature = "engine")]
pub mod model;
pub mod ood;
#[cfg(all(feature = "engine", not(target_arch = "wasm32")))]
pub mod pretrain;
pub mod progress;
pub mod prompt;
pub mod prompt_learning;
pub mod quant;
pub mod reliability;
pub mod rng;
pub mod tokenize;
pub mod tools;
pub mod tpt;
#[cfg(all(feature = "engine", target_arch = "wasm32"))]
pub mod web;

#[cfg(feature = "engine")]
pub use classifier::{Answerer, ClassSet, Classification, ClassifyOptions, Prediction};
pub use error::{Error, Kind, Result};
#[cfg(feature = "engine")]
pub use model::Model;
