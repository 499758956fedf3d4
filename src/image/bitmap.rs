//! Pixels that another decoder made, as a file that [`decode`](super::decode) reads.

use super::Limits;
use super::isobmff::check_size;
use crate::error::{Error, Kind, Result};

const FILE_HEADER: usize = 14;
const INFO_HEADER: usize = 40;

/// An uncompressed bitmap that is filled from the top.
#[derive(Debug)]
pub struct Bitmap {
    width: u32,
    height: u32,
    divisor: u32,
    file: Vec<u8>,
}

impl Bitmap {
    /// Room for a picture of `width x height` pixels, or for a smaller one: its sides are divided until
    /// the file keeps [`Limits::max_bytes`].
    ///
    /// # Errors
    /// [`Kind::ImageTooLarge`], [`Kind::ImageInvalid`].
    pub fn fitting(width: u32, height: u32, limits: &Limits) -> Result<Self> {
        check_size(width, height, limits)?;
        let mut divisor = 1;
        while Self::bytes(width.div_ceil(divisor), height.div_ceil(divisor)) > limits.max_bytes {
            divisor *= 2;
        }
        let (width, height) = (width.div_ceil(divisor), height.div_ceil(divisor));
        let size = Self::bytes(width, height);
        let mut file = Vec::with_capacity(size);
        file.extend(b"BM");
        file.extend((size as u32).to_le_bytes());
        file.extend([0; 4]);
        file.extend(((FILE_HEADER + INFO_HEADER) as u32).to_le_bytes());
        file.extend((INFO_HEADER as u32).to_le_bytes());
        file.extend(width.to_le_bytes());
        // Negative: rows from the top.
        file.extend((height as i32).wrapping_neg().to_le_bytes());
        file.extend([1, 0, 24, 0]);
        file.resize(FILE_HEADER + INFO_HEADER, 0);
        Ok(Self {
            width,
            height,
            divisor,
            file,
        })
    }

    fn bytes(width: u32, height: u32) -> usize {
        FILE_HEADER + INFO_HEADER + Self::stride(width) * height as usize
    }

    /// Rows are filled up to whole words.
    fn stride(width: u32) -> usize {
        (width as usize * 3).next_multiple_of(4)
    }

    /// Columns and rows of the bitmap.
    pub fn size(&self) -> (u32, u32) {
        (self.width, self.height)
    }

    /// By how much the sides of the picture are divided.
    pub fn divisor(&self) -> u32 {
        self.divisor
    }

    /// Adds whole rows of opaque RGBA pixels.
    pub fn push(&mut self, rows: &[u8]) {
        for row in rows.chunks_exact(self.width as usize * 4) {
            let (pixels, _) = row.as_chunks::<4>();
            self.file
                .extend(pixels.iter().flat_map(|[r, g, b, _]| [*b, *g, *r]));
            let padding = Self::stride(self.width) - self.width as usize * 3;
            self.file.extend(std::iter::repeat_n(0, padding));
        }
    }

    /// The file.
    ///
    /// # Errors
    /// [`Kind::Internal`] when rows are missing or too many.
    pub fn finish(self) -> Result<Vec<u8>> {
        if self.file.len() != Self::bytes(self.width, self.height) {
            return Err(Error::new(
                Kind::Internal,
                "The pixels of a bitmap and its size disagree.",
            ));
        }
        Ok(self.file)
    }
}
