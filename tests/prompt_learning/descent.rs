//! How far a descent goes if nobody sets its rate.

use promptlens::progress::LocalBoxFuture;
use promptlens::prompt_learning::examples::{Batch, Examples};
use promptlens::prompt_learning::job::TrainedPrompt;
use promptlens::prompt_learning::method::Method;
use promptlens::prompt_learning::schedule::Schedule;
use promptlens::prompt_learning::trainer::{
    FitResult, Group, Learner, Observer, Settings, Step, fit,
};
use promptlens::prompt_learning::values::Auto;

use super::toy::{images, teach};

fn length(values: impl IntoIterator<Item = f32>) -> f64 {
    let squares = values.into_iter().map(|v| f64::from(v).powi(2));
    squares.sum::<f64>().sqrt()
}

fn distance(a: &[f32], b: &[f32]) -> f64 {
    length(a.iter().zip(b).map(|(a, b)| a - b))
}

/// CoOp with one context for all classes, one epoch of one batch.
fn one_step(examples: &Examples, more: &[(&str, &str)]) -> TrainedPrompt {
    let set = [("specific", "no"), ("epochs", "1"), ("batch", "64")];
    teach("coop", examples, &[&set[..], more].concat())
}

/// A gradient that grows tenfold with every step, always the same way.
struct Cliff(f32);

impl Learner for Cliff {
    fn step<'a>(&'a mut self, parameters: &'a [f32], _: &'a Batch) -> LocalBoxFuture<'a, Step> {
        self.0 *= 10.0;
        Box::pin(std::future::ready(Ok(Step {
            loss: 1.0,
            hits: 0,
            gradient: vec![self.0; parameters.len()],
        })))
    }
}

#[test]
fn no_step_of_adamw_is_long_however_the_gradient_grows() {
    let examples = images(2, 2, 1, 1);
    let after = |method, steps: usize| {
        let settings = Settings {
            method,
            lr: Auto::Auto,
            schedule: Schedule::COSINE,
            epochs: steps,
            batch: 64,
            seed: 0,
            clip: None,
            average: None,
        };
        let observer = Observer {
            progress: &(),
            observe: &|_| {},
        };
        let start = vec![1.0; 16];
        let mut cliff = Cliff(1e-3);
        let run = fit(&mut cliff, start.clone(), &examples, &settings, observer);
        let found = pollster::block_on(run).unwrap().parameters;
        distance(&found, &start) / length(start)
    };
    // Ten steps at half the rate on average, none longer than (1 - 0.9) / sqrt(1 - 0.999) times it.
    let far = after(Method::ADAMW, 10);
    assert!(far < 10.0 * 0.5 * 0.1 * 3.2, "{far}");
    assert!(after(Method::COOP, 10) > 1000.0);
}

#[test]
fn what_coop_published_is_sgd_on_its_own_schedule() {
    let examples = images(5, 4, 1, 1);
    let set = [("optimizer", "sgd"), ("lr", "0.002")];
    let start = one_step(&examples, &[("lr", "1e-12")]);
    let start = &start.prompt.tensors["context"].data;
    // The only epoch takes the full rate; the first of more warms up at 1e-5.
    let one = one_step(&examples, &set);
    let two = one_step(&examples, &[&set[..], &[("epochs", "2")]].concat());
    assert_eq!(one.losses[0], two.losses[0]);
    let moved = |learned: &TrainedPrompt| distance(&learned.prompt.tensors["context"].data, start);
    let share = moved(&two) / moved(&one);
    // The second epoch begins the cosine, and its velocity has 1 + 0.9 gradients.
    let expected = 1.9 + 1e-5 / 0.002;
    assert!((share - expected).abs() < 0.01, "{share}");
}

#[test]
fn few_images_still_make_five_steps_in_a_pass() {
    // Classes, images of each, steps in a pass.
    let few = [(5, 16, 5), (10, 16, 5), (5, 4, 5), (3, 2, 2), (5, 1, 1)];
    for (classes, shots, steps) in few.into_iter().chain([(10, 40, 13), (40, 1, 2)]) {
        let examples = images(classes, shots, 1, 1);
        let learned = teach("coop", &examples, &[("epochs", "1")]);
        assert_eq!(learned.losses.len(), steps, "{classes} x {shots}");
    }
    let set = [("epochs", "1"), ("batch", "32")];
    assert_eq!(teach("coop", &images(5, 16, 1, 1), &set).losses.len(), 3);
}

/// A long group of parameters and a short one, with one loss and one gradient in every number.
#[derive(Clone, Copy)]
struct Unequal {
    loss: f64,
    push: f32,
}

/// So little pushed that the loss does not limit the rate.
const PUSHED: Unequal = Unequal {
    loss: 1e6,
    push: 1.0,
};

/// Their names, and the value that all of their numbers start from.
const UNEQUAL: [(Group, f32); 2] = [
    (
        Group {
            name: "long",
            len: 6,
        },
        1.0,
    ),
    (
        Group {
            name: "short",
            len: 3,
        },
        0.01,
    ),
];

impl Learner for Unequal {
    fn step<'a>(&'a mut self, parameters: &'a [f32], _: &'a Batch) -> LocalBoxFuture<'a, Step> {
        Box::pin(std::future::ready(Ok(Step {
            loss: self.loss,
            hits: 0,
            gradient: vec![self.push; parameters.len()],
        })))
    }

    fn groups(&self, _: usize) -> Vec<Group> {
        UNEQUAL.map(|(group, _)| group).into()
    }
}

/// `steps` steps of [`Unequal`], and its parameters at the start.
fn unequal(
    mut learner: Unequal,
    method: Method,
    lr: Auto<f64>,
    steps: usize,
) -> (FitResult, Vec<f32>) {
    let settings = Settings {
        method,
        lr,
        schedule: Schedule::CONSTANT,
        epochs: steps,
        batch: 64,
        seed: 0,
        clip: None,
        average: None,
    };
    let observer = Observer {
        progress: &(),
        observe: &|_| {},
    };
    let start: Vec<f32> = UNEQUAL
        .iter()
        .flat_map(|(group, value)| vec![*value; group.len])
        .collect();
    let examples = images(2, 2, 1, 1);
    let run = fit(&mut learner, start.clone(), &examples, &settings, observer);
    (pollster::block_on(run).unwrap(), start)
}

#[test]
fn every_group_of_parameters_moves_by_the_same_part_of_its_length() {
    for (method, part) in [(Method::ADAMW, 0.1), (Method::COOP, 0.001)] {
        let (found, start) = unequal(PUSHED, method, Auto::Auto, 1);
        let names: Vec<_> = found.rates.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["long", "short"]);
        for range in [0..6, 6..9] {
            let moved = distance(&found.parameters[range.clone()], &start[range.clone()]);
            let share = moved / length(start[range].iter().copied());
            assert!((share / part - 1.0).abs() < 0.05, "{method:?}: {share}");
        }
        // A rate that is set is that of all.
        let (found, _) = unequal(PUSHED, method, Auto::Set(0.25), 1);
        assert_eq!(found.rates, [("long", 0.25), ("short", 0.25)]);
    }
}

#[test]
fn no_step_takes_more_than_a_fixed_part_of_the_loss() {
    // The loss is 1, and at rate 1 AdamW lowers it by the sum of the gradient's numbers, SGD by that of
    // their squares.
    let hard = Unequal {
        loss: 1.0,
        push: 10.0,
    };
    for (method, long, short) in [(Method::ADAMW, 60.0, 30.0), (Method::COOP, 600.0, 300.0)] {
        let (found, _) = unequal(hard, method, Auto::Auto, 1);
        for ((_, rate), fall) in found.rates.iter().zip([long, short]) {
            let part = rate * fall;
            assert!(part <= 0.003 + 1e-9, "{method:?}: {part}");
        }
        assert!((found.rates[0].1 * long - 0.003).abs() < 1e-9);
    }
}

#[test]
fn more_steps_are_shorter_by_the_root_of_their_number() {
    let rate = |steps| unequal(PUSHED, Method::ADAMW, Auto::Auto, steps).0.rates[0].1;
    let usual = rate(1);
    assert_eq!(rate(500), usual);
    for (steps, factor) in [(2000, 0.5), (4500, 1.0 / 3.0)] {
        assert!((rate(steps) / usual - factor).abs() < 1e-12);
    }
    let set = unequal(PUSHED, Method::ADAMW, Auto::Set(0.1), 2000).0;
    assert_eq!(set.rates[0].1, 0.1);
}

#[test]
fn parts_of_a_recipe_that_start_apart_have_rates_of_their_own() {
    let examples = images(5, 4, 1, 1);
    let rates = |recipe: &str, more: &[(&str, &str)]| {
        let set = [&[("epochs", "1")], more].concat();
        let notes = teach(recipe, &examples, &set).notes.into_iter();
        let rates = notes.filter(|note| note.name.starts_with("learning rate"));
        rates.map(|note| note.name).collect::<Vec<_>>()
    };
    let of = |part: &str| ["contexts", part].map(|part| format!("learning rate of the {part}"));
    assert_eq!(rates("cocoop", &[]), of("network"));
    assert_eq!(rates("pre", &[]), of("encoder"));
    assert_eq!(rates("mocoop", &[]), of("gate"));
    let mut attributes = of("attribute vectors");
    attributes.reverse();
    assert_eq!(rates("atprompt", &[]), attributes);
    for recipe in ["coop", "coop-snapshots", "kgcoop", "msgcoop"] {
        assert_eq!(rates(recipe, &[]), ["learning rate"], "{recipe}");
    }
    assert_eq!(rates("cocoop", &[("lr", "0.002")]), ["learning rate"]);
}
