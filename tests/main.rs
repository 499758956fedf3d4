//! Every native test in one binary, so that Burn is linked once.

mod common;
mod fixtures;
mod kernels;
mod towers;
