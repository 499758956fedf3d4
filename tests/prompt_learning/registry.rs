//! Every recipe of the registry: runs, repeats, travels in a file, serves new names or says why not.

use promptlens::prompt::file::Prompt;
use promptlens::prompt::heads;
use promptlens::prompt_learning::descent::OptimizerKind;
use promptlens::prompt_learning::descriptions::Descriptions;
use promptlens::prompt_learning::job::TrainedPrompt;
use promptlens::prompt_learning::outliers::OutlierData;
use promptlens::prompt_learning::parameters::parse;
use promptlens::prompt_learning::recipe::{Cost, Needs};
use promptlens::prompt_learning::recipes::{RECIPES, coop, find};
use promptlens::prompt_learning::values::Auto;

use super::toy::{D, Extras, Toy, UNSEEN, W, class_count, images, names, teach_with, words};

/// Small settings, so that every recipe takes a moment only.
fn quick(recipe: &str) -> Vec<(&'static str, &'static str)> {
    let known = find(recipe).unwrap().parameters();
    [("epochs", "3"), ("rounds", "2"), UNSEEN]
        .into_iter()
        .filter(|(name, _)| known.iter().any(|p| p.name == *name))
        .collect()
}

fn sentences() -> Descriptions {
    let json = r#"{"class 0": ["a round thing", "a red thing"], "Class_1": ["a tall thing"],
        "0_2": {"classes": [0, "class 2"], "prompt_pairs": [{"prompt_pair": ["a dark thing", "a pale thing"]}]}}"#;
    Descriptions::from_json(json.as_bytes()).unwrap()
}

fn taught(recipe: &str, seed: u64) -> TrainedPrompt {
    let descriptions = sentences();
    let (count, negatives) = (class_count(recipe), words());
    let examples = images(count, 3, 2, 9);
    let extras = Extras {
        descriptions: Some(&descriptions),
        outliers: OutlierData {
            negatives: &negatives,
            images: None,
        },
        seed,
        ..Extras::default()
    };
    teach_with(
        recipe,
        &names(count),
        Some(&examples),
        &quick(recipe),
        extras,
    )
    .unwrap_or_else(|e| panic!("{recipe}: {e}"))
}

fn logits(prompt: &Prompt, names: &[String], images: &[f32]) -> Vec<f64> {
    let head = pollster::block_on(heads::open(prompt, &Toy, names)).unwrap();
    pollster::block_on(head.logits(&Toy, images)).unwrap()
}

#[test]
fn every_recipe_learns_repeats_and_survives_its_file() {
    let probe = images(4, 2, 1, 10).plain();
    for recipe in RECIPES {
        let learned = taught(recipe.name, 1);
        assert_eq!(learned, taught(recipe.name, 1), "{}", recipe.name);
        assert_eq!(learned.prompt.recipe, recipe.name);
        assert_eq!(learned.losses.is_empty(), learned.trained_parameters == 0);
        let bytes = learned.prompt.to_bytes().unwrap();
        assert_eq!(bytes, learned.prompt.to_bytes().unwrap());
        let read = Prompt::from_bytes(&bytes).unwrap();
        assert_eq!(read, learned.prompt, "{}", recipe.name);
        let own = names(class_count(recipe.name));
        let found = logits(&read, &own, &probe);
        assert_eq!(found.len(), 8 * own.len(), "{}", recipe.name);
        assert!(found.iter().all(|z| z.is_finite()));
        assert_eq!(found, logits(&learned.prompt, &own, &probe));
    }
}

#[test]
fn transferable_prompts_serve_new_names() {
    let probe = images(4, 2, 1, 10).plain();
    let other: Vec<String> = ["class 2", "quite new", "class 0"]
        .map(str::to_owned)
        .into();
    for recipe in RECIPES {
        let learned = taught(recipe.name, 1);
        if !recipe.transfers {
            let refused = pollster::block_on(heads::open(&learned.prompt, &Toy, &other));
            assert_eq!(refused.unwrap_err().code(), "options/invalid");
            continue;
        }
        let (old, new) = (
            logits(&learned.prompt, &names(4), &probe),
            logits(&learned.prompt, &other, &probe),
        );
        if recipe.name == "tfup" {
            continue; // Its likeness depends on the other names.
        }
        for (old, new) in old.chunks_exact(4).zip(new.chunks_exact(3)) {
            assert!((old[2] - new[0]).abs() < 1e-9, "{}", recipe.name);
            assert!((old[0] - new[2]).abs() < 1e-9, "{}", recipe.name);
            assert!(new[1].is_finite());
        }
    }
}

#[test]
fn a_context_per_class_serves_other_names_with_their_mean() {
    let examples = images(4, 3, 1, 9);
    let set = [("specific", "yes"), ("epochs", "3")];
    let learned = teach_with("coop", &names(4), Some(&examples), &set, Extras::default()).unwrap();
    let contexts = &learned.prompt.tensors["context"];
    assert_eq!(contexts.shape, [4, 4, super::toy::W]);
    let fewer: Vec<String> = ["class 3", "else", "class 1"].map(str::to_owned).into();
    let probe = examples.plain();
    let (old, new) = (
        logits(&learned.prompt, &names(4), &probe),
        logits(&learned.prompt, &fewer, &probe),
    );
    // The mean as a context for all classes.
    let mut common = learned.prompt.clone();
    let size = contexts.data.len() / 4;
    let at = |i: usize| {
        (0..4)
            .map(|class| contexts.data[class * size + i])
            .sum::<f32>()
            / 4.0
    };
    common.put("context", &[4, super::toy::W], (0..size).map(at).collect());
    let mean = logits(&common, &fewer, &probe);
    for ((old, new), mean) in old
        .chunks_exact(4)
        .zip(new.chunks_exact(3))
        .zip(mean.chunks_exact(3))
    {
        assert_eq!([old[3], old[1]], [new[0], new[2]]);
        assert!((new[1] - mean[1]).abs() < 1e-5, "{} {}", new[1], mean[1]);
        assert!((new[0] - mean[0]).abs() > 1e-3, "a context of its own");
    }
}

#[test]
fn the_snapshots_of_a_descent_speak_together() {
    let examples = images(4, 3, 1, 9);
    let teach = |examples, more: &[(&str, &str)]| {
        let set = [&[("epochs", "4")], more].concat();
        let recipe = "coop-snapshots";
        teach_with(recipe, &names(4), Some(examples), &set, Extras::default()).unwrap()
    };
    let learned = teach(&examples, &[("snapshots", "3")]);
    let mut prompt = Prompt::from_bytes(&learned.prompt.to_bytes().unwrap()).unwrap();
    let size = 4 * 4 * W;
    assert_eq!(learned.trained_parameters, size);
    let earlier = prompt.tensors["earlier_contexts"].clone();
    assert_eq!(earlier.shape, [2 * 4, 4, W]);
    let all = ["class 2", "another", "class 0"].map(str::to_owned);
    let texts = |prompt: &Prompt| {
        let head = pollster::block_on(heads::open(prompt, &Toy, &all)).unwrap();
        pollster::block_on(head.centers(&Toy)).unwrap()
    };
    let together = texts(&prompt);
    prompt.tensors.remove("earlier_contexts");
    let mut sum = texts(&prompt);
    let mut alone = sum.clone();
    for context in earlier.data.chunks_exact(size) {
        prompt.put("context", &[4, 4, W], context.to_vec());
        let next = texts(&prompt);
        let parts = next.iter().zip(&alone).map(|(a, b)| (a - b).abs());
        assert!(
            parts.fold(0.0, f64::max) > 1e-4,
            "every one is a place of its own"
        );
        sum.iter_mut().zip(&next).for_each(|(s, t)| *s += t);
        alone = next;
    }
    for (row, mean) in together.chunks_exact(D).zip(sum.chunks_exact(D)) {
        let length = mean.iter().map(|v| v * v).sum::<f64>().sqrt();
        for (a, b) in row.iter().zip(mean) {
            assert!((a - b / length).abs() < 1e-9, "{a} {}", b / length);
        }
    }
    // One image of a class and SGD have the end alone, and so has CoOp.
    let one = images(4, 1, 1, 9);
    for learned in [
        teach(&one, &[]),
        teach(&examples, &[("optimizer", "sgd")]),
        taught("coop", 1),
    ] {
        assert!(!learned.prompt.tensors.contains_key("earlier_contexts"));
    }
}

#[test]
fn the_registry_says_what_people_may_set() {
    let mut seen = std::collections::BTreeSet::new();
    for recipe in RECIPES {
        assert!(seen.insert(recipe.name), "{} is there twice", recipe.name);
        assert!(recipe.paper.contains(char::is_numeric), "{}", recipe.name);
        assert!(!recipe.summary.is_empty() && recipe.summary.len() < 120);
        let mut own = std::collections::BTreeSet::new();
        for parameter in &recipe.parameters() {
            assert!(own.insert(parameter.name), "{}", parameter.name);
            let set = [(parameter.name, parameter.default.as_str())];
            assert!(recipe.configure(&set).is_ok(), "{}", parameter.name);
        }
        let json = serde_json::to_value(recipe).unwrap();
        for key in ["name", "paper", "kind", "parameters"] {
            assert!(!json[key].is_null(), "{key}");
        }
        for parameter in json["parameters"].as_array().unwrap() {
            let keys: Vec<_> = parameter.as_object().unwrap().keys().collect();
            assert_eq!(keys, ["default", "meaning", "name"]);
        }
    }
    let cones = find("cones").unwrap();
    assert_eq!((cones.name, cones.kind), ("taskres", Cost::Features));
    assert!(cones.paper.starts_with("Yu et al. 2023, Task Residual"));
    assert_eq!(find("tfup").unwrap().needs, Needs::IMAGES);
    assert_eq!(find("nothing").unwrap_err().code(), "options/invalid");
}

#[test]
fn bad_settings_are_refused() {
    let recipe = find("coop").unwrap();
    for (name, value) in [
        ("vectors", "0"),
        ("vectors", "65"),
        ("vectors", "four"),
        ("lr", "NaN"),
        ("lr", "-1"),
        ("lr", "inf"),
        ("layout", "top"),
        ("specific", "YES"),
        ("colour", "red"),
        ("epochs", "-1"),
    ] {
        let error = recipe.configure(&[(name, value)]).unwrap_err();
        assert_eq!(error.code(), "options/invalid", "{name}={value}");
    }
    let params: coop::Params = parse(&[(" lr ", " 0.5 "), ("lr", "0.25")]).unwrap();
    assert_eq!(params.descent.steps.lr, Auto::Set(0.25));
    assert_eq!(params.descent.context.vectors, 4);
}

#[test]
fn automatic_values_are_shown_as_auto_and_set_by_it_or_by_zero() {
    for recipe in RECIPES {
        for parameter in recipe.parameters() {
            if parameter.values.ends_with("or auto") {
                assert_ne!(parameter.default, "0", "{} {}", recipe.name, parameter.name);
            }
        }
    }
    let table = find("coop").unwrap().parameters();
    let examples = images(4, 3, 1, 9);
    let with = |value: &str| {
        let set = ["epochs", "lr", "batch"].map(|name| (name, value));
        teach_with("coop", &names(4), Some(&examples), &set, Extras::default()).unwrap()
    };
    for name in ["epochs", "lr", "batch"] {
        let row = table.iter().find(|p| p.is_called(name)).unwrap();
        assert_eq!(row.default, "auto", "{name}");
    }
    let left_open = teach_with("coop", &names(4), Some(&examples), &[], Extras::default());
    assert_eq!(with("auto"), left_open.unwrap());
    assert_eq!(with("0"), with("auto"));
}

#[test]
fn the_older_spelling_of_a_parameter_is_an_alias() {
    let table = find("coop").unwrap().parameters();
    let row = table.iter().find(|p| p.is_called("optimiser")).unwrap();
    assert_eq!((row.name, row.default.as_str()), ("optimizer", "adamw"));
    let examples = images(4, 3, 1, 9);
    let with = |name| {
        let set = [(name, "sgd"), ("epochs", "3")];
        teach_with("coop", &names(4), Some(&examples), &set, Extras::default()).unwrap()
    };
    assert_eq!(with("optimiser"), with("optimizer"));
    let older: coop::Params = parse(&[("optimiser", "sgd")]).unwrap();
    assert_eq!(older.descent.optimizer, OptimizerKind::Sgd);
}

#[test]
fn a_recipe_changes_the_default_of_a_shared_parameter_in_its_own_table_alone() {
    let default = |recipe: &str, name: &str| {
        let table = find(recipe).unwrap().parameters();
        let row = table.into_iter().find(|p| p.name == name);
        row.unwrap_or_else(|| panic!("{recipe} has no {name}"))
            .default
    };
    for (recipe, name, expected) in [
        ("coop", "batch", "auto"),
        ("kgcoop", "batch", "128"),
        ("kgcoop", "epochs", "auto"),
        ("atprompt", "vectors", "2"),
        ("coop", "vectors", "4"),
        ("tip-adapter", "alpha", "1.17"),
        ("tfup", "alpha", "0.3"),
        ("taskres", "lr", "auto"),
        ("taskres", "settings", "fitted"),
        ("kgcoop", "crop-area", "0.6"),
        ("lapt", "lr", "auto"),
        ("coop", "specific", "no"),
        ("coop-snapshots", "snapshots", "5"),
        ("tip-adapter-f", "search", "yes"),
        ("cupl", "use", "descriptions"),
        ("atprompt", "per-attribute", "2"),
    ] {
        assert_eq!(default(recipe, name), expected, "{recipe} {name}");
    }
}
