//! Parse, run, print.

mod args;
mod bench;
mod calibrate;
mod check;
mod classifier;
mod classify;
mod cli;
mod compare;
mod compose;
mod convert;
mod embed;
mod eval;
mod import;
mod input;
mod inspect;
mod model;
mod ood;
mod output;
mod pairs;
mod photos;
mod pretrain;
mod pretrain_args;
mod pretrain_lit;
mod prompts;
mod recipes;
mod retrieve;
mod suggest;
mod train;
mod tuning;
mod visualness;

use std::process::ExitCode;

use clap::Parser;
use promptlens::error::{Kind, Result};

use cli::{Cli, Command};
use output::Answer;

/// Exit status of a wrong command line, as clap has it.
const USAGE: u8 = 2;

pub fn main() -> ExitCode {
    let cli = match Cli::try_parse().and_then(cli::check) {
        Ok(cli) => cli,
        Err(error) => return usage(&error),
    };
    let answer = run(&cli).unwrap_or_else(|error| Answer::from_error(&error));
    answer.print(cli.json)
}

fn run(cli: &Cli) -> Result<Answer> {
    match &cli.command {
        Command::Embed(args) => embed::run(args, cli.device),
        Command::Classify(args) => classify::run(args, cli.device),
        Command::Eval(args) => eval::run(args, cli.device),
        Command::Retrieve(args) => retrieve::run(args, cli.device),
        Command::Train(args) => train::run(args, cli.device),
        Command::Compare(args) => compare::run(args, cli.device),
        Command::Pairs(args) => pairs::run(args, cli.device),
        Command::Recipes => recipes::run(),
        Command::Prompts(args) => prompts::run(args, cli.device),
        Command::SuggestTemplates(args) => suggest::run(args, cli.device),
        Command::Visualness(args) => visualness::run(args, cli.device),
        Command::Compose(args) => compose::run(args, cli.device),
        Command::ImportPrompt(args) => import::run(args, cli.device),
        Command::Calibrate(args) => calibrate::run(args, cli.device),
        Command::Inspect(args) => inspect::run(args),
        Command::Convert(args) => convert::run(args),
        Command::Check(args) => check::run(args, cli.device),
        Command::Bench(args) => bench::run(args, cli.device),
        Command::Pretrain(args) => pretrain::run(args, cli.device),
    }
}

/// Says what is wrong with the command line; scripts that ask for JSON get it as JSON too.
fn usage(error: &clap::Error) -> ExitCode {
    let wrong = error.use_stderr();
    // If even this cannot be written, there is no way to say so.
    let _ = error.print();
    if !wrong {
        return ExitCode::SUCCESS;
    }
    if std::env::args_os().any(|arg| arg == "--json") {
        let rendered = error.render().to_string();
        let first = rendered.lines().next().unwrap_or_default();
        output::print(&output::error_json(Kind::OptionInvalid.code(), first));
    }
    ExitCode::from(USAGE)
}
