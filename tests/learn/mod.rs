//! Learning prompts.

mod edges;
mod features;
mod files;
mod lapt;
mod parity;
mod shelf;
mod shots;
mod strengths;
mod terms;
mod toy;
