//! How far a descent goes where nobody sets its rate.

use promptlens::progress::LocalBoxFuture;
use promptlens::prompt_learning::examples::{Batch, Examples};
use promptlens::prompt_learning::job::TrainedPrompt;
use promptlens::prompt_learning::schedule::Schedule;
use promptlens::prompt_learning::trainer::{Learner, Method, Observer, Settings, Step, fit};

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

#[test]
fn an_open_rate_fits_the_length_of_what_is_learned() {
    let examples = images(5, 4, 1, 1);
    let start = one_step(&examples, &[("lr", "1e-12")]);
    let start = &start.prompt.tensors["context"].data;
    for (optimizer, part) in [("adamw", 0.1), ("sgd", 0.001)] {
        let learned = one_step(&examples, &[("optimiser", optimizer)]);
        let moved = distance(&learned.prompt.tensors["context"].data, start);
        let share = moved / length(start.iter().copied());
        assert!((share / part - 1.0).abs() < 0.05, "{optimizer}: {share}");
    }
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
            schedule: Schedule::cosine(0.0),
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
    let set = [("optimiser", "sgd"), ("lr", "0.002")];
    let start = one_step(&examples, &[("lr", "1e-12")]);
    let start = &start.prompt.tensors["context"].data;
    // The only epoch takes the full rate; the first of more warms up at 1e-5.
    let one = one_step(&examples, &set);
    let two = one_step(&examples, &[&set[..], &[("epochs", "2")]].concat());
    assert_eq!(one.losses[0], two.losses[0]);
    let moved = |learned: &TrainedPrompt| distance(&learned.prompt.tensors["context"].data, start);
    let share = moved(&two) / moved(&one);
    // The second epoch stands at half of the cosine, and its velocity has 1 + 0.9 gradients.
    let expected = 0.5 * 1.9 + 1e-5 / 0.002;
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
