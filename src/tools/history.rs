//! Templates with their scores: all that is known between two questions to a language model.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result};
use crate::prompt::template::Template;

/// The largest file in bytes.
pub const MAX_BYTES: usize = 8 << 20;

/// The most templates of a history.
pub const MAX_TEMPLATES: usize = 10_000;

/// A template and how well it does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Scored {
    /// The sentence, with {} for the class name.
    pub template: String,
    /// Photos recognized, in percent: the mean over the classes.
    pub score: f64,
    /// Their cross-entropy: the mean over the classes.
    pub loss: f64,
    /// The step that it was proposed in; 0 for those that a method starts with.
    pub step: usize,
}

/// Scored templates in the order in which they came, each of them once.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct History(Vec<Scored>);

impl History {
    /// Reads a JSON list of objects with `template`, `score`, `loss` and `step`.
    ///
    /// # Errors
    /// `prompt/invalid`; `prompt/invalid-template` for a sentence without exactly one `{}`.
    pub fn from_json(bytes: &[u8]) -> Result<Self> {
        let invalid = |what: String| Err(Error::new(Kind::PromptInvalid, what));
        if bytes.len() > MAX_BYTES {
            return invalid("The history is larger than 8 MiB.".to_owned());
        }
        let read: Vec<Scored> = match serde_json::from_slice(bytes) {
            Ok(read) => read,
            Err(error) => {
                return invalid(format!(
                    "The history is no JSON list of objects with template, score, loss and step ({error})."
                ));
            }
        };
        if read.len() > MAX_TEMPLATES {
            return invalid(format!(
                "The history has more than {MAX_TEMPLATES} templates."
            ));
        }
        let mut history = Self::default();
        for scored in read {
            Template::parse(&scored.template)?;
            if !(scored.score.is_finite() && scored.loss.is_finite()) {
                return invalid("A score of the history is not finite.".to_owned());
            }
            history.add(scored);
        }
        Ok(history)
    }

    /// The file.
    ///
    /// # Errors
    /// `engine/internal`.
    pub fn to_json(&self) -> Result<String> {
        serde_json::to_string_pretty(&self.0)
            .map_err(|error| Error::new(Kind::Internal, error.to_string()))
    }

    /// Adds a template unless it is there; says whether it did.
    pub fn add(&mut self, scored: Scored) -> bool {
        let new = !self.contains(&scored.template);
        if new {
            self.0.push(scored);
        }
        new
    }

    /// Whether the template is there.
    pub fn contains(&self, template: &str) -> bool {
        self.0.iter().any(|known| known.template == template)
    }

    /// The templates, oldest first.
    pub fn all(&self) -> &[Scored] {
        &self.0
    }

    /// The templates, best first: by score, then by loss, then the older one.
    pub fn ranked(&self) -> Vec<&Scored> {
        let mut all: Vec<&Scored> = self.0.iter().collect();
        // A stable sort: equal ones stay in the order in which they came.
        all.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.loss.total_cmp(&b.loss)));
        all
    }

    /// The best `count`, best first, and of the others the worst `count`, worst first.
    pub fn extremes(&self, count: usize) -> (Vec<&Scored>, Vec<&Scored>) {
        let ranked = self.ranked();
        let (best, others) = ranked.split_at(count.min(ranked.len()));
        let worst = others.iter().rev().take(count).copied().collect();
        (best.to_vec(), worst)
    }

    /// The number of the step to come.
    pub fn next_step(&self) -> usize {
        let last = self.0.iter().map(|scored| scored.step).max();
        last.map_or(0, |step| step.saturating_add(1))
    }
}
