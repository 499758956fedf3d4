//! Zero-shot image classification with a quantized CLIP: any class names, prompts that can be learned
//! and tuned at test time, and an answer for "none of these". One crate runs in the browser on WebGPU
//! and natively.
//!
//! ```no_run
//! use promptlens::classifier::{Answerer, ClassSet, ClassifyOptions};
//! use promptlens::device::Choice;
//! use promptlens::model::Model;
//!
//! # async fn answer() -> promptlens::error::Result<()> {
//! let folder = std::path::Path::new("www/models/mini");
//! let model = Model::open(folder, Choice::Cpu, None).await?;
//! let names = ["cat", "dog"].map(str::to_owned);
//! let classes = ClassSet::new(&model, &names, &["a photo of a {}."]).await?;
//! let options = ClassifyOptions::default();
//! let answerer = Answerer::new(&model, &classes, &options, &()).await?;
//! let photo = std::fs::read("photo.jpg").expect("a photo");
//! for prediction in answerer.classify(&photo, &()).await?.predictions {
//!     println!("{:5.1} % {}", 100.0 * prediction.probability, prediction.label);
//! }
//! # Ok(())
//! # }
//! ```
//!
//! # Layers
//!
//! A module imports only modules of lower layers; a test holds it. From the ground up:
//!
//! 1. [`error`]; [`named`], [`clock`], [`progress`], [`rng`]
//! 2. [`math`], [`quant`]: arithmetic on host memory, quantized matrices
//! 3. [`image`], [`tokenize`]: files to pixels, text to token ids
//! 4. [`kernels`], [`clip`], [`device`], [`checkpoint`]: the layers, the towers, where they run, how
//!    they are loaded
//! 5. [`prompt`]: templates, learned prompts, the text encoder
//! 6. [`ood`], [`heatmap`], [`tpt`], [`prompt_learning`]: rejection, maps, test-time tuning, recipes
//! 7. [`model`], [`classifier`]: a loaded model, a class list, answers
//! 8. [`dataset`], [`fewshot`] and natively `evaluate`, `pretrain`, `bench`: work on many photos
//!
//! # Notation
//!
//! Formulas and shapes in doc comments use these letters:
//!
//! | letter | meaning |
//! |---|---|
//! | K | classes |
//! | d | columns of a feature in the joint space |
//! | W | columns of a token embedding |
//! | M | vectors of a learned context |
//! | C | contexts |
//! | P | templates |
//! | B, N | images of a batch, images in all |
//! | V | views of one photo |
//! | f, t | unit feature of an image, of a text |
//! | s | exp(logit_scale): logits are s times cosines |
//! | τ | temperature on cosines; 1 / s unless said otherwise |
//! | z, p | logits, probabilities |
//! | ρ | share of the views that a filter keeps |
//! | α, β, λ | weights of a recipe's parts, named where they are declared |

// What only the engine calls is left over without it.
#![cfg_attr(not(feature = "engine"), allow(dead_code))]

#[macro_use]
pub mod named;

#[cfg(all(feature = "engine", not(target_arch = "wasm32")))]
pub mod bench;
pub mod checkpoint;
#[cfg(feature = "engine")]
pub mod classifier;
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
pub mod rng;
pub mod tokenize;
pub mod tpt;
#[cfg(all(feature = "engine", target_arch = "wasm32"))]
pub mod web;

#[cfg(feature = "engine")]
pub use classifier::{Answerer, ClassSet, Classification, ClassifyOptions, Prediction};
pub use error::{Error, Kind, Result};
#[cfg(feature = "engine")]
pub use model::Model;
