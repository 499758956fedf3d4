//! Where an archive's bytes come from.

use std::fmt;
#[cfg(not(target_arch = "wasm32"))]
use std::fs::File;
use std::io::{BufReader, Cursor, Read, Seek};
#[cfg(not(target_arch = "wasm32"))]
use std::path::Path;

#[cfg(not(target_arch = "wasm32"))]
use super::failed;
use crate::error::Result;

/// An archive by its place or in memory.
#[derive(Debug, Clone, Copy)]
pub enum Source<'a> {
    /// On disk.
    #[cfg(not(target_arch = "wasm32"))]
    File(&'a Path),
    /// In memory, with its name.
    Bytes(&'a str, &'a [u8]),
}

/// Bytes that are read from anywhere.
pub trait Stream: Read + Seek {}

impl<T: Read + Seek> Stream for T {}

impl<'a> Source<'a> {
    /// The bytes from the start.
    ///
    /// # Errors
    /// `io/failed`.
    pub fn open(self) -> Result<BufReader<Box<dyn Stream + 'a>>> {
        let stream: Box<dyn Stream + 'a> = match self {
            #[cfg(not(target_arch = "wasm32"))]
            Self::File(path) => Box::new(File::open(path).map_err(|e| failed(self, &e))?),
            Self::Bytes(_, bytes) => Box::new(Cursor::new(bytes)),
        };
        Ok(BufReader::with_capacity(1 << 16, stream))
    }
}

impl fmt::Display for Source<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            #[cfg(not(target_arch = "wasm32"))]
            Self::File(path) => path.display().fmt(f),
            Self::Bytes(name, _) => f.write_str(name),
        }
    }
}
