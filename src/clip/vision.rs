//! The image tower: a ViT with a class token.

use burn::tensor::{Device, Tensor};

use super::block::Block;
use super::config::VisionConfig;
use crate::kernels::{LayerNorm, Linear, floats};

/// Images to features.
#[derive(Clone, Debug)]
pub struct VisionTower {
    /// Sizes.
    pub config: VisionConfig,
    /// The patch convolution as a linear layer over 3 p p inputs, without bias.
    pub patch: Linear,
    /// [W].
    pub class: Tensor<1>,
    /// [N + 1, W].
    pub position: Tensor<2>,
    /// On the tokens before the first block.
    pub pre: LayerNorm,
    /// The blocks.
    pub blocks: Vec<Block>,
    /// On the class row after the last block.
    pub post: LayerNorm,
    /// W -> d, without bias.
    pub projection: Linear,
    /// Where the weights are.
    pub device: Device,
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

impl VisionTower {
    /// Values of one preprocessed image: 3 S S.
    pub fn pixels_per_image(&self) -> usize {
        3 * self.config.image_size * self.config.image_size
    }

    /// The token rows after `pre`: pixels [B, 3, S, S] -> [B, N + 1, W].
    fn embed(&self, pixels: &[f32]) -> Tensor<3> {
        let VisionConfig {
            image_size,
            patch_size,
            width,
            ..
        } = self.config;
        let batch = pixels.len() / self.pixels_per_image();
        let patches = (image_size / patch_size).pow(2);
        let inputs = 3 * patch_size * patch_size;
        let cut = floats(
            patchify(pixels, image_size, patch_size),
            [batch * patches, inputs],
            &self.device,
        );
        let tokens = self
            .patch
            .forward(cut, None, None)
            .reshape([batch, patches, width]);
        let class = self
            .class
            .clone()
            .reshape([1, 1, width])
            .repeat_dim(0, batch);
        let x = Tensor::cat(vec![class, tokens], 1) + self.position.clone().unsqueeze::<3>();
        self.pre
            .forward(x.reshape([batch * (patches + 1), width]))
            .reshape([batch, patches + 1, width])
    }

    /// The token rows after `pre` and after every block, [B, N + 1, W] each.
    pub fn hidden_states(&self, pixels: &[f32]) -> Vec<Tensor<3>> {
        let mut states = vec![self.embed(pixels)];
        for block in &self.blocks {
            let x = states[states.len() - 1].clone();
            states.push(block.forward(x, None));
        }
        states
    }

    fn head(&self, rows: Tensor<2>) -> Tensor<2> {
        self.projection.forward(self.post.forward(rows), None, None)
    }

    /// Features before normalisation: pixels [B, 3, S, S] -> [B, d].
    pub fn encode(&self, pixels: &[f32]) -> Tensor<2> {
        let x = self
            .blocks
            .iter()
            .fold(self.embed(pixels), |x, block| block.forward(x, None));
        let [batch, _, width] = x.dims();
        self.head(x.narrow(1, 0, 1).reshape([batch, width]))
    }

    /// Features [B, d] and local features of every patch [B, N, d] through the value path of the
    /// last block, both before normalisation.
    pub fn encode_with_patches(&self, pixels: &[f32]) -> (Tensor<2>, Tensor<3>) {
        let (last, first) = self
            .blocks
            .split_last()
            .expect("a tower has at least one block");
        let x = first
            .iter()
            .fold(self.embed(pixels), |x, block| block.forward(x, None));
        let [batch, tokens, width] = x.dims();
        let class = last
            .forward(x.clone(), None)
            .narrow(1, 0, 1)
            .reshape([batch, width]);
        let local = last
            .value_path(x)
            .narrow(1, 1, tokens - 1)
            .reshape([batch * (tokens - 1), width]);
        let local = self.head(local);
        let d = local.dims()[1];
        (self.head(class), local.reshape([batch, tokens - 1, d]))
    }
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
