//! Learning prompts.

mod attributes;
mod authors;
mod descent;
mod edges;
mod features;
mod files;
mod fudd;
mod heads;
mod lapt;
mod locoop;
mod losses;
mod mocoop;
mod ogen;
mod paper;
mod parity;
mod proapo;
mod proxies;
mod ranking;
mod registry;
mod scale;
mod shots;
mod strengths;
mod toy;
mod validation;
mod written;
