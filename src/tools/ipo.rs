//! IPO: templates are shown with their accuracy and loss, from poor to good, and better ones asked for.

use super::Tool;
use super::history::History;
use super::proposals::{Method, read_lines};
use crate::prompt_learning::recipe::Evidence;

/// The most templates that are shown.
const SHOWN: usize = 30;

/// The lowest score that is shown, in percent.
const LEAST_SCORE: f64 = 20.0;

/// The tool.
pub const TOOL: Tool = Tool {
    name: "ipo",
    paper: "Du et al. 2024, IPO: Interpretable Prompt Optimization for Vision-Language Models (NeurIPS)",
    summary: "Asks a language model of yours for eight templates, showing up to thirty with accuracy and loss.",
    evidence: Evidence::Code,
    needs: "photos in class folders, and a language model outside",
    command: "prompts --method ipo",
    method: Some(&METHOD),
};

const METHOD: Method = Method {
    start: &["a photo of a {}."],
    read: |answer| read_lines(answer, "<CLASS>"),
    ask,
    finalists: 1,
};

fn ask(history: &History) -> String {
    let mut shown = history.ranked();
    shown.truncate(SHOWN);
    shown.retain(|scored| scored.score >= LEAST_SCORE);
    let lines = shown.iter().rev().map(|scored| {
        format!(
            "{}\n  accuracy: {:.0}, loss: {:.4}\n",
            scored.template, scored.score, scored.loss
        )
    });
    format!(
        "Sentences that were tried, the best last, with the accuracy from 0 to 100 (more is better) and \
         the loss (less is better):\n{}\nWrite eight new sentences that differ from these, with a higher \
         accuracy and a lower loss. Answer with one sentence in each line. Each has {{}} exactly once, \
         where the name goes.\n",
        lines.collect::<String>()
    )
}
