//! LAPT as a recipe: what it trains, what it trains with, and what it keeps.

use promptlens::math::UnitRows;
use promptlens::math::{MatrixView, cosines};
use promptlens::ood::lapt::{Samples, cross_entropy};
use promptlens::ood::metrics::OodMetrics;
use promptlens::ood::score::{ScoreInput, by_name};
use promptlens::prompt::layout::PromptLayout;
use promptlens::prompt::model::PromptModel;
use promptlens::prompt_learning::examples::Examples;
use promptlens::prompt_learning::job::TrainedPrompt;
use promptlens::prompt_learning::outliers::OutlierData;

use super::toy::{D, Extras, SCALE, Toy, W, images, names, teach_with, words};

fn taught(
    own: Option<&Examples>,
    other: Option<&Examples>,
    negatives: &[String],
    set: &[(&str, &str)],
) -> TrainedPrompt {
    let extras = Extras {
        outliers: OutlierData {
            negatives,
            images: other,
        },
        ..Extras::default()
    };
    teach_with("lapt", &names(3), own, set, extras).unwrap()
}

fn note(learned: &TrainedPrompt, name: &str) -> f64 {
    let found = learned.notes.iter().find(|note| note.name == name);
    found.unwrap_or_else(|| panic!("no note {name}")).value
}

/// Images of a fourth and a fifth center.
fn others(seed: u64) -> Examples {
    let all = images(5, 6, 2, seed);
    let chosen: Vec<usize> = (0..all.len()).filter(|i| all.labels()[*i] >= 3).collect();
    all.subset(&chosen).unwrap()
}

/// Unit texts of `names` behind one context.
fn texts(names: &[String], context: &[f32]) -> Vec<f64> {
    let layout = PromptLayout::end(context.len() / W);
    let mut side = Toy.text_side(names, &layout).unwrap();
    UnitRows::new(&pollster::block_on(side.forward(context)).unwrap(), D).values
}

fn rows(data: &[f64]) -> MatrixView<'_, f64> {
    MatrixView::new(data, D).unwrap()
}

/// The score `lapt` of every plain image under two contexts.
fn scores(examples: &Examples, own: &[f32], negative: &[f32]) -> Vec<f64> {
    let (classes, negatives) = (texts(&names(3), own), texts(&words(), negative));
    let score = by_name("lapt").unwrap();
    let parameters = score.defaults(f64::from(SCALE));
    (0..examples.len())
        .map(|i| {
            let image: Vec<f64> = examples.view(i, 0).iter().map(|v| f64::from(*v)).collect();
            let input = ScoreInput {
                classes: &cosines(rows(&image), rows(&classes)).unwrap(),
                negatives: &cosines(rows(&image), rows(&negatives)).unwrap(),
                patches: &[],
            };
            score.score(&input, &parameters).unwrap()
        })
        .collect()
}

#[test]
fn it_trains_two_contexts_and_nothing_else() {
    let own = images(3, 6, 2, 1);
    let mut given = words();
    given.extend(["hat".into(), "Class 1".into(), " ".into(), "sea".into()]);
    let set = [("vectors", "5"), ("negatives", "4"), ("epochs", "2")];
    let learned = taught(Some(&own), None, &given, &set);
    assert_eq!(learned.trained_parameters, 2 * 5 * W);
    let prompt = &learned.prompt;
    assert_eq!(prompt.tensors.len(), 2);
    assert_eq!(prompt.tensors["context"].shape, [5, W]);
    assert_eq!(prompt.tensors["negative_context"].shape, [5, W]);
    assert_ne!(
        prompt.tensors["context"].data,
        prompt.tensors["negative_context"].data
    );
    let kept: Vec<String> = serde_json::from_str(&prompt.extra["negatives"]).unwrap();
    assert_eq!(kept, [words(), vec!["sea".to_owned()]].concat());
    assert_eq!(note(&learned, "negative labels"), 6.0);
    assert_eq!(note(&learned, "negative labels trained with"), 4.0);
    assert_eq!(note(&learned, "negative labels left out"), 3.0);
}

#[test]
fn it_says_what_it_was_taught_with() {
    let (own, other) = (images(3, 4, 2, 1), others(2));
    let set = [("epochs", "2")];
    for (own, other, texts, says) in [
        (
            Some(&own),
            Some(&other),
            0,
            "images of the classes and other images",
        ),
        (
            Some(&own),
            None,
            12,
            "images of the classes, and texts in place of other images",
        ),
        (
            None,
            Some(&other),
            12,
            "other images, and texts in place of images of the classes",
        ),
        (None, None, 42, "texts only"),
    ] {
        let learned = taught(own, other, &words(), &set);
        assert_eq!(learned.prompt.extra["taught_with"], says);
        let count = |e: Option<&Examples>| e.map_or(0, Examples::len) as f64;
        assert_eq!(note(&learned, "images of the classes"), count(own));
        assert_eq!(note(&learned, "other images"), count(other));
        assert_eq!(note(&learned, "texts in place of images"), f64::from(texts));
    }
}

#[test]
fn other_images_are_told_apart_better_than_before() {
    let (own, other) = (images(3, 12, 2, 3), others(4));
    let set = [("epochs", "40"), ("lr", "0.1")];
    let learned = taught(Some(&own), Some(&other), &words(), &set);
    let untaught = taught(Some(&own), Some(&other), &words(), &[("lr", "1e-8")]);
    let auroc = |learned: &TrainedPrompt| {
        let tensors = &learned.prompt.tensors;
        let (own_context, negative) = (&tensors["context"].data, &tensors["negative_context"].data);
        // Images that were not trained with.
        let new = scores(&images(3, 20, 1, 5), own_context, negative);
        let strange = scores(&others(6), own_context, negative);
        OodMetrics::of(&new, &strange).unwrap().auroc
    };
    let (before, after) = (auroc(&untaught), auroc(&learned));
    assert!(after > before + 0.05 && after > 0.9, "{before} {after}");
    let (first, last) = (learned.losses[0], *learned.losses.last().unwrap());
    assert!(last < first, "{first} {last}");
}

/// Without its mixtures the loss is the cross-entropy over class names and negative labels.
#[test]
fn without_mixtures_it_is_plain_cross_entropy() {
    let (own, other) = (images(3, 4, 1, 1), images(3, 2, 1, 8));
    let set = [("epochs", "1"), ("cm", "0"), ("cd", "0"), ("batch", "64")];
    let learned = taught(Some(&own), Some(&other), &words(), &set);
    assert_eq!(learned.losses.len(), 1);
    let start = Toy.words("a photo of a").unwrap();
    let joint = [names(3), words()].concat();
    let all = texts(&joint, &start);
    // The nearest negative by the mean over the hard templates, as the recipe labels other images.
    let mut means = vec![0f64; words().len() * D];
    for template in promptlens::prompt::template::CLIP7 {
        let filled: Vec<String> = words().iter().map(|w| template.replace("{}", w)).collect();
        let raw = pollster::block_on(Toy.features(&filled)).unwrap();
        let unit = UnitRows::new(&raw, D).values;
        means.iter_mut().zip(unit).for_each(|(sum, v)| *sum += v);
    }
    let means = UnitRows::new(&means, D).values;
    let mut features: Vec<f64> = own.plain().iter().map(|v| f64::from(*v)).collect();
    let mut labels = own.labels().to_vec();
    for i in 0..other.len() {
        let image: Vec<f64> = other.view(i, 0).iter().map(|v| f64::from(*v)).collect();
        let near = cosines(
            MatrixView::new(&image, D).unwrap(),
            MatrixView::new(&means, D).unwrap(),
        )
        .unwrap();
        let best = (0..near.len())
            .max_by(|a, b| near[*a].total_cmp(&near[*b]))
            .unwrap();
        labels.push(3 + best);
        features.extend(image);
    }
    let samples = Samples {
        features: MatrixView::new(&features, D).unwrap(),
        labels: &labels,
    };
    let texts = MatrixView::new(&all, D).unwrap();
    let expected = cross_entropy(samples, texts, f64::from(SCALE))
        .unwrap()
        .value;
    assert!(
        (learned.losses[0] - expected).abs() < 1e-5,
        "{} {expected}",
        learned.losses[0]
    );
}

/// The authors' code: two draws to start from, no loss of images as they are unless a batch has no
/// other kind to mix with, and one share for a batch.
#[test]
fn the_settings_of_the_paper_are_those_of_the_authors_code() {
    let (own, other) = (images(3, 4, 1, 1), images(3, 2, 1, 8));
    let still = [("epochs", "1"), ("lr", "1e-30"), ("batch", "64")];
    let losses = |set: &[(&str, &str)]| {
        let set = [&still, set].concat();
        taught(Some(&own), Some(&other), &words(), &set).losses
    };
    let contexts = |set: &[(&str, &str)]| {
        let learned = taught(Some(&own), Some(&other), &words(), &[&still, set].concat());
        let tensors = learned.prompt.tensors;
        [&tensors["context"], &tensors["negative_context"]].map(|t| t.data.clone())
    };
    let [id, negative] = contexts(&[]);
    assert_eq!(id, negative);
    let [id, negative] = contexts(&[("settings", "paper")]);
    let square = |v: &[f32]| v.iter().map(|x| x * x).sum::<f32>();
    let along: f32 = id.iter().zip(&negative).map(|(a, b)| a * b).sum();
    let alike = along / (square(&id) * square(&negative)).sqrt();
    assert!(alike.abs() < 0.6, "two draws are not alike: {alike}");

    let paper = losses(&[("settings", "paper")]);
    let written = [
        ("init", "random"),
        ("plain", "no"),
        ("beta", "1"),
        ("one-share", "yes"),
        ("negatives", "1000"),
    ];
    assert_eq!(paper, losses(&written));
    for missing in 0..4 {
        let set: Vec<_> = (0..5)
            .filter(|i| *i != missing)
            .map(|i| written[i])
            .collect();
        assert_ne!(paper, losses(&set), "without {:?}", written[missing]);
    }
    // With the loss of the images as they are it is the sum that the paper writes.
    let sum = losses(&[("settings", "paper"), ("plain", "yes")]);
    let plain = [
        ("settings", "paper"),
        ("plain", "yes"),
        ("cm", "0"),
        ("cd", "0"),
    ];
    assert!((sum[0] - paper[0] - losses(&plain)[0]).abs() < 1e-9);
    // A batch of one photo has no other kind.
    let alone = [("settings", "paper"), ("cm", "0"), ("batch", "1")];
    let (mixed, plain) = (losses(&alone), losses(&[&plain[..], &alone[2..]].concat()));
    assert_eq!(mixed.len(), 18);
    let pairs = mixed.iter().zip(&plain);
    assert!(
        pairs.clone().all(|(a, b)| (a - b).abs() < 1e-9),
        "{mixed:?} {plain:?}"
    );
}

#[test]
fn what_it_cannot_learn_from_is_said() {
    let own = images(3, 2, 2, 1);
    let code = |negatives: &[String], other: Option<&Examples>| {
        let extras = Extras {
            outliers: OutlierData {
                negatives,
                images: other,
            },
            ..Extras::default()
        };
        let found = teach_with("lapt", &names(3), Some(&own), &[], extras);
        found.unwrap_err().code()
    };
    assert_eq!(code(&[], None), "negatives/empty");
    assert_eq!(code(&names(3), None), "negatives/empty");
    let crops = images(1, 2, 3, 1);
    assert_eq!(code(&words(), Some(&crops)), "engine/internal");
}

#[test]
fn one_two_and_two_thousand_classes_are_taught() {
    for (count, set) in [
        (1, vec![("epochs", "2")]),
        (2, vec![("epochs", "2")]),
        (2000, vec![("epochs", "1"), ("batch", "4096")]),
    ] {
        let negatives = words();
        let extras = Extras {
            outliers: OutlierData {
                negatives: &negatives,
                images: None,
            },
            ..Extras::default()
        };
        let own = images(count, 1, 1, 7);
        for own in [Some(&own), None] {
            let learned = teach_with("lapt", &names(count), own, &set, extras).unwrap();
            assert_eq!(learned.trained_parameters, 2 * 4 * W, "{count}");
            assert!(learned.losses.iter().all(|l| l.is_finite()));
        }
    }
}

#[test]
fn a_mixture_that_cannot_be_made_is_the_error_that_people_read() {
    // Every image is zero, so a mixture of two has no direction.
    let zero = |labels: Vec<usize>| {
        let features = vec![0.0; labels.len() * D];
        Examples::new(features, labels, 1, D, 3).unwrap()
    };
    let (own, other) = (zero(vec![0, 1, 2]), zero(vec![0, 0]));
    let (negatives, set) = (words(), [("cm", "0"), ("batch", "64")]);
    let extras = Extras {
        outliers: OutlierData {
            negatives: &negatives,
            images: Some(&other),
        },
        ..Extras::default()
    };
    let error = teach_with("lapt", &names(3), Some(&own), &set, extras).unwrap_err();
    assert_eq!(error.code(), "engine/not-finite");
    assert!(error.message().contains("cannot be mixed"), "{error}");
    assert!(!error.message().contains("learning rate"), "{error}");
    let set = [&set[..], &[("cd", "0")]].concat();
    assert!(teach_with("lapt", &names(3), Some(&own), &set, extras).is_ok());
}
