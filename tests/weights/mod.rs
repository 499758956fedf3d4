//! From checkpoint bytes to tensors.

mod config;
mod files;
mod hostile;
mod loading;
mod quantise;
mod tiny;
