//! At strength zero every recipe leaves what it builds on unchanged.

use promptlens::prompt::heads;
use promptlens::prompt_learning::examples::Examples;
use promptlens::prompt_learning::job::TrainedPrompt;
use promptlens::prompt_learning::schedule::{Decay, Schedule};
use promptlens::prompt_learning::trainer::gaussian;

use super::toy::{D, Toy, drawn, images, names, teach, teach_with};

/// The same descent for every recipe of the CoOp family.
const DESCENT: [(&str, &str); 4] = [
    ("epochs", "6"),
    ("lr", "0.01"),
    ("batch", "8"),
    ("vectors", "3"),
];

fn with<'a>(more: &[(&'a str, &'a str)]) -> Vec<(&'a str, &'a str)> {
    DESCENT.iter().chain(more).copied().collect()
}

/// CoOp with one context for all classes, which the others change.
fn unified(examples: &Examples, more: &[(&str, &str)]) -> TrainedPrompt {
    let set = with(&[more, &[("specific", "no")]].concat());
    teach("coop", examples, &set)
}

fn context(learned: &TrainedPrompt) -> &[f32] {
    let tensors = &learned.prompt.tensors;
    let found = tensors.get("context").or_else(|| tensors.get("contexts"));
    &found.expect("a context").data
}

#[test]
fn variants_of_coop_without_their_strength_are_coop() {
    let examples = images(5, 4, 3, 1);
    let coop = unified(&examples, &[]);
    assert!(coop.losses.last() < coop.losses.first());
    for (recipe, set) in [
        ("kgcoop", vec![("lambda", "0")]),
        ("prograd", vec![("lambda", "0")]),
        (
            "promptsrc",
            vec![("texts", "0"), ("predictions", "0"), ("deviation", "0")],
        ),
        ("pre", vec![("strength", "0")]),
        ("cocoop", vec![("strength", "0")]),
        ("atprompt", vec![("attributes", "")]),
        (
            "msgcoop",
            vec![
                ("contexts", "1"),
                ("guidance", "0"),
                ("diversity", "0"),
                ("noise", "0"),
            ],
        ),
    ] {
        let found = teach(recipe, &examples, &with(&set));
        for (a, b) in context(&found).iter().zip(context(&coop)) {
            assert!((a - b).abs() < 1e-6, "{recipe}: {a} {b}");
        }
        assert_eq!(context(&found).len(), context(&coop).len(), "{recipe}");
    }
}

#[test]
fn one_expert_without_its_texts_is_coop() {
    // MoCoOp cuts long gradients, so both descend with rates too small for that to matter.
    let examples = images(5, 4, 3, 1);
    let coop = unified(&examples, &[]);
    let one = [("experts", "1"), ("texts", "0"), ("gate", "0")];
    let found = teach("mocoop", &examples, &with(&one));
    // A gradient longer than 1 is cut to 1, which CoOp does not do.
    let way = |learned: &TrainedPrompt| {
        let start = unified(&examples, &[("lr", "1e-8")]);
        let moved: Vec<f32> = context(learned)
            .iter()
            .zip(context(&start))
            .map(|(a, b)| a - b)
            .collect();
        moved
    };
    let (a, b) = (way(&found), way(&coop));
    let alike = crate::common::cosine(&a, &b);
    assert!(alike > 0.99, "{alike}");
}

#[test]
fn strengths_do_change_what_is_learned() {
    let examples = images(5, 4, 3, 1);
    let more = [("epochs", "60")];
    let coop = unified(&examples, &more);
    for recipe in [
        "kgcoop",
        "prograd",
        "promptsrc",
        "pre",
        "cocoop",
        "msgcoop",
        "mocoop",
        "atprompt",
    ] {
        let found = teach(recipe, &examples, &with(&more));
        assert_ne!(context(&found), context(&coop), "{recipe}");
        assert!(found.losses.iter().all(|l| l.is_finite()), "{recipe}");
    }
}

#[test]
fn features_recipes_without_their_strength_are_zero_shot() {
    let examples = images(5, 4, 2, 1);
    let all = names(5);
    let probe = examples.plain();
    let logits = |learned: &TrainedPrompt| {
        let head = pollster::block_on(heads::open(&learned.prompt, &Toy, &all)).unwrap();
        pollster::block_on(head.logits(&Toy, &probe)).unwrap()
    };
    let base = logits(&teach("templates", &examples, &[]));
    for (recipe, set) in [
        ("tip-adapter", ("alpha", "0")),
        ("tip-adapter-f", ("alpha", "0")),
        ("tfup", ("alpha", "0")),
        ("taskres", ("alpha", "0")),
        ("proapo", ("rounds", "0")),
    ] {
        assert_eq!(logits(&teach(recipe, &examples, &[set])), base, "{recipe}");
        assert_ne!(logits(&teach(recipe, &examples, &[])), base, "{recipe}");
    }
    let learned = teach_with("cupl", &all, None, &[], Default::default());
    assert_eq!(learned.unwrap_err().code(), "data/empty");
}

#[test]
fn contexts_that_start_alike_stay_alike_and_noise_parts_them() {
    let examples = images(5, 4, 1, 1);
    let set = |noise| {
        let more = [("contexts", "3"), ("noise", noise), ("diversity", "20")];
        let mut set = with(&more);
        set[0] = ("epochs", "40");
        set
    };
    let mean = |learned: &TrainedPrompt| {
        let parts: Vec<&[f32]> = context(learned)
            .chunks_exact(context(learned).len() / 3)
            .collect();
        let mut sum = 0.0;
        for (i, j) in [(0, 1), (0, 2), (1, 2)] {
            sum += crate::common::cosine(parts[i], parts[j]) / 3.0;
        }
        (sum, parts[0] == parts[1] && parts[1] == parts[2])
    };
    let (cosine, same) = mean(&teach("msgcoop", &examples, &set("0")));
    assert!(same && cosine > 0.999, "{cosine}");
    let (cosine, same) = mean(&teach("msgcoop", &examples, &set("0.02")));
    assert!(!same && cosine < 0.9, "{cosine}");
}

#[test]
fn the_gaussian_average_is_the_weighted_sum_of_epochs() {
    let shares = gaussian(20, 15.0, 1.0);
    assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-12);
    assert_eq!(
        shares.iter().copied().fold(0.0, f64::max),
        shares[14],
        "the centre is epoch 15"
    );
    assert!((gaussian(3, 1e6, 1.0)[2] - 1.0).abs() < 1e-12);

    // The epochs of a run are the ends of shorter runs at the same constant rate.
    use promptlens::prompt::layout::PromptLayout;
    use promptlens::prompt::model::PromptModel;
    use promptlens::prompt_learning::method::Method;
    use promptlens::prompt_learning::parametrizations::Direct;
    use promptlens::prompt_learning::text::{TextLearner, cross_entropy};
    use promptlens::prompt_learning::trainer::{Observer, Settings, fit};
    use promptlens::prompt_learning::values::Auto;
    let examples = images(4, 3, 2, 5);
    let run = |epochs, average| {
        let mut learner = TextLearner {
            side: Toy.text_side(&names(4), &PromptLayout::end(2)).unwrap(),
            parametrization: Box::new(Direct),
            losses: cross_entropy(),
            prograd: None,
            scale: 12.0,
            classes: 4,
        };
        let settings = Settings {
            method: Method::COOP,
            lr: Auto::Set(0.01),
            schedule: Schedule::CONSTANT,
            epochs,
            batch: 5,
            seed: 3,
            clip: None,
            average,
        };
        let observer = Observer {
            progress: &(),
            observe: &|_| {},
        };
        let start = drawn("start", 0, 2 * super::toy::W);
        pollster::block_on(fit(&mut learner, start, &examples, &settings, observer))
            .unwrap()
            .parameters
    };
    let shares = gaussian(4, 3.0, 1.0);
    let mut expected = vec![0f64; 2 * super::toy::W];
    for (epoch, share) in shares.iter().enumerate() {
        for (sum, v) in expected.iter_mut().zip(run(epoch + 1, None)) {
            *sum += share * f64::from(v);
        }
    }
    for (a, b) in run(4, Some((3.0, 1.0))).iter().zip(expected) {
        assert!((f64::from(*a) - b).abs() < 1e-6, "{a} {b}");
    }
    assert_eq!(Schedule::CONSTANT.decay, Decay::Constant);
}

#[test]
fn the_encoder_can_be_thrown_away() {
    // What is stored is v' alone, and it answers as the last step would.
    let examples = images(4, 4, 1, 2);
    let learned = teach("pre", &examples, &with(&[]));
    let stored = &learned.prompt.tensors;
    assert_eq!(stored.keys().collect::<Vec<_>>(), ["context"]);
    assert_eq!(stored["context"].shape, [3, super::toy::W]);
    assert!(learned.trained_parameters > stored["context"].data.len());
    assert_eq!(D, 12);
}
