//! The marks that JPEG compression leaves.

use ::image::ExtendedColorType;
use ::image::codecs::jpeg::JpegEncoder;

use crate::error::{Error, Kind, Result};
use crate::image::{Limits, Rgb8, decode};

/// `image` as a JPEG file of `quality` (1..=100).
///
/// # Errors
/// [`Kind::ImageInvalid`] for an image that is too large for a JPEG.
pub fn encode_jpeg(image: &Rgb8, quality: u8) -> Result<Vec<u8>> {
    let mut file = Vec::new();
    JpegEncoder::new_with_quality(&mut file, quality)
        .encode(
            &image.data,
            image.width,
            image.height,
            ExtendedColorType::Rgb8,
        )
        .map_err(|error| {
            Error::new(
                Kind::ImageInvalid,
                format!("The image cannot be stored as a JPEG ({error}); scale it down first."),
            )
        })?;
    Ok(file)
}

/// `image` after compression to a JPEG of `quality` (1..=100) and back.
pub fn recompress(image: &Rgb8, quality: u8) -> Result<Rgb8> {
    let limits = Limits {
        max_bytes: usize::MAX,
        max_pixels: u64::MAX,
        max_alloc: u64::MAX,
    };
    decode(&encode_jpeg(image, quality)?, &limits)
}
