//! What part of the frame is shown: cut-outs and zooming out.

use super::blur::gaussian_blur;
use crate::error::Result;
use crate::image::{Filter, Rect, Rgb8, resize};

/// Paints `area`, cut to the image, in one color.
pub fn cutout(image: &Rgb8, area: Rect, color: [u8; 3]) -> Rgb8 {
    let mut out = image.clone();
    let right = area.x.saturating_add(area.width).min(image.width) as usize;
    let bottom = area.y.saturating_add(area.height).min(image.height) as usize;
    let left = (area.x as usize).min(right);
    let stride = image.width as usize * 3;
    for y in area.y as usize..bottom {
        let row = &mut out.data[y * stride + left * 3..y * stride + right * 3];
        row.as_chunks_mut::<3>().0.fill(color);
    }
    out
}

/// The whole `photo`, `scale` (0..=1) times as large as it can be inside `size`, centered on a
/// blurred, stretched copy of itself so that the surroundings keep its colors.
pub fn zoom_out(photo: &Rgb8, size: (u32, u32), scale: f64) -> Result<Rgb8> {
    let whole = Rect {
        x: 0,
        y: 0,
        width: size.0,
        height: size.1,
    };
    let backdrop = resize(photo, photo.bounds(), size, whole, Filter::Bilinear)?;
    let mut out = gaussian_blur(&backdrop, size.0.min(size.1) as f32 / 12.0);
    let fit = (f64::from(size.0) / f64::from(photo.width))
        .min(f64::from(size.1) / f64::from(photo.height))
        * scale;
    let length = |side: u32, most: u32| ((f64::from(side) * fit).round() as u32).clamp(1, most);
    let inner = (length(photo.width, size.0), length(photo.height, size.1));
    let shown = Rect {
        x: 0,
        y: 0,
        width: inner.0,
        height: inner.1,
    };
    let small = resize(photo, photo.bounds(), inner, shown, Filter::Bicubic)?;
    let (left, top) = ((size.0 - inner.0) / 2, (size.1 - inner.1) / 2);
    let row_bytes = inner.0 as usize * 3;
    for (y, row) in small.data.chunks_exact(row_bytes).enumerate() {
        let at = ((top as usize + y) * size.0 as usize + left as usize) * 3;
        out.data[at..at + row_bytes].copy_from_slice(row);
    }
    Ok(out)
}
