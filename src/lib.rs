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

#[macro_use]
pub mod named;

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

pub use classifier::{Answerer, ClassSet, Classification, ClassifyOptions, Prediction};
pub use error::{Error, Kind, Result};
pub use model::Model;
