//! The contrastive loss if several images share a caption and several captions fit an image.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor};

use crate::kernels::floats;

/// How well each caption fits each image.
#[derive(Debug, Clone, PartialEq)]
pub struct Matches {
    /// [images, captions], none below zero.
    pub weights: Vec<f32>,
    /// Captions.
    pub captions: usize,
}

impl Matches {
    /// Target distributions over captions, one for each image, [images, captions], and their number.
    /// `smoothing` of each is spread over all captions.
    pub fn of_images(&self, smoothing: f32) -> (Vec<f32>, usize) {
        normalized(&self.weights, self.captions, smoothing)
    }

    /// Target distributions over images, one for each caption, [captions, images], and the number of
    /// captions that fit an image at all: the rows of the others are zero.
    pub fn of_captions(&self) -> (Vec<f32>, usize) {
        let images = self.weights.len() / self.captions.max(1);
        let turned: Vec<f32> = (0..self.captions)
            .flat_map(|caption| {
                (0..images).map(move |image| self.weights[image * self.captions + caption])
            })
            .collect();
        normalized(&turned, images, 0.0)
    }
}

fn normalized(weights: &[f32], width: usize, smoothing: f32) -> (Vec<f32>, usize) {
    let mut rows = 0;
    let mut out = Vec::with_capacity(weights.len());
    for row in weights.chunks(width.max(1)) {
        let sum: f32 = row.iter().sum();
        if sum > 0.0 {
            rows += 1;
            let even = smoothing / width as f32;
            out.extend(row.iter().map(|w| (1.0 - smoothing) * w / sum + even));
        } else {
            out.extend(std::iter::repeat_n(0.0, row.len()));
        }
    }
    (out, rows)
}

/// Rows of length one.
pub fn normalize(features: Tensor<2>) -> Tensor<2> {
    let norm = (features.clone() * features.clone()).sum_dim(1).sqrt();
    features / norm.clamp_min(1e-12)
}

/// Symmetric cross-entropy of `scale` times the cosines of images [B, d] and captions [C, d] with
/// the soft targets of `matches`, [1]; and the logits [B, C].
pub fn contrastive(
    images: Tensor<2>,
    captions: Tensor<2>,
    scale: Tensor<1>,
    matches: &Matches,
    smoothing: f32,
) -> (Tensor<1>, Tensor<2>) {
    let device = images.device().inner();
    let logits = normalize(images).matmul(normalize(captions).transpose()) * scale.unsqueeze::<2>();
    let [b, c] = logits.dims();
    let (targets, rows) = matches.of_images(smoothing);
    let by_image = cross_entropy(logits.clone(), targets, [b, c], rows, &device);
    let (targets, rows) = matches.of_captions();
    let by_caption = cross_entropy(logits.clone().transpose(), targets, [c, b], rows, &device);
    ((by_image + by_caption) * 0.5, logits)
}

fn cross_entropy(
    logits: Tensor<2>,
    targets: Vec<f32>,
    shape: [usize; 2],
    rows: usize,
    device: &Device,
) -> Tensor<1> {
    let targets = floats(targets, shape, device);
    (log_softmax(logits, 1) * targets).sum() * (-1.0 / rows.max(1) as f32)
}

/// One minus the mean cosine of text features [K, d] and given embeddings [K, d] of length one, [1].
pub fn distil(features: Tensor<2>, wanted: Vec<f32>) -> Tensor<1> {
    let (device, shape) = (features.device().inner(), features.dims());
    let wanted = floats(wanted, shape, &device);
    (normalize(features) * wanted).sum() * (-1.0 / shape[0] as f32) + 1.0
}

#[cfg(test)]
mod tests {
    use super::Matches;

    #[test]
    fn same_captions_share_a_target() {
        // Images of classes 0, 0, 1; captions of classes 0, 1, 2.
        let matches = Matches {
            weights: vec![1., 0., 0., 1., 0., 0., 0., 1., 0.],
            captions: 3,
        };
        assert_eq!(matches.of_images(0.0), (matches.weights.clone(), 3));
        let (targets, rows) = matches.of_captions();
        assert_eq!(targets, [0.5, 0.5, 0., 0., 0., 1., 0., 0., 0.]);
        assert_eq!(rows, 2);
        let (smooth, _) = matches.of_images(0.3);
        assert!((smooth[0] - 0.8).abs() < 1e-6 && (smooth[1] - 0.1).abs() < 1e-6);
    }

    #[test]
    fn a_mixed_image_is_both() {
        let matches = Matches {
            weights: vec![0.25, 0.75, 0.25],
            captions: 3,
        };
        assert_eq!(matches.of_images(0.0).0, [0.2, 0.6, 0.2]);
    }
}
