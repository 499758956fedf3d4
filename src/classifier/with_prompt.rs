//! Class lists that answer through a learned prompt.

use std::sync::{Arc, OnceLock};

use sha2::{Digest, Sha256};

use super::{Classes, Classifier};
use crate::clip::text::TokenCounts;
use crate::error::{Error, Kind, Result};
use crate::math::UnitRows;
use crate::prompt::file::Prompt;
use crate::prompt::heads::open;
use crate::prompt::layout::PromptLayout;
use crate::prompt::model::Model;
use crate::prompt::template::Template;
use crate::prompt::tokens::PromptTokens;
use crate::tokenize::validate;

impl Classifier {
    /// The class list `labels` under `prompt`, which need not know all of them. Scores for "none of
    /// these" compare with the prompt's texts; if these depend on the image, with those of the
    /// context itself or the mean of several. Negative labels are put into `templates`, or behind the
    /// context that the prompt learned for them.
    ///
    /// # Errors
    /// As [`classes`](Self::classes); `prompt/wrong-model`, `prompt/invalid` if the prompt does not
    /// fit.
    pub async fn with_prompt<S: AsRef<str>>(
        &self,
        labels: &[String],
        templates: &[S],
        prompt: &Prompt,
    ) -> Result<Classes> {
        validate(labels)?;
        let templates = Template::parse_all(templates)?;
        let head = open(prompt, self, labels).await?;
        let centers = head.centers(self).await?;
        let rows = head.context().unwrap_or_default().len() / self.width();
        let names = PromptTokens::new(labels, &PromptLayout::end(rows), &self.tokenizer)?;
        Ok(Classes {
            labels: labels.to_vec(),
            features: UnitRows::new(&centers, self.dim()).rounded(),
            rows: TokenCounts::default(),
            truncated: names.truncated,
            names: Arc::new(names),
            templates,
            prompt_sha256: format!("{:x}", Sha256::digest(prompt.to_bytes()?)),
            head,
            sha256: OnceLock::new(),
            negatives: OnceLock::new(),
        })
    }

    /// Logits [K] of one normalized image feature [d].
    ///
    /// # Errors
    /// `engine/not-finite`, `gpu/lost`, if a learned context depends on the image.
    pub async fn logits(&self, feature: &[f32], classes: &Classes) -> Result<Vec<f64>> {
        classes.head.logits(self, feature).await
    }
}

impl Classes {
    /// The context [M, W] that test-time tuning starts from: the embedded words in front of the name,
    /// or a learned context.
    ///
    /// # Errors
    /// `options/invalid` for a prompt that is not one context in front of all names.
    pub fn tunable_context(&self) -> Result<&[f32]> {
        self.head.context().ok_or_else(|| {
            Error::new(
                Kind::OptionInvalid,
                "This prompt is more than one context in front of the names, so there is nothing to tune on a single photo; switch tuning off, or use a prompt of coop, kgcoop, prograd, promptsrc or pre.",
            )
        })
    }
}
