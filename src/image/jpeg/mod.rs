//! Is this JPEG whole? The decoder paints missing data grey without a word, so the entropy-coded
//! data is walked first: Huffman symbols are counted and skipped, no coefficient is reconstructed.
//!
//! The rule. Every block of every scan that the file begins must be there. With an end marker the
//! file is whole once each component has had its scan (sequential) or its DC scan (progressive).
//! Without an end marker a sequential file follows the same rule, and a progressive file must
//! have brought every coefficient of every component to full precision, since otherwise later
//! scans were cut off.

mod bits;
mod frame;
mod scan;
mod walk;

use std::borrow::Cow;

use crate::error::{Error, Kind, Result};

/// Width and height from the frame header.
pub(super) fn dimensions(bytes: &[u8]) -> Result<(u32, u32)> {
    walk::find_frame(bytes).map(|frame| (frame.width, frame.height))
}

/// The bytes up to and including an end marker, which is added where only it is missing.
/// [`Kind::ImageTruncated`] when scan data is missing, [`Kind::ImageInvalid`] when the file is
/// damaged or of a JPEG process that is not read.
pub(super) fn complete(bytes: &[u8]) -> Result<Cow<'_, [u8]>> {
    let walked = walk::walk(bytes)?;
    let body = &bytes[..walked.end];
    if walked.has_end_marker {
        return Ok(Cow::Borrowed(body));
    }
    let mut closed = Vec::with_capacity(body.len() + 2);
    closed.extend_from_slice(body);
    closed.extend_from_slice(&[0xff, 0xd9]);
    Ok(Cow::Owned(closed))
}

fn truncated() -> Error {
    Error::new(
        Kind::ImageTruncated,
        "the JPEG ends before its pixel data does; download or export it again",
    )
}

fn invalid(what: &str) -> Error {
    Error::new(
        Kind::ImageInvalid,
        format!("the JPEG is damaged or of an unusual kind ({what}); export it again"),
    )
}
