//! Captions beside pictures, as `captions.tsv` in their archive: a path, a tab, a sentence.

use std::path::Path;

use crate::checkpoint::read_file;
use crate::dataset::{Limits, unpack};
use crate::error::{Error, Kind, Result};

const FILE: &str = "captions.tsv";
const MAX_BYTES: u64 = 1 << 30;

/// The captions of the archive at `path` whose pictures lie in the folder `split`: paths and sentences.
///
/// # Errors
/// `io/failed`, `data/invalid` for another archive, `data/empty` if it has no captions.
pub fn read(path: &Path, split: &str) -> Result<Vec<(String, String)>> {
    let bytes = read_file(path, MAX_BYTES, Kind::Io)?;
    let name = path.display().to_string();
    for (member, bytes) in unpack(&name, &bytes, &Limits::default())? {
        if member.rsplit('/').next() != Some(FILE) {
            continue;
        }
        let text = String::from_utf8_lossy(&bytes?).into_owned();
        let start = format!("{split}/");
        return Ok(text
            .lines()
            .filter_map(|line| line.split_once('\t'))
            .filter(|(file, _)| file.starts_with(&start))
            .map(|(file, caption)| (file.to_owned(), caption.trim().to_owned()))
            .collect());
    }
    Err(Error::new(
        Kind::DataEmpty,
        format!("{name} has no {FILE}; give pictures with captions."),
    ))
}
