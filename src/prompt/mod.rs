//! What stands around a class name.

pub mod context;
pub mod template;
