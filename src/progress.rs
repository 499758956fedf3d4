//! Progress and cancellation of long work.

use std::future::Future;
use std::pin::Pin;

use crate::error::Result;

/// What [`Progress::step`] resolves to.
pub type LocalBoxFuture<'a, T> = Pin<Box<dyn Future<Output = Result<T>> + 'a>>;

/// Is told how far work has come, between pieces that each take at most a device pass.
pub trait Progress {
    /// `done` of `total` pieces of `stage`. An error, usually `engine/cancelled`, ends the work with
    /// it. In a browser this is also where the engine's thread lets messages in.
    fn step(&self, stage: &'static str, done: usize, total: usize) -> LocalBoxFuture<'_, ()>;

    /// Tells nothing; otherwise as [`step`](Self::step).
    fn pause(&self) -> LocalBoxFuture<'_, ()> {
        Box::pin(std::future::ready(Ok(())))
    }
}

/// For work inside of work that tells of itself: passes on cancellation and tells nothing.
pub struct Silent<'a>(pub &'a dyn Progress);

impl Progress for Silent<'_> {
    fn step(&self, _: &'static str, _: usize, _: usize) -> LocalBoxFuture<'_, ()> {
        self.0.pause()
    }

    fn pause(&self) -> LocalBoxFuture<'_, ()> {
        self.0.pause()
    }
}

/// Nobody watches.
impl Progress for () {
    fn step(&self, _: &'static str, _: usize, _: usize) -> LocalBoxFuture<'_, ()> {
        Box::pin(std::future::ready(Ok(())))
    }
}
