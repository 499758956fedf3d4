//! Language models as black-box optimizers: good and bad templates are shown, one better is asked for.

use super::Tool;
use super::history::History;
use super::proposals::{LeftOut, Method, Proposals, is_template, listed};
use crate::prompt::ensemble::CLIP80;
use crate::prompt_learning::recipe::Evidence;

/// The most words of a template.
const MOST_WORDS: usize = 14;

/// Good templates that are shown, and bad ones.
const SHOWN: usize = 3;

/// The tool.
pub const TOOL: Tool = Tool {
    name: "black-box",
    paper: "Liu et al. 2024, Language Models as Black-Box Optimizers for Vision-Language Models (CVPR)",
    summary: "Asks a language model of yours for one template, showing the best three and the worst three.",
    evidence: Evidence::Code,
    needs: "photos in class folders, and a language model outside",
    command: "prompts --method black-box",
    method: Some(&METHOD),
};

const METHOD: Method = Method {
    start: &CLIP80,
    read,
    ask,
    finalists: 1,
};

/// Lines that begin with "- " are templates and others are ignored; one of them without exactly one plain
/// `{}` voids the whole answer.
fn read(answer: &str) -> Proposals {
    let mut found = Proposals::default();
    let lines = answer.lines().filter_map(|line| line.strip_prefix("- "));
    for text in lines.map(str::trim) {
        if !is_template(text) {
            let why =
                "it does not have exactly one {} for the name, so the whole answer does not count";
            return Proposals {
                templates: Vec::new(),
                left_out: vec![LeftOut::new(text, why)],
            };
        }
        if text.split_whitespace().count() > MOST_WORDS {
            let why = "it has more than 14 words";
            found.left_out.push(LeftOut::new(text, why));
        } else {
            found.templates.push(text.to_owned());
        }
    }
    found
}

fn ask(history: &History) -> String {
    let (best, worst) = history.extremes(SHOWN);
    format!(
        "These sentences recognize most photos:\n{}\nThese recognize fewest:\n{}\nWrite one new sentence \
         that recognizes more than all of them. Answer with one line that begins with \"- \". The line \
         has {{}} exactly once, where the name goes, no other braces, and fewer than 15 words.\n",
        listed(&best),
        listed(&worst)
    )
}
