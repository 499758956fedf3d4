//! ATPrompt's search among sets of attribute words.

use promptlens::prompt_learning::attributes::{large_subsets, subsets};

use super::toy::{Extras, TELLING, images, names, teach, teach_with};

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

/// The notes of a search in `pool`, by the words of each set, and the words that were kept.
fn searched(pool: &str, seed: u64) -> (Vec<(String, f64)>, Vec<String>) {
    // The toy's words are five times as long as CLIP's.
    let set = [
        ("pool", pool),
        ("epochs", "1"),
        ("batch", "4"),
        ("noise", "0.002"),
    ];
    let extras = Extras {
        seed,
        ..Extras::default()
    };
    let examples = images(4, 6, 1, seed);
    let learned = teach_with("atprompt", &names(4), Some(&examples), &set, extras).unwrap();
    let shares = learned
        .notes
        .iter()
        .filter(|n| !n.name.starts_with("learning rate"));
    let shares = shares.map(|n| (n.name.clone(), n.value)).collect();
    let kept = serde_json::from_str(&learned.prompt.extra["attributes"]).unwrap();
    (shares, kept)
}

#[test]
fn shares_go_to_what_answers_the_images_held_back() {
    for seed in 0..10 {
        for pool in [
            format!("{TELLING},color,shape"),
            format!("color,{TELLING},shape"),
        ] {
            let (shares, kept) = searched(&pool, seed);
            let telling = shares.iter().filter(|(set, _)| set.contains(TELLING));
            let telling: f64 = telling.map(|(_, share)| share).sum();
            assert!(
                kept.iter().any(|word| word == TELLING),
                "{seed}: {shares:?}"
            );
            assert!(telling > 0.9, "{seed}: {shares:?}");
        }
        // Words that tell nothing apart share alike, by name.
        let (shares, _) = searched("color,shape", seed);
        assert!(
            shares.iter().all(|(_, share)| *share < 0.9),
            "{seed}: {shares:?}"
        );
    }
    assert_eq!(searched("color,shape", 3), searched("color,shape", 3));
}

#[test]
fn the_published_search_weighs_sets_of_three_words_or_more() {
    let pool = words(&["a", "b", "c", "d", "e"]);
    let sets = large_subsets(&pool);
    // 10 triples, 5 sets of four and all five.
    assert_eq!(sets.len(), 16);
    assert!(sets.iter().all(|set| (3..=5).contains(&set.len())));
    assert!(large_subsets(&words(&["a", "b"])).is_empty());

    // In one answer, the sets with the word that tells the images apart get more than their part.
    for seed in 0..3 {
        let set = [
            ("pool", &format!("color,{TELLING},shape,size")[..]),
            ("weighing", "logits"),
            ("search-epochs", "60"),
            ("epochs", "1"),
            ("batch", "4"),
            ("noise", "0.002"),
        ];
        let extras = Extras {
            seed,
            ..Extras::default()
        };
        let examples = images(4, 6, 1, seed);
        let learned = teach_with("atprompt", &names(4), Some(&examples), &set, extras).unwrap();
        let shares = learned
            .notes
            .iter()
            .filter(|n| !n.name.starts_with("learning rate"));
        let (with, without): (Vec<_>, Vec<_>) = shares.partition(|n| n.name.contains(TELLING));
        assert_eq!((with.len(), without.len()), (4, 1));
        let all: f64 = with.iter().chain(&without).map(|n| n.value).sum();
        assert!((all - 1.0).abs() < 1e-9);
        let least = with.iter().map(|n| n.value).fold(1.0, f64::min);
        assert!(
            without[0].value < 0.5 * least,
            "{seed}: {with:?} {without:?}"
        );
        let kept: Vec<String> = serde_json::from_str(&learned.prompt.extra["attributes"]).unwrap();
        assert!(kept.iter().any(|word| word == TELLING));
    }

    let two = [("settings", "paper"), ("pool", "color,shape")];
    let examples = images(3, 2, 1, 1);
    let refused = teach_with(
        "atprompt",
        &names(3),
        Some(&examples),
        &two,
        Extras::default(),
    );
    let error = refused.unwrap_err();
    assert_eq!(error.code(), "options/invalid");
    assert!(error.message().contains("three"), "{error}");
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
        .filter(|n| !n.name.starts_with("learning rate"))
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
