//! MVLPT's joint stage on the text side: one context from the photos of several tasks, to go on from
//! with a few photos of another. The authors also have prompts of the image tower, and a small
//! transformer that joins both.

use crate::error::{Error, Kind, Result};
use crate::prompt_learning::context_recipe::ContextRecipe;
use crate::prompt_learning::descent::{Descent, Init};
use crate::prompt_learning::job::{TrainedPrompt, TrainingJob};
use crate::prompt_learning::losses::{OtherTasks, OwnTask};
use crate::prompt_learning::parameters::parameters;
use crate::prompt_learning::recipe::{Recipe, TypedRun};
use crate::tokenize::NameIndex;

parameters! {
    /// Parameters of MVLPT's joint stage.
    pub struct Params {
        /// class names by task, as in "cat,dog|rose,tulip"; names that stand in none are a task together
        tasks: String = String::new(),
        /// the classes of other tasks: joint with its own, their logits times zero, or apart
        others: OtherTasks = OtherTasks::Apart,
        ..descent: Descent {}
    }
    paper(p) {
        p.others = OtherTasks::Joint;
        p.descent.context.vectors = 16;
        p.descent.context.init = Init::Random;
    }
}

/// The recipe.
pub const RECIPE: Recipe = Recipe {
    name: "mvlpt",
    paper: "Shen et al. 2024, Multitask Vision-Language Prompt Tuning (WACV); the joint stage of its text side",
    summary: "One context from the photos of several tasks; go on from it with a few photos of another.",
    run: &TypedRun::<Params>(|job, params| Box::pin(run(job, params))),
    ..super::coop::RECIPE
};

async fn run(job: &TrainingJob<'_>, params: &Params) -> Result<TrainedPrompt> {
    let mut coop = ContextRecipe::coop(job, &params.descent)?;
    let tasks = tasks(job.names, &params.tasks)?;
    if tasks.iter().any(|task| *task != tasks[0]) {
        coop.losses = vec![Box::new(OwnTask {
            tasks,
            others: params.others,
        })];
    }
    coop.learn(job).await
}

/// The task of every name, [K], from `text` as people write it.
///
/// # Errors
/// `options/invalid` for a name that is no class, or that stands in two tasks.
pub fn tasks(names: &[String], text: &str) -> Result<Vec<usize>> {
    let refused = |what: String| Err(Error::new(Kind::OptionInvalid, what));
    let index = NameIndex::new(names);
    let mut tasks = vec![0; names.len()];
    for (task, list) in text.split('|').enumerate() {
        let list = list.split(',').map(|name| name.trim().to_owned());
        for name in list.filter(|name| !name.is_empty()) {
            let Some(place) = index.place(&name) else {
                return refused(format!("A task names {name:?}, which is no class."));
            };
            if tasks[place] != 0 {
                return refused(format!("{name:?} stands in two tasks."));
            }
            tasks[place] = task + 1;
        }
    }
    Ok(tasks)
}
