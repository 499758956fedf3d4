//! The trunk with its projection into the joint space.

use burn::tensor::Tensor;

use super::trunk::Trunk;
use crate::kernels::Linear;

/// Images to features. A feature is the projection of the mean of the image's cells; the projection
/// is linear, so it is the mean of the projected cells as well.
#[derive(Clone, Debug)]
pub struct EfficientNetTower {
    /// Pixels to cells.
    pub trunk: Trunk,
    /// 1280 -> d.
    pub projection: Linear,
}

impl EfficientNetTower {
    /// Features before normalization: pixels [B, 3, S, S] -> [B, d].
    pub fn encode(&self, pixels: &[f32]) -> Tensor<2> {
        let pooled = self.trunk.pooled(pixels);
        self.projection.forward(pooled, None, None)
    }

    /// The same of pixels [B S S, 3].
    pub fn encode_patches(&self, pixels: Tensor<2>) -> Tensor<2> {
        let pooled = self.trunk.pool(self.trunk.run(pixels));
        self.projection.forward(pooled, None, None)
    }

    /// Features [B, d] and those of every cell [B, N, d], both before normalization. The feature is
    /// the mean of the cells.
    pub fn encode_with_patches(&self, pixels: &[f32]) -> (Tensor<2>, Tensor<3>) {
        let each = self.trunk.config.grid().pow(2);
        let cells = self.trunk.cells(pixels);
        let feature = self.trunk.pool(cells.clone());
        let local = self.projection.forward(cells, None, None);
        let [rows, d] = local.dims();
        (
            self.projection.forward(feature, None, None),
            local.reshape([rows / each, each, d]),
        )
    }
}
