//! Contrastive image-text training of both towers, natively only: how the shipped model is made.
//!
//! Photos come from data sets of `<split>/<class>/<file>`, sentences from class names, words that are
//! true of them, and templates. The towers are those of `clip/`, over layers that also differentiate in
//! their weights. All weights are one flat list on the host, so that the optimizer, the moving
//! average and a checkpoint are loops over it, whatever device computes the gradient. A step is a
//! function of the settings and its number alone, which makes a resumed run equal an unbroken one.

pub mod augment;
pub mod batch;
pub mod captions;
pub mod checkpoint;
pub mod held_out;
pub mod lit;
pub mod loss;
pub mod model;
pub mod muon;
pub mod pack;
pub mod parameters;
pub mod patterns;
pub mod photos;
pub mod run;
pub mod settings;
pub mod step;
pub mod teacher;
pub mod towers;
pub mod validate;
pub mod vocabulary;
