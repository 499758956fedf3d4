//! Makes a small data set of large ones: one gzipped tar of `train/<class>/<number>.jpg`.
//!
//! It is read like any other data set. It exists because a borrowed machine may take only a few
//! megabytes and download nothing.

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use tar::{Builder, Header};

use super::held_out::HeldOut;
use super::photos::{TRAIN_SPLIT, each};
use crate::error::{Error, Kind, Result};
use crate::image::views::{encode_jpeg, scale_down};
use crate::image::{Format, sniff};

/// How small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Packing {
    /// Photos with a longer shorter side are scaled down to this.
    pub edge: u32,
    /// JPEG quality of photos that are stored anew, 1 to 100.
    pub quality: u8,
    /// The most bytes of the whole file.
    pub max_bytes: u64,
}

/// What was packed.
#[derive(Debug, Clone, Default)]
pub struct Packed {
    /// Photos by class.
    pub classes: BTreeMap<String, usize>,
    /// Photos that are in their original bytes.
    pub unchanged: usize,
    /// Photos of held-out names, which are not in it.
    pub left_out: usize,
    /// Bytes of the file.
    pub bytes: u64,
    /// Files that could not be used, and why.
    pub failures: Vec<(String, Error)>,
}

/// Packs the split `train` of the data sets at `paths` into the file `out`, which appears only once
/// it is complete. Equal input gives equal bytes.
///
/// # Errors
/// Those of [`each`]; `options/invalid` for a quality or an edge out of range; `data/too-large`
/// beyond `max_bytes`; `io/failed`.
pub fn pack(
    paths: &[PathBuf],
    held_out: &HeldOut,
    packing: &Packing,
    out: &Path,
) -> Result<Packed> {
    if !(1..=100).contains(&packing.quality) || packing.edge == 0 {
        return Err(Error::new(
            Kind::OptionInvalid,
            "The quality must be from 1 to 100 and the edge at least 1.",
        ));
    }
    let failed = |path: &Path, error: &std::io::Error| {
        Error::new(Kind::Io, format!("{}: {error}.", path.display()))
    };
    let unfinished = out.with_extension("part");
    let file = fs::File::create(&unfinished).map_err(|error| failed(&unfinished, &error))?;
    let zipped = GzEncoder::new(BufWriter::new(file), Compression::best());
    let mut tar = Builder::new(zipped);
    let mut packed = Packed::default();
    let outcome = each(paths, held_out, &mut |_, item, bytes, image| {
        let number = packed.classes.entry(item.class.clone()).or_default();
        let small = image.width.min(image.height) <= packing.edge;
        let bytes = if small && sniff(&bytes) == Some(Format::Jpeg) {
            packed.unchanged += 1;
            bytes
        } else if small {
            encode_jpeg(&image, packing.quality)?
        } else {
            encode_jpeg(&scale_down(&image, packing.edge)?, packing.quality)?
        };
        let mut header = Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        let name = format!("{TRAIN_SPLIT}/{}/{number:06}.jpg", item.class);
        *number += 1;
        tar.append_data(&mut header, &name, bytes.as_slice())
            .map_err(|error| failed(&unfinished, &error))
    });
    let written = outcome.and_then(|passed| {
        packed.left_out = passed.left_out;
        packed.failures = passed.failures;
        tar.into_inner()
            .and_then(GzEncoder::finish)
            .and_then(|mut buffer| buffer.flush())
            .and_then(|()| fs::metadata(&unfinished))
            .map_err(|error| failed(&unfinished, &error))
    });
    let checked = written.and_then(|found| {
        packed.bytes = found.len();
        if packed.bytes > packing.max_bytes {
            return Err(Error::new(
                Kind::DataTooLarge,
                format!(
                    "The photos make {} bytes, more than {}; use a smaller edge or quality.",
                    packed.bytes, packing.max_bytes
                ),
            ));
        }
        fs::rename(&unfinished, out).map_err(|error| failed(out, &error))
    });
    match checked {
        Ok(()) => Ok(packed),
        Err(error) => {
            // The reason is worth more than what becomes of the unfinished file.
            let _ = fs::remove_file(&unfinished);
            Err(error)
        }
    }
}
