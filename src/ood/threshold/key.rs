//! What a threshold is valid for.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use super::super::score::ScoreParameters;
use crate::checkpoint::former;

/// Everything that changes the distribution of the scores. A threshold holds only while all of it
/// stays the same.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CalibrationKey {
    /// SHA-256 of the model's source weights, lower-case hexadecimal.
    pub model_sha256: String,
    /// How the weights are stored: `none`, `q8`, `q4`.
    pub quantization: String,
    /// SHA-256 of the templates, or of the prompt file.
    pub prompt_sha256: String,
    /// [`class_list_sha256`] of the class names.
    pub classes_sha256: String,
    /// [`ordered_list_sha256`] of the negative labels that take part, if the score reads them.
    pub negatives_sha256: Option<String>,
    /// The score's name.
    pub score: String,
    /// [`Score::canonical`](crate::ood::score::Score::canonical) parameters of the score.
    pub parameters: ScoreParameters,
    /// Test-time tuning with everything that changes its result, for example
    /// `tpt views=64 steps=1 rho=0.1 seed=0`; `none` without.
    pub tuning: String,
}

/// What the page knows the model by in these phrases.
const MODEL: &str = "the model";

impl CalibrationKey {
    /// One phrase for each field in which `other` differs, in the order of the fields.
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let hash = |a: &str, b: &str| a.eq_ignore_ascii_case(b);
        let checks = [
            (
                hash(&self.model_sha256, &other.model_sha256),
                match former(&self.model_sha256) {
                    Some(model) => from_to(MODEL, model.folder, "this one"),
                    None => MODEL.to_owned(),
                },
            ),
            (
                self.quantization == other.quantization,
                from_to("the quantisation", &self.quantization, &other.quantization),
            ),
            (
                hash(&self.prompt_sha256, &other.prompt_sha256),
                "the prompt".to_owned(),
            ),
            (
                hash(&self.classes_sha256, &other.classes_sha256),
                "the class names".to_owned(),
            ),
            (
                self.negatives_sha256 == other.negatives_sha256,
                "the negative labels".to_owned(),
            ),
            (
                self.score == other.score,
                from_to("the score", &self.score, &other.score),
            ),
            (
                // Another score has other parameters anyway.
                self.score != other.score || same_parameters(&self.parameters, &other.parameters),
                "the parameters of the score".to_owned(),
            ),
            (
                self.tuning == other.tuning,
                from_to("the test-time tuning", &self.tuning, &other.tuning),
            ),
        ];
        checks
            .into_iter()
            .filter(|(same, _)| !same)
            .map(|(_, what)| what)
            .collect()
    }
}

/// Values that a hostile file may hold are cut short, behind the longest that is written here: a tuning
/// with a gallery.
fn from_to(what: &str, old: &str, new: &str) -> String {
    let cut = |s: &str| s.chars().take(100).collect::<String>();
    format!("{what} (from {} to {})", cut(old), cut(new))
}

/// Equal but for the last digits, which a detour through decimal text may change.
fn same_parameters(a: &ScoreParameters, b: &ScoreParameters) -> bool {
    let close = |x: f64, y: f64| (x - y).abs() <= 1e-12 * x.abs().max(y.abs());
    close(a.tau, b.tau)
        && close(a.local_weight, b.local_weight)
        && a.groups == b.groups
        && a.shuffle_seed == b.shuffle_seed
}

/// SHA-256 of a list of names as a set: no score depends on the order of the classes.
pub fn class_list_sha256<S: AsRef<str>>(names: &[S]) -> String {
    let mut sorted: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    sorted.sort_unstable();
    ordered_list_sha256(&sorted)
}

/// SHA-256 of a list of names in their order, which decides how negatives fall into groups.
pub fn ordered_list_sha256<S: AsRef<str>>(names: &[S]) -> String {
    let mut hash = Sha256::new();
    for name in names {
        let bytes = name.as_ref().as_bytes();
        // The length in front keeps ["ab", "c"] apart from ["a", "bc"].
        hash.update((bytes.len() as u64).to_le_bytes());
        hash.update(bytes);
    }
    hash.finalize().iter().map(|b| format!("{b:02x}")).collect()
}
