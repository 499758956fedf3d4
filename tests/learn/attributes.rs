//! ATPrompt's search among sets of attribute words.

use promptlens::learn::attributes::{search, subsets};
use promptlens::learn::job::Job;
use promptlens::learn::options::Options;
use promptlens::learn::plan::Plan;
use promptlens::learn::recipes::find;
use promptlens::learn::trainer::Audience;

use super::toy::{Toy, images, names, teach};

fn words(list: &[&str]) -> Vec<String> {
    list.iter().map(|word| (*word).to_owned()).collect()
}

#[test]
fn every_set_of_up_to_three_words_is_tried_once() {
    let pool = words(&["a", "b", "c", "d", "e"]);
    let sets = subsets(&pool);
    // 5 single words, 10 pairs and 10 triples.
    assert_eq!(sets.len(), 25);
    let distinct: std::collections::BTreeSet<_> = sets.iter().cloned().collect();
    assert_eq!(distinct.len(), 25);
    assert!(sets.windows(2).all(|w| w[0].len() <= w[1].len()));
    assert_eq!(sets[0], words(&["a"]));
    assert_eq!(subsets(&words(&["x"])), [words(&["x"])]);
    assert!(subsets(&[]).is_empty());
}

/// The shares of plans whose starts are scaled by `scales`.
fn shares(seed: u64, scales: &[f32]) -> Vec<f64> {
    let recipe = find("coop").unwrap();
    let set = [("lr", "0.05"), ("batch", "4"), ("init", "random")];
    let options = Options::new(&recipe.parameters(), &set).unwrap();
    let (all, examples) = (names(3), images(3, 6, 1, 2));
    let job = Job {
        recipe,
        model: &Toy,
        names: &all,
        examples: Some(&examples),
        unlabelled: &[],
        descriptions: None,
        others: Default::default(),
        options: &options,
        seed,
        audience: Audience {
            watch: &(),
            observe: &|_| {},
        },
    };
    let plans = scales.iter().map(|scale| {
        let mut plan = Plan::coop(&job).unwrap();
        // A start far from anything useful is a set of words that does not help.
        plan.start.iter_mut().for_each(|v| *v *= scale);
        plan
    });
    pollster::block_on(search(&job, plans.collect(), 8)).unwrap()
}

#[test]
fn shares_go_to_what_answers_the_images_held_back() {
    let equal = shares(1, &[1.0, 1.0, 1.0]);
    for share in &equal {
        assert!((share - 1.0 / 3.0).abs() < 1e-6, "{equal:?}");
    }
    let found = shares(1, &[1.0, 400.0]);
    assert!((found.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    assert_eq!(found, shares(1, &[1.0, 400.0]));
    // A useless start answers well by luck now and then, so many of them are looked at.
    let mean = |scales: &[f32], at: usize| {
        let seeds = 1..=10u8;
        seeds
            .map(|seed| shares(seed.into(), scales)[at])
            .sum::<f64>()
            / 10.0
    };
    let (first, second) = (mean(&[1.0, 400.0], 0), mean(&[400.0, 1.0], 1));
    assert!(first > 0.6 && second > 0.6, "{first} {second}");
}

#[test]
fn the_recipe_keeps_the_heaviest_set_and_names_every_share() {
    let examples = images(3, 6, 1, 2);
    let set = [
        ("pool", "color, shape,color"),
        ("search-epochs", "2"),
        ("epochs", "2"),
    ];
    let learned = teach("atprompt", &examples, &set);
    let found: Vec<_> = learned
        .notes
        .iter()
        .filter(|n| n.name != "learning rate")
        .collect();
    let listed: Vec<&str> = found.iter().map(|n| n.name.as_str()).collect();
    assert_eq!(listed, ["color", "shape", "color, shape"]);
    assert!((found.iter().map(|n| n.value).sum::<f64>() - 1.0).abs() < 1e-9);
    let best = found
        .iter()
        .fold(found[0], |a, b| if b.value > a.value { b } else { a });
    let kept: Vec<String> = serde_json::from_str(&learned.prompt.extra["attributes"]).unwrap();
    assert_eq!(kept.join(", "), best.name);
}
