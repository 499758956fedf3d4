//! `settings=paper`, and what it is made of.

use promptlens::image::Filter;
use promptlens::prompt_learning::examples::batches;
use promptlens::prompt_learning::job::TrainedPrompt;
use promptlens::prompt_learning::outliers::OutlierData;
use promptlens::prompt_learning::parameters::Crops;
use promptlens::prompt_learning::recipes::{RECIPES, find};

use super::toy::{Extras, Toy, UNSEEN, W, class_count, images, names, teach, teach_with, words};

fn rate(learned: &TrainedPrompt) -> f64 {
    let note = learned.notes.iter().find(|n| n.name == "learning rate");
    note.expect("one rate for all").value
}

#[test]
fn every_recipe_takes_the_settings_of_its_paper() {
    let negatives = words();
    for recipe in RECIPES.iter().filter(|recipe| !recipe.needs.descriptions) {
        let count = class_count(recipe.name);
        let table = recipe.parameters();
        let row = table.iter().find(|p| p.name == "settings").unwrap();
        assert_eq!(row.default, "fitted");
        let mut set = vec![("settings", "paper")];
        let has = |name| table.iter().any(|p| p.name == name);
        set.extend(
            [("epochs", "2"), ("rounds", "1"), UNSEEN]
                .iter()
                .filter(|(name, _)| has(*name)),
        );
        let extras = Extras {
            outliers: OutlierData {
                negatives: &negatives,
                images: None,
            },
            ..Extras::default()
        };
        let examples = images(count, 6, 4, 9).with_fresh_crops();
        let learned = teach_with(recipe.name, &names(count), Some(&examples), &set, extras);
        learned.unwrap_or_else(|error| panic!("{}: {error}", recipe.name));
    }
}

#[test]
fn coop_of_the_paper_is_sgd_on_sixteen_random_vectors() {
    let examples = images(5, 16, 1, 1);
    let learned = teach("coop", &examples, &[("settings", "paper")]);
    // 80 images are two whole batches of 32 and one of 16, 200 times.
    assert_eq!((rate(&learned), learned.losses.len()), (0.002, 600));
    assert_eq!(learned.prompt.tensors["context"].shape, [16, W]);
    let few = teach("coop", &images(5, 4, 1, 1), &[("settings", "paper")]);
    assert_eq!(few.losses.len(), 100);
    let one = teach("coop", &images(5, 1, 1, 1), &[("settings", "paper")]);
    assert_eq!(one.losses.len(), 50);
    // Whatever is set beside it counts more, in any order.
    for set in [
        [("settings", "paper"), ("lr", "0.01"), ("epochs", "3")],
        [("lr", "0.01"), ("epochs", "3"), ("settings", "paper")],
    ] {
        let learned = teach("coop", &examples, &set);
        assert_eq!((rate(&learned), learned.losses.len()), (0.01, 9));
    }
    let fitted = teach(
        "coop",
        &examples,
        &[("settings", "fitted"), ("epochs", "2")],
    );
    assert_eq!(fitted, teach("coop", &examples, &[("epochs", "2")]));
    let refused = find("coop").unwrap().configure(&[("settings", "PAPER")]);
    assert_eq!(refused.unwrap_err().code(), "options/invalid");
}

#[test]
fn the_paper_decides_the_crops() {
    let crops =
        |recipe: &str, set: &[(&str, &str)]| find(recipe).unwrap().configure(set).unwrap().crops();
    let paper = [("settings", "paper")];
    let of = |area, epochs, filter| {
        Some(Crops {
            area,
            epochs,
            filter,
        })
    };
    let (fitted, published) = (Filter::Bilinear, Filter::Bicubic);
    assert_eq!(crops("coop", &[]), of(0.6, None, fitted));
    assert_eq!(crops("coop", &paper), of(0.08, Some(200), published));
    assert_eq!(crops("kgcoop", &paper), of(0.08, Some(100), published));
    assert_eq!(crops("cocoop", &paper), of(0.08, Some(10), published));
    assert_eq!(crops("tip-adapter", &paper), of(0.5, None, published));
    assert_eq!(
        crops("coop", &[("crop-area", "0.3")]),
        of(0.3, None, fitted)
    );
    let both = [("settings", "paper"), ("crop-area", "0.3"), ("epochs", "7")];
    assert_eq!(crops("coop", &both), of(0.3, Some(7), published));
    let bilinear = [("settings", "paper"), ("crop-filter", "bilinear")];
    assert_eq!(crops("coop", &bilinear), of(0.08, Some(200), fitted));
    assert_eq!(crops("templates", &paper), None);
}

#[test]
fn every_epoch_takes_the_next_crop_and_whole_batches() {
    let examples = images(3, 5, 4, 1).with_fresh_crops();
    for epoch in 0..7 {
        let order = batches(&examples, 4, 1, epoch);
        assert_eq!(order.iter().map(Vec::len).collect::<Vec<_>>(), [4, 4, 4]);
        // Crop 0 is the plain photo, of which no epoch learns.
        let expected = 1 + epoch % 3;
        assert!(order.iter().flatten().all(|(_, view)| *view == expected));
    }
    // A batch of all that there is stays, however small.
    assert_eq!(
        batches(&examples, 32, 1, 0)
            .iter()
            .map(Vec::len)
            .collect::<Vec<_>>(),
        [15]
    );
    assert!(
        batches(&examples.subset(&[1, 2]).unwrap(), 1, 1, 4)
            .iter()
            .flatten()
            .all(|(_, view)| *view == 2)
    );
}

#[test]
fn contexts_start_from_words_behind_zeros_or_as_long_as_words() {
    use promptlens::prompt::model::PromptModel;
    let examples = images(3, 2, 1, 1);
    let start = |set: &[(&str, &str)]| {
        let still = [("lr", "1e-30"), ("epochs", "1")];
        let learned = teach("coop", &examples, &[&still, set].concat());
        learned.prompt.tensors["context"].data.clone()
    };
    let words = Toy.words("a photo of a").unwrap();
    let near = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-6);
    assert!(near(&start(&[]), &words));
    assert!(near(&start(&[("vectors", "2")]), &words[..2 * W]));
    let more = start(&[("vectors", "6")]);
    assert!(near(&more[..2 * W], &[0.0; 2 * W]) && near(&more[2 * W..], &words));
    let mean = |v: &[f32]| v.iter().map(|v| v * v).sum::<f32>() / v.len() as f32;
    let random = start(&[("vectors", "64"), ("init", "random")]);
    let share = mean(&random) / mean(&words);
    assert!((share - 1.0).abs() < 0.25, "{share}");
}
