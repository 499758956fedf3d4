//! Augmented views and corruptions.

mod corruptions;
mod crops;
mod ops;
mod plans;
mod published;

use promptlens::image::Rgb8;

/// A picture with smooth shading, an edge and a little texture.
fn picture(width: u32, height: u32) -> Rgb8 {
    let mut data = Vec::new();
    for y in 0..height {
        for x in 0..width {
            let (u, v) = (x as f32 / width as f32, y as f32 / height as f32);
            let disc = (u - 0.4).hypot(v - 0.55) < 0.25;
            let texture = ((x * 7 + y * 13) % 11) as f32;
            let r = if disc { 210.0 } else { 60.0 + 120.0 * u };
            let g = 40.0 + 150.0 * v + texture;
            let b = if disc {
                40.0
            } else {
                90.0 + 80.0 * (6.0 * u).sin()
            };
            data.extend([r as u8, g as u8, b as u8]);
        }
    }
    Rgb8::new(width, height, data).unwrap()
}
