//! Everything before the projection: pixels to the cells of the last layer.

use burn::tensor::{Device, Tensor};

use super::block::Block;
use super::config::EfficientNetConfig;
use super::lite::FEATURES;
use super::stem::Stem;
use crate::kernels::launch::{BINDING_BYTES, rows_that_bind};
use crate::kernels::{Activation, Linear, floats, mean_rows};

/// Values that count as one token row in [`Trunk::images_within`]: the widest row of ViT-B.
const ROW: usize = 3072;

/// Images to cells.
#[derive(Clone, Debug)]
pub struct Trunk {
    /// Sizes.
    pub config: EfficientNetConfig,
    /// The first convolution.
    pub stem: Stem,
    /// The blocks.
    pub blocks: Vec<Block>,
    /// The last 1 x 1 convolution, to 1,280 channels with ReLU6.
    pub head: Linear,
    /// Where the weights are.
    pub device: Device,
}

impl Trunk {
    /// Images that take no more memory than `rows` token rows of a large ViT and that every adapter
    /// can bind; one at least.
    pub fn images_within(&self, rows: usize) -> usize {
        let values = rows.saturating_mul(ROW).min(BINDING_BYTES / 4);
        (values / self.config.widest()).clamp(1, rows_that_bind(self.config.widest(), usize::MAX))
    }

    /// Cells of the last layer, pixels [B S S, 3] -> [B N, 1280].
    pub fn run(&self, pixels: Tensor<2>) -> Tensor<2> {
        let start = self.stem.forward(pixels);
        let (x, _) = self
            .blocks
            .iter()
            .fold(start, |(x, squares), block| block.forward(x, squares));
        self.head.forward(x, Some(Activation::Relu6), None)
    }

    /// The mean of each image's cells, [B N, 1280] -> [B, 1280].
    pub fn pool(&self, cells: Tensor<2>) -> Tensor<2> {
        mean_rows(cells, self.config.grid().pow(2))
    }

    /// Pooled features before the projection: preprocessed pixels [B, 3, S, S] -> [B, 1280].
    pub fn pooled(&self, pixels: &[f32]) -> Tensor<2> {
        let count = pixels.len() / (3 * self.config.image_size.pow(2));
        self.chunked(pixels, 1, |rows| self.pool(self.run(rows)))
            .reshape([count, FEATURES])
    }

    /// Cells before the projection: preprocessed pixels [B, 3, S, S] -> [B N, 1280].
    pub fn cells(&self, pixels: &[f32]) -> Tensor<2> {
        let each = self.config.grid().pow(2);
        self.chunked(pixels, each, |rows| self.run(rows))
    }

    /// `f` of images as rows [b S S, 3], as many at a time as fit; `f` gives `each` rows for an image.
    fn chunked(
        &self,
        pixels: &[f32],
        each: usize,
        f: impl Fn(Tensor<2>) -> Tensor<2> + Sync,
    ) -> Tensor<2> {
        let image = 3 * self.config.image_size.pow(2);
        #[cfg(not(target_arch = "wasm32"))]
        if !crate::kernels::is_gpu(&self.device) && pixels.len() > image {
            return self.parallel(pixels, each, f);
        }
        #[cfg(target_arch = "wasm32")]
        let _ = each;
        let at_once = self.images_within(usize::MAX) * image;
        let parts: Vec<Tensor<2>> = pixels
            .chunks(at_once)
            .map(|part| f(self.rows(part)))
            .collect();
        Tensor::cat(parts, 0)
    }

    /// [`chunked`](Self::chunked) with one image at a time on every core: the activations of one
    /// image stay in the caches, and the values do not depend on what else is in the batch.
    #[cfg(not(target_arch = "wasm32"))]
    fn parallel(
        &self,
        pixels: &[f32],
        each: usize,
        f: impl Fn(Tensor<2>) -> Tensor<2> + Sync,
    ) -> Tensor<2> {
        let image = 3 * self.config.image_size.pow(2);
        let count = pixels.len() / image;
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        let share = count.div_ceil(workers).max(1) * image;
        let mut out = vec![0f32; count * each * FEATURES];
        std::thread::scope(|scope| {
            let outs = out.chunks_mut(share / image * each * FEATURES);
            for (pixels, out) in pixels.chunks(share).zip(outs) {
                scope.spawn(|| {
                    let outs = out.chunks_exact_mut(each * FEATURES);
                    for (image, out) in pixels.chunks_exact(image).zip(outs) {
                        let y = f(self.rows(image)).into_data();
                        let y = y.as_slice::<f32>().expect("features are 32-bit floats");
                        out.copy_from_slice(y);
                    }
                });
            }
        });
        floats(out, [count * each, FEATURES], &self.device)
    }

    /// Pixels [B, 3, S, S] as rows [B S S, 3].
    fn rows(&self, pixels: &[f32]) -> Tensor<2> {
        let each = self.config.image_size.pow(2);
        let mut values = Vec::with_capacity(pixels.len());
        for image in pixels.chunks_exact(3 * each) {
            let (red, rest) = image.split_at(each);
            let (green, blue) = rest.split_at(each);
            for ((r, g), b) in red.iter().zip(green).zip(blue) {
                values.extend([*r, *g, *b]);
            }
        }
        floats(values, [pixels.len() / 3, 3], &self.device)
    }
}
