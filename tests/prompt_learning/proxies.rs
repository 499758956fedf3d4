//! Semantic proxies: losses against the authors' code, and the space that is learned.

use promptlens::math::{UnitRows, dot};
use promptlens::prompt::file::Prompt;
use promptlens::prompt::heads;
use promptlens::prompt_learning::examples::{Batch, Examples};
use promptlens::prompt_learning::job::TrainedPrompt;
use promptlens::prompt_learning::proxies::{Mode, ProxyLearner, ProxyLoss};
use promptlens::rng::Rng;

use super::toy::{D, Extras, SCALE, Toy, images, names, teach_with};
use crate::fixtures::Fixture;

const MODES: [(Mode, &str); 2] = [(Mode::Anchor, "anchor"), (Mode::Nca, "nca")];

fn loss(mode: Mode) -> ProxyLoss {
    ProxyLoss {
        mode,
        steepness: 32.0,
        margin: 0.1,
    }
}

#[test]
fn the_losses_and_their_gradients_are_those_of_the_authors() {
    let Some(file) = Fixture::open("authors/methods2/semantic_proxies.safetensors") else {
        return;
    };
    let images = UnitRows::new(file.numbers("features"), 6);
    let proxies = UnitRows::new(file.numbers("proxies"), 6);
    let labels = file.places("labels");
    for (mode, name) in MODES {
        let (value, to_images, to_proxies) =
            loss(mode).on_features(&images.values, &labels, &proxies.values, 6);
        file.check(&format!("{name}_loss"), &[value], 1e-9);
        let to_images = images.backward(&to_images);
        file.check(&format!("{name}_grad_features"), &to_images, 1e-9);
        let to_proxies = proxies.backward(&to_proxies);
        file.check(&format!("{name}_grad_proxies"), &to_proxies, 1e-9);
    }
}

#[test]
fn one_image_on_its_proxy_loses_what_the_formula_says() {
    let (value, _) = loss(Mode::Anchor).on_cosines(&[1.0, 0.0], &[0]);
    assert!((value - 1.619_976_67).abs() < 1e-8, "{value}");
    // The most extreme cosines stay finite.
    let steep = ProxyLoss {
        steepness: 1000.0,
        ..loss(Mode::Nca)
    };
    let (value, gradient) = steep.on_cosines(&[-1.0, 1.0], &[0]);
    assert!(value.is_finite() && gradient.iter().all(|g| g.is_finite()));
}

#[test]
fn every_parameter_agrees_with_differences() {
    const K: usize = 3;
    let mut rng = Rng::new(6);
    let base: Vec<f64> = (0..K * D).map(|_| rng.normal()).collect();
    let base = UnitRows::new(&base, D).values;
    // One class has no photo in the batch.
    let picks: Vec<(usize, usize)> = (0..4).map(|i| (i, 0)).collect();
    let batch = Batch::gather(&images(K, 2, 1, 5), &picks);
    for (mode, name) in MODES {
        let learner = ProxyLearner {
            base: &base,
            strength: 0.7,
            loss: ProxyLoss {
                steepness: 4.0,
                ..loss(mode)
            },
        };
        let mut p: Vec<f64> = (0..(D + K) * D).map(|_| 0.3 * rng.normal()).collect();
        let (_, _, gradient) = learner.descend(&p, &batch);
        const STEP: f64 = 1e-6;
        for place in 0..p.len() {
            let kept = p[place];
            let mut at = |by: f64| {
                p[place] = kept + by;
                learner.descend(&p, &batch).0
            };
            let slope = (at(STEP) - at(-STEP)) / (2.0 * STEP);
            p[place] = kept;
            let error = (slope - gradient[place]).abs();
            assert!(error < 1e-6, "{name} {place}: {slope} {}", gradient[place]);
        }
    }
}

fn learn(recipe: &str, examples: &Examples, set: &[(&str, &str)]) -> TrainedPrompt {
    teach_with(recipe, &names(4), Some(examples), set, Extras::default()).unwrap()
}

/// Logits and centers for `images` [N, d].
fn answers(prompt: &Prompt, images: &[f32]) -> (Vec<f64>, Vec<f64>) {
    let names = names(4);
    pollster::block_on(async {
        let head = heads::open(prompt, &Toy, &names).await.unwrap();
        let logits = head.logits(&Toy, images).await.unwrap();
        (logits, head.centers(&Toy).await.unwrap())
    })
}

#[test]
fn without_its_weight_it_is_templates() {
    let examples = images(4, 4, 2, 9);
    let probe = images(4, 3, 1, 10).plain();
    let still = learn("proxies", &examples, &[("weight", "0"), ("epochs", "3")]);
    let (logits, centers) = answers(&still.prompt, &probe);
    let (expected, texts) = answers(&learn("templates", &examples, &[]).prompt, &probe);
    for (a, b) in logits
        .iter()
        .zip(&expected)
        .chain(centers.iter().zip(&texts))
    {
        assert!((a - b).abs() < 1e-5 * f64::from(SCALE), "{a} {b}");
    }
    let usual = learn("proxies", &examples, &[("epochs", "3")]);
    assert_ne!(answers(&usual.prompt, &probe).0, logits);
}

#[test]
fn photos_of_a_class_come_nearer_to_its_proxy() {
    let examples = images(4, 8, 2, 9);
    let new = images(4, 12, 1, 10);
    for (_, name) in MODES {
        let learned = learn("proxies", &examples, &[("loss", name), ("lr", "0.003")]);
        assert_eq!(learned.trained_parameters, (D + 4) * D);
        assert!(learned.losses.last() < learned.losses.first());
        let share = |prompt: &Prompt| {
            let names = names(4);
            let head = pollster::block_on(heads::open(prompt, &Toy, &names)).unwrap();
            pollster::block_on(head.accuracy(&Toy, &new.plain(), new.labels())).unwrap()
        };
        let before = share(&learn("templates", &examples, &[]).prompt);
        let after = share(&learned.prompt);
        assert!(after > before && after > 0.8, "{name}: {before} {after}");
        // A center says about an image what its proxy says about the mapped image.
        let (logits, centers) = answers(&learned.prompt, &new.plain());
        let image: Vec<f64> = new.view(0, 0).iter().map(|v| f64::from(*v)).collect();
        let near: Vec<f64> = centers.chunks_exact(D).map(|c| dot(c, &image)).collect();
        for (near, z) in near.iter().zip(&logits) {
            assert!(near.signum() == z.signum(), "{near} {z}");
        }
    }
}

#[test]
fn what_has_nothing_to_compare_is_refused() {
    let refused = |count: usize, examples: &Examples| {
        let found = teach_with(
            "proxies",
            &names(count),
            Some(examples),
            &[],
            Extras::default(),
        );
        found.unwrap_err().code()
    };
    assert_eq!(refused(1, &images(1, 4, 1, 1)), "options/invalid");
    let one = images(3, 4, 1, 1).subset(&[5]).unwrap();
    assert_eq!(refused(3, &one), "options/invalid");
    let mut prompt = learn("proxies", &images(4, 2, 1, 1), &[("epochs", "1")]).prompt;
    prompt.put("map", &[D, D + 1], vec![0.5; D * (D + 1)]);
    let refused = pollster::block_on(heads::open(&prompt, &Toy, &names(4))).unwrap_err();
    assert_eq!(refused.code(), "prompt/invalid");
}
