//! The marks that JPEG compression leaves.

use ::image::ExtendedColorType;
use ::image::codecs::jpeg::JpegEncoder;

use crate::error::{Error, Kind, Result};
use crate::image::{Limits, Rgb8, decode};

/// `image` after compression to a JPEG of `quality` (1..=100) and back.
pub fn recompress(image: &Rgb8, quality: u8) -> Result<Rgb8> {
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
                format!("the image cannot be stored as a JPEG ({error}); scale it down first"),
            )
        })?;
    let limits = Limits {
        max_bytes: usize::MAX,
        max_pixels: u64::MAX,
        max_alloc: u64::MAX,
    };
    decode(&file, &limits)
}
