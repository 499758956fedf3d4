//! Every kind of head through its file: what is saved loads, saves again alike and answers alike.

use std::collections::BTreeSet;

use promptlens::prompt::file::Prompt;
use promptlens::prompt::heads::context::{ContextVectors, LearnedContext, NegativeContext};
use promptlens::prompt::heads::{self, KINDS};
use promptlens::prompt::layout::{NamePosition, PromptLayout};
use promptlens::prompt_learning::descriptions::Descriptions;
use promptlens::prompt_learning::outliers::OutlierData;
use promptlens::prompt_learning::recipes::{RECIPES, find};

use super::toy::{Extras, Toy, UNSEEN, W, class_count, drawn, images, names, teach_with, words};

/// Logits and centers on `names`.
fn answers(prompt: &Prompt, names: &[String]) -> (Vec<f64>, Vec<f64>) {
    let probe = images(4, 2, 1, 10).plain();
    pollster::block_on(async {
        let head = heads::open(prompt, &Toy, names).await.unwrap();
        let logits = head.logits(&Toy, &probe).await.unwrap();
        (logits, head.centers(&Toy).await.unwrap())
    })
}

/// Saves, reads and loads `prompt`, saves what was loaded, and compares.
fn round_trip(prompt: &Prompt) {
    let read = Prompt::from_bytes(&prompt.to_bytes().unwrap()).unwrap();
    let weights = heads::load(&read).unwrap();
    let again = heads::save(&read.recipe, &Toy, &read.class_names, weights.as_ref());
    assert_eq!(again, *prompt, "{}", prompt.recipe);
    let other = ["class 2", "quite new", "class 0"].map(str::to_owned);
    // Some prompts know no other names.
    let all = if find(&prompt.recipe).is_ok_and(|recipe| recipe.transfers) {
        &other[..]
    } else {
        &prompt.class_names[..1]
    };
    for names in [&prompt.class_names[..], all] {
        assert_eq!(answers(&again, names), answers(prompt, names));
    }
}

#[test]
fn every_kind_of_head_answers_from_its_file_as_before() {
    let negatives = words();
    let mut kinds = BTreeSet::new();
    let pair = r#"{"0_2": {"classes": [0, 2], "prompt_pairs": [{"prompt_pair": ["a dark thing", "a pale thing"]}]}}"#;
    let pair = Descriptions::from_json(pair.as_bytes()).unwrap();
    for recipe in RECIPES
        .iter()
        .filter(|recipe| !["cupl", "dcar", "kapt"].contains(&recipe.name))
    {
        let known = find(recipe.name).unwrap().parameters();
        let mut set = vec![("epochs", "3"), ("rounds", "2"), ("snapshots", "3"), UNSEEN];
        set.retain(|(name, _)| known.iter().any(|p| p.name == *name));
        let extras = Extras {
            outliers: OutlierData {
                negatives: &negatives,
                images: None,
            },
            descriptions: (recipe.name == "fudd").then_some(&pair),
            ..Extras::default()
        };
        let count = class_count(recipe.name);
        let examples = images(count, 3, 2, 9);
        let learned = teach_with(recipe.name, &names(count), Some(&examples), &set, extras)
            .unwrap()
            .prompt;
        round_trip(&learned);
        kinds.insert(heads::kind(&learned).unwrap().name);
    }
    let all: BTreeSet<&str> = KINDS.iter().map(|kind| kind.name).collect();
    assert_eq!(kinds, all, "a recipe for every kind");
}

#[test]
fn everything_that_a_context_may_have_is_kept() {
    let negatives = NegativeContext {
        context: drawn("negative", 1, 2 * W),
        words: words(),
        taught_with: None,
    };
    let layouts = [
        PromptLayout::end(3),
        PromptLayout {
            layout: NamePosition::Middle,
            ..PromptLayout::end(3)
        },
        PromptLayout {
            layout: NamePosition::Front,
            attributes: vec!["color".into(), "a \"shape\"".into()],
            per_attribute: 2,
            ..PromptLayout::end(1)
        },
    ];
    for layout in layouts {
        let size = layout.rows() * W;
        let own = |name: &str| drawn(name, 2, 4 * size);
        for vectors in [
            ContextVectors::Shared(drawn("shared", 2, size)),
            ContextVectors::PerClass {
                last: own("last"),
                earlier: vec![own("first"), own("second")],
            },
        ] {
            let shared = matches!(vectors, ContextVectors::Shared(_));
            let weights = LearnedContext {
                layout: layout.clone(),
                vectors,
                negatives: Some(negatives.clone().into()),
            };
            let prompt = heads::save("coop", &Toy, &names(4), &weights);
            round_trip(&prompt);
            let head = pollster::block_on(heads::open(&prompt, &Toy, &names(4))).unwrap();
            assert_eq!(head.negatives().map(|found| &**found), Some(&negatives));
            let tunable = shared && layout == PromptLayout::end(3);
            assert_eq!(head.context().is_some(), tunable, "{layout:?}");
        }
    }
}

#[test]
fn the_page_on_the_format_names_every_kind_and_tensor() {
    let page = std::fs::read_to_string("docs/reference/prompt-format.md").unwrap();
    for kind in KINDS {
        assert!(
            page.contains(&format!("### {}\n", kind.name)),
            "{}",
            kind.name
        );
        for tensor in kind.required.iter().chain(kind.optional) {
            assert!(page.contains(&format!("`{tensor}`")), "{tensor}");
        }
    }
}

#[test]
fn a_file_with_a_tensor_that_its_kind_does_not_know_is_refused() {
    let weights = LearnedContext {
        layout: PromptLayout::end(2),
        vectors: ContextVectors::Shared(drawn("shared", 2, 2 * W)),
        negatives: None,
    };
    let mut prompt = heads::save("coop", &Toy, &names(3), &weights);
    prompt.put("surprise", &[1], vec![1.0]);
    assert_eq!(heads::kind(&prompt).unwrap_err().code(), "prompt/invalid");
}
