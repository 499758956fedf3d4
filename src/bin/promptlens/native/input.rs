//! What comes from standard input: `-` in place of a file.

use std::io::{Read, stdin};
use std::path::Path;

use promptlens::dataset::read_image;
use promptlens::error::{Error, Kind, Result};
use promptlens::image::Limits;

/// The bytes of the image file at `path`; `-` is standard input.
///
/// # Errors
/// `io/failed`, `image/too-large`.
pub fn image(path: &Path) -> Result<Vec<u8>> {
    if path != Path::new("-") {
        return read_image(path);
    }
    // The decoder refuses what is beyond its limit by its own sentence.
    let most = Limits::default().max_bytes as u64;
    at_most(most.saturating_add(1))
}

/// All of standard input, at most `limit` bytes.
///
/// # Errors
/// `io/failed`.
pub fn standard_input(limit: u64) -> Result<Vec<u8>> {
    let bytes = at_most(limit.saturating_add(1))?;
    match bytes.len() as u64 > limit {
        true => Err(Error::new(
            Kind::Io,
            format!("Standard input is larger than {limit} bytes."),
        )),
        false => Ok(bytes),
    }
}

fn at_most(limit: u64) -> Result<Vec<u8>> {
    let mut bytes = Vec::new();
    stdin()
        .lock()
        .take(limit)
        .read_to_end(&mut bytes)
        .map_err(|error| Error::new(Kind::Io, format!("Standard input: {error}.")))?;
    Ok(bytes)
}
