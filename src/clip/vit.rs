//! The image tower that is a vision transformer with a class token.

use burn::tensor::{Device, Tensor};

use super::block::Block;
use super::vision_config::VitConfig;
use crate::kernels::launch::rows_that_bind;
use crate::kernels::photo::patchify;
use crate::kernels::{LayerNorm, Linear, floats};

/// Images to features.
#[derive(Clone, Debug)]
pub struct VitTower {
    /// Sizes.
    pub config: VitConfig,
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

impl VitTower {
    /// Values of one preprocessed image: 3 S S.
    pub fn pixels_per_image(&self) -> usize {
        3 * self.config.image_size * self.config.image_size
    }

    /// Images whose token rows are at most `rows` and that every adapter can bind; one at least.
    pub fn images_within(&self, rows: usize) -> usize {
        let VitConfig {
            patch_size,
            width,
            mlp,
            ..
        } = self.config;
        let tokens = self.config.tokens();
        let widest = mlp.max(3 * width).max(3 * patch_size.pow(2));
        (rows_that_bind(widest, rows) / tokens).max(1)
    }

    /// `pixels` [B, 3, S, S] as patches [B N, 3 p p].
    pub fn cut(&self, pixels: &[f32]) -> Tensor<2> {
        let (size, patch) = (self.config.image_size, self.config.patch_size);
        let inputs = 3 * patch * patch;
        let rows = pixels.len() / inputs;
        let values = patchify(pixels, size, patch);
        floats(values, [rows, inputs], &self.device)
    }

    /// The token rows after `pre`, the class row first: patches [B N, 3 p p] -> [B, N + 1, W].
    pub fn embed(&self, patches: Tensor<2>) -> Tensor<3> {
        let width = self.config.width;
        let each = self.config.grid().pow(2);
        let batch = patches.dims()[0] / each;
        let tokens = self
            .patch
            .forward(patches, None, None)
            .reshape([batch, each, width]);
        let class = self
            .class
            .clone()
            .reshape([1, 1, width])
            .repeat_dim(0, batch);
        let x = Tensor::cat(vec![class, tokens], 1) + self.position.clone().unsqueeze::<3>();
        self.pre
            .forward(x.reshape([batch * (each + 1), width]))
            .reshape([batch, each + 1, width])
    }

    /// The token rows after `pre` and after every block, [B, N + 1, W] each.
    pub fn hidden_states(&self, pixels: &[f32]) -> Vec<Tensor<3>> {
        let mut states = vec![self.embed(self.cut(pixels))];
        for block in &self.blocks {
            let x = states[states.len() - 1].clone();
            states.push(block.forward(x, None));
        }
        states
    }

    fn split(&self) -> (&Block, &[Block]) {
        self.blocks
            .split_last()
            .expect("a tower has at least one block")
    }

    fn head(&self, rows: Tensor<2>) -> Tensor<2> {
        self.projection.forward(self.post.forward(rows), None, None)
    }

    /// Features before normalization: pixels [B, 3, S, S] -> [B, d], chunked over images.
    pub fn encode(&self, pixels: &[f32]) -> Tensor<2> {
        let most = self.images_within(usize::MAX) * self.pixels_per_image();
        if pixels.len() <= most {
            return self.encode_patches(self.cut(pixels));
        }
        let chunks = pixels.chunks(most);
        Tensor::cat(
            chunks.map(|p| self.encode_patches(self.cut(p))).collect(),
            0,
        )
    }

    /// Features before normalization: patches [B N, 3 p p] -> [B, d].
    pub fn encode_patches(&self, patches: Tensor<2>) -> Tensor<2> {
        self.run(self.embed(patches))
    }

    /// Features before normalization of embedded rows [B, T, W], the class row first -> [B, d]. The
    /// patches may be fewer than an image has.
    pub fn run(&self, x: Tensor<3>) -> Tensor<2> {
        let (last, first) = self.split();
        let x = first.iter().fold(x, |x, block| block.forward(x, None));
        let dims = x.dims();
        self.head(last.forward_picked(x, None, |rows| class_rows(rows, dims)))
    }

    /// Features [B, d] and local features of every patch [B, N, d] through the value path of the
    /// last block, both before normalization.
    pub fn encode_with_patches(&self, pixels: &[f32]) -> (Tensor<2>, Tensor<3>) {
        let (last, first) = self.split();
        let x = first.iter().fold(self.embed(self.cut(pixels)), |x, block| {
            block.forward(x, None)
        });
        let dims @ [batch, tokens, width] = x.dims();
        let class = last.forward_picked(x.clone(), None, |rows| class_rows(rows, dims));
        let local = last
            .value_path(x)
            .narrow(1, 1, tokens - 1)
            .reshape([batch * (tokens - 1), width]);
        let local = self.head(local);
        let d = local.dims()[1];
        (self.head(class), local.reshape([batch, tokens - 1, d]))
    }
}

/// The class row of each image, [B, W], of rows [B T, W].
fn class_rows(rows: Tensor<2>, [batch, tokens, width]: [usize; 3]) -> Tensor<2> {
    rows.reshape([batch, tokens, width])
        .narrow(1, 0, 1)
        .reshape([batch, width])
}
