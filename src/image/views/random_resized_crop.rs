//! The random crop of TPT: torchvision's `RandomResizedCrop` and a mirror image half the time.

use crate::error::Result;
use crate::image::{Filter, Rect, Rgb8, resize};
use crate::rng::Rng;

/// Which share of the area and which proportions a random crop may have, and how it is scaled.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CropRange {
    /// Smallest and largest share of the image's area.
    pub area: (f64, f64),
    /// Smallest and largest width over height, drawn log-uniformly.
    pub aspect: (f64, f64),
    /// The kernel that crops are scaled with.
    pub filter: Filter,
}

impl Default for CropRange {
    /// torchvision's defaults.
    fn default() -> Self {
        Self {
            area: (0.08, 1.0),
            aspect: (3.0 / 4.0, 4.0 / 3.0),
            filter: Filter::Bilinear,
        }
    }
}

impl CropRange {
    /// A rectangle inside `width` x `height`: ten tries, then the largest central rectangle
    /// whose proportions are allowed.
    pub fn draw(&self, width: u32, height: u32, rng: &mut Rng) -> Rect {
        let area = f64::from(width) * f64::from(height);
        for _ in 0..10 {
            let target = area * rng.uniform(self.area.0, self.area.1);
            let aspect = rng.uniform(self.aspect.0.ln(), self.aspect.1.ln()).exp();
            let w = (target * aspect).sqrt().round_ties_even() as u32;
            let h = (target / aspect).sqrt().round_ties_even() as u32;
            if (1..=width).contains(&w) && (1..=height).contains(&h) {
                let y = position(height - h, rng);
                let x = position(width - w, rng);
                return Rect {
                    x,
                    y,
                    width: w,
                    height: h,
                };
            }
        }
        let aspect = f64::from(width) / f64::from(height);
        let (w, h) = if aspect < self.aspect.0 {
            let h = (f64::from(width) / self.aspect.0).round_ties_even();
            (width, (h as u32).clamp(1, height))
        } else if aspect > self.aspect.1 {
            let w = (f64::from(height) * self.aspect.1).round_ties_even();
            ((w as u32).clamp(1, width), height)
        } else {
            (width, height)
        };
        Rect {
            x: (width - w) / 2,
            y: (height - h) / 2,
            width: w,
            height: h,
        }
    }
}

/// Uniform in `0..=most`, in proportion to one draw, so that a photo and a smaller copy of it are
/// cropped alike.
fn position(most: u32, rng: &mut Rng) -> u32 {
    ((rng.unit() * (f64::from(most) + 1.0)) as u32).min(most)
}

/// One random crop: which part of a photo, whether mirrored, and how it is scaled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Crop {
    /// The part.
    pub source: Rect,
    /// Left becomes right.
    pub mirrored: bool,
    /// The kernel that it is scaled with.
    pub filter: Filter,
}

impl Crop {
    /// A crop of a photo of `width` x `height`, mirrored half the time.
    pub fn draw(width: u32, height: u32, range: &CropRange, rng: &mut Rng) -> Self {
        let source = range.draw(width, height, rng);
        let mirrored = rng.chance(0.5);
        Self {
            source,
            mirrored,
            filter: range.filter,
        }
    }

    /// The crop of `image` scaled to `size` with antialiasing.
    ///
    /// # Errors
    /// Those of [`resize`].
    pub fn cut(&self, image: &Rgb8, size: (u32, u32)) -> Result<Rgb8> {
        let whole = Rect {
            x: 0,
            y: 0,
            width: size.0,
            height: size.1,
        };
        let mut view = resize(image, self.source, size, whole, self.filter)?;
        if self.mirrored {
            mirror(&mut view);
        }
        Ok(view)
    }
}

/// Left becomes right.
pub fn mirror(image: &mut Rgb8) {
    for row in image.data.chunks_exact_mut(image.width as usize * 3) {
        row.as_chunks_mut::<3>().0.reverse();
    }
}
