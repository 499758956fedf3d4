//! A photo beside the model: crops of it as the patches that the image tower takes, cut on the GPU
//! if the model is there, bit for bit as on the CPU.

pub mod cases;
mod gpu;
mod patchify;

use burn::backend::wgpu::CubeTensor;
use burn::tensor::{Device, Tensor};

pub use patchify::patchify;

use super::floats;
use super::launch::{BINDING_BYTES, contiguous, empty};
use super::primitive::{from_primitive, is_gpu, primitive, words};
use crate::error::Result;
use crate::image::views::Crop;
use crate::image::{Preprocess, Rgb8, to_chw};

/// The largest photo that every adapter can bind.
const MAX_PIXELS: usize = BINDING_BYTES / 4;

/// A photo to cut crops from.
pub struct Photo<'a> {
    image: &'a Rgb8,
    /// One word for each pixel, red in the lowest byte.
    uploaded: Option<CubeTensor>,
    device: &'a Device,
}

impl<'a> Photo<'a> {
    /// Uploads `image` if `device` is a GPU that can hold it.
    pub fn new(image: &'a Rgb8, device: &'a Device) -> Self {
        let (pixels, _) = image.data.as_chunks::<3>();
        let uploaded = (is_gpu(device) && pixels.len() <= MAX_PIXELS).then(|| {
            let packed: Vec<i32> = pixels
                .iter()
                .map(|&[r, g, b]| i32::from_le_bytes([r, g, b, 0]))
                .collect();
            let shape = [image.height as usize, image.width as usize];
            words(packed, shape, device)
        });
        Self {
            image,
            uploaded,
            device,
        }
    }

    /// Whether crops are cut on the GPU.
    pub fn is_uploaded(&self) -> bool {
        self.uploaded.is_some()
    }

    /// `crops` scaled to `p`'s crop size S x S, which `patch` divides, and normalized:
    /// [N (S / patch)^2, 3 patch^2].
    ///
    /// # Errors
    /// `engine/internal` for a crop outside the photo.
    pub fn patches(&self, crops: &[Crop], p: &Preprocess, patch: usize) -> Result<Tensor<2>> {
        let size = p.crop_width as usize;
        let cells = crops.len() * (size / patch).pow(2);
        let shape = [cells, 3 * patch * patch];
        let Some(photo) = &self.uploaded else {
            let mut values = Vec::with_capacity(shape[0] * shape[1]);
            for crop in crops {
                let view = crop.cut(self.image, (p.crop_width, p.crop_height))?;
                values.extend(patchify(&to_chw(&view, p), size, patch));
            }
            return Ok(floats(values, shape, self.device));
        };
        let tones = floats(p.tones().as_flattened().to_vec(), [768], self.device);
        let tones = contiguous(primitive(tones));
        let out = empty(photo, shape);
        for (view, crop) in crops.iter().enumerate() {
            crop.source.check(self.image.width, self.image.height)?;
            gpu::cut(photo, crop, (size, patch, view), &tones, &out, self);
        }
        Ok(from_primitive(out))
    }
}
