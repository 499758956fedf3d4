//! What is withheld, and which names are not told apart.

use burn::tensor::Device;
use promptlens::kernels::floats;
use promptlens::pretrain::lit::head::Head;
use promptlens::pretrain::lit::pictures::{Picture, Pictures};
use promptlens::pretrain::lit::pool::Pool;
use promptlens::pretrain::lit::student::{BatchRows, Teaching};
use promptlens::rng::Rng;

use super::Small;

/// Pictures of two known names and of a withheld one, whose features are marked by their first value.
fn pictures() -> Pictures {
    let mut pictures = Pictures::new(4);
    for number in 0..30 {
        for (label, mark) in [("dog", 1.0), ("automobile", 2.0), ("trumpet", 9.0)] {
            let picture = Picture {
                set: "small".to_owned(),
                label: label.to_owned(),
                path: format!("train/{label}/{number}.jpg"),
                change: None,
            };
            pictures.push(picture, &[mark, 0.5, 0.0, 1.0]);
        }
    }
    pictures
}

fn head(classes: usize) -> Head {
    let mut rng = Rng::new(3);
    let weight = (0..classes * 4).map(|_| rng.normal() as f32).collect();
    Head::new(weight, vec![0.0; classes], 4)
}

#[test]
fn classes_of_withheld_names_their_synonyms_and_kinds_teach_only_the_complete_run() {
    let small = Small::new();
    let concepts = small.concepts(true);
    let teaches: Vec<bool> = concepts.of_class.iter().map(Option::is_some).collect();
    assert_eq!(teaches, [true, true, true, false, false, false, true]);
    let held = |name: &String| small.withheld.holds(name);
    assert!(!concepts.names.iter().any(held), "{:?}", concepts.names);

    let complete = small.concepts(false);
    assert!(complete.of_class.iter().all(Option::is_some));
    assert!(complete.names.iter().any(|name| name == "trumpet"));
    assert_eq!(complete.known, concepts.known);
}

#[test]
fn pictures_of_withheld_names_never_enter_a_batch() {
    let (small, pictures) = (Small::new(), pictures());
    let concepts = small.concepts(true);
    let pool = Pool::new(&pictures, &concepts, &small.vocabulary, "captioned");
    let used = pool
        .of_name
        .iter()
        .flatten()
        .chain(pool.kept_back.iter().map(|(p, _)| p));
    assert!(
        used.into_iter()
            .all(|p| pictures.list[*p].label != "trumpet")
    );
    let head = head(concepts.of_class.len());
    let teaching = Teaching {
        pool: &pool,
        head: &head,
        concepts: &concepts,
        seed: 1,
    };
    let rows = BatchRows {
        known: 8,
        any: 8,
        moved: 0,
    };
    for step in 0..20 {
        let batch = teaching.batch(step, rows);
        assert!(batch.seen.chunks(4).all(|f| f[0] == 1.0 || f[0] == 2.0));
        // A folder may be named by an alias.
        for (feature, name) in batch.seen.chunks(4).zip(&batch.names) {
            let expected = if feature[0] == 1.0 { "dog" } else { "car" };
            assert_eq!(concepts.names[*name], expected);
        }
    }
}

#[test]
fn the_teacher_gives_withheld_classes_no_share() {
    let (small, pictures) = (Small::new(), pictures());
    let concepts = small.concepts(true);
    let pool = Pool::new(&pictures, &concepts, &small.vocabulary, "captioned");
    let head = head(concepts.of_class.len());
    let teaching = Teaching {
        pool: &pool,
        head: &head,
        concepts: &concepts,
        seed: 1,
    };
    let shares = teaching
        .shares(&[0.3, 1.0, -2.0, 0.1], 1, &Device::flex())
        .unwrap();
    assert_eq!(shares.len(), concepts.names.len());
    assert!((shares.iter().sum::<f32>() - 1.0).abs() < 1e-5);
    let taught = concepts.taught();
    assert!(
        shares
            .iter()
            .zip(&taught)
            .all(|(share, taught)| *taught || *share == 0.0)
    );
    assert!(
        shares
            .iter()
            .zip(&taught)
            .all(|(share, taught)| !*taught || *share > 0.0)
    );
}

#[test]
fn a_kind_above_a_name_is_neither_right_nor_wrong() {
    let (small, pictures) = (Small::new(), pictures());
    let concepts = small.concepts(true);
    let pool = Pool::new(&pictures, &concepts, &small.vocabulary, "captioned");
    let head = head(concepts.of_class.len());
    let teaching = Teaching {
        pool: &pool,
        head: &head,
        concepts: &concepts,
        seed: 1,
    };
    let device = Device::flex();
    let place = |name: &str| concepts.names.iter().position(|n| n == name).unwrap();
    let loss = |raised: &str| {
        let mut logits = vec![0f32; concepts.names.len()];
        logits[place(raised)] = 5.0;
        let logits = floats(logits, [1, concepts.names.len()], &device);
        let loss = teaching.naming(logits, &[place("beagle")], &device);
        loss.into_scalar::<f32>()
    };
    let even = loss("tench");
    assert_eq!(
        loss("dog"),
        even,
        "dog is above beagle, tench is no known name"
    );
    assert!(loss("car") > even + 1.0);
    assert!(loss("beagle") < even);
}
