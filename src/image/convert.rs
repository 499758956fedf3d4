//! Whatever a decoder gives, as upright 8-bit RGB with the values Pillow would give.

use ::image::metadata::Orientation;
use ::image::{DynamicImage, ImageBuffer, Rgb};

use super::Rgb8;
use crate::error::{Error, Kind, Result};

/// A decoded frame and the turn its metadata asks for.
pub(super) struct Decoded {
    pub pixels: DynamicImage,
    pub orientation: Orientation,
}

/// The turn that an EXIF block asks for. The block itself begins with its byte order; some programs
/// put in front of it what marks it in a JPEG.
pub(super) fn exif_orientation(block: &[u8]) -> Option<Orientation> {
    let block = match block {
        [b'E', b'x', b'i', b'f', 0, _, block @ ..] => block,
        block => block,
    };
    Orientation::from_exif_chunk(block)
}

/// Drops depth, gray and alpha, then turns the image upright.
pub(super) fn to_upright_rgb(decoded: Decoded) -> Result<Rgb8> {
    let width = decoded.pixels.width();
    let height = decoded.pixels.height();
    let data = to_rgb(decoded.pixels)?;
    if decoded.orientation == Orientation::NoTransforms {
        return Rgb8::new(width, height, data);
    }
    let buffer: ImageBuffer<Rgb<u8>, Vec<u8>> = ImageBuffer::from_raw(width, height, data)
        .ok_or_else(|| Error::new(Kind::Internal, "Pixel count and dimensions disagree."))?;
    let mut image = DynamicImage::ImageRgb8(buffer);
    image.apply_orientation(decoded.orientation);
    let image = image.into_rgb8();
    Rgb8::new(image.width(), image.height(), image.into_raw())
}

fn to_rgb(pixels: DynamicImage) -> Result<Vec<u8>> {
    Ok(match pixels {
        DynamicImage::ImageRgb8(image) => image.into_raw(),
        DynamicImage::ImageLuma8(image) => gray(image.into_raw().into_iter()),
        DynamicImage::ImageLumaA8(image) => {
            let (pairs, _) = image.as_raw().as_chunks::<2>();
            gray(pairs.iter().map(|&[v, a]| over_white(v, a)))
        }
        DynamicImage::ImageRgba8(image) => {
            let (pixels, _) = image.as_raw().as_chunks::<4>();
            rgba(pixels.iter().copied())
        }
        DynamicImage::ImageRgb16(image) => image.as_raw().iter().map(|&v| high_byte(v)).collect(),
        DynamicImage::ImageLuma16(image) => gray(image.as_raw().iter().map(|&v| high_byte(v))),
        DynamicImage::ImageLumaA16(image) => {
            let (pairs, _) = image.as_raw().as_chunks::<2>();
            gray(
                pairs
                    .iter()
                    .map(|&[v, a]| over_white(high_byte(v), high_byte(a))),
            )
        }
        DynamicImage::ImageRgba16(image) => {
            let (pixels, _) = image.as_raw().as_chunks::<4>();
            rgba(pixels.iter().map(|pixel| pixel.map(high_byte)))
        }
        other => {
            return Err(Error::new(
                Kind::ImageInvalid,
                format!(
                    "The pixel format {:?} is not read; export the picture with 8 bits per colour.",
                    other.color()
                ),
            ));
        }
    })
}

/// Pillow keeps the high byte of 16-bit PNG samples.
fn high_byte(v: u16) -> u8 {
    (v >> 8) as u8
}

fn gray(values: impl ExactSizeIterator<Item = u8>) -> Vec<u8> {
    let mut out = Vec::with_capacity(values.len() * 3);
    for v in values {
        out.extend([v; 3]);
    }
    out
}

fn rgba(pixels: impl ExactSizeIterator<Item = [u8; 4]>) -> Vec<u8> {
    let mut out = Vec::with_capacity(pixels.len() * 3);
    for [r, g, b, a] in pixels {
        out.extend([over_white(r, a), over_white(g, a), over_white(b, a)]);
    }
    out
}

/// `Image.alpha_composite` over opaque white, in Pillow's integers with 7 extra bits: with an
/// opaque backdrop both blend weights are exact, so only the division by 255 rounds.
fn over_white(value: u8, alpha: u8) -> u8 {
    let alpha = u32::from(alpha);
    let sum = (u32::from(value) * alpha + 255 * (255 - alpha)) << 7;
    let sum = sum + (0x80 << 7);
    ((((sum >> 8) + sum) >> 8) >> 7) as u8
}

#[cfg(test)]
mod tests {
    use super::over_white;

    #[test]
    fn compositing_over_white_is_exact_rounding() {
        for value in 0..=255u8 {
            for alpha in 0..=255u8 {
                let (v, a) = (f64::from(value), f64::from(alpha));
                let exact = (v * a + 255.0 * (255.0 - a)) / 255.0;
                let got = f64::from(over_white(value, alpha));
                assert!((got - exact).abs() <= 0.5 + 1e-9, "{value} {alpha}: {got}");
            }
        }
        assert_eq!(over_white(7, 0), 255);
        assert_eq!(over_white(7, 255), 7);
    }
}
