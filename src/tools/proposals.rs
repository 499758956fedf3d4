//! Templates that a language model proposes: reads its answer, scores what it proposes on labeled
//! photos, and writes the next question.
//!
//! No language model is inside: the question is a text to paste anywhere, the answer a text file.

use serde::Serialize;

use super::history::{History, MAX_TEMPLATES, Scored};
use super::scorer::Scorer;
use super::{TOOLS, Tool};
use crate::error::{Error, Kind, Result};
use crate::progress::Progress;
use crate::prompt::file::Prompt;
use crate::prompt::heads::save;
use crate::prompt::heads::texts::TextFeatures;
use crate::prompt::template::Template;

/// The largest answer in bytes.
pub const MAX_BYTES: usize = 256 << 10;

/// The most templates that are taken from one answer.
pub const MAX_PROPOSALS: usize = 100;

/// Names that a question lists.
const SHOWN_NAMES: usize = 40;

/// How a method asks a language model, and what it takes from its answer.
pub struct Method {
    /// The templates that are scored before the first question.
    pub start: &'static [&'static str],
    /// Reads an answer.
    pub read: fn(&str) -> Proposals,
    /// The part of the question that shows templates and asks for others.
    pub ask: fn(&History) -> String,
    /// How many of the best templates the prompt averages in the end.
    pub finalists: usize,
}

impl std::fmt::Debug for Method {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Method")
    }
}

/// What an answer proposes.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Proposals {
    /// Templates with one `{}` each.
    pub templates: Vec<String>,
    /// What is not taken.
    pub left_out: Vec<LeftOut>,
}

/// A line of an answer that is not taken.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LeftOut {
    /// The line.
    pub line: String,
    /// Why.
    pub why: &'static str,
}

impl LeftOut {
    /// A line and why it is not taken.
    pub fn new(line: &str, why: &'static str) -> Self {
        let line = line.to_owned();
        Self { line, why }
    }
}

/// What a step did.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Step {
    /// The templates that are new in the history.
    pub added: Vec<Scored>,
    /// Lines of the answer that are not.
    pub left_out: Vec<LeftOut>,
}

/// The tool of this name, if it works by proposals.
///
/// # Errors
/// `options/invalid`.
pub fn find(name: &str) -> Result<(&'static Tool, &'static Method)> {
    let methods = || TOOLS.iter().filter_map(|tool| Some((tool, tool.method?)));
    methods()
        .find(|(tool, _)| tool.name == name)
        .ok_or_else(|| {
            let known: Vec<_> = methods().map(|(tool, _)| tool.name).collect();
            Error::new(
                Kind::OptionInvalid,
                format!(
                    "There is no method {name:?}; there are {}.",
                    known.join(", ")
                ),
            )
        })
}

/// Whether this is a template: one `{}`, no other braces, and not too long.
pub fn is_template(text: &str) -> bool {
    let braces = text.matches(['{', '}']).count();
    braces == 2 && Template::parse(text).is_ok()
}

/// Reads an answer that has a template in each line, with `{}` or `placeholder` for the name. List marks
/// and quotation marks around it do not count, and lines without a place for the name are ignored.
pub fn read_lines(answer: &str, placeholder: &str) -> Proposals {
    let mut found = Proposals::default();
    for line in answer.lines() {
        let text = bare(line).replace(placeholder, "{}");
        if is_template(&text) {
            found.templates.push(text);
        } else if text.contains('{') {
            let why = "it does not have exactly one {} for the name";
            found.left_out.push(LeftOut::new(line, why));
        }
    }
    found
}

/// A line without list marks and quotation marks around it.
fn bare(line: &str) -> &str {
    let line = line.trim();
    let number = line.trim_start_matches(|c: char| c.is_ascii_digit());
    let numbered = number.len() < line.len() && number.starts_with(['.', ')']);
    let line = if numbered { &number[1..] } else { line };
    let line = line.trim_start_matches(['-', '*', '\u{2022}', ' ']);
    line.trim_matches(['"', '\u{201c}', '\u{201d}', '`', ' '])
}

/// Lines with a template each, for a question.
pub fn listed(templates: &[&Scored]) -> String {
    let lines = templates.iter().map(|t| format!("- {}\n", t.template));
    lines.collect()
}

/// Scores the templates that the method starts with if the history is empty, and those that `answer`
/// proposes; adds them to the history.
///
/// # Errors
/// `prompt/invalid` for an answer or a history that is too large, `labels/too-long`, the device's errors
/// and what `progress` returns.
pub async fn step(
    method: &Method,
    scorer: Scorer<'_>,
    history: &mut History,
    answer: Option<&str>,
    progress: &dyn Progress,
) -> Result<Step> {
    let mut done = Step::default();
    let mut rounds = Vec::new();
    if history.all().is_empty() {
        let start = method.start.iter().map(|text| (*text).to_owned());
        rounds.push(start.collect::<Vec<_>>());
    }
    if let Some(answer) = answer {
        if answer.len() > MAX_BYTES {
            let message = "The answer of the language model is larger than 256 KiB.";
            return Err(Error::new(Kind::PromptInvalid, message));
        }
        let Proposals {
            mut templates,
            left_out,
        } = (method.read)(answer);
        done.left_out = left_out;
        let more = templates.split_off(templates.len().min(MAX_PROPOSALS));
        let too_many = more
            .iter()
            .map(|text| LeftOut::new(text, "an answer may propose 100 at most"));
        done.left_out.extend(too_many);
        rounds.push(templates);
    }
    for templates in rounds {
        let number = history.next_step();
        for (i, text) in templates.iter().enumerate() {
            progress.step("texts", i, templates.len()).await?;
            let template = Template::parse(text)?;
            let why = if history.contains(text) {
                "it is known already"
            } else if !scorer.fits(&template)? {
                "it is longer than the model reads"
            } else if history.all().len() >= MAX_TEMPLATES {
                "the history is full"
            } else {
                let texts = scorer.texts(&[template]).await?;
                let (score, loss) = scorer.measure(&texts);
                let scored = Scored {
                    template: text.clone(),
                    score,
                    loss,
                    step: number,
                };
                history.add(scored.clone());
                done.added.push(scored);
                continue;
            };
            done.left_out.push(LeftOut::new(text, why));
        }
    }
    Ok(done)
}

/// The question for a language model.
pub fn request(method: &Method, names: &[String], history: &History) -> String {
    let shown = &names[..names.len().min(SHOWN_NAMES)];
    let more = match names.len() - shown.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        "A program recognizes what a photo shows: it puts the name of each class into a sentence, in \
         the place of {{}}, and takes the class whose sentence is most like the photo. Other sentences \
         give other results.\n\nThe classes are: {}{more}.\n\n{}",
        shown.join(", "),
        (method.ask)(history)
    )
}

/// The prompt that the method ends with: the normalized mean of the text features of its best templates.
///
/// # Errors
/// `data/empty` for an empty history, `prompt/invalid-template`, and those of [`Scorer::texts`].
pub async fn prompt(
    (tool, method): (&Tool, &Method),
    scorer: Scorer<'_>,
    history: &History,
) -> Result<Prompt> {
    let best = history.ranked().into_iter().take(method.finalists);
    let best: Vec<&str> = best.map(|scored| scored.template.as_str()).collect();
    if best.is_empty() {
        let message = "The history has no template; run the first step.";
        return Err(Error::new(Kind::DataEmpty, message));
    }
    let templates = Template::parse_all(&best)?;
    let texts = scorer.texts(&templates).await?;
    let features = TextFeatures::new(&texts, &templates);
    Ok(save(tool.name, scorer.model, scorer.names, &features))
}
