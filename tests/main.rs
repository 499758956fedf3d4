//! Every native test in one binary, so that Burn is linked once.

mod builtin;
mod checkpoint;
mod chunks;
mod cli;
mod common;
mod cpu_nodes;
mod efficientnet;
mod fewshot;
mod fixtures;
mod fuzz_replay;
mod heatmap;
mod image;
mod kernels;
mod layers;
mod limits;
mod ood;
mod prefix;
mod pretrain;
mod prompt_learning;
mod rejection;
mod tokenize;
mod tools;
mod towers;
mod tpt;
mod views;
