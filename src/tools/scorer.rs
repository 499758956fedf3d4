//! How well a template tells labeled photos apart.

use crate::error::Result;
use crate::math::{UnitRows, argmax, dot, log_sum_exp};
use crate::prompt::model::{PromptModel, encode, mean_texts};
use crate::prompt::template::Template;
use crate::prompt_learning::examples::Examples;

/// Scores templates on features of photos that are computed once.
#[derive(Clone, Copy)]
pub struct Scorer<'a> {
    /// The model.
    pub model: &'a dyn PromptModel,
    /// The classes.
    pub names: &'a [String],
    /// Their photos.
    pub images: &'a Examples,
}

/// Decimals that are kept, so that a file gives back what was written.
const DECIMALS: f64 = 1e6;

impl Scorer<'_> {
    /// The normalized mean over the templates of every name's unit features, [K, d].
    ///
    /// # Errors
    /// `labels/too-long` and the device's errors.
    pub async fn texts(&self, templates: &[Template]) -> Result<Vec<f64>> {
        let d = self.model.dim();
        let mut all = Vec::new();
        for template in templates {
            let features = encode(self.model, template, self.names).await?;
            all.extend(UnitRows::new(&features, d).values);
        }
        Ok(mean_texts(&all, self.names.len(), d))
    }

    /// Whether the model reads the whole sentence with every name in it.
    ///
    /// # Errors
    /// `labels/too-long`.
    pub fn fits(&self, template: &Template) -> Result<bool> {
        for name in self.names {
            if self.model.tokens(&template.fill(name))?.1 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The share of photos whose class has the nearest of the texts [K, d], in percent, and their
    /// cross-entropy: both are means over the classes that have photos, so that a class with many
    /// counts as much as one with few.
    pub fn measure(&self, texts: &[f64]) -> (f64, f64) {
        let (k, d) = (self.names.len(), self.model.dim());
        let scale = f64::from(self.model.logit_scale());
        let (mut right, mut loss, mut count) = (vec![0.0; k], vec![0.0; k], vec![0.0f64; k]);
        for (i, label) in self.images.labels().iter().enumerate() {
            let image = self.images.view(i, 0);
            let z: Vec<f64> = texts
                .chunks_exact(d)
                .map(|text| scale * dot(image, text))
                .collect();
            count[*label] += 1.0;
            loss[*label] += log_sum_exp(&z, 1.0) - z[*label];
            right[*label] += f64::from(u8::from(argmax(&z) == *label));
        }
        let seen = count.iter().filter(|n| **n > 0.0).count().max(1) as f64;
        let mean = |sums: &[f64]| {
            let means = sums.iter().zip(&count).map(|(sum, n)| sum / n.max(1.0));
            means.sum::<f64>() / seen
        };
        let kept = |value: f64| (value * DECIMALS).round() / DECIMALS;
        (kept(100.0 * mean(&right)), kept(mean(&loss)))
    }
}
