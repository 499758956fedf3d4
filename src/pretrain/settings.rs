//! What a training run is made of. Equal settings, data and start give equal weights on one device.

use serde::{Deserialize, Serialize};

use super::augment::Augmentation;
use crate::error::{Error, Kind, Result};
use crate::prompt_learning::schedule::{Schedule, WarmUp};
use crate::quant::Quantization;

/// The settings of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Where all random draws come from.
    pub seed: u64,
    /// Steps of the whole run, which the learning rate's cosine spans.
    pub steps: usize,
    /// Photos of a step.
    pub batch: usize,
    /// Parts of a step's photos that run side by side. The sums of their gradients round differently.
    #[serde(default = "one")]
    pub shards: usize,
    /// The full learning rate.
    pub lr: f64,
    /// Steps in which the learning rate rises.
    pub warm_up: usize,
    /// Whether the matrices of the image tower's blocks take Muon's step instead of AdamW's.
    #[serde(default)]
    pub muon: bool,
    /// Decoupled weight decay of the linear layers' matrices.
    pub weight_decay: f32,
    /// The longest gradient; a longer one is scaled down to it.
    pub clip: f32,
    /// Decay of the moving average of the weights.
    pub ema: f32,
    /// A class of `n` photos is drawn in proportion to `n` to this power: 1 is as in the data, 0 makes
    /// all classes equal.
    pub balance: f64,
    /// Share of the patches that the image tower sees.
    pub keep: f64,
    /// Share of the steps, at the end, in which it sees all of them.
    pub unmasked: f64,
    /// Captions of a step beside the class names.
    pub words: usize,
    /// Label smoothing of the images' targets.
    pub smoothing: f32,
    /// Weight of the distance to given text embeddings.
    pub distil: f32,
    /// Given texts of a step.
    pub distil_texts: usize,
    /// In the unmasked steps, weights run as they would be stored (straight-through estimator).
    #[serde(alias = "quantise")]
    pub quantize: Option<Quantization>,
    /// Share of a step's pictures that are drawn patterns instead of photos.
    #[serde(default)]
    pub patterns: f64,
    /// Changes of the photos.
    pub augmentation: Augmentation,
}

fn one() -> usize {
    1
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            seed: 1,
            steps: 10_000,
            batch: 96,
            shards: one(),
            lr: 5e-4,
            warm_up: 100,
            muon: false,
            weight_decay: 0.1,
            clip: 1.0,
            ema: 0.999,
            balance: 0.5,
            keep: 0.5,
            unmasked: 0.2,
            words: 8,
            smoothing: 0.05,
            distil: 0.5,
            distil_texts: 16,
            quantize: None,
            patterns: 0.0,
            augmentation: Augmentation::default(),
        }
    }
}

impl Settings {
    /// Checks that every value is in its range.
    ///
    /// # Errors
    /// `options/invalid`, naming the value.
    pub fn check(&self) -> Result<()> {
        let share = |value: f64| (0.0..=1.0).contains(&value);
        let a = &self.augmentation;
        let wrong = [
            ("steps", self.steps >= 1),
            ("batch", (2..=65_536).contains(&self.batch)),
            ("shards", (1..=self.batch).contains(&self.shards)),
            ("lr", self.lr > 0.0 && self.lr <= 1.0),
            ("weight-decay", (0.0..=10.0).contains(&self.weight_decay)),
            ("clip", self.clip > 0.0),
            ("ema", (0.0..1.0).contains(&self.ema)),
            ("balance", share(self.balance)),
            ("keep", self.keep > 0.0 && self.keep <= 1.0),
            ("unmasked", share(self.unmasked)),
            ("smoothing", (0.0..1.0).contains(&self.smoothing)),
            ("patterns", share(self.patterns)),
            ("distil", (0.0..=100.0).contains(&self.distil)),
            ("area", a.area > 0.0 && a.area <= 1.0),
            ("color", share(a.color)),
            ("gray", share(a.gray)),
            ("erase", share(a.erase)),
            ("mix", share(a.mix)),
        ]
        .into_iter()
        .find(|(_, right)| !right);
        match wrong {
            None => Ok(()),
            Some((name, _)) => Err(Error::new(
                Kind::OptionInvalid,
                format!("The training option {name} is out of its range."),
            )),
        }
    }

    /// The learning rate of a step.
    pub fn rate(&self, step: usize) -> f64 {
        Schedule {
            warm_up: WarmUp::Linear(self.warm_up),
            ..Schedule::COSINE
        }
        .rate(self.lr, 0, 1, step, self.steps)
    }

    /// Whether a step belongs to the end of the run, in which the image tower sees every patch.
    pub fn is_unmasked(&self, step: usize) -> bool {
        let masked = (self.steps as f64 * (1.0 - self.unmasked)).round() as usize;
        self.keep >= 1.0 || step >= masked
    }
}
