//! CoPrompt: adapter and agreement against the authors' code, and what it leaves as it is.

use promptlens::math::adapter::Adapter;
use promptlens::math::{UnitRows, dot};
use promptlens::prompt::file::Prompt;
use promptlens::prompt::heads;
use promptlens::prompt::layout::PromptLayout;
use promptlens::prompt::model::PromptModel;
use promptlens::prompt_learning::consistency::{ConsistencyLearner, add_distance};
use promptlens::prompt_learning::descriptions::Descriptions;
use promptlens::prompt_learning::examples::Batch;
use promptlens::prompt_learning::trainer::Learner;
use promptlens::rng::Rng;

use super::toy::{D, Extras, Toy, images, names, teach_with};
use crate::fixtures::Fixture;

#[test]
fn adapter_blend_and_distance_are_those_of_the_authors() {
    let Some(file) = Fixture::open("authors/methods2/coprompt.safetensors") else {
        return;
    };
    let weights = [file.numbers("fc.0.weight"), file.numbers("fc.2.weight")].concat();
    // The file is f64, parameters are f32.
    let rounded: Vec<f32> = weights.iter().map(|v| *v as f32).collect();
    for (name, share) in [("adapter", 1.0), ("blend_m02", 0.2)] {
        let adapter = Adapter {
            dim: 8,
            hidden: 2,
            share,
        };
        let rows = file.numbers("x").chunks_exact(8);
        let found: Vec<f64> = rows
            .flat_map(|x| adapter.forward(&rounded, x).output)
            .collect();
        file.check(name, &found, 1e-6);
    }
    let unit = |name: &str| UnitRows::new(file.numbers(name), 8).values;
    let (x, y) = (unit("x"), unit("y"));
    let value = add_distance(&x, &y, 8, 1.0, &mut vec![0.0; x.len()]);
    file.check("cosine_loss", &[value], 1e-9);
}

#[test]
fn the_direction_of_the_output_depends_on_that_of_the_input_alone() {
    let adapter = Adapter {
        dim: D,
        hidden: 3,
        share: 0.3,
    };
    let mut rng = Rng::new(3);
    let parameters = adapter.start(&mut rng);
    let x: Vec<f64> = (0..D).map(|_| rng.normal()).collect();
    let seven: Vec<f64> = x.iter().map(|v| 7.0 * v).collect();
    let unit = |x: &[f64]| UnitRows::new(&adapter.forward(&parameters, x).output, D).values;
    for (a, b) in unit(&x).iter().zip(unit(&seven)) {
        assert!((a - b).abs() < 1e-12);
    }
    let none = Adapter {
        share: 0.0,
        ..adapter
    };
    assert_eq!(none.forward(&parameters, &x).output, x);
}

#[test]
fn its_gradient_agrees_with_differences() {
    let examples = images(3, 2, 2, 6);
    let picks: Vec<_> = (0..examples.len()).map(|i| (i, 0)).collect();
    let batch = Batch::gather(&examples, &picks);
    let adapter = |share| Adapter {
        dim: D,
        hidden: 2,
        share,
    };
    let mut rng = Rng::new(8);
    let sentences: Vec<Vec<f64>> = (0..3)
        .map(|_| UnitRows::new(&(0..D).map(|_| rng.normal()).collect::<Vec<f64>>(), D).values)
        .collect();
    let (text, image) = (adapter(0.4), adapter(0.3));
    let mut parameters: Vec<f32> = (0..2 * Toy.width()).map(|_| rng.normal() as f32).collect();
    parameters.extend(text.start(&mut rng));
    parameters.extend(image.start(&mut rng));
    // Each step draws anew, so each gets the same numbers.
    let step = |parameters: &[f32]| {
        let mut learner = ConsistencyLearner {
            side: Toy.text_side(&names(3), &PromptLayout::end(2)).unwrap(),
            text,
            image,
            sentences: sentences.clone(),
            examples: &examples,
            strength: 2.0,
            scale: 10.0,
            rng: Rng::new(1),
        };
        pollster::block_on(learner.step(parameters, &batch)).unwrap()
    };
    let found = step(&parameters);
    assert_eq!(found.gradient.len(), parameters.len());
    let (mut moved, mut edges) = (0, 0);
    for place in 0..parameters.len() {
        let at = |by: f32| {
            let mut parameters = parameters.clone();
            parameters[place] += by;
            step(&parameters).loss
        };
        let (ahead, behind) = (
            (at(2e-3) - found.loss) / 2e-3,
            (found.loss - at(-2e-3)) / 2e-3,
        );
        // At the edge of a relu there is no slope.
        if (ahead - behind).abs() > 1e-2 {
            edges += 1;
            continue;
        }
        let difference = (ahead + behind) / 2.0;
        let slope = f64::from(found.gradient[place]);
        let allowed = 2e-3 * (1.0 + slope.abs());
        assert!(
            (difference - slope).abs() < allowed,
            "{place}: {difference} {slope}"
        );
        moved += usize::from(slope != 0.0);
    }
    assert!(
        moved > parameters.len() / 2 && edges < parameters.len() / 8,
        "{moved} {edges}"
    );
}

fn learn(
    recipe: &str,
    more: &[(&str, &str)],
    descriptions: Option<&Descriptions>,
) -> (Prompt, Vec<f64>) {
    let examples = images(3, 3, 2, 9);
    let set = [&[("epochs", "4")], more].concat();
    let extras = Extras {
        descriptions,
        ..Extras::default()
    };
    let learned = teach_with(recipe, &names(3), Some(&examples), &set, extras).unwrap();
    (learned.prompt, learned.losses)
}

#[test]
fn without_adapters_and_agreement_it_is_coop() {
    let (coop, losses) = learn("coop", &[], None);
    let neutral = [
        ("consistency", "0"),
        ("text-share", "0"),
        ("image-share", "0"),
    ];
    let (own, own_losses) = learn("coprompt", &neutral, None);
    for (a, b) in losses.iter().zip(&own_losses) {
        assert!((a - b).abs() < 1e-6, "{a} {b}");
    }
    let contexts = coop.tensors["context"]
        .data
        .iter()
        .zip(&own.tensors["context"].data);
    for (a, b) in contexts {
        assert!((a - b).abs() < 1e-5, "{a} {b}");
    }
    let photo = images(3, 1, 1, 4).plain();
    let answer = |prompt: &Prompt| {
        let head = pollster::block_on(heads::open(prompt, &Toy, &names(3))).unwrap();
        pollster::block_on(head.logits(&Toy, &photo[..D])).unwrap()
    };
    for (a, b) in answer(&coop).iter().zip(answer(&own)) {
        assert!((a - b).abs() < 1e-4, "{a} {b}");
    }
}

#[test]
fn a_file_answers_as_it_was_learned_and_sentences_change_what_is_learned() {
    let (usual, _) = learn("coprompt", &[], None);
    let again = Prompt::from_bytes(&usual.to_bytes().unwrap()).unwrap();
    assert_eq!(again.tensors, usual.tensors);
    assert_eq!(learn("coprompt", &[], None).0.tensors, usual.tensors);
    let sentences = br#"{"class 0": ["a round one", "a red one"], "class 2": ["a dull one"]}"#;
    let sentences = Descriptions::from_json(sentences).unwrap();
    let (told, _) = learn("coprompt", &[("consistency", "100")], Some(&sentences));
    assert_ne!(
        told.tensors,
        learn("coprompt", &[("consistency", "100")], None).0.tensors
    );
    // The image's own length does not matter to the answer.
    let head = pollster::block_on(heads::open(&usual, &Toy, &names(3))).unwrap();
    let photo = images(3, 1, 1, 4).plain();
    let wide: Vec<f64> = photo[..D].iter().map(|v| f64::from(*v)).collect();
    let z = pollster::block_on(head.answer(&Toy, &wide)).unwrap();
    let far: Vec<f64> = wide.iter().map(|v| 7.0 * v).collect();
    for (a, b) in z
        .iter()
        .zip(pollster::block_on(head.answer(&Toy, &far)).unwrap())
    {
        assert!((a - b).abs() < 1e-9);
    }
    let centers = pollster::block_on(head.centers(&Toy)).unwrap();
    for row in centers.chunks_exact(D) {
        assert!((dot(row, row) - 1.0).abs() < 1e-9);
    }
}
