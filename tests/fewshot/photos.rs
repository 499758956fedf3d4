//! Photos to features, with the built-in model.

use std::io::Cursor;
use std::path::Path;

use image::{ImageFormat, Rgb, RgbImage};
use promptlens::device::Choice;
use promptlens::fewshot::photos::{ExampleBuilder, ViewEncoder};
use promptlens::image::views::{Corruption, CropRange, ViewMaker, ViewPlan};
use promptlens::image::{Filter, Limits, decode};
use promptlens::model::Model;
use promptlens::prompt_learning::recipes::find;
use promptlens::rng::Rng;

pub fn model() -> Model {
    let dir = Path::new("www/models/mini-vit");
    pollster::block_on(Model::open(dir, Choice::Cpu, None)).expect("the built-in model loads")
}

pub fn picture(number: u64) -> Vec<u8> {
    let mut rng = Rng::derive(3, number);
    let picture = RgbImage::from_fn(60, 40, |x, y| {
        Rgb([(4 * x) as u8, (6 * y) as u8, rng.below(256) as u8])
    });
    let mut bytes = Cursor::new(Vec::new());
    picture.write_to(&mut bytes, ImageFormat::Png).unwrap();
    bytes.into_inner()
}

/// Features of these files, of class 0 each, in three views.
fn encoded(model: &Model, files: &[&[u8]], seed: u64, corruption: Option<&str>) -> ExampleBuilder {
    let corruption = corruption.map(|text| Corruption::parse(text).unwrap());
    let mut photos = ExampleBuilder::new(1, ViewEncoder::new(3, seed, corruption).unwrap());
    for file in files {
        pollster::block_on(photos.add(model, file, 0)).unwrap();
    }
    photos
}

#[test]
fn the_first_view_is_the_photo_and_the_others_are_crops_of_its_own() {
    let model = model();
    let (a, b) = (picture(1), picture(2));
    let examples = encoded(&model, &[&a, &b], 5, None).finish().unwrap();
    assert_eq!((examples.len(), examples.views()), (2, 3));
    for (i, file) in [&a, &b].into_iter().enumerate() {
        let plain = pollster::block_on(model.embed_image(file)).unwrap();
        let off = plain.iter().zip(examples.view(i, 0));
        assert!(off.into_iter().all(|(p, e)| (p - e).abs() < 1e-5));
        assert_ne!(examples.view(i, 1), examples.view(i, 0));
        assert_ne!(examples.view(i, 1), examples.view(i, 2));
    }
    let again = encoded(&model, &[&a, &b], 5, None).finish().unwrap();
    assert_eq!(again, examples);
    let other = encoded(&model, &[&a, &b], 6, None).finish().unwrap();
    assert_eq!(other.view(0, 0), examples.view(0, 0));
    assert_ne!(other.view(0, 1), examples.view(0, 1));
}

#[test]
fn crops_to_learn_from_show_most_of_the_photo() {
    let model = model();
    let file = picture(1);
    let found = encoded(&model, &[&file], 5, None).finish().unwrap();
    let photo = decode(&file, &Limits::default()).unwrap();
    let seed = Rng::derive(5, 0).bits();
    let views = |area| {
        let plan = ViewPlan {
            range: CropRange {
                area: (area, 1.0),
                ..CropRange::default()
            },
            ..ViewPlan::tpt(3, false)
        };
        let maker = ViewMaker::new(&photo, &model.preprocess, &plan, seed).unwrap();
        for index in 1..3 {
            let part = maker.crop(index).unwrap().source;
            let share = f64::from(part.width * part.height) / f64::from(60 * 40);
            assert!(share > area - 0.02, "{share}");
        }
        let pixels = maker.view(1).unwrap().chw;
        pollster::block_on(model.embed_pixels(&pixels)).unwrap()
    };
    let alike = |a: &[f32], b: &[f32]| a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-4);
    assert!(alike(&views(0.6), found.view(0, 1)));
    assert!(!alike(&views(0.08), found.view(0, 1)));
}

/// CoOp's authors scale crops by bicubic.
#[test]
fn a_recipe_decides_how_crops_are_scaled() {
    let model = model();
    let file = picture(1);
    let photo = decode(&file, &Limits::default()).unwrap();
    for (settings, filter) in [("fitted", Filter::Bilinear), ("paper", Filter::Bicubic)] {
        let recipe = find("coop").unwrap().configure(&[("settings", settings)]);
        let crops = recipe.unwrap().crops().unwrap();
        let encoder = ViewEncoder::new(3, 5, None)
            .unwrap()
            .with_crops(Some(crops));
        let encoded = pollster::block_on(encoder.encode(&model, 0, &file));
        let found = encoded.unwrap().unwrap().views;
        let view = |filter| {
            let plan = ViewPlan {
                range: CropRange {
                    area: (crops.area, 1.0),
                    filter,
                    ..CropRange::default()
                },
                ..ViewPlan::tpt(3, false)
            };
            let seed = Rng::derive(5, 0).bits();
            let maker = ViewMaker::new(&photo, &model.preprocess, &plan, seed).unwrap();
            let pixels = maker.view(1).unwrap().chw;
            pollster::block_on(model.embed_pixels(&pixels)).unwrap()
        };
        let d = found.len() / 3;
        let error = |filter| {
            let pairs = view(filter).into_iter().zip(&found[d..2 * d]);
            pairs.map(|(a, b)| (a - b).abs()).fold(0.0, f32::max)
        };
        let other = match filter {
            Filter::Bicubic => Filter::Bilinear,
            _ => Filter::Bicubic,
        };
        let (own, other) = (error(filter), error(other));
        assert!(own <= 2e-5 && other > 1e-4, "{settings}: {own} {other}");
    }
}

#[test]
fn a_file_that_is_none_is_set_aside_and_changes_nothing_else() {
    let model = model();
    let (a, b) = (picture(1), picture(2));
    let whole = encoded(&model, &[&a, &picture(9), &b], 5, None)
        .finish()
        .unwrap();
    let photos = encoded(&model, &[&a, b"no photo", &b], 5, None);
    let failures: Vec<_> = photos
        .failures()
        .iter()
        .map(|(i, e)| (*i, e.code()))
        .collect();
    assert_eq!(failures, [(1, "image/unknown-format")]);
    assert_eq!((photos.len(), photos.is_empty()), (2, false));
    let examples = photos.finish().unwrap();
    for view in 0..3 {
        assert_eq!(examples.view(0, view), whole.view(0, view));
        assert_eq!(examples.view(1, view), whole.view(2, view));
    }
    let none = encoded(&model, &[b"", b"x"], 5, None);
    assert!(none.is_empty());
    assert_eq!(none.finish().unwrap_err().code(), "data/empty");
}

#[test]
fn a_corruption_reaches_every_view() {
    let model = model();
    let a = picture(1);
    let clean = encoded(&model, &[&a], 5, None).finish().unwrap();
    let spoilt = encoded(&model, &[&a], 5, Some("gaussian-noise:5"))
        .finish()
        .unwrap();
    for view in 0..3 {
        assert_ne!(clean.view(0, view), spoilt.view(0, view));
    }
    let again = encoded(&model, &[&a], 5, Some("gaussian-noise:5"))
        .finish()
        .unwrap();
    assert_eq!(again, spoilt);
    for views in [0, usize::MAX] {
        let error = ViewEncoder::new(views, 0, None).expect_err("refused");
        assert_eq!(error.code(), "options/invalid");
    }
}
