//! The strong views of DiffTPT-lite: photometric and geometric changes of the full frame that
//! stand where DiffTPT has pictures from a diffusion model. There is no generative prior here.

use super::augmix::Op;
use super::blur::gaussian_blur;
use super::layout::{cutout, zoom_out};
use super::random_resized_crop::mirror;
use super::recompress::recompress;
use super::style::{amplitude_transfer, statistics_transfer};
use super::tone::{brightness, contrast, grayscale, hue, saturation};
use super::warp::{Map, warp};
use crate::error::Result;
use crate::image::{Preprocess, Rect, Rgb8, resize_crop};
use crate::rng::Rng;

/// What a strong view changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Strong {
    /// Brightness, contrast, saturation by up to 0.4 and hue by up to 0.1, in random order.
    Jitter,
    /// Black and white.
    Gray,
    /// Gaussian blur, standard deviation 0.1 to 2 pixels.
    Blur,
    /// JPEG compression at quality 10 to 40.
    Jpeg,
    /// Three or four bits per channel.
    Posterize,
    /// Bright values inverted.
    Solarize,
    /// Corners pulled in by up to a tenth of the sides (distortion 0.2).
    Perspective,
    /// A rectangle of 5 to 25 % of the area in the mean color.
    Cutout,
    /// The whole photo, uncropped, at 50 to 95 % of the frame on a blurred copy of itself.
    ZoomOut,
    /// Low-frequency amplitudes of another picture of the gallery, band 0.02 to 0.1.
    Amplitude,
    /// Color mean and deviation of another picture of the gallery, by half or more.
    Statistics,
}

impl Strong {
    /// All kinds; the last two need a gallery.
    pub const ALL: [Strong; 11] = [
        Strong::Jitter,
        Strong::Perspective,
        Strong::Blur,
        Strong::Cutout,
        Strong::Posterize,
        Strong::ZoomOut,
        Strong::Jpeg,
        Strong::Gray,
        Strong::Solarize,
        Strong::Amplitude,
        Strong::Statistics,
    ];

    /// The kinds that a gallery of `pictures` pictures allows.
    pub fn available(pictures: usize) -> &'static [Strong] {
        match pictures {
            0 => &Self::ALL[..9],
            _ => &Self::ALL,
        }
    }

    /// A lower-case name for people and files.
    pub const fn name(self) -> &'static str {
        match self {
            Strong::Jitter => "colour jitter",
            Strong::Gray => "grey",
            Strong::Blur => "blur",
            Strong::Jpeg => "jpeg",
            Strong::Posterize => "posterize",
            Strong::Solarize => "solarize",
            Strong::Perspective => "perspective",
            Strong::Cutout => "cutout",
            Strong::ZoomOut => "zoom out",
            Strong::Amplitude => "amplitude transfer",
            Strong::Statistics => "statistics transfer",
        }
    }
}

/// What strong views are made from.
pub(super) struct Material<'a> {
    /// The photo, uncropped.
    pub photo: &'a Rgb8,
    /// The plain view of it.
    pub plain: &'a Rgb8,
    /// Other pictures of the user.
    pub gallery: &'a [Rgb8],
    pub preprocess: &'a Preprocess,
}

/// Strong view number `index`: the kinds take turns, half the views get a second kind on top, and
/// half are mirrored.
pub(super) fn strong_view(
    material: &Material,
    index: usize,
    rng: &mut Rng,
) -> Result<(Rgb8, Strong)> {
    let kinds = Strong::available(material.gallery.len());
    let first = kinds[index % kinds.len()];
    let mut view = apply(first, material, material.plain, rng)?;
    if rng.chance(0.5) {
        let second = kinds[rng.below(kinds.len() as u64) as usize];
        // Zooming out starts from the photo again and would undo the first change.
        if second != first && second != Strong::ZoomOut {
            view = apply(second, material, &view, rng)?;
        }
    }
    if rng.chance(0.5) {
        mirror(&mut view);
    }
    Ok((view, first))
}

fn apply(kind: Strong, material: &Material, view: &Rgb8, rng: &mut Rng) -> Result<Rgb8> {
    Ok(match kind {
        Strong::Jitter => jitter(view, 0.4, 0.1, rng),
        Strong::Gray => grayscale(view),
        Strong::Blur => gaussian_blur(view, rng.uniform(0.1, 2.0) as f32),
        Strong::Jpeg => recompress(view, 10 + rng.below(31) as u8)?,
        Strong::Posterize => Op::Posterize.apply(view, 3.0, rng),
        Strong::Solarize => Op::Solarize.apply(view, 3.0, rng),
        Strong::Perspective => perspective(view, 0.2, rng),
        Strong::Cutout => {
            let area = cutout_area(view, rng);
            cutout(view, area, mean_color(material.preprocess))
        }
        Strong::ZoomOut => {
            let size = (view.width, view.height);
            zoom_out(material.photo, size, rng.uniform(0.5, 0.95))?
        }
        Strong::Amplitude => {
            let style = pick(material, rng)?;
            amplitude_transfer(view, &style, rng.uniform(0.02, 0.1) as f32)
        }
        Strong::Statistics => {
            let style = pick(material, rng)?;
            statistics_transfer(view, &style, rng.uniform(0.5, 1.0) as f32)
        }
    })
}

/// A picture of the gallery as the model would see it.
fn pick(material: &Material, rng: &mut Rng) -> Result<Rgb8> {
    let index = rng.below(material.gallery.len() as u64) as usize;
    resize_crop(&material.gallery[index], material.preprocess)
}

/// torchvision's `ColorJitter`: factors from `1 - range` to `1 + range`, hue from `-turn` to
/// `turn`, in random order.
pub fn jitter(image: &Rgb8, range: f64, turn: f64, rng: &mut Rng) -> Rgb8 {
    let mut view = image.clone();
    for step in rng.permutation(4) {
        let factor = rng.uniform(1.0 - range, 1.0 + range) as f32;
        view = match step {
            0 => brightness(&view, factor),
            1 => contrast(&view, factor),
            2 => saturation(&view, factor),
            _ => hue(&view, rng.uniform(-turn, turn) as f32),
        };
    }
    view
}

/// torchvision's `RandomPerspective`: each corner of the output shows the input's corner pulled
/// in by up to `distortion / 2` of each side.
pub fn perspective(image: &Rgb8, distortion: f64, rng: &mut Rng) -> Rgb8 {
    let (width, height) = (f64::from(image.width), f64::from(image.height));
    let mut pull = |side: f64| rng.uniform(0.0, distortion * side / 2.0);
    let (left, right, top, bottom) = (0.0, width, 0.0, height);
    let corners = [(left, top), (right, top), (right, bottom), (left, bottom)];
    let pulled = [
        (left + pull(width), top + pull(height)),
        (right - pull(width), top + pull(height)),
        (right - pull(width), bottom - pull(height)),
        (left + pull(width), bottom - pull(height)),
    ];
    match Map::perspective(corners, pulled) {
        Some(map) => warp(image, &map),
        None => image.clone(),
    }
}

/// A rectangle of 5 to 25 % of the area, width over height from 1/2 to 2, wholly inside.
fn cutout_area(image: &Rgb8, rng: &mut Rng) -> Rect {
    let area = f64::from(image.width) * f64::from(image.height) * rng.uniform(0.05, 0.25);
    let aspect = rng.uniform(-2f64.ln(), 2f64.ln()).exp();
    let width = ((area * aspect).sqrt() as u32).clamp(1, image.width);
    let height = ((area / aspect).sqrt() as u32).clamp(1, image.height);
    Rect {
        x: rng.below(u64::from(image.width - width) + 1) as u32,
        y: rng.below(u64::from(image.height - height) + 1) as u32,
        width,
        height,
    }
}

/// The bytes that normalize to about zero.
fn mean_color(p: &Preprocess) -> [u8; 3] {
    p.mean
        .map(|mean| (f64::from(mean) / p.rescale).round() as u8)
}
