//! Mining: quantiles and order against the stored ones, exclusions, and the user's own words.

use promptlens::math::MatrixView;
use promptlens::ood::negatives::{
    Candidate, ExcludedBecause, Excluder, MAX_WORDS, MiningOptions, PartOfSpeech, Synonyms,
    Vocabulary, ascending, mine, nearest, quantile, similarities,
};
use std::collections::BTreeSet;

use super::uniform::Uniform;
use crate::fixtures::{Fixture, worst};

fn nouns(words: &[&str]) -> Vec<Candidate> {
    words
        .iter()
        .map(|w| Candidate {
            word: (*w).into(),
            part: PartOfSpeech::Noun,
        })
        .collect()
}

fn list(words: &[&str]) -> Vec<String> {
    words.iter().map(|w| (*w).to_owned()).collect()
}

#[test]
fn stored_quantiles_and_order() {
    let Some(f) = Fixture::open("ood/case.safetensors") else {
        return;
    };
    let (classes, candidates) = (f.numbers("id_text"), f.numbers("candidate_text"));
    let q = similarities(
        MatrixView::new(candidates, 512).unwrap(),
        MatrixView::new(classes, 512).unwrap(),
    );
    let (q, stored) = (q.unwrap(), f.numbers("candidate_quantile95"));
    // The stored ones are rounded to f32 along the way.
    let rounding = worst(&q, stored);
    assert!(rounding < 1e-6, "{rounding}");
    let expected = f.places("negative_order");
    assert_eq!(ascending(stored)[..300], expected);
    // The exact quantiles give the same words in the same order, but for neighbors that are
    // closer together than the rounding of the stored ones.
    let order = &ascending(&q)[..300];
    let set = |v: &[usize]| v.iter().copied().collect::<BTreeSet<_>>();
    assert_eq!(set(order), set(&expected));
    for (a, b) in order.iter().zip(&expected) {
        assert!(a == b || (stored[*a] - stored[*b]).abs() <= 2.0 * rounding);
    }

    // Mining agrees on the stored quantiles wherever no word is excluded.
    let words: Vec<Candidate> = f
        .names("candidate_names")
        .into_iter()
        .map(|word| Candidate {
            word,
            part: PartOfSpeech::Noun,
        })
        .collect();
    let options = MiningOptions {
        share: 300.0 / 1183.0,
        ..Default::default()
    };
    let mined = mine(&words, stored, &f.names("id_names"), &options).unwrap();
    let excluded: BTreeSet<_> = mined.excluded.iter().map(|e| e.word.as_str()).collect();
    let kept: Vec<usize> = mined.negatives.iter().filter_map(|n| n.candidate).collect();
    let expected: Vec<usize> = expected
        .into_iter()
        .filter(|i| !excluded.contains(words[*i].word.as_str()))
        .take(kept.len())
        .collect();
    assert_eq!(kept[..expected.len()], expected);
    assert!(expected.len() > 280, "{}", expected.len());
    for word in ["green_onion", "table", "parrot", "orange_(fruit)"] {
        assert!(excluded.contains(word), "{word}: {excluded:?}");
    }
    assert!(excluded.len() < 40, "{excluded:?}");
}

#[test]
fn quantile_by_hand_and_by_sorting() {
    assert_eq!(quantile(&mut [3.0], 0.95).unwrap(), 3.0);
    assert!((quantile(&mut [2.0, 1.0], 0.95).unwrap() - 1.95).abs() < 1e-15);
    assert_eq!(quantile(&mut [5.0, 1.0, 3.0], 0.5).unwrap(), 3.0);
    let mut u = Uniform(11);
    for n in [2usize, 3, 20, 21, 2000] {
        let values = u.many(n, -1.0, 1.0);
        let mut sorted = values.clone();
        sorted.sort_by(f64::total_cmp);
        let at = 0.95 * (n - 1) as f64;
        let (low, weight) = (at as usize, at.fract());
        let expected = sorted[low] * (1.0 - weight) + sorted[(low + 1).min(n - 1)] * weight;
        assert!((quantile(&mut values.clone(), 0.95).unwrap() - expected).abs() < 1e-12);
    }
    assert_eq!(quantile(&mut [], 0.95).unwrap_err().code(), "labels/empty");
    assert_eq!(
        quantile(&mut [f64::NAN], 0.95).unwrap_err().code(),
        "engine/not-finite"
    );
}

#[test]
fn parts_of_speech_compete_separately() {
    let mut candidates = Vec::new();
    let mut similarity = Vec::new();
    for i in 0..100 {
        candidates.push(Candidate {
            word: format!("n{i}"),
            part: PartOfSpeech::Noun,
        });
        similarity.push(f64::from((i * 37) % 100) / 100.0);
    }
    for i in 0..20 {
        candidates.push(Candidate {
            word: format!("a{i}"),
            part: PartOfSpeech::Adjective,
        });
        similarity.push(0.9 + f64::from(i) / 1000.0);
    }
    let mined = mine(
        &candidates,
        &similarity,
        &["cat"],
        &MiningOptions::default(),
    )
    .unwrap();
    let adjectives: Vec<_> = mined
        .negatives
        .iter()
        .filter(|n| n.word.starts_with('a'))
        .map(|n| &n.word)
        .collect();
    assert_eq!(adjectives, ["a0", "a1", "a2"]);
    assert_eq!(mined.negatives.len(), 18);
    let sorted = mined
        .negatives
        .windows(2)
        .all(|w| w[0].similarity <= w[1].similarity);
    assert!(
        sorted
            && mined.negatives[..15]
                .iter()
                .all(|n| n.similarity < Some(0.15))
    );
    let again = mine(
        &candidates,
        &similarity,
        &["cat"],
        &MiningOptions::default(),
    )
    .unwrap();
    assert_eq!(mined, again);
}

#[test]
fn equal_similarities_keep_the_order_of_the_list() {
    let words = nouns(&["delta", "alpha", "charlie", "bravo"]);
    let options = MiningOptions {
        share: 0.5,
        ..Default::default()
    };
    let mined = mine(&words, &[0.5; 4], &["cat"], &options).unwrap();
    let kept: Vec<_> = mined.negatives.iter().map(|n| n.word.as_str()).collect();
    assert_eq!(kept, ["delta", "alpha"]);
}

fn reason(class: &str, word: &str) -> Option<&'static str> {
    let table = Synonyms::parse("sofa = couch = settee\ndog > poodle, guide dog # kinds\n");
    let excluder = Excluder::new(&[class], &list(&["forbidden thing"]), &table);
    excluder
        .reject(word, &mut BTreeSet::new())
        .map(|because| match because {
            ExcludedBecause::SameName { .. } => "same",
            ExcludedBecause::PartOfName { .. } => "part",
            ExcludedBecause::Compound { .. } => "compound",
            ExcludedBecause::Synonym { .. } => "synonym",
            ExcludedBecause::Struck => "struck",
            ExcludedBecause::Duplicate => "duplicate",
            ExcludedBecause::Empty => "empty",
        })
}

#[test]
fn exclusions() {
    for (class, word, expected) in [
        ("Cat", "cat", Some("same")),
        ("cats", "cat", Some("same")),
        ("knife", "knives", Some("same")),
        ("berry", "berries", Some("same")),
        ("axis", "axes", Some("same")),
        ("fireman", "firemen", Some("same")),
        ("mouse", "mice", Some("same")),
        ("lawn mower", "lawnmower", Some("same")),
        ("lawn-mower", "LAWN_MOWERS", Some("same")),
        ("date_(fruit)", "date", Some("same")),
        ("hot dog", "dog", Some("part")),
        ("dog", "hot dogs", Some("part")),
        ("golf ball", "ball", Some("part")),
        ("couch", "sofa", Some("synonym")),
        ("sofas", "settees", Some("synonym")),
        ("poodle", "dog", Some("synonym")),
        ("dog", "poodle", Some("synonym")),
        ("sailboat", "boat", Some("compound")),
        ("boat", "sailboats", Some("compound")),
        ("sunflowers", "flower", Some("compound")),
        ("anything", "forbidden things", Some("struck")),
        ("cat", "()!", Some("empty")),
        ("cat", "", Some("empty")),
        ("cat", "catalogue", None),
        ("ant", "elephant", None),
        ("bus", "bush", None),
        ("glass", "gla", None),
        ("poodle", "beagle", None),
        ("golf ball", "golden retriever", None),
        ("((", "tree", None),
    ] {
        assert_eq!(reason(class, word), expected, "class {class}, word {word}");
    }
}

#[test]
fn the_user_strikes_and_adds() {
    let words = nouns(&["tree", "rock", "cat", "trees", "Tree", "cloud"]);
    let (struck, added) = (
        list(&["rocks"]),
        list(&[" hot dog ", "CAT", "cloud", "rock", "hot dog"]),
    );
    let options = MiningOptions {
        share: 1.0,
        struck: &struck,
        added: &added,
    };
    let similarity = [0.3, 0.1, 0.2, 0.25, 0.3, 0.4];
    let mined = mine(&words, &similarity, &["cat", "dog"], &options).unwrap();
    let kept: Vec<_> = mined.negatives.iter().map(|n| n.word.as_str()).collect();
    // "hot dog" holds the class "dog", but the user asked for it.
    assert_eq!(kept, ["trees", "tree", "cloud", "hot dog"]);
    assert_eq!(mined.negatives[3].candidate, None);
    let excluded: Vec<_> = mined
        .excluded
        .iter()
        .map(|e| (e.word.as_str(), &e.because))
        .collect();
    let same = ExcludedBecause::SameName {
        class: "cat".into(),
    };
    assert_eq!(
        excluded,
        [
            ("rock", &ExcludedBecause::Struck),
            ("cat", &same),
            ("Tree", &ExcludedBecause::Duplicate),
            ("CAT", &same),
            ("cloud", &ExcludedBecause::Duplicate),
            ("rock", &ExcludedBecause::Struck),
            ("hot dog", &ExcludedBecause::Duplicate),
        ]
    );
}

#[test]
fn unusable_requests_are_refused() {
    let words = nouns(&["tree", "cat"]);
    let none: [&str; 0] = [];
    let code = |words: &[Candidate], q: &[f64], share: f64| {
        let options = MiningOptions {
            share,
            ..Default::default()
        };
        mine(words, q, &["cat"], &options)
            .map(|_| "")
            .map_err(|e| e.code())
    };
    assert_eq!(code(&words, &[0.1, 0.2], 0.15), Ok(""));
    assert_eq!(code(&[], &[], 0.15), Err("negatives/empty"));
    assert_eq!(code(&words[1..], &[0.1], 0.15), Err("negatives/empty"));
    assert_eq!(code(&words, &[0.1], 0.15), Err("engine/internal"));
    assert_eq!(
        code(&words, &[0.1, f64::NAN], 0.15),
        Err("engine/not-finite")
    );
    for share in [0.0, 1.1, f64::NAN] {
        assert_eq!(code(&words, &[0.1, 0.2], share), Err("options/invalid"));
    }
    let no_class = mine(&words, &[0.1, 0.2], &none, &MiningOptions::default());
    assert_eq!(no_class.unwrap_err().code(), "labels/empty");
    let two = [1.0, 0.0];
    let wide = similarities(
        MatrixView::new(&two, 2).unwrap(),
        MatrixView::new(&two, 1).unwrap(),
    );
    assert_eq!(wide.unwrap_err().code(), "engine/internal");
}

#[test]
fn two_thousand_classes_against_the_bundled_list() {
    let vocabulary = Vocabulary::bundled().unwrap();
    let words = vocabulary.candidates();
    let classes: Vec<String> = (0..2000).map(|i| format!("class number {i}")).collect();
    let q = Uniform(12).many(words.len(), 0.0, 1.0);
    let mined = mine(words, &q, &classes, &MiningOptions::default()).unwrap();
    let share = mined.negatives.len() as f64 / words.len() as f64;
    assert!((0.14..0.16).contains(&share), "{share}");
}

#[test]
fn hints_are_the_nearest() {
    assert_eq!(nearest(&[0.1, 0.5, 0.3, 0.5], 3), [1, 3, 2]);
    assert_eq!(nearest(&[0.1], 3), [0]);
    assert!(nearest(&[], 3).is_empty());
}

#[test]
fn loaded_lists() {
    let mut v = Vocabulary::default();
    let text = "\u{feff}# comment\r\nTree\r\n\r\n tree \nblue whale\n";
    assert_eq!(v.extend(text.as_bytes(), PartOfSpeech::Noun).unwrap(), 2);
    assert_eq!(
        v.extend(b"tree\nshiny\n", PartOfSpeech::Adjective).unwrap(),
        1
    );
    let found: Vec<(&str, PartOfSpeech)> = v
        .candidates()
        .iter()
        .map(|c| (c.word.as_str(), c.part))
        .collect();
    let expected = [
        ("Tree", PartOfSpeech::Noun),
        ("blue whale", PartOfSpeech::Noun),
        ("shiny", PartOfSpeech::Adjective),
    ];
    assert_eq!(found, expected);
    let mut refused = |list: &[u8]| {
        assert_eq!(
            v.extend(list, PartOfSpeech::Noun).unwrap_err().code(),
            "negatives/invalid"
        );
        assert_eq!(v.candidates().len(), 3);
    };
    refused(&[0xff, 0xfe]);
    refused(&[b'a'; 200]);
    refused(b"new\nbad\x07bell\n");
    refused(&vec![b'\n'; 9 * 1024 * 1024]);
    let many: String = (0..=MAX_WORDS).map(|i| format!("w{i}\n")).collect();
    refused(many.as_bytes());
    assert_eq!(v.extend(b"new", PartOfSpeech::Noun).unwrap(), 1);
}
