//! What stands around a class name.

pub mod context;
pub mod ensemble;
pub mod file;
pub mod layout;
pub mod tape;
pub mod template;
pub mod unit;
