//! Strengths that were published for a logit scale of 100, on models with another scale.

use promptlens::error::Result;
use promptlens::progress::LocalBoxFuture;
use promptlens::prompt::layout::PromptLayout;
use promptlens::prompt::model::{PromptModel, TextSide};
use promptlens::prompt_learning::job::{TrainedPrompt, TrainingJob};
use promptlens::prompt_learning::recipes::find;
use promptlens::prompt_learning::trainer::Observer;

use super::toy::{SCALE, Toy, images, names};

/// The toy with another logit scale, and nothing else changed.
struct Scaled(f32);

impl PromptModel for Scaled {
    fn dim(&self) -> usize {
        Toy.dim()
    }

    fn width(&self) -> usize {
        Toy.width()
    }

    fn logit_scale(&self) -> f32 {
        self.0
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
    let recipe = find(recipe).unwrap().configure(set).unwrap();
    let (all, examples) = (names(4), images(4, 3, 1, 9));
    let job = TrainingJob {
        recipe: &recipe,
        model: &Scaled(scale),
        names: &all,
        examples: Some(&examples),
        unlabeled: &[],
        descriptions: None,
        outliers: Default::default(),
        seed: 1,
        observer: Observer {
            progress: &(),
            observe: &|_| {},
        },
    };
    pollster::block_on(job.run()).unwrap()
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
