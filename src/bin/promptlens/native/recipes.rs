//! `promptlens recipes`.

use promptlens::error::Result;
use promptlens::prompt_learning::recipe::Recipe;
use promptlens::prompt_learning::recipes::RECIPES;
use promptlens::tools::{TOOLS, Tool};
use serde::Serialize;

use super::output::{Answer, table};

/// An entry of the list: recipes first, tools behind them.
#[derive(Serialize)]
#[serde(untagged)]
enum Entry {
    Recipe(&'static Recipe),
    Tool(&'static Tool),
}

pub fn run() -> Result<Answer> {
    let mut rows = Vec::new();
    let line = |a: &str, b: &str, c: &str| vec![a.to_owned(), b.to_owned(), c.to_owned()];
    for recipe in RECIPES {
        rows.push(line(recipe.name, recipe.summary, ""));
        rows.push(line("", recipe.paper, ""));
        rows.push(line("", &format!("learns {}", recipe.learns), ""));
        for parameter in recipe.parameters() {
            let set = format!("  {}={}", parameter.name, parameter.default);
            let meaning = format!("{} ({})", parameter.meaning, parameter.values);
            rows.push(line("", &set, &meaning));
        }
    }
    for tool in TOOLS {
        rows.push(line(tool.name, tool.summary, ""));
        rows.push(line("", tool.paper, ""));
        rows.push(line("", &format!("needs {}", tool.needs), ""));
        rows.push(line("", &format!("promptlens {}", tool.command), ""));
    }
    let recipes = RECIPES.iter().map(Entry::Recipe);
    let entries: Vec<Entry> = recipes.chain(TOOLS.iter().map(Entry::Tool)).collect();
    Answer::new(&entries, aligned(&rows), true)
}

/// Lines of a recipe take the whole width; its parameters stand in two columns.
fn aligned(rows: &[Vec<String>]) -> String {
    let parameters: Vec<Vec<String>> = rows
        .iter()
        .filter(|row| !row[2].is_empty())
        .map(|row| row[1..].to_vec())
        .collect();
    let set = table(&parameters);
    let mut set = set.lines();
    let mut text = String::new();
    for row in rows {
        let line = match (row[0].as_str(), row[2].as_str()) {
            ("", "") => format!("  {}", row[1]),
            ("", _) => set.next().unwrap_or_default().to_owned(),
            (name, _) => format!("{name}: {}", row[1]),
        };
        text.push_str(&line);
        text.push('\n');
    }
    text
}
