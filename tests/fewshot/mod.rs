//! From photos to a prompt.

mod photos;
mod run;
