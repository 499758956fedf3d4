//! What a model wants to see: size, crop and normalization, as its preprocessor configuration says.

use serde::{Deserialize, Serialize};

use super::{Filter, Rect, Rgb8, resize};
use crate::error::{Error, Kind, Result};

/// How an image is scaled before the center crop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Resize {
    /// Not at all.
    None,
    /// The shorter side to this length, the longer one in proportion, truncated to whole pixels.
    ShortestEdge(u32),
    /// The sides of a square image to this length. The configuration has no crop, so another
    /// image does not fit the model and is refused.
    SquareOnly(u32),
    /// To exactly this size, whatever the proportions.
    Exact {
        /// Columns.
        width: u32,
        /// Rows.
        height: u32,
    },
}

/// The way from an RGB image to the model's input.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Preprocess {
    /// The scaling that comes first.
    pub resize: Resize,
    /// Its kernel.
    pub filter: Filter,
    /// Columns of the center crop: the model's input width.
    pub crop_width: u32,
    /// Rows of the center crop: the model's input height.
    pub crop_height: u32,
    /// What each byte is multiplied by.
    pub rescale: f64,
    /// Subtracted per channel after rescaling.
    pub mean: [f32; 3],
    /// Divided by per channel after that.
    pub std: [f32; 3],
}

/// The per-channel mean of CLIP's training images.
pub const CLIP_MEAN: [f32; 3] = [0.481_454_66, 0.457_827_5, 0.408_210_73];
/// Their per-channel standard deviation.
pub const CLIP_STD: [f32; 3] = [0.268_629_54, 0.261_302_6, 0.275_777_1];

impl Preprocess {
    /// CLIP's own: shorter side to `size` by bicubic, center crop `size` x `size`, bytes to 0..1,
    /// CLIP's mean and standard deviation.
    pub fn clip(size: u32) -> Self {
        Self {
            resize: Resize::ShortestEdge(size),
            filter: Filter::Bicubic,
            crop_width: size,
            crop_height: size,
            rescale: 1.0 / 255.0,
            mean: CLIP_MEAN,
            std: CLIP_STD,
        }
    }

    /// Floats in one input: `3 * crop_height * crop_width`.
    pub fn input_len(&self) -> usize {
        3 * self.crop_height as usize * self.crop_width as usize
    }

    /// What each byte becomes, for each channel: `(byte * rescale - mean) / std`.
    pub fn tones(&self) -> [[f32; 256]; 3] {
        std::array::from_fn(|channel| {
            let (mean, std) = (f64::from(self.mean[channel]), f64::from(self.std[channel]));
            std::array::from_fn(|byte| ((byte as f64 * self.rescale - mean) / std) as f32)
        })
    }

    /// The size that `width` x `height` is scaled to before the crop.
    fn scaled(&self, width: u32, height: u32) -> (u64, u64) {
        let (w, h) = (u64::from(width), u64::from(height));
        match self.resize {
            Resize::None => (w, h),
            Resize::Exact { width, height } => (u64::from(width), u64::from(height)),
            Resize::ShortestEdge(edge) | Resize::SquareOnly(edge) => {
                let edge = u64::from(edge);
                if w <= h {
                    (edge, edge * h / w)
                } else {
                    (edge * w / h, edge)
                }
            }
        }
    }
}

impl Preprocess {
    /// The part of a `width` x `height` image that the model looks at, to the pixel. Where the
    /// scaled image is smaller than the crop this is the whole image.
    pub fn seen(&self, width: u32, height: u32) -> Rect {
        let (across, down) = self.scaled(width, height);
        let (x, seen_width) = part(across, self.crop_width, width);
        let (y, seen_height) = part(down, self.crop_height, height);
        Rect {
            x,
            y,
            width: seen_width,
            height: seen_height,
        }
    }
}

/// Start and length, on a side of `length` pixels, of the middle `crop` of the same side after it
/// was scaled to `scaled`.
fn part(scaled: u64, crop: u32, length: u32) -> (u32, u32) {
    if scaled <= u64::from(crop) {
        return (0, length);
    }
    let share = f64::from(crop) / scaled as f64;
    let seen = ((f64::from(length) * share).round() as u32).clamp(1, length);
    ((length - seen) / 2, seen)
}

/// Scales and center-crops `image` to the model's input size, bit for bit as Pillow (up to 12.0) and
/// torchvision do, computing only what the crop shows. Where the scaled image is smaller than the
/// crop the rest is black, as in torchvision.
///
/// [`Kind::ImageInvalid`] when `image` is so thin that its scaled length has no meaning;
/// [`Kind::ConfigInvalid`] when the model's configuration asks for no crop and `image` is not square.
pub fn resize_crop(image: &Rgb8, p: &Preprocess) -> Result<Rgb8> {
    let (width, height) = p.scaled(image.width, image.height);
    if matches!(p.resize, Resize::SquareOnly(_)) && width != height {
        return Err(Error::new(
            Kind::ConfigInvalid,
            "The model's preprocessor configuration says do_center_crop: false, so it takes square images only; crop the image to a square, or set do_center_crop to true.",
        ));
    }
    let side = |length: u64| {
        u32::try_from(length).map_err(|_| {
            Error::new(
                Kind::ImageInvalid,
                "The image is too long and thin; crop it first.",
            )
        })
    };
    let (width, height) = (side(width)?, side(height)?);
    let across = Placement::new(width, p.crop_width);
    let down = Placement::new(height, p.crop_height);
    let window = Rect {
        x: across.from,
        y: down.from,
        width: across.length,
        height: down.length,
    };
    let seen = resize(image, image.bounds(), (width, height), window, p.filter)?;
    if (seen.width, seen.height) == (p.crop_width, p.crop_height) {
        return Ok(seen);
    }
    let mut canvas = Rgb8::filled(p.crop_width, p.crop_height, [0; 3]);
    let row_bytes = seen.width as usize * 3;
    for (y, row) in seen.data.chunks_exact(row_bytes).enumerate() {
        let at = ((down.to as usize + y) * p.crop_width as usize + across.to as usize) * 3;
        canvas.data[at..at + row_bytes].copy_from_slice(row);
    }
    Ok(canvas)
}

/// One axis of a center crop: which part of the scaled image lands where in the crop.
struct Placement {
    from: u32,
    to: u32,
    length: u32,
}

impl Placement {
    fn new(scaled: u32, crop: u32) -> Self {
        if scaled >= crop {
            Self {
                from: half_to_even(scaled - crop),
                to: 0,
                length: crop,
            }
        } else {
            Self {
                from: 0,
                to: (crop - scaled) / 2,
                length: scaled,
            }
        }
    }
}

/// Python's `round(n / 2)`.
fn half_to_even(n: u32) -> u32 {
    let half = n / 2;
    half + (n & 1 & half)
}

/// The model's input, CHW: `(byte * rescale - mean) / std`. `image` must have the crop's size,
/// which [`resize_crop`] gives.
pub fn to_chw(image: &Rgb8, p: &Preprocess) -> Vec<f32> {
    let mut out = Vec::with_capacity(image.data.len());
    let (pixels, _) = image.data.as_chunks::<3>();
    for (channel, tones) in p.tones().iter().enumerate() {
        out.extend(
            pixels
                .iter()
                .map(|pixel| tones[usize::from(pixel[channel])]),
        );
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_round_to_even() {
        let rounded: Vec<u32> = (0..9).map(half_to_even).collect();
        assert_eq!(rounded, [0, 0, 1, 2, 2, 2, 3, 4, 4]);
    }
}
