//! The image tower, whichever kind it is.

use burn::tensor::{Device, Tensor};

use super::efficientnet::EfficientNetTower;
use super::vision_config::needs_vit;
use super::vit::VitTower;
use crate::error::Result;

/// Images to features.
#[derive(Clone, Debug)]
#[expect(
    clippy::large_enum_variant,
    reason = "one value for each model, never moved in bulk"
)]
pub enum VisionTower {
    /// A vision transformer.
    Vit(VitTower),
    /// An EfficientNet-Lite.
    EfficientNet(EfficientNetTower),
}

impl VisionTower {
    /// Where the weights are.
    pub fn device(&self) -> &Device {
        match self {
            Self::Vit(tower) => &tower.device,
            Self::EfficientNet(tower) => &tower.trunk.device,
        }
    }

    /// Side of the square input in pixels.
    pub fn image_size(&self) -> usize {
        match self {
            Self::Vit(tower) => tower.config.image_size,
            Self::EfficientNet(tower) => tower.trunk.config.image_size,
        }
    }

    /// Local features along one side of the image.
    pub fn grid(&self) -> usize {
        match self {
            Self::Vit(tower) => tower.config.grid(),
            Self::EfficientNet(tower) => tower.trunk.config.grid(),
        }
    }

    /// Side of the squares that [`encode_patches`](Self::encode_patches) takes: a convolution takes
    /// single pixels.
    pub fn patch_size(&self) -> usize {
        match self {
            Self::Vit(tower) => tower.config.patch_size,
            Self::EfficientNet(_) => 1,
        }
    }

    /// Values of one preprocessed image: 3 S S.
    pub fn pixels_per_image(&self) -> usize {
        3 * self.image_size().pow(2)
    }

    /// Images whose token rows are at most `rows` and that every adapter can bind; one at least.
    pub fn images_within(&self, rows: usize) -> usize {
        match self {
            Self::Vit(tower) => tower.images_within(rows),
            Self::EfficientNet(tower) => tower.trunk.images_within(rows),
        }
    }

    /// Features before normalization: pixels [B, 3, S, S] -> [B, d], chunked over images.
    pub fn encode(&self, pixels: &[f32]) -> Tensor<2> {
        match self {
            Self::Vit(tower) => tower.encode(pixels),
            Self::EfficientNet(tower) => tower.encode(pixels),
        }
    }

    /// Features before normalization of images cut into squares of
    /// [`patch_size`](Self::patch_size) p: [B (S / p)^2, 3 p p] -> [B, d].
    pub fn encode_patches(&self, patches: Tensor<2>) -> Tensor<2> {
        match self {
            Self::Vit(tower) => tower.encode_patches(patches),
            Self::EfficientNet(tower) => tower.encode_patches(patches),
        }
    }

    /// Features [B, d] and local features [B, N, d], both before normalization: of every patch
    /// through the value path of a ViT's last block, of every cell of an EfficientNet.
    pub fn encode_with_patches(&self, pixels: &[f32]) -> (Tensor<2>, Tensor<3>) {
        match self {
            Self::Vit(tower) => tower.encode_with_patches(pixels),
            Self::EfficientNet(tower) => tower.encode_with_patches(pixels),
        }
    }

    /// The vision transformer, for `what` alone can be done with one.
    ///
    /// # Errors
    /// `model/needs-vit` for a tower of another kind.
    pub fn vit(&self, what: &str) -> Result<&VitTower> {
        match self {
            Self::Vit(tower) => Ok(tower),
            Self::EfficientNet(tower) => Err(needs_vit(what, &tower.trunk.config)),
        }
    }
}
