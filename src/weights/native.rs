//! Weights from the file system.

use std::fs::File;
use std::io::{ErrorKind, Read};
use std::path::Path;

use super::header::Header;
use super::load::{Loader, Report, Sink};
use super::reader::{Limits, Piece, SafetensorsStream};
use crate::error::{Error, Kind, Result};

/// Name of the weights in a model directory.
pub const WEIGHTS_FILE: &str = "model.safetensors";

/// Bytes read at a time.
const PIECE: usize = 1 << 20;

/// Loads the weights file at `path` through `loader`.
///
/// # Errors
/// `weights/missing` where there is no such file, `io/failed`, and those of [`Loader::push`].
pub fn load_file(path: &Path, mut loader: Loader, sink: &mut Sink<'_>) -> Result<Report> {
    stream_file(path, &mut |bytes| loader.push(bytes, sink))?;
    loader.finish()
}

/// Gives the weights file at `path` to `take` from front to back, in pieces of 1 MiB.
///
/// # Errors
/// `weights/missing` where there is no such file, `io/failed`, or whatever `take` returns.
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
/// error where there is none.
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
