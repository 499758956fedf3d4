//! Random changes of one training photo, and mixtures of two.

use serde::{Deserialize, Serialize};

use crate::error::Result;
use crate::image::views::{Crop, CropRange, grayscale, jitter, mirror};
use crate::image::{Preprocess, Rect, Rgb8, resize, to_chw};
use crate::rng::Rng;

/// How strongly photos are changed.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Augmentation {
    /// Smallest share of the photo's area in a crop.
    pub area: f64,
    /// Share of photos whose brightness, contrast, saturation (by up to 0.4) and hue (by up to 0.05)
    /// change.
    #[serde(alias = "colour")]
    pub color: f64,
    /// Share of black and white photos.
    #[serde(alias = "grey")]
    pub gray: f64,
    /// Share of photos with a random rectangle erased (Zhong et al., 2020).
    pub erase: f64,
    /// Share of photos mixed with another of the batch: half by mixup (Zhang et al., 2018), half by
    /// CutMix (Yun et al., 2019).
    pub mix: f64,
}

impl Default for Augmentation {
    fn default() -> Self {
        Self {
            area: 0.4,
            color: 0.5,
            gray: 0.05,
            erase: 0.25,
            mix: 0.3,
        }
    }
}

/// A random view of `photo` as the model's input, CHW.
///
/// # Errors
/// Those of [`resize`].
pub fn view(
    photo: &Rgb8,
    p: &Preprocess,
    augmentation: &Augmentation,
    rng: &mut Rng,
) -> Result<Vec<f32>> {
    let range = CropRange {
        area: (augmentation.area, 1.0),
        ..CropRange::default()
    };
    let crop = Crop::draw(photo.width, photo.height, &range, rng);
    let whole = Rect {
        x: 0,
        y: 0,
        width: p.crop_width,
        height: p.crop_height,
    };
    // The filter of the model's own preprocessing, so that photos look alike when it is used.
    let mut image = resize(
        photo,
        crop.source,
        (whole.width, whole.height),
        whole,
        p.filter,
    )?;
    if crop.mirrored {
        mirror(&mut image);
    }
    if rng.chance(augmentation.color) {
        image = jitter(&image, 0.4, 0.05, rng);
    }
    if rng.chance(augmentation.gray) {
        image = grayscale(&image);
    }
    let mut chw = to_chw(&image, p);
    if rng.chance(augmentation.erase) {
        let size = (image.width, image.height);
        let area = rectangle(size, rng.uniform(0.02, 0.25), rng);
        // Normalized values around zero are the mean color.
        let fill: [f32; 3] = std::array::from_fn(|_| rng.normal() as f32 * 0.5);
        paint(&mut chw, &area, size, |channel, _| fill[channel]);
    }
    Ok(chw)
}

/// A mixture of a batch's photo with another, and the first one's share.
///
/// `photo` is changed; `other` is the same size.
pub fn mix(photo: &mut [f32], other: &[f32], size: (u32, u32), rng: &mut Rng) -> f32 {
    if rng.chance(0.5) {
        let share = rng.beta(0.4, 0.4) as f32;
        for (a, b) in photo.iter_mut().zip(other) {
            *a = share * *a + (1.0 - share) * b;
        }
        return share;
    }
    let area = rectangle(size, rng.unit(), rng);
    paint(photo, &area, size, |_, at| other[at]);
    let pasted = f64::from(area.width) * f64::from(area.height);
    1.0 - (pasted / (f64::from(size.0) * f64::from(size.1))) as f32
}

/// A rectangle of about this share of the area, wholly inside.
fn rectangle(size: (u32, u32), share: f64, rng: &mut Rng) -> Rect {
    let (w, h) = (f64::from(size.0), f64::from(size.1));
    let aspect = rng.uniform(-2f64.ln(), 2f64.ln()).exp().sqrt();
    let width = ((w * share.sqrt() * aspect) as u32).clamp(1, size.0);
    let height = ((h * share.sqrt() / aspect) as u32).clamp(1, size.1);
    Rect {
        x: rng.below(u64::from(size.0 - width) + 1) as u32,
        y: rng.below(u64::from(size.1 - height) + 1) as u32,
        width,
        height,
    }
}

/// Sets the values of `area` in a CHW image of `size`.
fn paint(chw: &mut [f32], area: &Rect, size: (u32, u32), value: impl Fn(usize, usize) -> f32) {
    let (w, h) = (size.0 as usize, size.1 as usize);
    for channel in 0..3 {
        for y in area.y as usize..(area.y + area.height) as usize {
            let row = channel * w * h + y * w;
            let start = row + area.x as usize;
            let pixels = &mut chw[start..start + area.width as usize];
            for (at, pixel) in (start..).zip(pixels) {
                *pixel = value(channel, at);
            }
        }
    }
}
