//! Learning prompts.

mod attributes;
mod authors;
mod descent;
mod disa;
mod edges;
mod features;
mod files;
mod fudd;
mod heads;
mod lapt;
mod locoop;
mod losses;
mod mocoop;
mod multi_lane;
mod mvp;
mod paper;
mod parity;
mod proapo;
mod registry;
mod scale;
mod shots;
mod strengths;
mod toy;
mod validation;
mod written;
