//! The front door for image bytes: limits, dimensions, decoding, orientation.

use std::io::Cursor;

use ::image::codecs::bmp::BmpDecoder;
use ::image::codecs::gif::GifDecoder;
use ::image::codecs::png::PngDecoder;
use ::image::codecs::webp::WebPDecoder;
use ::image::metadata::Orientation;
use ::image::{DynamicImage, ImageDecoder, ImageError, ImageResult};

use super::convert::Decoded;
use super::foreign::refusal;
use super::repair::repaired;
use super::{Format, Reduction, Rgb8, container, convert, jpeg, sniff};
use crate::error::{Error, Kind, Result};

/// What a file may cost before it is refused. The checks run on the header, before any pixel is
/// decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest file in bytes.
    pub max_bytes: usize,
    /// Largest declared `width * height`; see [`reduction`] for JPEG.
    pub max_pixels: u64,
    /// Most memory in bytes that a decoder may ask for beside the file itself.
    pub max_alloc: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            max_bytes: 64 << 20,
            max_pixels: 50_000_000,
            max_alloc: 512 << 20,
        }
    }
}

/// Width and height as the file's header declares them, before orientation; nothing is decoded.
///
/// Errors: [`Kind::ImageEmpty`], [`Kind::ImageUnknownFormat`], [`Kind::ImageTruncated`],
/// [`Kind::ImageInvalid`].
pub fn dimensions(bytes: &[u8]) -> Result<(u32, u32)> {
    let format = recognize(bytes)?;
    declared_dimensions(bytes, format)
}

/// How many times as many pixels as others a JPEG may declare.
const JPEG_PIXELS: u64 = 4;

/// By how much [`decode`] divides the sides of this file, from its header: JPEGs beyond
/// [`Limits::max_pixels`] are made smaller while they are decoded, as long as they declare at most four
/// times as many.
///
/// Errors: those of [`dimensions`], [`Kind::ImageTooLarge`].
pub fn reduction(bytes: &[u8], limits: &Limits) -> Result<Reduction> {
    reduction_of(bytes, recognize(bytes)?, limits)
}

fn reduction_of(bytes: &[u8], format: Format, limits: &Limits) -> Result<Reduction> {
    let (width, height) = declared_dimensions(bytes, format)?;
    let pixels =
        |reduction: Reduction| u64::from(reduction.of(width)) * u64::from(reduction.of(height));
    let (most, offered) = match format {
        Format::Jpeg => (
            limits.max_pixels.saturating_mul(JPEG_PIXELS),
            &Reduction::ALL[..],
        ),
        _ => (limits.max_pixels, &Reduction::ALL[..1]),
    };
    let fits = |reduction: &&Reduction| pixels(**reduction) <= limits.max_pixels;
    let found = offered
        .iter()
        .find(fits)
        .filter(|_| pixels(Reduction::One) <= most);
    found.copied().ok_or_else(|| {
        Error::new(
            Kind::ImageTooLarge,
            format!(
                "The {} declares {width} x {height} pixels, more than the {most} accepted; \
                 scale it down first.",
                format.name()
            ),
        )
    })
}

/// Decodes the first (or only) frame to 8-bit RGB, upright.
///
/// * EXIF orientation is applied exactly once, whether or not the block begins with `Exif\0\0`.
/// * 16-bit samples keep their high byte, as in Pillow.
/// * Alpha is composited over white by Pillow's integer rule, then dropped.
/// * GIF, animated WebP and APNG give their first frame; the part of the canvas which that frame
///   does not cover is transparent, hence white. A first frame of a GIF that is larger than the
///   screen widens it.
/// * JPEG gives the same bytes as libjpeg-turbo with its default settings, the smooth blocks of
///   progressive files whose later scans are missing included.
/// * JPEGs beyond the limit of pixels are decoded at the [`reduction`] that keeps it.
/// * CMYK and YCCK JPEGs are converted without a color profile; embedded profiles are ignored.
///
/// A file whose pixel data is incomplete is refused with [`Kind::ImageTruncated`]; for JPEG a
/// missing end marker alone is accepted when every scan is whole.
///
/// Errors: [`Kind::ImageEmpty`], [`Kind::ImageUnknownFormat`], [`Kind::ImageTooLarge`],
/// [`Kind::ImageTruncated`], [`Kind::ImageInvalid`].
pub fn decode(bytes: &[u8], limits: &Limits) -> Result<Rgb8> {
    if bytes.len() > limits.max_bytes {
        return Err(Error::new(
            Kind::ImageTooLarge,
            format!(
                "The file has {} bytes, more than the {} accepted; use a smaller one.",
                bytes.len(),
                limits.max_bytes
            ),
        ));
    }
    let format = recognize(bytes)?;
    let reduction = reduction_of(bytes, format, limits)?;
    if container::ends_early(bytes, format) {
        return Err(truncated(format));
    }
    let mut memory = ::image::Limits::no_limits();
    memory.max_alloc = Some(limits.max_alloc);
    let file = repaired(bytes, format);
    let file = Cursor::new(file.as_ref());
    let decoded = match format {
        Format::Jpeg => {
            return jpeg::decode(bytes, reduction, limits.max_alloc)
                .and_then(convert::to_upright_rgb);
        }
        Format::Png => {
            PngDecoder::with_limits(file, memory.clone()).and_then(|d| first_frame(d, memory))
        }
        Format::WebP => WebPDecoder::new(file).and_then(|d| first_frame(d, memory)),
        Format::Gif => GifDecoder::new(file).and_then(|d| first_frame(d, memory)),
        Format::Bmp => BmpDecoder::new(file).and_then(|d| first_frame(d, memory)),
    };
    decoded
        .map_err(|error| explain(bytes, format, &error))
        .and_then(convert::to_upright_rgb)
}

fn recognize(bytes: &[u8]) -> Result<Format> {
    if bytes.is_empty() {
        return Err(Error::new(
            Kind::ImageEmpty,
            "The file is empty; choose another one.",
        ));
    }
    sniff(bytes).ok_or_else(|| Error::new(Kind::ImageUnknownFormat, refusal(bytes)))
}

fn declared_dimensions(bytes: &[u8], format: Format) -> Result<(u32, u32)> {
    let (width, height) = match format {
        Format::Jpeg => jpeg::dimensions(bytes)?,
        _ => container::dimensions(bytes, format).ok_or_else(|| truncated(format))?,
    };
    if width == 0 || height == 0 {
        return Err(Error::new(
            Kind::ImageInvalid,
            format!("The {} declares no pixels; export it again.", format.name()),
        ));
    }
    Ok((width, height))
}

fn first_frame(mut decoder: impl ImageDecoder, memory: ::image::Limits) -> ImageResult<Decoded> {
    decoder.set_limits(memory)?;
    let exif = decoder.exif_metadata()?;
    let orientation = exif.as_deref().and_then(convert::exif_orientation);
    let pixels = DynamicImage::from_decoder(decoder)?;
    Ok(Decoded {
        pixels,
        orientation: orientation.unwrap_or(Orientation::NoTransforms),
    })
}

fn truncated(format: Format) -> Error {
    Error::new(
        Kind::ImageTruncated,
        format!(
            "The {} ends before its pixel data does; download or export it again.",
            format.name()
        ),
    )
}

fn explain(bytes: &[u8], format: Format, error: &ImageError) -> Error {
    match error {
        ImageError::Limits(_) => Error::new(
            Kind::ImageTooLarge,
            format!(
                "Decoding this {} needs too much memory; scale it down first.",
                format.name()
            ),
        ),
        ImageError::IoError(io) if io.kind() == std::io::ErrorKind::UnexpectedEof => {
            truncated(format)
        }
        _ if container::lacks_end(bytes, format) => truncated(format),
        _ => Error::new(
            Kind::ImageInvalid,
            format!(
                "The {} is damaged or uses a feature that is not read ({error}); export it again.",
                format.name()
            ),
        ),
    }
}
