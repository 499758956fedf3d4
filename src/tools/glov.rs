//! GLOV: the best and worst templates are shown, five are asked for, and the best three answer together.

use super::Tool;
use super::history::History;
use super::proposals::{LeftOut, Method, Proposals, listed, read_lines};
use crate::prompt_learning::recipe::Evidence;

/// Good templates that are shown, bad ones, and the fewest of a usable answer.
const SHOWN: usize = 5;

/// The tool.
pub const TOOL: Tool = Tool {
    name: "glov",
    paper: "Mirza et al. 2024, GLOV: Guided Large Language Models as Implicit Optimizers for Vision Language Models",
    summary: "Asks a language model of yours for five templates at a time; the best three answer together.",
    evidence: Evidence::Code,
    needs: "photos in class folders, and a language model outside",
    command: "prompts --method glov",
    method: Some(&METHOD),
};

const METHOD: Method = Method {
    start: &["A photo of a {}."],
    read,
    ask,
    finalists: 3,
};

/// Fewer than five templates are a failed step.
fn read(answer: &str) -> Proposals {
    let mut found = read_lines(answer, "<category>");
    if found.templates.len() < SHOWN {
        let why = "an answer of fewer than five templates does not count";
        let few = found.templates.drain(..);
        let few: Vec<_> = few.map(|text| LeftOut::new(&text, why)).collect();
        found.left_out.extend(few);
    }
    found
}

fn ask(history: &History) -> String {
    let (best, worst) = history.extremes(SHOWN);
    format!(
        "The five best sentences so far, the best first:\n{}\nThe five worst, the worst first:\n{}\nWrite \
         five new sentences: like the good ones in what makes them good, unlike the bad ones, and none of \
         those above. Answer with one sentence in each line. Each has {{}} exactly once, where the name \
         goes.\n",
        listed(&best),
        listed(&worst)
    )
}
