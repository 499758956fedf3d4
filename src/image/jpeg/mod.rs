//! JPEG to pixels, bit for bit as libjpeg gives them to PyTorch and Pillow. Small differences in
//! color move an answer near the line between two classes, and other decoders round elsewhere.
//!
//! Baseline, extended and progressive Huffman-coded files of 8 bits are read. Missing data is
//! never painted gray: every block of every scan that the file begins must be there. With an end
//! marker the file is whole once each component has had its scan (sequential) or its DC scan
//! (progressive). Without an end marker a sequential file follows the same rule, and a
//! progressive file must have brought every coefficient of every component to full precision,
//! since otherwise later scans were cut off. A file with an end marker and without later scans is a
//! coarse picture, whose blocks are smoothed.
//!
//! As libjpeg does, a sequential file without Huffman tables is read with those of the standard, and an
//! id that several components share stands for the next of them.

mod bits;
mod block;
mod color;
mod components;
mod frame;
mod idct;
mod markers;
mod reduction;
mod scan;
mod smooth;
mod standard;
mod upsample;

use ::image::{DynamicImage, ImageBuffer};

pub use reduction::Reduction;

use super::convert::Decoded;
use crate::error::{Error, Kind, Result};

/// Width and height from the frame header.
pub(super) fn dimensions(bytes: &[u8]) -> Result<(u32, u32)> {
    markers::find_frame(bytes).map(|frame| (frame.width, frame.height))
}

/// The picture at `reduction` as gray or RGB. [`Kind::ImageTruncated`] when scan data is missing,
/// [`Kind::ImageTooLarge`] when decoding would take more than `max_alloc` bytes,
/// [`Kind::ImageInvalid`] when the file is damaged or of a JPEG process that is not read.
pub(super) fn decode(bytes: &[u8], reduction: Reduction, max_alloc: u64) -> Result<Decoded> {
    let picture = markers::read(bytes, reduction, max_alloc)?;
    let frame = &picture.frame;
    let (width, height) = (reduction.of(frame.width), reduction.of(frame.height));
    let planes = picture.components.into_planes(frame, &picture.reached);
    let data = color::pixels(&planes, picture.colors, width as usize, height as usize);
    let pixels = match picture.colors.channels() {
        1 => ImageBuffer::from_raw(width, height, data).map(DynamicImage::ImageLuma8),
        _ => ImageBuffer::from_raw(width, height, data).map(DynamicImage::ImageRgb8),
    };
    Ok(Decoded {
        pixels: pixels
            .ok_or_else(|| Error::new(Kind::Internal, "Pixel count and dimensions disagree."))?,
        orientation: picture.orientation,
    })
}

fn truncated() -> Error {
    Error::new(
        Kind::ImageTruncated,
        "The JPEG ends before its pixel data does; download or export it again.",
    )
}

fn too_large() -> Error {
    Error::new(
        Kind::ImageTooLarge,
        "Decoding this JPEG needs too much memory; scale it down first.",
    )
}

fn invalid(what: &str) -> Error {
    Error::new(
        Kind::ImageInvalid,
        format!("The JPEG is damaged or of an unusual kind ({what}); export it again."),
    )
}
