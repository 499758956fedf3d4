//! Whether the GPU runtime reported a failure that no call returned.

use std::sync::Mutex;

use crate::error::{Error, Kind, Result};

static FAILURE: Mutex<Option<String>> = Mutex::new(None);

/// Notes a failure; the first one is kept.
pub fn fail(message: &str) {
    let mut failure = FAILURE.lock().unwrap_or_else(|e| e.into_inner());
    failure.get_or_insert_with(|| message.chars().take(500).collect());
}

/// Refuses once a failure was noted: buffers may then hold anything.
///
/// # Errors
/// `gpu/lost`.
pub fn check() -> Result<()> {
    match FAILURE.lock().unwrap_or_else(|e| e.into_inner()).as_deref() {
        None => Ok(()),
        Some(message) => {
            let line = message.lines().next().unwrap_or_default();
            let sentence = format!(
                "The GPU failed and its results cannot be trusted ({line}). Reload the page."
            );
            Err(Error::new(Kind::GpuLost, sentence))
        }
    }
}
