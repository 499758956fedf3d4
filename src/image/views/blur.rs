//! Gaussian blur with edge pixels repeated outwards.

use crate::image::Rgb8;

/// Blurs with standard deviation `sigma` in pixels; 0 changes nothing.
pub fn gaussian_blur(image: &Rgb8, sigma: f32) -> Rgb8 {
    let radius = (3.0 * sigma).ceil() as usize;
    if radius == 0 {
        return image.clone();
    }
    let mut kernel: Vec<f32> = (0..=2 * radius)
        .map(|i| {
            let x = (i as f32 - radius as f32) / sigma;
            (-0.5 * x * x).exp()
        })
        .collect();
    let sum: f32 = kernel.iter().sum();
    kernel.iter_mut().for_each(|weight| *weight /= sum);

    let (width, height) = (image.width as usize, image.height as usize);
    let stride = width * 3;
    let mut across = vec![0f32; image.data.len()];
    let mut padded = vec![[0f32; 3]; width + 2 * radius];
    for (row, out) in image
        .data
        .chunks_exact(stride)
        .zip(across.chunks_exact_mut(stride))
    {
        let pixels = row.as_chunks::<3>().0;
        for (i, pixel) in padded.iter_mut().enumerate() {
            *pixel = pixels[i.saturating_sub(radius).min(width - 1)].map(f32::from);
        }
        for (x, out) in out.as_chunks_mut::<3>().0.iter_mut().enumerate() {
            for (pixel, weight) in padded[x..].iter().zip(&kernel) {
                for (sum, value) in out.iter_mut().zip(pixel) {
                    *sum += weight * value;
                }
            }
        }
    }
    let mut data = Vec::with_capacity(image.data.len());
    let mut sums = vec![0f32; stride];
    for y in 0..height {
        sums.fill(0.0);
        for (i, weight) in kernel.iter().enumerate() {
            let row = (y + i).saturating_sub(radius).min(height - 1);
            for (sum, value) in sums.iter_mut().zip(&across[row * stride..]) {
                *sum += weight * value;
            }
        }
        data.extend(sums.iter().map(|&sum| sum.round() as u8));
    }
    Rgb8 {
        width: image.width,
        height: image.height,
        data,
    }
}
