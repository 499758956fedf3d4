//! `promptlens compare`.

use std::path::PathBuf;

use clap::Args;
use promptlens::dataset::{DataSet, Limits};
use promptlens::device::Choice;
use promptlens::error::{Error, Kind, Result};
use promptlens::fewshot::benchmark::{Benchmark, Comparison, Entry, Outcome};
use promptlens::fewshot::photos::DefaultViews;
use promptlens::prompt_learning::recipe::{ConfiguredRecipe, Recipe};
use promptlens::prompt_learning::recipes::{RECIPES, find};
use serde::Serialize;

use super::args::{ModelArgs, at_least_one, pair};
use super::model::{described, open};
use super::output::{Answer, percent, table};
use super::tuning::CorruptArgs;

#[derive(Debug, Args)]
pub struct CompareArgs {
    #[command(flatten)]
    pub model: ModelArgs,
    /// A folder, .tar or .tar.gz with a train and a test split.
    #[arg(long, value_name = "DIR|TAR")]
    pub data: PathBuf,
    /// Recipes; all that need labeled images alone when left out.
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    pub recipes: Vec<String>,
    /// Images per class, each number in turn.
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_value = "16", value_parser = at_least_one)]
    pub shots: Vec<usize>,
    /// How many draws of the images.
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seeds: u64,
    /// Views of every image to learn from, the plain one among them.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub crops: Option<usize>,
    /// A parameter, as epochs=30 for all recipes that have it or coop.epochs=30 for one; may be given
    /// several times.
    #[arg(long = "set", value_name = "KEY=VALUE", value_parser = pair)]
    pub set: Vec<(String, String)>,
    /// The most images to measure on, taken evenly from the classes.
    #[arg(long, value_name = "N", value_parser = at_least_one)]
    pub limit: Option<usize>,
    /// The same for one recipe alone, as cocoop=200, which encodes every name again for each image.
    #[arg(long, value_name = "RECIPE=N", value_parser = limit_for)]
    pub limit_for: Vec<(String, usize)>,
    /// Measure on images of the train split that are not learned from, and leave the test split alone.
    #[arg(long)]
    pub validation: bool,
    #[command(flatten)]
    pub corrupt: CorruptArgs,
}

#[derive(Serialize)]
struct Document<'a> {
    data: String,
    corrupt: Option<String>,
    model: String,
    quant: &'static str,
    crops: usize,
    #[serde(flatten)]
    comparison: &'a Comparison,
}

pub fn run(args: &CompareArgs, device: Choice) -> Result<Answer> {
    let chosen: Vec<&'static Recipe> = if args.recipes.is_empty() {
        let able = |recipe: &&Recipe| !recipe.needs.outliers && !recipe.needs.descriptions;
        RECIPES.iter().filter(able).collect()
    } else {
        let names = args.recipes.iter();
        names.map(|name| find(name)).collect::<Result<_>>()?
    };
    let entries = chosen
        .iter()
        .map(|recipe| {
            let own = args.limit_for.iter().rev();
            Ok(Entry {
                recipe: configured(recipe, &args.set)?,
                limit: own
                    .clone()
                    .find(|(name, _)| recipe.is_called(name))
                    .map(|(_, limit)| *limit),
            })
        })
        .collect::<Result<Vec<_>>>()?;
    for (key, _) in &args.set {
        if !chosen.iter().any(|recipe| meant(recipe, key).is_some()) {
            return Err(Error::new(
                Kind::OptionInvalid,
                format!("None of these recipes has a parameter {key:?}."),
            ));
        }
    }
    for (name, _) in &args.limit_for {
        if !chosen.iter().any(|recipe| recipe.is_called(name)) {
            return Err(Error::new(
                Kind::OptionInvalid,
                format!("{name:?} takes no part in this comparison, so it needs no limit."),
            ));
        }
    }
    let data = DataSet::open(&args.data, &Limits::default())?;
    let model = open(&args.model, device)?;
    let benchmark = Benchmark {
        entries: &entries,
        shots: &args.shots,
        seeds: args.seeds,
        crops: args.crops.unwrap_or_else(|| {
            let views = entries.iter().map(|entry| entry.recipe.default_views());
            views.max().unwrap_or(1)
        }),
        corruption: args.corrupt.corruption,
        limit: args.limit,
        validation: args.validation,
    };
    let comparison = benchmark.run(&model, &data, &|line| eprintln!("{line}"))?;
    let document = Document {
        data: args.data.display().to_string(),
        corrupt: args.corrupt.corruption.map(|c| c.to_string()),
        model: args.model.model.display().to_string(),
        quant: model.report.quantization.name(),
        crops: benchmark.crops,
        comparison: &comparison,
    };
    let mut answer =
        Answer::new(&document, text(&comparison), true)?.note(described(&model, &args.model));
    for limited in &comparison.limited {
        answer = answer.note(format!(
            "{} is measured on {} images; zero-shot has {} on them.",
            limited.recipe,
            limited.n,
            percent(limited.zero_shot.all).trim()
        ));
    }
    for (recipe, why) in &comparison.refused {
        answer = answer.note(format!("{recipe}: {why}"));
    }
    Ok(answer)
}

/// The parameter that `key` means for `recipe`: `epochs` for every recipe that has it, `coop.epochs`
/// for one.
fn meant<'a>(recipe: &Recipe, key: &'a str) -> Option<&'a str> {
    let (whose, name) = key.split_once('.').unwrap_or((recipe.name, key));
    let has = recipe.parameters().iter().any(|p| p.is_called(name));
    (recipe.is_called(whose) && has).then_some(name)
}

/// What is set for `recipe` alone counts more than what is set for all.
fn configured(recipe: &'static Recipe, set: &[(String, String)]) -> Result<ConfiguredRecipe> {
    let mut own: Vec<(&str, &str, bool)> = set
        .iter()
        .filter_map(|(key, value)| Some((meant(recipe, key)?, value.as_str(), key.contains('.'))))
        .collect();
    own.sort_by_key(|(.., alone)| *alone);
    let own: Vec<(&str, &str)> = own.iter().map(|(name, value, _)| (*name, *value)).collect();
    recipe.configure(&own)
}

/// One line for each recipe and number of shots, with the means over the seeds.
fn text(comparison: &Comparison) -> String {
    let cells = |name: &str, shots: String, values: [f64; 4], rest: [String; 2]| {
        let mut row = vec![name.to_owned(), shots];
        row.extend(values.map(|v| percent(v).trim().to_owned()));
        row.extend(rest);
        row
    };
    let head = [
        "recipe",
        "shots",
        "all",
        "base",
        "new",
        "H",
        "parameters",
        "seconds",
    ];
    let zero = comparison.zero_shot;
    let mut rows = vec![
        head.map(str::to_owned).to_vec(),
        cells(
            "zero-shot",
            "0".to_owned(),
            [zero.all, zero.base, zero.new, zero.harmonic],
            ["0".to_owned(), String::new()],
        ),
    ];
    for group in comparison
        .outcomes
        .chunk_by(|a, b| a.recipe == b.recipe && a.shots == b.shots)
    {
        let mean =
            |value: fn(&Outcome) -> f64| group.iter().map(value).sum::<f64>() / group.len() as f64;
        let values = [
            mean(|o| o.scores.all),
            mean(|o| o.scores.base),
            mean(|o| o.scores.new),
            mean(|o| o.scores.harmonic),
        ];
        let parameters = group[0].trained_parameters.to_string();
        let seconds = format!("{:.2}", mean(|o| o.seconds));
        let shots = group[0].shots.to_string();
        rows.push(cells(group[0].recipe, shots, values, [parameters, seconds]));
    }
    table(&rows)
}

fn limit_for(text: &str) -> Result<(String, usize), String> {
    let (recipe, limit) = pair(text)?;
    Ok((recipe, at_least_one(&limit)?))
}
