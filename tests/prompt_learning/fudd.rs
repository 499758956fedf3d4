//! FuDD: which texts count for an image, against the authors' code, and what its answers keep.

use promptlens::math::argmax;
use promptlens::prompt::file::Prompt;
use promptlens::prompt::heads;
use promptlens::prompt::pair_texts::Text;
use promptlens::prompt_learning::described_pairs::{gather, met, to_fill};
use promptlens::prompt_learning::descriptions::Descriptions;
use promptlens::prompt_learning::job::TrainedPrompt;
use serde_json::{Value, json};

use super::toy::{D, Extras, Toy, drawn, images, names, teach_with};
use crate::common::shared;

fn learn(pairs: &Value, count: usize, set: &[(&str, &str)]) -> TrainedPrompt {
    let descriptions = Descriptions::from_json(pairs.to_string().as_bytes()).unwrap();
    let extras = Extras {
        descriptions: Some(&descriptions),
        ..Extras::default()
    };
    teach_with("fudd", &names(count), None, set, extras).unwrap()
}

fn logits(prompt: &Prompt, count: usize, images: &[f32]) -> Vec<f64> {
    let names = names(count);
    let head = pollster::block_on(heads::open(prompt, &Toy, &names)).unwrap();
    pollster::block_on(head.logits(&Toy, images)).unwrap()
}

/// Every two of `count` classes, described.
fn all_pairs(count: usize) -> Value {
    let pairs = (0..count).flat_map(|a| (a + 1..count).map(move |b| (a, b)));
    pairs
        .map(|(a, b)| {
            let texts = [format!("{a} unlike {b}"), format!("{b} unlike {a}")];
            let entry = json!({"classes": [a, b], "prompt_pairs": [{"prompt_pair": texts}]});
            (format!("{a}_{b}"), entry)
        })
        .collect()
}

#[test]
fn the_texts_are_those_of_the_authors() {
    let Some(path) = shared("fixtures/authors/methods2/texts.json") else {
        return;
    };
    let file: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let file = &file["fudd"];
    let strings = |list: &Value| -> Vec<String> { serde_json::from_value(list.clone()).unwrap() };
    let names = strings(&file["class_names"]);
    let defaults: Vec<String> = names.iter().map(|n| format!("a photo of a {n}.")).collect();
    let pairs = Descriptions::from_json(file["pairs"].to_string().as_bytes()).unwrap();
    let (texts, found) = gather(pairs.pairs(), &names, &defaults);
    let top: Vec<usize> = serde_json::from_value(file["top"].clone()).unwrap();
    for (i, (class, chosen)) in top.iter().zip(found.among(&top)).enumerate() {
        let mut own: Vec<String> = chosen
            .iter()
            .map(|text| match text {
                Text::Default => capitalized(&defaults[*class]),
                Text::Described(row) => capitalized(&texts[*row]),
            })
            .collect();
        own.sort();
        assert_eq!(own, strings(&file["texts"][i]), "{}", names[*class]);
    }
}

/// As the authors' file has it: an upper-case letter, then lower-case ones.
fn capitalized(text: &str) -> String {
    let (first, rest) = text.split_at(1);
    first.to_uppercase() + &rest.to_lowercase()
}

#[test]
fn a_text_counts_once_whatever_its_capitals() {
    let pairs = json!({
        "0_1": {"classes": [0, 1], "prompt_pairs": [
            {"prompt_pair": ["A round thing", "a tall thing"]},
            {"prompt_pair": ["a round thing ", "a photo of a class 1."]},
        ]},
        "2_0": {"classes": ["class 2", "Class_0"], "prompt_pairs": [{"prompt_pair": ["a flat thing", "a ROUND thing"]}]},
        "1_9": {"classes": [1, 9], "prompt_pairs": [{"prompt_pair": ["x", "y"]}]},
        "1_1": {"classes": [1, 1], "prompt_pairs": [{"prompt_pair": ["x", "y"]}]},
    });
    let read = Descriptions::from_json(pairs.to_string().as_bytes()).unwrap();
    let names = names(3);
    let defaults: Vec<String> = names.iter().map(|n| format!("a photo of a {n}.")).collect();
    let (texts, found) = gather(read.pairs(), &names, &defaults);
    assert_eq!(texts, ["A round thing", "a tall thing", "a flat thing"]);
    assert_eq!(found.pairs(), 2);
    let chosen = found.among(&[0, 1]);
    assert_eq!(chosen[0].iter().collect::<Vec<_>>(), [&Text::Described(0)]);
    assert_eq!(
        chosen[1].iter().collect::<Vec<_>>(),
        [&Text::Default, &Text::Described(1)]
    );
    // 1 and 2 have no texts: the default one for both.
    let chosen = found.among(&[2, 1]);
    assert!(
        chosen
            .iter()
            .all(|texts| texts.len() == 1 && texts.contains(&Text::Default))
    );
}

#[test]
fn without_pairs_it_is_the_first_pass() {
    let probe = images(4, 5, 1, 3).plain();
    let plain = teach_with("templates", &names(4), None, &[], Extras::default()).unwrap();
    let first = logits(&plain.prompt, 4, &probe);
    let none = learn(&json!({}), 4, &[]);
    assert_eq!(logits(&none.prompt, 4, &probe), first);
    // One class has no other to be told from.
    let alone = learn(&all_pairs(4), 4, &[("top", "1")]);
    assert_eq!(logits(&alone.prompt, 4, &probe), first);
    // Pairs of other names change nothing either.
    let others = learn(
        &json!({"0_1": {"classes": ["whale", "class 0"], "prompt_pairs": [{"prompt_pair": ["a", "b"]}]}}),
        4,
        &[],
    );
    assert_eq!(logits(&others.prompt, 4, &probe), first);
    let note = |name: &str| others.notes.iter().find(|n| n.name == name).unwrap().value;
    assert_eq!(note("pairs of no two classes"), 1.0);
    assert_eq!(note("pairs without texts"), 6.0);
}

#[test]
fn the_most_likely_classes_are_scored_by_their_texts() {
    const K: usize = 4;
    let learned = learn(&all_pairs(K), K, &[("top", "2")]);
    let plain = teach_with("templates", &names(K), None, &[], Extras::default()).unwrap();
    let probe = images(K, 6, 1, 5).plain();
    let (first, again) = (
        logits(&plain.prompt, K, &probe),
        logits(&learned.prompt, K, &probe),
    );
    let mut moved = 0;
    for ((image, old), new) in probe.chunks(D).zip(first.chunks(K)).zip(again.chunks(K)) {
        let mut order: Vec<usize> = (0..K).collect();
        order.sort_by(|a, b| old[*b].total_cmp(&old[*a]));
        // By hand: one text beside the one other class.
        for (class, other) in [(order[0], order[1]), (order[1], order[0])] {
            let text = drawn(&format!("{class} unlike {other}"), 3, D);
            let length = text
                .iter()
                .map(|v| f64::from(*v).powi(2))
                .sum::<f64>()
                .sqrt();
            let dot: f64 = text
                .iter()
                .zip(image)
                .map(|(t, f)| f64::from(*t) * f64::from(*f))
                .sum();
            assert!(
                (new[class] - 12.0 * dot / length).abs() < 1e-5,
                "{}",
                new[class]
            );
        }
        // The others stay behind, in their order.
        assert!(order[..2].contains(&argmax(new)));
        for pair in order[2..].windows(2) {
            assert!(new[pair[0]] >= new[pair[1]]);
        }
        assert!(
            order[2..]
                .iter()
                .all(|c| new[*c] <= new[order[0]].min(new[order[1]]) + 1e-12)
        );
        moved += usize::from(argmax(new) != argmax(old));
    }
    assert!(moved > 0, "no answer is another one");
}

#[test]
fn names_of_a_file_are_found_again_and_new_ones_answered() {
    let learned = learn(&all_pairs(3), 3, &[]);
    let bytes = learned.prompt.to_bytes().unwrap();
    let read = Prompt::from_bytes(&bytes).unwrap();
    let probe = images(3, 2, 1, 8).plain();
    let whole = logits(&learned.prompt, 3, &probe);
    assert_eq!(logits(&read, 3, &probe), whole);
    // Turned round, the answers turn with the names.
    let turned: Vec<String> = names(3).into_iter().rev().collect();
    let head = pollster::block_on(heads::open(&read, &Toy, &turned)).unwrap();
    let found = pollster::block_on(head.logits(&Toy, &probe)).unwrap();
    for (a, b) in whole.chunks(3).zip(found.chunks(3)) {
        assert!((0..3).all(|i| (a[i] - b[2 - i]).abs() < 1e-9));
    }
    assert_eq!(logits(&read, 5, &probe).len(), probe.len() / D * 5);
}

#[test]
fn files_that_do_not_fit_are_refused() {
    let good = learn(&all_pairs(3), 3, &[]).prompt;
    let damaged = |change: &dyn Fn(&mut Prompt)| {
        let mut file = good.clone();
        change(&mut file);
        heads::load(&file).map(|_| ()).unwrap_err().code()
    };
    let entries = |file: &mut Prompt, place: usize, value: f32| {
        file.tensors.get_mut("pairs.entries").unwrap().data[place] = value;
    };
    for change in [
        &|file: &mut Prompt| entries(file, 0, 3.0),
        &|file: &mut Prompt| entries(file, 1, -2.0),
        &|file: &mut Prompt| entries(file, 2, 1e9),
        &|file: &mut Prompt| entries(file, 2, f32::NAN),
        &|file: &mut Prompt| file.note("top", 101),
        &|file: &mut Prompt| file.note("top", 0),
        &|file: &mut Prompt| file.put("pairs.entries", &[2, 2], vec![0.0; 4]),
        &|file: &mut Prompt| drop(file.tensors.remove("pairs.texts")),
    ] as [&dyn Fn(&mut Prompt); 8]
    {
        assert_eq!(damaged(change), "prompt/invalid");
    }
    for bad in [
        r#"{"0_1": {"classes": [0], "prompt_pairs": []}}"#,
        r#"{"0_1": {"classes": [0, -1], "prompt_pairs": []}}"#,
        r#"{"0_1": {"classes": [0, 1], "prompt_pairs": [["a", "b"]]}}"#,
        r#"{"0_1": {"classes": [0, 1]}}"#,
    ] {
        let error = Descriptions::from_json(bad.as_bytes()).unwrap_err();
        assert_eq!(error.code(), "prompt/invalid", "{bad}");
    }
    let many = vec![json!({"prompt_pair": ["a", "b"]}); 1001];
    let many = json!({"0_1": {"classes": [0, 1], "prompt_pairs": many}}).to_string();
    let error = Descriptions::from_json(many.as_bytes()).unwrap_err();
    assert_eq!(error.code(), "prompt/invalid");
}

#[test]
fn the_pairs_that_were_met_are_written_to_be_filled() {
    let scores = [[0.6, 0.3, 0.1], [0.1, 0.5, 0.4], [0.5, 0.4, 0.1]].concat();
    let pairs = met(&scores, 3, 2);
    let found: Vec<_> = pairs
        .iter()
        .map(|pair| (pair.classes, pair.images))
        .collect();
    assert_eq!(found, [([0, 1], 2), ([1, 2], 1)]);
    assert_eq!(met(&scores, 3, 9).len(), 3);
    assert!(met(&[], 0, 2).is_empty());
    let mut file = to_fill(&pairs, &names(3), 2);
    // As it is it describes nothing.
    let empty = Descriptions::from_json(file.to_string().as_bytes()).unwrap();
    assert_eq!(gather(empty.pairs(), &names(3), &[]).1.pairs(), 0);
    file["0_1"]["prompt_pairs"][1]["prompt_pair"] = json!(["short", "long"]);
    let filled = Descriptions::from_json(file.to_string().as_bytes()).unwrap();
    let (texts, found) = gather(filled.pairs(), &names(3), &[]);
    assert_eq!(
        (texts, found.pairs()),
        (vec!["short".to_owned(), "long".to_owned()], 1)
    );
}
