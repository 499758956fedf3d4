//! Strengths that were published for a logit scale of 100, on models with another scale; and what a
//! recipe asks a model to encode.

use std::cell::RefCell;

use promptlens::error::Result;
use promptlens::progress::LocalBoxFuture;
use promptlens::prompt::layout::PromptLayout;
use promptlens::prompt::model::{PromptModel, TextSide};
use promptlens::prompt_learning::descriptions::Descriptions;
use promptlens::prompt_learning::job::{TrainedPrompt, TrainingJob};
use promptlens::prompt_learning::material::Material;
use promptlens::prompt_learning::recipes::find;
use promptlens::prompt_learning::trainer::Observer;

use super::toy::{SCALE, Toy, images, names};

/// The toy with another logit scale, and nothing else changed.
struct Scaled {
    scale: f32,
    /// The texts that were encoded.
    asked: RefCell<Vec<String>>,
}

impl PromptModel for Scaled {
    fn dim(&self) -> usize {
        Toy.dim()
    }

    fn width(&self) -> usize {
        Toy.width()
    }

    fn logit_scale(&self) -> f32 {
        self.scale
    }

    fn sha256(&self) -> &str {
        Toy.sha256()
    }

    fn context_length(&self) -> usize {
        Toy.context_length()
    }

    fn words(&self, text: &str) -> Result<Vec<f32>> {
        Toy.words(text)
    }

    fn tokens(&self, text: &str) -> Result<(usize, bool)> {
        Toy.tokens(text)
    }

    fn features<'a>(&'a self, texts: &'a [String]) -> LocalBoxFuture<'a, Vec<f32>> {
        self.asked.borrow_mut().extend_from_slice(texts);
        Toy.features(texts)
    }

    fn text_side<'a>(
        &'a self,
        names: &[String],
        layout: &PromptLayout,
    ) -> Result<Box<dyn TextSide + 'a>> {
        Toy.text_side(names, layout)
    }
}

fn taught(recipe: &str, scale: f32, set: &[(&str, &str)]) -> TrainedPrompt {
    taught_with(recipe, scale, set, None).0
}

/// The prompt, and the texts that were encoded for it.
fn taught_with(
    recipe: &str,
    scale: f32,
    set: &[(&str, &str)],
    descriptions: Option<&Descriptions>,
) -> (TrainedPrompt, Vec<String>) {
    let model = Scaled {
        scale,
        asked: RefCell::default(),
    };
    let recipe = find(recipe).unwrap().configure(set).unwrap();
    let (all, examples) = (names(4), images(4, 3, 1, 9));
    let job = TrainingJob {
        recipe: &recipe,
        model: &model,
        names: &all,
        examples: Some(&examples),
        material: Material {
            descriptions,
            ..Material::default()
        },
        seed: 1,
        observer: Observer {
            progress: &(),
            observe: &|_| {},
        },
    };
    let learned = pollster::block_on(job.run()).unwrap();
    (learned, model.asked.take())
}

#[test]
fn msgcoop_reads_every_sentence_behind_the_name_in_the_template() {
    let json = br#"{"class 0": ["which is round", "which is red"]}"#;
    let descriptions = Descriptions::from_json(json).unwrap();
    let set = [("epochs", "1"), ("template", "a photo of a {}.")];
    let (_, asked) = taught_with("msgcoop", SCALE, &set, Some(&descriptions));
    for sentence in ["which is round", "which is red"] {
        let whole = format!("a photo of a class 0, {sentence}");
        assert!(asked.contains(&whole), "{asked:?}");
    }
    // A class without sentences keeps the template.
    assert!(asked.contains(&"a photo of a class 1.".to_owned()));
}

#[test]
fn a_template_of_your_own_makes_the_texts_that_stay_fixed() {
    for (recipe, epochs) in [
        ("kgcoop", true),
        ("prograd", true),
        ("promptsrc", true),
        ("msgcoop", true),
        ("mocoop", true),
        ("taskres", true),
        ("tip-adapter", false),
        ("tip-adapter-f", true),
        ("tfup", false),
        ("templates", false),
    ] {
        let own = "a photo of a {}, a type of flower. | my {}.";
        let mut set = vec![("template", own)];
        set.extend(epochs.then_some(("epochs", "1")));
        let (_, mut asked) = taught_with(recipe, SCALE, &set, None);
        asked.sort_unstable();
        asked.dedup();
        assert_eq!(asked.len(), 8, "{recipe}: {asked:?}");
        assert!(asked.contains(&"a photo of a class 3, a type of flower.".to_owned()));
        assert!(asked.contains(&"my class 0.".to_owned()));
    }
}

#[test]
fn losses_on_cosines_weigh_as_much_against_the_logits_at_every_scale() {
    for (recipe, strength, off) in [
        ("kgcoop", "lambda", vec![]),
        ("promptsrc", "texts", vec![("predictions", "0")]),
        ("msgcoop", "guidance", vec![("diversity", "0")]),
        ("msgcoop", "diversity", vec![("guidance", "0")]),
    ] {
        // What the strength 8 adds to the loss of the first step, before anything moves.
        let added = |scale| {
            let first = |value| {
                let set = [&off[..], &[(strength, value), ("epochs", "1")]].concat();
                taught(recipe, scale, &set).losses[0]
            };
            first("8") - first("0")
        };
        let (published, here) = (added(100.0), added(SCALE));
        assert!(published > 1e-3, "{recipe} {strength}: {published}");
        let share = here / published;
        assert!(
            (share - f64::from(SCALE) / 100.0).abs() < 1e-9,
            "{recipe} {strength}: {share}"
        );
    }
}

#[test]
fn an_open_rate_fits_the_length_of_what_is_learned() {
    // At such a scale no step takes much of the loss.
    let start = taught(
        "coop",
        0.1,
        &[("epochs", "1"), ("batch", "64"), ("lr", "1e-12")],
    );
    let start = &start.prompt.tensors["context"].data;
    let length = |v: &[f32]| v.iter().map(|v| f64::from(*v).powi(2)).sum::<f64>().sqrt();
    for (optimizer, part) in [("adamw", 0.1), ("sgd", 0.001)] {
        let set = [("epochs", "1"), ("batch", "64"), ("optimizer", optimizer)];
        let learned = taught("coop", 0.1, &set);
        let end = learned.prompt.tensors["context"].data.iter();
        let way: Vec<f32> = end.zip(start).map(|(a, b)| a - b).collect();
        let share = length(&way) / length(start);
        assert!((share / part - 1.0).abs() < 0.05, "{optimizer}: {share}");
    }
}

#[test]
fn the_weight_of_remembered_images_follows_the_scale() {
    for (recipe, published, set) in [
        ("tip-adapter", 1.17, &[("search", "no")][..]),
        ("tfup", 0.3, &[]),
    ] {
        for scale in [100.0, SCALE] {
            let learned = taught(recipe, scale, set);
            let alpha: f64 = learned.prompt.extra["alpha"].parse().unwrap();
            let expected = published * f64::from(scale) / 100.0;
            assert!((alpha - expected).abs() < 1e-9, "{recipe} {scale}: {alpha}");
        }
    }
}
