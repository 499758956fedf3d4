//! Hard prompts: sentences with one place for a class name.

use crate::error::{Error, Kind, Result};

/// The one template in use if none is chosen.
pub const DEFAULT: &[&str] = &["a photo of a {}."];

/// The seven templates that OpenAI picked for ImageNet (openai/CLIP, notebook "Prompt Engineering
/// for ImageNet").
pub const CLIP7: &[&str] = &[
    "a bad photo of the {}.",
    "a {} in a video game.",
    "a origami {}.",
    "a photo of the small {}.",
    "art of the {}.",
    "a photo of the large {}.",
    "itap of a {}.",
];

/// The longest template in characters.
const MAX_CHARS: usize = 1000;

/// A class name as the text tower reads it: underscores become spaces, as CoOp and its successors
/// do, since data sets write `golf_ball` for what people call a golf ball.
pub fn spoken(name: &str) -> String {
    name.replace('_', " ")
}

/// A sentence with exactly one `{}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Template {
    before: String,
    after: String,
}

impl Template {
    /// Reads a template such as `a photo of a {}.`
    ///
    /// # Errors
    /// `prompt/invalid-template` unless there is exactly one `{}`, or if it is longer than 1,000
    /// characters.
    pub fn parse(text: &str) -> Result<Self> {
        let invalid = |what: &str| {
            Err(Error::new(
                Kind::TemplateInvalid,
                format!("{what}; write one sentence such as \"a photo of a {{}}.\""),
            ))
        };
        if text.chars().count() > MAX_CHARS {
            return invalid("The template is longer than 1,000 characters");
        }
        match text.split_once("{}") {
            None => invalid("The template has no {} for the class name"),
            Some((_, after)) if after.contains("{}") => {
                invalid("The template has more than one {}")
            }
            Some((before, after)) => Ok(Self {
                before: before.to_owned(),
                after: after.to_owned(),
            }),
        }
    }

    /// Reads a list of templates.
    ///
    /// # Errors
    /// As [`parse`](Self::parse), and `prompt/invalid-template` for an empty list.
    pub fn parse_all<S: AsRef<str>>(texts: &[S]) -> Result<Vec<Self>> {
        if texts.is_empty() {
            return Err(Error::new(
                Kind::TemplateInvalid,
                "There is no template; give at least one, or leave them out for the default.",
            ));
        }
        texts
            .iter()
            .map(|text| Self::parse(text.as_ref()))
            .collect()
    }

    /// The sentence for `name`, which is [`spoken`] in it. A `{}` in the name is left alone.
    pub fn fill(&self, name: &str) -> String {
        format!("{}{}{}", self.before, spoken(name), self.after)
    }

    /// The words in front of the class name, which a learned context may start from.
    pub fn words_before(&self) -> &str {
        self.before.trim()
    }

    /// The words behind the class name, without a full stop at the end.
    pub fn words_behind(&self) -> &str {
        self.after.trim().trim_end_matches('.').trim_end()
    }
}

impl std::fmt::Display for Template {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}{{}}{}", self.before, self.after)
    }
}
