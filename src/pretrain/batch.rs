//! The photos and sentences of one step, a function of the settings and the step's number alone.

use super::augment::{mix, view};
use super::captions::{Caption, Captions};
use super::loss::Matches;
use super::patterns;
use super::photos::Photos;
use super::settings::Settings;
use super::teacher::Teacher;
use super::towers::Kept;
use crate::error::Result;
use crate::image::{Preprocess, to_chw};
use crate::rng::Rng;

/// Keeps the draws for captions apart from those for photos.
const CAPTION_STREAM: u64 = 0x63_61_70_74;

/// One step's input.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// [B, 3, S, S].
    pub pixels: Vec<f32>,
    /// The patches that run, or all.
    pub kept: Option<Kept>,
    /// Token ids of the captions.
    pub captions: Vec<Vec<u32>>,
    /// Which caption fits which photo.
    pub matches: Matches,
    /// The caption that names most of each photo.
    pub answers: Vec<usize>,
    /// How many captions, from the first, are class names.
    pub names: usize,
    /// Texts whose embeddings are given.
    pub taught: Vec<Vec<u32>>,
    /// Their embeddings, row by row.
    pub wanted: Vec<f32>,
}

/// Some of a batch's photos.
pub struct Part<'a> {
    /// [b, 3, S, S].
    pub pixels: &'a [f32],
    /// The patches that run, or all.
    pub kept: Option<Kept>,
}

impl Batch {
    /// The photos in `count` parts of nearly equal size, in their order.
    pub fn parts(&self, count: usize) -> Vec<Part<'_>> {
        let photos = self.answers.len();
        let pixels = self.pixels.len() / photos.max(1);
        (0..count)
            .map(|i| i * photos / count..(i + 1) * photos / count)
            .map(|range| Part {
                pixels: &self.pixels[range.start * pixels..range.end * pixels],
                kept: self.kept.as_ref().map(|kept| Kept {
                    rows: kept.rows[range.start * kept.patches..range.end * kept.patches].to_vec(),
                    patches: kept.patches,
                }),
            })
            .collect()
    }
}

/// What batches are drawn from.
pub struct Source<'a> {
    photos: &'a Photos,
    captions: &'a Captions<'a>,
    teacher: Option<&'a Teacher>,
    preprocess: &'a Preprocess,
    settings: &'a Settings,
    patches: usize,
    threads: usize,
    /// Photos by class.
    by_class: Vec<Vec<usize>>,
    /// Upper ends of the classes' shares in `[0, 1]`.
    shares: Vec<f64>,
}

/// A photo of a batch before mixing.
struct Drawn {
    class: usize,
    pixels: Vec<f32>,
}

impl<'a> Source<'a> {
    /// Batches of these photos and captions for an image tower of `patches` patches; photos are
    /// changed on `threads` threads, which has no effect on what comes out.
    pub fn new(
        photos: &'a Photos,
        captions: &'a Captions<'a>,
        teacher: Option<&'a Teacher>,
        preprocess: &'a Preprocess,
        settings: &'a Settings,
        patches: usize,
        threads: usize,
    ) -> Self {
        let mut by_class = vec![Vec::new(); photos.names.len()];
        for (index, photo) in photos.train.iter().enumerate() {
            by_class[photo.class].push(index);
        }
        let weights: Vec<f64> = by_class
            .iter()
            .map(|photos| match photos.len() {
                0 => 0.0,
                n => (n as f64).powf(settings.balance),
            })
            .collect();
        let total: f64 = weights.iter().sum();
        let mut sum = 0.0;
        let shares = weights
            .iter()
            .map(|weight| {
                sum += weight / total;
                sum
            })
            .collect();
        Self {
            photos,
            captions,
            teacher,
            preprocess,
            settings,
            patches,
            threads: threads.max(1),
            by_class,
            shares,
        }
    }

    /// The batch of step `step`.
    ///
    /// # Errors
    /// Those of [`view`] and [`Captions::draw`].
    pub fn batch(&self, step: usize) -> Result<Batch> {
        let size = self.settings.batch;
        let drawn = self.draw(step)?;
        let mut pixels = Vec::with_capacity(size * self.preprocess.input_len());
        let mut shares = Vec::with_capacity(size);
        for (slot, own) in drawn.iter().enumerate() {
            let mut rng = self.stream(step, slot, 1);
            let other = &drawn[(slot + 1) % size];
            let start = pixels.len();
            pixels.extend_from_slice(&own.pixels);
            let share = if rng.chance(self.settings.augmentation.mix) {
                let frame = (self.preprocess.crop_width, self.preprocess.crop_height);
                mix(&mut pixels[start..], &other.pixels, frame, &mut rng)
            } else {
                1.0
            };
            shares.push([(own.class, share), (other.class, 1.0 - share)]);
        }
        let mut rng = Rng::derive(self.settings.seed ^ CAPTION_STREAM, step as u64);
        let present: Vec<usize> = drawn.iter().map(|photo| photo.class).collect();
        let (captions, names) = self
            .captions
            .draw(&present, self.settings.words, &mut rng)?;
        let (taught, wanted) = self.teach(&mut rng)?;
        Ok(Batch {
            pixels,
            kept: self.kept(step),
            matches: matches(&shares, &captions),
            answers: shares.iter().map(|s| answer(s, &captions)).collect(),
            names,
            captions: captions.into_iter().map(|c| c.ids).collect(),
            taught,
            wanted,
        })
    }

    /// Random numbers of a photo's place: the same whatever else is drawn.
    fn stream(&self, step: usize, slot: usize, use_of: u64) -> Rng {
        let place = (step * self.settings.batch + slot) as u64;
        Rng::derive(self.settings.seed, place * 4 + use_of)
    }

    fn draw(&self, step: usize) -> Result<Vec<Drawn>> {
        let slots: Vec<usize> = (0..self.settings.batch).collect();
        let per_thread = slots.len().div_ceil(self.threads);
        let one = |slot: &usize| {
            let mut rng = self.stream(step, *slot, 0);
            let at = rng.unit();
            let class = self
                .shares
                .iter()
                .position(|end| at < *end)
                .unwrap_or(self.shares.len() - 1);
            let photos = &self.by_class[class];
            let photo = &self.photos.train[photos[rng.below(photos.len() as u64) as usize]];
            let changes = &self.settings.augmentation;
            // Asked only if there are patterns, so that a run without them draws as ever.
            if self.settings.patterns > 0.0 && rng.chance(self.settings.patterns) {
                let kind = rng.below(patterns::COUNT as u64) as usize;
                let p = self.preprocess;
                let size = (p.crop_width, p.crop_height);
                let picture = patterns::draw(kind, &photo.image, size, &mut rng)?;
                return Ok(Drawn {
                    class: self.photos.names.len() + kind,
                    pixels: to_chw(&picture, p),
                });
            }
            let pixels = view(&photo.image, self.preprocess, changes, &mut rng)?;
            Ok(Drawn { class, pixels })
        };
        if self.threads == 1 {
            return slots.iter().map(one).collect();
        }
        std::thread::scope(|scope| {
            let parts: Vec<_> = slots
                .chunks(per_thread)
                .map(|part| scope.spawn(|| part.iter().map(one).collect::<Result<Vec<_>>>()))
                .collect();
            let mut all = Vec::with_capacity(slots.len());
            for part in parts {
                all.extend(part.join().expect("a thread that changes photos ends")?);
            }
            Ok(all)
        })
    }

    fn kept(&self, step: usize) -> Option<Kept> {
        if self.settings.is_unmasked(step) {
            return None;
        }
        let patches =
            ((self.patches as f64 * self.settings.keep).round() as usize).clamp(1, self.patches);
        let rows = (0..self.settings.batch)
            .flat_map(|slot| {
                let mut rows = self.stream(step, slot, 2).permutation(self.patches);
                rows.truncate(patches);
                rows.sort_unstable();
                rows
            })
            .collect();
        Some(Kept { rows, patches })
    }

    fn teach(&self, rng: &mut Rng) -> Result<(Vec<Vec<u32>>, Vec<f32>)> {
        let (mut texts, mut wanted) = (Vec::new(), Vec::new());
        if let Some(teacher) = self.teacher
            && self.settings.distil > 0.0
        {
            for index in rng
                .permutation(teacher.names.len())
                .into_iter()
                .take(self.settings.distil_texts)
            {
                texts.push(
                    self.captions
                        .encode(&format!("a {}", teacher.names[index]))?,
                );
                let row = index * teacher.width..(index + 1) * teacher.width;
                wanted.extend_from_slice(&teacher.embeddings[row]);
            }
        }
        Ok((texts, wanted))
    }
}

fn matches(shares: &[[(usize, f32); 2]], captions: &[Caption]) -> Matches {
    let weights = shares
        .iter()
        .flat_map(|shares| {
            captions.iter().map(move |caption| {
                shares
                    .iter()
                    .filter(|(class, _)| caption.classes.binary_search(class).is_ok())
                    .map(|(_, share)| share)
                    .sum()
            })
        })
        .collect();
    Matches {
        weights,
        captions: captions.len(),
    }
}

fn answer(shares: &[(usize, f32); 2], captions: &[Caption]) -> usize {
    let [own, other] = shares;
    let class = if own.1 >= other.1 { own.0 } else { other.0 };
    captions
        .iter()
        .position(|caption| caption.classes == [class])
        .unwrap_or(usize::MAX)
}
