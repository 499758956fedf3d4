//! Many views of one photo, for test-time tuning.
//!
//! View 0 is always the plain view. Each other view draws from its own generator, derived from
//! the seed and the view's number, so a view is the same bits whichever views are made beside it
//! and in whichever order.

mod augmix;
mod blur;
mod corrupt;
mod layout;
mod random_resized_crop;
mod recompress;
mod strong;
mod style;
mod tone;
mod warp;

pub use augmix::{Op, augmix};
pub use blur::gaussian_blur;
pub use corrupt::{Corruption, corrupt, corruption_names};
pub use layout::{cutout, zoom_out};
pub use random_resized_crop::{Crop, CropRange, mirror};
pub use recompress::{encode_jpeg, recompress};
pub use strong::{Strong, jitter, perspective};
pub use style::{amplitude_transfer, statistics_transfer};
pub use tone::{
    autocontrast, brightness, contrast, equalize, grayscale, hue, luma, posterize, saturation,
    solarize,
};
pub use warp::{Map, warp};

use std::borrow::Cow;

use super::{Filter, Preprocess, Rect, Rgb8, resize, resize_crop, to_chw};
use crate::error::{Error, Kind, Result};
use crate::rng::Rng;

/// One view of a photo.
#[derive(Debug, Clone, PartialEq)]
pub struct View {
    /// The model's input, CHW, normalized.
    pub chw: Vec<f32>,
    /// The same as a picture, at the model's input size.
    pub thumb: Rgb8,
    /// How it was made.
    pub kind: ViewKind,
}

/// How a view was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ViewKind {
    /// The model's ordinary preprocessing.
    Plain,
    /// A random crop, perhaps mirrored.
    Crop,
    /// A random crop mixed with augmented copies of itself.
    AugMix,
    /// A strong change of the full frame; the first one if two were made.
    Strong(Strong),
    /// A picture that the user supplied.
    Variant,
}

/// Which views to make. The plain view comes first and is not counted in the fields.
#[derive(Debug, Clone, Default)]
pub struct ViewPlan<'a> {
    /// Random crops.
    pub crops: usize,
    /// What they may show.
    pub range: CropRange,
    /// Whether the crops are AugMixed.
    pub augmix: bool,
    /// Strong views.
    pub strong: usize,
    /// Other pictures of the user, whose style strong views borrow. May be empty.
    pub gallery: &'a [Rgb8],
    /// Pictures made elsewhere from this photo, each as [`resize_crop`] gives it; each is one view.
    pub variants: &'a [Rgb8],
    /// When set, a photo whose shorter side is longer than this is first scaled down to it
    /// (bicubic), and crops are taken from that: quicker on large photos, no longer exactly TPT.
    pub source_edge: Option<u32>,
}

impl ViewKind {
    /// A lower-case name for people and files.
    pub const fn name(self) -> &'static str {
        match self {
            ViewKind::Plain => "plain",
            ViewKind::Crop => "crop",
            ViewKind::AugMix => "augmix",
            ViewKind::Strong(kind) => kind.name(),
            ViewKind::Variant => "variant",
        }
    }
}

/// Views beyond this number are refused.
pub const MAX_VIEWS: usize = 1024;

impl<'a> ViewPlan<'a> {
    /// TPT: `views` in all, one plain and the rest random crops; `augmix` as on fine-grained
    /// sets.
    pub fn tpt(views: usize, augmix: bool) -> Self {
        Self {
            crops: views.saturating_sub(1),
            augmix,
            ..Self::default()
        }
    }

    /// DiffTPT-lite: `views` in all, one plain, half of the rest (rounded down) random crops and
    /// the others strong views: 64 are 1 + 31 + 32. No diffusion model is involved.
    pub fn difftpt_lite(views: usize, gallery: &'a [Rgb8]) -> Self {
        let others = views.saturating_sub(1);
        Self {
            crops: others / 2,
            strong: others - others / 2,
            gallery,
            ..Self::default()
        }
    }

    /// DiffTPT: the plain view, `views` random crops as its code makes them (64 beside the plain one),
    /// and one view for each of `variants`, which stand where DiffTPT has pictures from a diffusion
    /// model.
    pub fn difftpt(views: usize, variants: &'a [Rgb8]) -> Self {
        Self {
            variants,
            ..Self::tpt(views.saturating_add(1), false)
        }
    }

    /// All views with the plain one; never 0.
    pub fn total(&self) -> usize {
        1usize
            .saturating_add(self.crops)
            .saturating_add(self.strong)
            .saturating_add(self.variants.len())
    }
}

/// Makes the views of one photo, one at a time.
pub struct ViewMaker<'a> {
    photo: Cow<'a, Rgb8>,
    plain: Rgb8,
    preprocess: &'a Preprocess,
    plan: &'a ViewPlan<'a>,
    seed: u64,
}

impl<'a> ViewMaker<'a> {
    /// Prepares the plain view. [`Kind::OptionInvalid`] for more than [`MAX_VIEWS`] views, a
    /// zero `source_edge`, or a variant of another size than the model's input; else the errors of [`resize_crop`].
    pub fn new(
        photo: &'a Rgb8,
        preprocess: &'a Preprocess,
        plan: &'a ViewPlan<'a>,
        seed: u64,
    ) -> Result<Self> {
        if plan.total() > MAX_VIEWS {
            return Err(Error::new(
                Kind::OptionInvalid,
                format!(
                    "{} views are more than {MAX_VIEWS}; ask for fewer.",
                    plan.total()
                ),
            ));
        }
        let plain = resize_crop(photo, preprocess)?;
        let fits = |v: &Rgb8| (v.width, v.height) == (plain.width, plain.height);
        if !plan.variants.iter().all(fits) {
            return Err(Error::new(
                Kind::OptionInvalid,
                "A variant has another size than the model's input.",
            ));
        }
        let photo = match plan.source_edge {
            Some(0) => {
                return Err(Error::new(
                    Kind::OptionInvalid,
                    "source_edge must be at least 1.",
                ));
            }
            Some(edge) if photo.width.min(photo.height) > edge => {
                Cow::Owned(scale_down(photo, edge)?)
            }
            _ => Cow::Borrowed(photo),
        };
        Ok(Self {
            photo,
            plain,
            preprocess,
            plan,
            seed,
        })
    }

    /// How many views there are, at least 1.
    pub fn total(&self) -> usize {
        self.plan.total()
    }

    /// The photo that crops are taken from.
    pub fn photo(&self) -> &Rgb8 {
        &self.photo
    }

    /// View number `index` if it is a random crop and nothing more, so that it can be cut
    /// elsewhere; the same crop that [`Self::view`] cuts.
    pub fn crop(&self, index: usize) -> Option<Crop> {
        let is_crop = (1..=self.plan.crops).contains(&index) && !self.plan.augmix;
        is_crop.then(|| self.draw(&mut Rng::derive(self.seed, index as u64)))
    }

    fn draw(&self, rng: &mut Rng) -> Crop {
        let (width, height) = (self.photo.width, self.photo.height);
        Crop::draw(width, height, &self.plan.range, rng)
    }

    /// View number `index`, in 0..[`Self::total`]: plain, crops, strong views, variants.
    ///
    /// [`Kind::OptionInvalid`] for a number beyond.
    pub fn view(&self, index: usize) -> Result<View> {
        let mut rng = Rng::derive(self.seed, index as u64);
        let p = self.preprocess;
        let Some(number) = index.checked_sub(1) else {
            return Ok(self.finish(self.plain.clone(), ViewKind::Plain));
        };
        if number < self.plan.crops {
            let crop = self.draw(&mut rng);
            let crop = crop.cut(&self.photo, (p.crop_width, p.crop_height))?;
            if !self.plan.augmix {
                return Ok(self.finish(crop, ViewKind::Crop));
            }
            let chw = augmix(&crop, p, &mut rng);
            return Ok(View {
                thumb: from_chw(&chw, p),
                chw,
                kind: ViewKind::AugMix,
            });
        }
        let number = number - self.plan.crops;
        if number < self.plan.strong {
            let material = strong::Material {
                photo: &self.photo,
                plain: &self.plain,
                gallery: self.plan.gallery,
                preprocess: p,
            };
            let (view, kind) = strong::strong_view(&material, number, &mut rng)?;
            return Ok(self.finish(view, ViewKind::Strong(kind)));
        }
        let number = number - self.plan.strong;
        let variant = self.plan.variants.get(number).ok_or_else(|| {
            Error::new(
                Kind::OptionInvalid,
                format!("There is no view {index} among {}.", self.total()),
            )
        })?;
        Ok(self.finish(variant.clone(), ViewKind::Variant))
    }

    fn finish(&self, thumb: Rgb8, kind: ViewKind) -> View {
        View {
            chw: to_chw(&thumb, self.preprocess),
            thumb,
            kind,
        }
    }
}

/// All views of `photo` under `plan`. See [`ViewMaker`] to make them one at a time.
pub fn make_views(
    photo: &Rgb8,
    preprocess: &Preprocess,
    plan: &ViewPlan,
    seed: u64,
) -> Result<Vec<View>> {
    let maker = ViewMaker::new(photo, preprocess, plan, seed)?;
    (0..maker.total()).map(|index| maker.view(index)).collect()
}

/// `photo` with its shorter side at `edge`, in proportion, by bicubic.
///
/// # Errors
/// Those of [`resize`].
pub fn scale_down(photo: &Rgb8, edge: u32) -> Result<Rgb8> {
    let short = f64::from(photo.width.min(photo.height));
    let side = |length: u32| (f64::from(length) * f64::from(edge) / short) as u32;
    let (width, height) = (side(photo.width).max(1), side(photo.height).max(1));
    let whole = Rect {
        x: 0,
        y: 0,
        width,
        height,
    };
    resize(
        photo,
        photo.bounds(),
        (width, height),
        whole,
        Filter::Bicubic,
    )
}

/// The picture whose normalized form is nearest to `chw`.
fn from_chw(chw: &[f32], p: &Preprocess) -> Rgb8 {
    let plane = chw.len() / 3;
    let mut image = Rgb8::filled(p.crop_width, p.crop_height, [0; 3]);
    for (i, pixel) in image.data.as_chunks_mut::<3>().0.iter_mut().enumerate() {
        for (channel, value) in pixel.iter_mut().enumerate() {
            let normalized = chw[channel * plane + i];
            let byte = f64::from(normalized * p.std[channel] + p.mean[channel]) / p.rescale;
            *value = byte.round() as u8;
        }
    }
    image
}
