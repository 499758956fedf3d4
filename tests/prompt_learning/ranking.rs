//! Ranking: losses and networks against the authors' code, and the scores that it gives.

use promptlens::math::argmax;
use promptlens::math::stack::{Layer, Stack};
use promptlens::prompt::file::Prompt;
use promptlens::prompt::heads::ranking::{KIND, Line, class_values, hidden_layers, score_network};
use promptlens::prompt::heads::{self, Head};
use promptlens::prompt_learning::examples::{Batch, Examples};
use promptlens::prompt_learning::job::TrainedPrompt;
use promptlens::prompt_learning::ranking::{RankingLearner, pair_network, rank_loss, value_loss};
use promptlens::rng::Rng;

use super::toy::{D, Extras, Toy, drawn, images, names, teach_with};
use crate::fixtures::Fixture;

/// What their loss weighs the distance to the values by.
const REGRESSION: f64 = 0.2;

fn reference() -> Option<Fixture> {
    Fixture::open("authors/methods2/ranking_aware.safetensors")
}

fn differences(scores: &[f64]) -> Vec<f64> {
    let pairs = scores
        .iter()
        .flat_map(|a| scores.iter().map(move |b| a - b));
    pairs.collect()
}

#[test]
fn the_losses_and_their_gradients_are_those_of_the_authors() {
    let Some(file) = reference() else { return };
    let (scores, values) = (file.numbers("score"), file.numbers("target"));
    let n = values.len();
    let (rank, dz) = rank_loss(&differences(scores), values);
    let (far, dr) = value_loss(scores, values);
    file.check("single_rank", &[rank], 1e-9);
    file.check("single_regression", &[REGRESSION * far], 1e-9);
    file.check("single_rank_regression", &[rank + REGRESSION * far], 1e-9);
    let mut ranked = vec![0.0; n];
    for (at, dz) in dz.iter().enumerate() {
        ranked[at / n] += dz;
        ranked[at % n] -= dz;
    }
    let valued: Vec<f64> = dr.iter().map(|g| REGRESSION * g).collect();
    let both: Vec<f64> = ranked.iter().zip(&valued).map(|(a, b)| a + b).collect();
    file.check("grad_single_rank", &ranked, 1e-9);
    file.check("grad_single_regression", &valued, 1e-9);
    file.check("grad_single_rank_regression", &both, 1e-9);
    let (paired, _) = rank_loss(file.numbers("pair_logit"), values);
    file.check("dual_rank", &[paired], 1e-9);
    file.check("dual_regression", &[REGRESSION * far], 1e-9);
    file.check("dual_rank_regression", &[paired + REGRESSION * far], 1e-9);
}

/// The parameters of layers under `prefix`, in the order of their numbers, then those of the output.
fn parameters(file: &Fixture, prefix: &str, layers: &[usize]) -> Vec<f64> {
    let blocks = layers
        .iter()
        .map(|i| format!("{prefix}.pre_linear_block.{i}"));
    blocks
        .chain([format!("{prefix}.output_head")])
        .flat_map(|layer| ["weight", "bias"].map(|part| format!("{layer}.{part}")))
        .flat_map(|name| file.numbers(&name).to_vec())
        .collect()
}

/// Sums over the second of three dimensions.
fn summed(file: &Fixture, tensor: &str) -> Vec<Vec<f64>> {
    let [n, rows, width] = file[tensor].shape[..] else {
        panic!("{tensor} has no three dimensions");
    };
    let items = file.numbers(tensor).chunks_exact(rows * width).take(n);
    let sum = |item: &[f64]| {
        let at = |i: usize| item.chunks_exact(width).map(|row| row[i]).sum();
        (0..width).map(at).collect()
    };
    items.map(sum).collect()
}

#[test]
fn the_networks_are_those_of_the_authors() {
    let Some(file) = reference() else { return };
    let outputs = |network: &Stack, parameters: &[f64], rows: &[Vec<f64>]| -> Vec<f64> {
        assert_eq!(network.count(), parameters.len());
        let found = rows
            .iter()
            .map(|x| network.forward(parameters, x).output[0]);
        found.collect()
    };
    let pairs = parameters(&file, "pair", &[0, 1, 2, 4, 5, 7, 8]);
    let found = outputs(
        &pair_network(16, 16),
        &pairs,
        &summed(&file, "attention_out"),
    );
    file.check("pair_out", &found, 1e-9);
    // The norm of the features is a layer of its own there, and not part of this value.
    let scores = parameters(&file, "regressor", &[0, 1, 3, 4]);
    let network = Stack(hidden_layers(16, 16, 2));
    let found = outputs(&network, &scores, &summed(&file, "tokens"));
    file.check("regressor_out", &found, 1e-9);
}

#[test]
fn at_the_published_width_there_are_as_many_parameters() {
    assert_eq!(pair_network(512, 512).count(), 792_577);
    assert_eq!(score_network(512, 512).count(), 527_873 + 1024);
    let tensors = score_network(8, 4).tensors();
    let names = tensors.iter().map(|(name, _)| format!("score.{name}"));
    let known: Vec<&str> = KIND.required[1..].to_vec();
    assert_eq!(names.collect::<Vec<_>>(), known, "the file has them all");
}

#[test]
fn equal_scores_lose_ln_2_and_a_distance_of_2_loses_ln_2_5() {
    let values = [1.0, 3.0, 5.0, 5.0];
    let (rank, _) = rank_loss(&[0.0; 16], &values);
    assert!((rank - 2f64.ln()).abs() < 1e-12, "{rank}");
    let scores: Vec<f64> = values.iter().map(|y| y - 2.0).collect();
    let (far, _) = value_loss(&scores, &values);
    assert!((0.2 * far - 0.183_258_15).abs() < 1e-8, "{far}");
    // Scores that are far apart lose no more than their wrong pairs.
    let (rank, gradient) = rank_loss(&differences(&[-1e4, 1e4]), &[0.0, 1.0]);
    assert!((rank - 0.5 * 2f64.ln()).abs() < 1e-9, "{rank}");
    assert!(gradient.iter().all(|g| g.is_finite()));
}

#[test]
fn every_parameter_agrees_with_differences() {
    let mut rng = Rng::new(6);
    let examples = images(3, 2, 1, 5);
    let picks: Vec<(usize, usize)> = (0..6).map(|i| (i, 0)).collect();
    let batch = Batch::gather(&examples, &picks);
    for pairs in [None, Some(pair_network(D, 5))] {
        let learner = RankingLearner {
            score: score_network(D, 5),
            pairs,
            values: vec![-1.0, 0.3, 2.5],
            regression: 0.7,
        };
        let count = learner.score.count() + learner.pairs.as_ref().map_or(0, Stack::count);
        let mut p: Vec<f64> = (0..count).map(|_| 0.5 * rng.normal()).collect();
        let (_, _, gradient) = learner.descend(&p, &batch);
        const STEP: f64 = 1e-6;
        for place in 0..count {
            let kept = p[place];
            let mut at = |by: f64| {
                p[place] = kept + by;
                learner.descend(&p, &batch).0
            };
            let slope = (at(STEP) - at(-STEP)) / (2.0 * STEP);
            p[place] = kept;
            let error = (slope - gradient[place]).abs();
            assert!(error < 1e-6, "{place}: {slope} {}", gradient[place]);
        }
    }
}

#[test]
fn a_stack_gives_the_gradient_of_its_input() {
    let stack = Stack(vec![
        Layer::Norm(4),
        Layer::Linear {
            input: 4,
            output: 3,
        },
        Layer::Relu,
    ]);
    let mut rng = Rng::new(2);
    let p: Vec<f64> = (0..stack.count()).map(|_| rng.normal()).collect();
    let x = [0.3, -1.0, 0.7, 2.0];
    let dy = [1.0, -2.0, 0.5];
    let value = |x: &[f64]| -> f64 {
        let y = stack.forward(&p, x).output;
        y.iter().zip(dy).map(|(y, dy)| y * dy).sum()
    };
    let trace = stack.forward(&p, &x);
    let dx = stack.backward(&p, &trace, &dy, &mut vec![0.0; p.len()]);
    for i in 0..4 {
        let at = |by: f64| {
            let mut x = x;
            x[i] += by;
            value(&x)
        };
        let slope = (at(1e-6) - at(-1e-6)) / 2e-6;
        assert!((slope - dx[i]).abs() < 1e-6, "{slope} {}", dx[i]);
    }
}

/// Photos that show more and more of one direction, `shots` of each value.
fn ladder(values: &[f64], shots: usize, seed: u64) -> Examples {
    let mut rng = Rng::new(seed);
    let (base, more) = (drawn("base", 1, D), drawn("more", 1, D));
    let mut features = Vec::new();
    let mut labels = Vec::new();
    for (class, value) in values.iter().enumerate() {
        for _ in 0..shots {
            let row: Vec<f64> = base
                .iter()
                .zip(&more)
                .map(|(b, m)| f64::from(*b) + 0.3 * value * f64::from(*m) + 0.2 * rng.normal())
                .collect();
            let length = row.iter().map(|v| v * v).sum::<f64>().sqrt();
            features.extend(row.iter().map(|v| (v / length) as f32));
            labels.push(class);
        }
    }
    Examples::new(features, labels, 1, D, values.len()).unwrap()
}

fn labels(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|text| (*text).to_owned()).collect()
}

fn learn(names: &[String], examples: &Examples, set: &[(&str, &str)]) -> TrainedPrompt {
    teach_with("ranking", names, Some(examples), set, Extras::default()).unwrap()
}

fn open(prompt: &Prompt, names: &[String]) -> std::sync::Arc<dyn Head> {
    pollster::block_on(heads::open(prompt, &Toy, names)).unwrap()
}

/// The scores of plain photos, and the classes that they are answered with.
fn answers(prompt: &Prompt, names: &[String], examples: &Examples) -> (Vec<f64>, Vec<usize>) {
    let head = open(prompt, names);
    let plain = examples.plain();
    let rows = plain.chunks_exact(D).map(|row| {
        let row: Vec<f64> = row.iter().map(|v| f64::from(*v)).collect();
        let logits = pollster::block_on(head.answer(&Toy, &row)).unwrap();
        (head.score(&row).expect("a score"), argmax(&logits))
    });
    rows.unzip()
}

#[test]
fn new_photos_are_sorted_by_their_score_in_the_units_of_the_names() {
    let values = [1.0, 2.0, 3.0, 5.0, 8.0];
    let names = labels(&["1", "2", "3", "5", "8.0"]);
    let learned = learn(&names, &ladder(&values, 6, 1), &[]);
    let note = |name: &str| {
        learned
            .notes
            .iter()
            .find(|n| n.name.contains(name))
            .unwrap()
    };
    assert!(note("Spearman").value > 0.9, "{:?}", learned.notes);
    assert!(note("in order").value > 0.9, "{:?}", learned.notes);
    let new = ladder(&values, 6, 2);
    let read = Prompt::from_bytes(&learned.prompt.to_bytes().unwrap()).unwrap();
    let (scores, classes) = answers(&read, &names, &new);
    let shown: Vec<f64> = new.labels().iter().map(|y| values[*y]).collect();
    let order = promptlens::math::spearman(&scores, &shown);
    let off = scores
        .iter()
        .zip(&shown)
        .map(|(a, b)| (a - b).abs())
        .sum::<f64>()
        / 30.0;
    assert!(order > 0.85, "{order}");
    assert!(off < 1.5, "{off}: {scores:?}");
    // A photo belongs to the class whose value is nearest to its score.
    for (score, class) in scores.iter().zip(classes) {
        let far = |value: f64| (score - value).abs();
        assert!(values.iter().all(|value| far(*value) >= far(values[class])));
    }
    // Other numbers are served, other names are not.
    let between = labels(&["8", "4", "1"]);
    let (same, _) = answers(&read, &between, &new);
    assert_eq!(same, scores);
    let odd = labels(&["8", "many"]);
    let refused = pollster::block_on(heads::open(&read, &Toy, &odd)).unwrap_err();
    assert_eq!(refused.code(), "options/invalid");
    assert!(refused.message().contains("many"), "{refused}");
}

#[test]
fn names_that_are_no_numbers_stand_in_an_order() {
    assert_eq!(class_values(&labels(&["-1", " 2.5"])), [-1.0, 2.5]);
    let order = labels(&["green", "7", "ripe"]);
    assert_eq!(class_values(&order), [1.0, 2.0, 3.0]);
    assert_eq!(class_values(&labels(&["inf", "1"])), [1.0, 2.0]);
    let examples = ladder(&[1.0, 2.0, 3.0], 5, 3);
    let learned = learn(&order, &examples, &[]);
    let (scores, classes) = answers(&learned.prompt, &order, &examples);
    let right = classes.iter().zip(examples.labels());
    assert!(right.filter(|(a, b)| a == b).count() >= 12, "{classes:?}");
    // They keep their value in another list.
    let turned = labels(&["ripe", "green"]);
    assert_eq!(answers(&learned.prompt, &turned, &examples).0, scores);
    let new = labels(&["ripe", "rotten"]);
    let refused = pollster::block_on(heads::open(&learned.prompt, &Toy, &new)).unwrap_err();
    assert_eq!(refused.code(), "options/invalid");
}

#[test]
fn a_line_brings_scores_to_the_units_of_the_values() {
    let line = Line::through(&[0.0, 1.0, 2.0], &[10.0, 20.0, 30.0], &[10.0, 20.0, 30.0]);
    assert!((line.offset - 10.0).abs() < 1e-9 && (line.slope - 10.0).abs() < 1e-9);
    assert!((line.spread - 5.0).abs() < 1e-9, "half of the difference");
    // Scores that say nothing, or the contrary, keep their order.
    for scores in [[1.0, 1.0, 1.0], [3.0, 2.0, 1.0]] {
        let line = Line::through(&scores, &[10.0, 20.0, 30.0], &[10.0, 20.0, 30.0]);
        assert!(line.slope > 0.0 && line.spread > 5.0, "{line:?}");
    }
}

#[test]
fn a_network_of_pairs_teaches_the_score_nothing() {
    let names = labels(&["1", "2", "3"]);
    let examples = ladder(&[1.0, 2.0, 3.0], 4, 3);
    let quick = [("epochs", "3"), ("lr", "0.001"), ("pairs", "network")];
    let both = learn(&names, &examples, &quick);
    let scores = score_network(D, 64).count();
    assert_eq!(
        both.trained_parameters,
        scores + pair_network(D, 64).count()
    );
    let kept = |learned: &TrainedPrompt| -> usize {
        let tensors = learned.prompt.tensors.iter();
        let own = tensors.filter(|(name, _)| name.starts_with("score."));
        own.map(|(_, values)| values.data.len()).sum()
    };
    assert_eq!(kept(&both), scores);
    // Without the distance to the values nothing is left to learn from.
    let alone = [&quick[..], &[("regression", "0")]].concat();
    let still = learn(&names, &examples, &alone);
    let head = |learned: &TrainedPrompt| learned.prompt.tensors["score.7.weight"].data.clone();
    let moved = head(&still)
        .iter()
        .zip(&head(&both))
        .any(|(a, b)| (a - b).abs() > 1e-4);
    assert!(moved, "the distance moves it");
    let paper = learn(&names, &examples, &[("settings", "paper"), ("epochs", "2")]);
    assert_eq!(paper.prompt.tensors["score.1.bias"].shape, [D]);
}

#[test]
fn photos_that_cannot_be_compared_are_refused() {
    let refused = |names: &[String], examples: &Examples, set: &[(&str, &str)]| {
        let found = teach_with("ranking", names, Some(examples), set, Extras::default());
        found.unwrap_err().code()
    };
    let three = images(3, 4, 1, 1);
    assert_eq!(
        refused(&names(1), &images(1, 4, 1, 1), &[]),
        "options/invalid"
    );
    assert_eq!(
        refused(&names(3), &three.subset(&[5]).unwrap(), &[]),
        "options/invalid"
    );
    assert_eq!(
        refused(&names(3), &three.subset(&[4, 5, 6]).unwrap(), &[]),
        "options/invalid"
    );
    let alike = labels(&["1", "1.0", "01"]);
    assert_eq!(refused(&alike, &three, &[]), "options/invalid");
    assert_eq!(
        refused(&names(3), &three, &[("batch", "129")]),
        "options/invalid"
    );
}

#[test]
fn damaged_files_are_refused() {
    let learned = learn(
        &names(3),
        &ladder(&[1.0, 2.0, 3.0], 2, 3),
        &[("epochs", "1")],
    );
    let open = |prompt: &Prompt| pollster::block_on(heads::open(prompt, &Toy, &names(3)));
    for (key, value) in [
        ("slope", "0"),
        ("slope", "-1"),
        ("spread", "0"),
        ("offset", "NaN"),
    ] {
        let mut prompt = learned.prompt.clone();
        prompt.extra.insert(key.into(), value.into());
        assert_eq!(
            open(&prompt).unwrap_err().code(),
            "prompt/invalid",
            "{key}={value}"
        );
    }
    for (name, shape) in [
        ("score.1.bias", [63]),
        ("score.7.bias", [2]),
        ("score.0.weight", [D + 1]),
    ] {
        let mut prompt = learned.prompt.clone();
        prompt.put(name, &shape, vec![0.5; shape[0]]);
        assert_eq!(
            open(&prompt).unwrap_err().code(),
            "prompt/invalid",
            "{name}"
        );
    }
}
