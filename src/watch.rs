//! Progress and cancellation of long work.

use std::future::Future;
use std::pin::Pin;

use crate::error::Result;

/// What [`Watch::step`] resolves to.
pub type Step<'a> = Pin<Box<dyn Future<Output = Result<()>> + 'a>>;

/// Is told how far work has come, between pieces that each take at most a device pass.
pub trait Watch {
    /// `done` of `total` pieces of `stage`. An error, usually `engine/cancelled`, ends the work with
    /// it. In a browser this is also where the engine's thread lets messages in.
    fn step(&self, stage: &'static str, done: usize, total: usize) -> Step<'_>;
}

/// Nobody watches.
impl Watch for () {
    fn step(&self, _: &'static str, _: usize, _: usize) -> Step<'_> {
        Box::pin(std::future::ready(Ok(())))
    }
}
