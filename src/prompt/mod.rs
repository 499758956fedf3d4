//! What stands around a class name.

pub mod context;
pub mod ensemble;
pub mod file;
#[cfg(not(target_arch = "wasm32"))]
pub mod import;
pub mod layout;
pub mod tape;
pub mod template;
