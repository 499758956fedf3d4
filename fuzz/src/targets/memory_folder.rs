//! A model's files in memory, read by the same code as a directory and an address.

use std::collections::BTreeMap;

use promptlens::checkpoint::{
    Header, Limits, ModelFolder, PackedFile, SafetensorsStream, TorchStream, WeightSink, is_torch,
};
use promptlens::error::{Error, Kind, Result};

/// The files by name.
#[derive(Debug, Clone, Default)]
pub struct Memory {
    pub files: BTreeMap<String, Vec<u8>>,
    /// Bytes of weights that come at a time; all at once if `None`.
    pub piece: Option<usize>,
}

impl Memory {
    pub fn put(&mut self, name: &str, bytes: Vec<u8>) {
        self.files.insert(name.to_owned(), bytes);
    }

    pub fn remove(&mut self, name: &str) {
        self.files.remove(name);
    }
}

impl ModelFolder for Memory {
    async fn small(&self, name: &str) -> Result<Option<Vec<u8>>> {
        Ok(self.files.get(name).cloned())
    }

    async fn has(&self, name: &str) -> Result<bool> {
        Ok(self.files.contains_key(name))
    }

    async fn chunk(&self, file: &PackedFile, _again: bool) -> Result<Vec<u8>> {
        let found = self.files.get(&file.file).cloned();
        found.ok_or_else(|| Error::new(Kind::WeightsMissing, "There is no such chunk."))
    }

    async fn header(&self, name: &str) -> Result<Option<Header>> {
        let Some(bytes) = self.files.get(name) else {
            return Ok(None);
        };
        let mut stream = SafetensorsStream::new(Limits::default());
        stream.push(bytes, &mut |_| Ok(()))?;
        Ok(stream.header().cloned())
    }

    async fn weights(&self, name: &str, feed: &mut WeightSink<'_>) -> Result<bool> {
        let Some(bytes) = self.files.get(name) else {
            return Ok(false);
        };
        let pieces = bytes.chunks(self.piece.unwrap_or(usize::MAX));
        if !is_torch(name) {
            for piece in pieces {
                feed.push(piece)?;
            }
            return Ok(true);
        }
        let mut torch = TorchStream::new();
        for piece in pieces {
            torch.push(piece, feed)?;
        }
        torch.finish(feed)?;
        Ok(true)
    }
}
