//! Parameters that recipes share, and the descent that they ask for.

use super::examples::Examples;
use super::job::TrainingJob;
use super::method::Method;
use super::parameters::{Crops, parameters};
use super::schedule::Schedule;
use super::trainer::Settings;
use super::values::{Auto, words};
use crate::image::Filter;

/// Images per step in CoOp's own experiments.
const USUAL_BATCH: usize = 32;

/// Images per step if there are few.
const SMALLEST_BATCH: usize = 4;

/// The fewest steps per epoch, unless they would have less than [`SMALLEST_BATCH`] images.
const STEPS_PER_EPOCH: usize = 5;

/// The smallest share of a photo's area in a random crop. CoOp's 0.08 leaves a model of small
/// pictures a few pixels of the object, and magnifies whatever has spoiled the photo.
pub const SMALLEST_CROP: f64 = 0.6;

/// CoOp's epochs for eight and sixteen images of a class, the most that it takes.
const MOST_EPOCHS: usize = 200;

parameters! {
    /// Random crops of the photos.
    pub struct CropParams {
        /// smallest share of a photo's area in a random crop
        crop_area as "crop-area": f64 = SMALLEST_CROP, in 0.01..=1.0,
        /// crops of their own for every epoch, and no step of fewer images than the others, as Dassl;
        /// or a few crops for all epochs
        fresh_crops as "fresh-crops": bool = false,
        /// how crops are scaled
        crop_filter as "crop-filter": Filter = Filter::Bilinear,
    }
    paper(p) {
        p.crop_area = 0.08;
        p.crop_filter = Filter::Bicubic;
        p.fresh_crops = true;
    }
}

parameters! {
    /// Where the context vectors start.
    pub struct ContextStart {
        /// vectors of the context; 16 in CoOp's own experiments
        vectors: usize = 4, in 1..=64,
        /// start from the words "a photo of a", behind zeros if there are more vectors; or at random, as
        /// long as the model's words
        init: Init = Init::Words,
    }
}

words! {
    /// The first values of a context.
    pub enum Init {
        /// Embeddings of "a photo of a"; zeros for vectors beyond these, in front of them.
        Words = "words",
        /// Normal numbers.
        Random = "random",
    }
}

parameters! {
    /// The steps of a descent.
    pub struct Steps {
        /// epochs; auto: 25, 50 or 100 for 1, 2-4 or more images per class (half of CoOp's); twice that
        /// with sgd
        epochs: Auto<usize> = Auto::Auto, in 1..=10_000,
        /// learning rate; auto: a full step of adamw moves the parameters by a tenth of their norm,
        /// the first step of sgd by a thousandth
        lr: Auto<f64> = Auto::Auto, in 0.0..=1000.0,
        /// images per step; auto: a fifth of the images, at least 4 and at most 32; always 32 with one
        /// image per class, and with sgd
        batch: Auto<usize> = Auto::Auto, in 1..=4096,
    }
}

parameters! {
    /// What CoOp and its relatives let people set.
    pub struct Descent {
        /// adamw with a cosine over all steps, or sgd with momentum and warm-up as CoOp published it
        optimizer as "optimizer" | "optimiser": OptimizerKind = OptimizerKind::AdamW,
        ..context: ContextStart {}
        ..steps: Steps {}
        ..crops: CropParams {}
    }
    paper(p) {
        p.optimizer = OptimizerKind::Sgd;
        p.steps.lr = Auto::Set(0.002);
    }
    crops(p) {
        p.crops.over(p.steps.epochs)
    }
}

impl CropParams {
    /// The crops for so many epochs.
    pub fn over(&self, epochs: Auto<usize>) -> Crops {
        let epochs = epochs.unwrap_or_else(|| MOST_EPOCHS);
        Crops {
            area: self.crop_area,
            epochs: self.fresh_crops.then_some(epochs),
            filter: self.crop_filter,
        }
    }
}

words! {
    /// An optimizer with its schedule.
    pub enum OptimizerKind {
        /// AdamW, a cosine over all steps.
        AdamW = "adamw",
        /// SGD with momentum and CoOp's schedule.
        Sgd = "sgd",
    }
}

impl Steps {
    /// AdamW with a cosine over all steps.
    pub fn settings(&self, job: &TrainingJob<'_>) -> Settings {
        Settings {
            method: Method::ADAMW,
            lr: self.lr,
            schedule: Schedule::COSINE,
            epochs: self.epochs.unwrap_or_else(|| match job.shots() {
                0 | 1 => 25,
                2..=4 => 50,
                _ => 100,
            }),
            batch: self.batch.unwrap_or_else(|| automatic_batch(job)),
            seed: job.seed,
            clip: None,
            average: None,
        }
    }
}

impl Descent {
    /// The steps by the chosen optimizer.
    pub fn settings(&self, job: &TrainingJob<'_>) -> Settings {
        let settings = self.steps.settings(job);
        match self.optimizer {
            OptimizerKind::AdamW => settings,
            OptimizerKind::Sgd => Settings {
                method: Method::COOP,
                schedule: Schedule::COOP,
                epochs: self.steps.epochs.unwrap_or_else(|| 2 * settings.epochs),
                batch: self.steps.batch.unwrap_or_else(|| USUAL_BATCH),
                ..settings
            },
        }
    }
}

/// One image per class stays in one step: many steps on it only learn the photo by heart.
fn automatic_batch(job: &TrainingJob<'_>) -> usize {
    let images = job.examples.map_or(0, Examples::len);
    match job.shots() {
        0 | 1 => USUAL_BATCH,
        _ => images
            .div_ceil(STEPS_PER_EPOCH)
            .clamp(SMALLEST_BATCH, USUAL_BATCH),
    }
}
