//! From checkpoint bytes to tensors.

mod config;
mod damage;
mod files;
mod folder;
mod formats;
mod hostile;
mod loading;
mod packs;
mod pickle;
mod published;
mod quantize;
mod tiny;
mod torch;
mod torch_shards;
mod whole;
