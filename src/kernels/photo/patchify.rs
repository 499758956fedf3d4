//! An image as the rows that a patch embedding multiplies.

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
