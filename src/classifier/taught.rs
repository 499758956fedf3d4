//! Class lists that answer through a learned prompt.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::negatives::LearnedNegatives;
use super::{Classes, Classifier};
use crate::error::{Error, Kind, Result};
use crate::math::UnitRows;
use crate::prompt::context::Names;
use crate::prompt::file::Prompt;
use crate::prompt_learning::head::Head;
use crate::prompt_learning::job::Model;

impl Classifier {
    /// The class list `labels` under `prompt`, which need not know all of them. Scores for "none of
    /// these" compare with the prompt's texts; where these depend on the image, with those of the
    /// context itself or the mean of several. Negative labels stand in `templates`, or behind the
    /// context that the prompt learned for them.
    ///
    /// # Errors
    /// As [`classes`](Self::classes); `prompt/wrong-model`, `prompt/invalid` where the prompt does
    /// not fit.
    pub async fn taught<S: AsRef<str>>(
        &self,
        labels: &[String],
        templates: &[S],
        prompt: &Prompt,
    ) -> Result<Classes> {
        prompt.belongs_to(self.sha256())?;
        let mut classes = self.classes(labels, templates).await?;
        let head = Head::open(prompt, self, labels).await?;
        let centers = head.centers(self).await?;
        classes.features = UnitRows::new(&centers, self.dim()).rounded();
        classes.context = match prompt.tunable() {
            Some(context) => context.to_vec(),
            None => Vec::new(),
        };
        let rows = classes.context.len() / self.width();
        classes.names = Names::new(labels, rows, &self.tokenizer)?;
        classes.prompt_sha256 = format!("{:x}", Sha256::digest(prompt.to_bytes()?));
        classes.head = Some(Arc::new(head));
        classes.learned_negatives = LearnedNegatives::of(prompt, self.width())?;
        Ok(classes)
    }

    /// Logits [K] of one normalized image feature [d].
    ///
    /// # Errors
    /// `engine/not-finite`, `gpu/lost`, where a learned context depends on the image.
    pub async fn logits(&self, feature: &[f32], classes: &Classes) -> Result<Vec<f64>> {
        if let Some(head) = &classes.head {
            return head.logits(self, feature).await;
        }
        let s = f64::from(self.clip.logit_scale);
        let cosines = self.cosines(feature, classes);
        Ok(cosines.iter().map(|c| s * f64::from(*c)).collect())
    }
}

impl Classes {
    /// Refuses what test-time tuning cannot start from.
    ///
    /// # Errors
    /// `options/invalid` for a prompt that is not one context in front of all names.
    pub fn check_tunable(&self) -> Result<()> {
        if !self.context.is_empty() {
            return Ok(());
        }
        Err(Error::new(
            Kind::OptionInvalid,
            "This prompt is more than one context in front of the names, so there is nothing to tune on a single photo; switch tuning off, or use a prompt of coop, kgcoop, prograd, promptsrc or pre.",
        ))
    }
}
