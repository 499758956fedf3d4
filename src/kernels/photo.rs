//! A photo beside the model: crops of it as the patches that the image tower takes, cut on the GPU
//! if the model is there, bit for bit as on the CPU.

use burn::backend::wgpu::CubeTensor;
use burn::tensor::{Device, Tensor};

use super::floats;
use super::launch::{BINDING_BYTES, Kernel, contiguous, dispatch_grid, empty, launch};
use super::primitive::{from_primitive, is_gpu, primitive, words};
use super::source::Constants;
use crate::error::Result;
use crate::image::views::Crop;
use crate::image::{Preprocess, Rgb8, Taps, to_chw};

const WORKGROUP: usize = 64;

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
            cut(photo, crop, (size, patch, view), &tones, &out, self);
        }
        Ok(from_primitive(out))
    }
}

/// Cuts one crop and writes its patches into `out`.
fn cut(
    photo: &CubeTensor,
    crop: &Crop,
    (size, patch, view): (usize, usize, usize),
    tones: &CubeTensor,
    out: &CubeTensor,
    on: &Photo<'_>,
) {
    let side = size as u32;
    let across = Taps::whole(crop.source.width, side, crop.filter);
    let down = Taps::whole(crop.source.height, side, crop.filter);
    let (first, end) = down.reach();
    let narrow = empty(photo, [end - first, size]);
    let top = crop.source.y as usize + first;
    run(
        "resample_rows",
        include_str!("../../shaders/resample_rows.wgsl"),
        (end - first) * size,
        &[photo, &table(&across, 0, crop.mirrored, on.device), &narrow],
        &[
            on.image.width as usize,
            crop.source.x as usize,
            top,
            end - first,
            size,
        ],
    );
    run(
        "resample_columns",
        include_str!("../../shaders/resample_columns.wgsl"),
        size * size,
        &[&narrow, &table(&down, first, false, on.device), tones, out],
        &[size, patch, view],
    );
}

fn run(
    name: &'static str,
    source: &'static str,
    items: usize,
    buffers: &[&CubeTensor],
    params: &[usize],
) {
    let constants = Constants::from([
        ("WORKGROUP", WORKGROUP.to_string()),
        ("PARAMS", buffers.len().to_string()),
    ]);
    let kernel = Kernel {
        name,
        source,
        constants,
        workgroup: [WORKGROUP as u32, 1, 1],
    };
    let params: Vec<_> = params.iter().map(|value| (*value).into()).collect();
    launch(kernel, dispatch_grid(items, WORKGROUP), buffers, &params);
}

/// (start, first weight, weights) of every output position, starts counted from `first`, then all
/// weights.
fn table(taps: &Taps, first: usize, reversed: bool, device: &Device) -> CubeTensor {
    let mut order: Vec<(usize, &[i32])> = taps.iter().collect();
    if reversed {
        order.reverse();
    }
    let mut entries = Vec::with_capacity(3 * order.len());
    let mut weights = Vec::new();
    for (start, these) in &order {
        entries.extend([start - first, 3 * order.len() + weights.len(), these.len()]);
        weights.extend_from_slice(these);
    }
    // Positions in a photo and a table of its taps are far below 2^31.
    let values: Vec<i32> = entries
        .into_iter()
        .map(|e| e as i32)
        .chain(weights)
        .collect();
    let count = values.len();
    words(values, [1, count], device)
}

/// Cuts `pixels` [B, 3, S, S] into patches [B, (S/p)^2, 3 p p], patches row by row and values in
/// the order of a convolution's weights.
pub fn patchify(pixels: &[f32], size: usize, patch: usize) -> Vec<f32> {
    let side = size / patch;
    let mut out = Vec::with_capacity(pixels.len());
    for image in pixels.chunks_exact(3 * size * size) {
        for py in 0..side {
            for px in 0..side {
                for channel in image.chunks_exact(size * size) {
                    for y in 0..patch {
                        let start = (py * patch + y) * size + px * patch;
                        out.extend_from_slice(&channel[start..start + patch]);
                    }
                }
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::patchify;

    #[test]
    fn patches_follow_the_convolution_order() {
        // One image, 3 channels of 4 x 4, patch 2: value = channel * 100 + y * 10 + x.
        let pixels: Vec<f32> = (0..3)
            .flat_map(|c| {
                (0..4).flat_map(move |y| (0..4).map(move |x| (c * 100 + y * 10 + x) as f32))
            })
            .collect();
        let patches = patchify(&pixels, 4, 2);
        assert_eq!(
            &patches[..12],
            &[
                0., 1., 10., 11., 100., 101., 110., 111., 200., 201., 210., 211.
            ]
        );
        assert_eq!(&patches[12..16], &[2., 3., 12., 13.]);
        assert_eq!(&patches[24..28], &[20., 21., 30., 31.]);
    }
}
