//! What stands around a class name.

pub mod template;
