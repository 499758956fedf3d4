//! Zips of photos. What an archive is shows in its bytes, so the door is that of tars; this target has the
//! seeds of zips.

pub use super::tar::run;
