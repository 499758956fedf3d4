//! Weights from the file system.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::header::Header;
use super::hex::hex;
use super::load::Loader;
use super::load_report::LoadReport;
use super::loader_state::Sink;
use super::manifest::PackedFile;
use super::model_folder::{ModelFolder, WeightSink};
use super::reader::{Limits, Piece, SafetensorsStream};
use super::torch;
use super::torch_stream::is_torch;
use crate::error::{Error, Kind, Result};

/// Name of the weights in a model directory.
pub const WEIGHTS_FILE: &str = "model.safetensors";

/// Bytes read at a time.
const PIECE: usize = 1 << 20;

/// The largest small file that is read.
const SMALL: u64 = 64 << 20;

/// A model directory.
#[derive(Debug, Clone)]
pub struct Directory(PathBuf);

impl Directory {
    /// The directory at `path`.
    ///
    /// # Errors
    /// `io/failed` if there is none.
    pub fn open(path: &Path) -> Result<Self> {
        if path.is_dir() {
            return Ok(Self(path.to_owned()));
        }
        Err(Error::new(
            Kind::Io,
            format!("{} is not a directory.", path.display()),
        ))
    }

    /// The file `name`; for `model.pt` also the only `.pt` there is, since those have any name.
    fn find(&self, name: &str) -> Option<PathBuf> {
        let path = self.0.join(name);
        if path.is_file() {
            return Some(path);
        }
        if name != "model.pt" {
            return None;
        }
        let mut all = std::fs::read_dir(&self.0)
            .ok()?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| path.extension().is_some_and(|end| end == "pt"));
        let only = all.next();
        only.filter(|_| all.next().is_none())
    }
}

impl ModelFolder for Directory {
    async fn small(&self, name: &str) -> Result<Option<Vec<u8>>> {
        let path = self.0.join(name);
        if path.is_file() {
            read_file(&path, SMALL, Kind::Io).map(Some)
        } else {
            Ok(None)
        }
    }

    async fn has(&self, name: &str) -> Result<bool> {
        Ok(self.0.join(name).is_file())
    }

    async fn chunk(&self, file: &PackedFile, _again: bool) -> Result<Vec<u8>> {
        // Whether it has the length that it should is for the reader of the pack to say.
        read_file(&self.0.join(&file.file), SMALL, Kind::WeightsMissing)
    }

    async fn header(&self, name: &str) -> Result<Option<Header>> {
        let path = self.0.join(name);
        path.is_file().then(|| read_header(&path)).transpose()
    }

    async fn weights(&self, name: &str, feed: &mut WeightSink<'_>) -> Result<bool> {
        let Some(path) = self.find(name) else {
            return Ok(false);
        };
        if is_torch(name) {
            torch::read(&path, feed)?;
        } else {
            stream_file(&path, &mut |bytes| feed.push(bytes))?;
        }
        Ok(true)
    }
}

/// Loads the weights file at `path` through `loader`.
///
/// # Errors
/// `weights/missing` if there is no such file, `io/failed`, and those of [`Loader::push`].
pub fn load_file(path: &Path, mut loader: Loader, sink: &mut Sink<'_>) -> Result<LoadReport> {
    stream_file(path, &mut |bytes| loader.push(bytes, sink))?;
    loader.finish()
}

/// Bytes and SHA-256, in lower-case hexadecimal, of the file at `path`.
///
/// # Errors
/// As [`stream_file`].
pub fn digest(path: &Path) -> Result<(u64, String)> {
    let (mut hash, mut count) = (Sha256::new(), 0u64);
    stream_file(path, &mut |bytes| {
        hash.update(bytes);
        count += bytes.len() as u64;
        Ok(())
    })?;
    Ok((count, hex(&hash.finalize())))
}

/// Gives the weights file at `path` to `take` from front to back, in pieces of 1 MiB.
///
/// # Errors
/// `weights/missing` if there is no such file, `io/failed`, or whatever `take` returns.
pub fn stream_file(path: &Path, take: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
    feed(path, &mut |bytes| take(bytes).map(|()| true))
}

/// The header of the safetensors file at `path`; the data is not read.
///
/// # Errors
/// As [`load_file`].
pub fn read_header(path: &Path) -> Result<Header> {
    let mut stream = SafetensorsStream::new(Limits::default());
    let mut found = None;
    feed(path, &mut |bytes| {
        stream.push(bytes, &mut |piece| {
            if let Piece::Header(header) = piece {
                found = Some(header.clone());
            }
            Ok(())
        })?;
        Ok(stream.header().is_none())
    })?;
    match found {
        Some(header) => Ok(header),
        None => stream
            .finish()
            .and_then(|_| Err(Error::new(Kind::Internal, "A complete file has no header."))),
    }
}

/// The whole file at `path`, which must not be larger than `limit` bytes; `missing` is the kind of
/// error if there is none.
///
/// # Errors
/// `missing`, or `io/failed`.
pub fn read_file(path: &Path, limit: u64, missing: Kind) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(path, missing)?
        .take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| failed(path, &error))?;
    if bytes.len() as u64 > limit {
        return Err(Error::new(
            Kind::Io,
            format!("{} is larger than {limit} bytes.", path.display()),
        ));
    }
    Ok(bytes)
}

/// Gives the file at `path` to `take` in pieces, until that says false.
fn feed(path: &Path, take: &mut dyn FnMut(&[u8]) -> Result<bool>) -> Result<()> {
    let mut file = open(path, Kind::WeightsMissing)?;
    let mut buffer = vec![0; PIECE];
    loop {
        match file.read(&mut buffer) {
            Ok(0) => return Ok(()),
            Ok(count) => {
                if !take(&buffer[..count])? {
                    return Ok(());
                }
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(failed(path, &error)),
        }
    }
}

fn open(path: &Path, missing: Kind) -> Result<File> {
    File::open(path).map_err(|error| {
        if error.kind() == ErrorKind::NotFound {
            Error::new(
                missing,
                format!(
                    "There is no {}; give the directory of a Hugging Face CLIP.",
                    path.display()
                ),
            )
        } else {
            failed(path, &error)
        }
    })
}

pub(super) fn failed(path: &Path, error: &std::io::Error) -> Error {
    Error::new(Kind::Io, format!("{}: {error}.", path.display()))
}
