//! Making the built-in model: a frozen published image encoder, a small text tower distilled from
//! CLIP's text vectors, and a linear projection between them (Zhai et al., "LiT: Zero-Shot Transfer
//! with Locked-image Text Tuning", 2022).
//!
//! Three stages, each of which goes on from what its cache holds: `features` runs the encoder over all
//! training pictures once; `text` trains the tower; `project` learns the map from features to texts.
//! Withheld names are read by the tower and never shown as a picture.

pub mod anchors;
pub mod captions;
pub mod concepts;
pub mod corpus;
pub mod cut_bpe;
pub mod descent;
pub mod distillation;
pub mod export;
pub mod features;
pub mod head;
pub mod linear_algebra;
pub mod modifiers;
pub mod names;
pub mod pictures;
pub mod plural;
pub mod pool;
pub mod project;
pub mod project_stage;
pub mod regression;
pub mod space;
pub mod student;
pub mod text_batches;
pub mod text_layout;
pub mod text_settings;
pub mod text_stage;
pub mod text_targets;
pub mod text_tower;
mod threads;
pub mod vectors;
pub mod warm_start;
pub mod wordnet;
