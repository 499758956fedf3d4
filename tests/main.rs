//! Every native test in one binary, so that Burn is linked once.

mod chunks;
mod cli;
mod common;
mod cpu_nodes;
mod explain;
mod fixtures;
mod image;
mod kernels;
mod learn;
mod limits;
mod ood;
mod prefix;
mod rejection;
mod tokenize;
mod towers;
mod train;
mod tune;
mod views;
mod weights;
