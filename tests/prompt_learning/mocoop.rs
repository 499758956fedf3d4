//! MoCoOp's contexts as published: the words of each group's template, before and behind the name.

use promptlens::device::Choice;
use promptlens::math::{UnitRows, dot};
use promptlens::prompt::file::Prompt;
use promptlens::prompt::heads;
use promptlens::prompt::layout::PromptLayout;
use promptlens::prompt::model::PromptModel;
use promptlens::prompt::several::several;
use promptlens::prompt::template::Template;
use promptlens::prompt_learning::examples::Examples;
use promptlens::prompt_learning::job::{TrainedPrompt, TrainingJob};
use promptlens::prompt_learning::material::Material;
use promptlens::prompt_learning::recipes::find;
use promptlens::prompt_learning::trainer::Observer;
use promptlens::rng::Rng;

use super::parity::mini;
use super::toy::{Toy, W, images, names, teach};

fn train(
    model: &dyn PromptModel,
    names: &[String],
    examples: &Examples,
    set: &[(&str, &str)],
) -> TrainedPrompt {
    let recipe = find("mocoop").unwrap().configure(set).unwrap();
    let job = TrainingJob {
        recipe: &recipe,
        model,
        names,
        examples: Some(examples),
        material: Material::default(),
        seed: 0,
        observer: Observer {
            progress: &(),
            observe: &|_| {},
        },
    };
    pollster::block_on(job.run()).unwrap()
}

/// Before a step of any length, an expert is its template.
#[test]
fn an_expert_begins_as_its_template_on_both_sides_of_the_name() {
    let Some(model) = mini(Choice::Cpu) else {
        return;
    };
    let names = ["cat", "golf_ball"].map(str::to_owned);
    let d = PromptModel::dim(&model);
    let mut rng = Rng::new(1);
    let raw: Vec<f64> = (0..4 * d).map(|_| rng.normal()).collect();
    let features: Vec<f32> = UnitRows::new(&raw, d).rounded();
    let examples = Examples::new(features.clone(), vec![0, 1, 0, 1], 1, d, 2).unwrap();
    for sentence in [
        "a {} in a video game.",
        "art of the {}.",
        "{}, a type of pet.",
    ] {
        let set = [
            ("settings", "paper"),
            ("template", sentence),
            ("experts", "1"),
            ("epochs", "1"),
            ("lr", "1e-30"),
        ];
        let learned = train(&model, &names, &examples, &set);
        let file = Prompt::from_bytes(&learned.prompt.to_bytes().unwrap()).unwrap();
        let head = pollster::block_on(heads::open(&file, &model, &names)).unwrap();
        let image = &features[..d];
        let logits = pollster::block_on(head.logits(&model, image)).unwrap();
        let template = Template::parse(sentence).unwrap();
        let texts: Vec<String> = names.iter().map(|name| template.fill(name)).collect();
        let texts = pollster::block_on(PromptModel::features(&model, &texts)).unwrap();
        let texts = UnitRows::new(&texts, d).values;
        for (text, logit) in texts.chunks_exact(d).zip(logits) {
            let expected = dot(image, text);
            let found = logit / f64::from(PromptModel::logit_scale(&model));
            let error = (found - expected).abs();
            assert!(error <= 2e-5, "{sentence}: {found} {expected}");
        }
    }
}

#[test]
fn contexts_of_several_lengths_learn_and_come_back_from_their_file() {
    let examples = images(3, 4, 1, 2);
    let set = [("settings", "paper"), ("epochs", "4")];
    let learned = teach("mocoop", &examples, &set);
    // "a bad photo of the", "a .. in a video game", "a origami".
    let places = &learned.prompt.tensors["places"];
    assert_eq!(places.shape, [3, 2]);
    assert_eq!(places.data, [5.0, 0.0, 1.0, 4.0, 2.0, 0.0]);
    assert_eq!(learned.prompt.tensors["contexts"].shape, [12, W]);
    assert!(learned.losses.last() < learned.losses.first());
    let read = Prompt::from_bytes(&learned.prompt.to_bytes().unwrap()).unwrap();
    let weights = heads::load(&read).unwrap();
    let again = heads::save(&read.recipe, &Toy, &read.class_names, weights.as_ref());
    assert_eq!(again, learned.prompt);

    for (what, places) in [
        ("half a vector", vec![5.0, 0.5, 1.0, 4.0, 2.0, 0.0]),
        ("none at all", vec![5.0, 0.0, 0.0, 0.0, 7.0, 0.0]),
        ("too many", vec![5.0, 0.0, 1.0, 4.0, 2.0, 1.0]),
        ("fewer than none", vec![5.0, 0.0, 1.0, 4.0, 3.0, -1.0]),
        ("no number", vec![5.0, 0.0, 1.0, 4.0, f32::NAN, 0.0]),
    ] {
        let mut broken = learned.prompt.clone();
        broken.put("places", &[3, 2], places);
        let opened = pollster::block_on(heads::open(&broken, &Toy, &names(3)));
        assert_eq!(opened.unwrap_err().code(), "prompt/invalid", "{what}");
    }
}

/// Two contexts of two lengths have the features and gradients that each has alone.
#[test]
fn contexts_side_by_side_are_what_each_is_alone() {
    let places = [[2, 1], [1, 0]];
    let mut rng = Rng::new(3);
    let contexts: Vec<f32> = (0..4 * W).map(|_| rng.normal() as f32).collect();
    let names = names(3);
    let mut both = several(&Toy, &names, &places).unwrap();
    let features = pollster::block_on(both.forward(&contexts)).unwrap();
    let gradient = pollster::block_on(both.backward(&features)).unwrap();
    let (mut f, mut g) = (Vec::new(), Vec::new());
    for (place, own) in places.iter().zip([&contexts[..3 * W], &contexts[3 * W..]]) {
        let mut side = Toy
            .text_side(&names, &PromptLayout::around(*place))
            .unwrap();
        let found = pollster::block_on(side.forward(own)).unwrap();
        g.extend(pollster::block_on(side.backward(&found)).unwrap());
        f.extend(found);
    }
    assert_eq!((features, gradient), (f, g));
}
