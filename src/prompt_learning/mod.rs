//! Fitting a prompt: one trainer, and recipes that declare what it learns.
//!
//! Image features are cached once, so a step needs the text tower at most. Losses are closed forms on
//! unit features ([`losses`]); the tower is reached through [`text::TextSide`] alone. The letters in
//! formulas and shapes are those of docs/design/notation.md; docs/design/prompt-learning.md is an
//! overview.
//!
//! ```
//! use promptlens::Model;
//! use promptlens::device::Choice;
//! use promptlens::prompt::heads;
//! use promptlens::prompt_learning::job::TrainingJob;
//! use promptlens::prompt_learning::material::Material;
//! use promptlens::prompt_learning::recipes::find;
//! use promptlens::prompt_learning::trainer::Observer;
//!
//! # fn main() -> promptlens::Result<()> { pollster::block_on(learn()) }
//! # async fn learn() -> promptlens::Result<()> {
//! let folder = std::path::Path::new("www/models/mini");
//! let model = Model::open(folder, Choice::Cpu, None).await?;
//! let names = ["cat", "rocket"].map(str::to_owned);
//! let recipe = find("templates")?.configure(&[("set", "clip7")])?;
//! let job = TrainingJob {
//!     recipe: &recipe,
//!     model: &model,
//!     names: &names,
//!     examples: None,                          // other recipes learn from images
//!     material: Material::default(),
//!     seed: 0,
//!     observer: Observer { progress: &(), observe: &|_| {} },
//! };
//! let prompt = job.run().await?.prompt;        // `to_bytes` makes the file
//!
//! let head = heads::open(&prompt, &model, &names).await?;
//! let photo = std::fs::read("www/samples/rocket.jpg").expect("a photo");
//! let logits = head.logits(&model, &model.embed_image(&photo).await?).await?;
//! assert!(logits[1] > logits[0]);
//! # Ok(())
//! # }
//! ```

pub mod attributes;
pub mod bound;
pub mod cache;
pub mod cache_search;
pub mod class_looks;
pub mod class_search;
pub mod consistency;
pub mod context_recipe;
pub mod descent;
pub mod described_pairs;
pub mod descriptions;
pub mod drift;
pub mod examples;
pub mod generator;
pub mod job;
pub mod learning_rate;
pub mod linear;
pub mod losses;
pub mod lstm;
pub mod material;
pub mod method;
pub mod outliers;
pub mod parameters;
pub mod parametrizations;
pub mod proxies;
pub mod ranking;
pub mod recipe;
pub mod recipes;
pub mod residual;
pub mod schedule;
pub mod search;
pub mod several_labels;
pub mod text;
pub mod trainer;
pub mod unlabeled;
pub mod unseen;
pub mod validate;
pub mod values;
