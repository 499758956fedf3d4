//! How long things take on the machine at hand. Nothing here is ever asserted: speed is measured, not
//! tested.

pub mod full_length;
pub mod lanes;
pub mod shape;
pub mod stages;
pub mod tune_step;
