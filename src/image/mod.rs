//! From a file to pixels: sniff, limits, decode, orientation once, Pillow-exact resize and crop.
//!
//! The order is fixed. The bytes are recognized by their first bytes alone ([`sniff`]), the
//! declared dimensions are checked before anything is allocated ([`dimensions`], [`Limits`]), the
//! pixels become 8-bit RGB with alpha composited over white ([`decode`]), and then the model's
//! [`Preprocess`] turns them into its input ([`resize_crop`], [`to_chw`]).

mod bitmap;
mod container;
mod convert;
mod decode;
mod foreign;
mod isobmff;
mod jpeg;
mod preprocess;
mod preprocess_config;
mod repair;
mod resample;
mod sniff;
pub mod views;

pub use bitmap::Bitmap;
pub use decode::{Limits, decode, dimensions, reduction};
pub use isobmff::{BrowserFormat, check_for_browser, check_size};
pub use jpeg::Reduction;
pub use preprocess::{Preprocess, Resize, resize_crop, to_chw};
pub use resample::{Filter, Rect, Taps, resize};
pub use sniff::{Format, sniff};

use crate::error::{Error, Kind, Result};

/// An 8-bit RGB image, rows from the top, `data[(y * width + x) * 3 + channel]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rgb8 {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// `width * height * 3` bytes, HWC.
    pub data: Vec<u8>,
}

impl Rgb8 {
    /// Wraps `data`. [`Kind::ImageInvalid`] when a side is zero or `data` has not exactly
    /// `width * height * 3` bytes.
    pub fn new(width: u32, height: u32, data: Vec<u8>) -> Result<Self> {
        let expected = (width as usize)
            .checked_mul(height as usize)
            .and_then(|n| n.checked_mul(3));
        if width == 0 || height == 0 || expected != Some(data.len()) {
            return Err(Error::new(
                Kind::ImageInvalid,
                format!(
                    "{} bytes are not the pixels of a {width} x {height} RGB image",
                    data.len()
                ),
            ));
        }
        Ok(Self {
            width,
            height,
            data,
        })
    }

    /// An image of one color. Both sides must be at least 1.
    pub fn filled(width: u32, height: u32, rgb: [u8; 3]) -> Self {
        let data = rgb.repeat(width as usize * height as usize);
        Self {
            width,
            height,
            data,
        }
    }

    /// The pixel in column `x` of row `y`, which must lie inside.
    #[inline]
    pub fn pixel(&self, x: u32, y: u32) -> [u8; 3] {
        let at = (y as usize * self.width as usize + x as usize) * 3;
        [self.data[at], self.data[at + 1], self.data[at + 2]]
    }

    /// The rectangle that covers the whole image.
    pub fn bounds(&self) -> Rect {
        Rect {
            x: 0,
            y: 0,
            width: self.width,
            height: self.height,
        }
    }
}
