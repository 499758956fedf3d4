//! Where the names are, on the starter model.

use pollster::block_on;
use promptlens::classifier::{ClassSet, ClassifyOptions};
use promptlens::device::Choice;
use promptlens::heatmap::{Heatmap, HeatmapMethod, MAPS, regions, shares};
use promptlens::image::{Limits, Preprocess, Rect, Resize, Rgb8, decode};
use promptlens::model::Model;
use promptlens::prompt::template::DEFAULT;

use crate::common::shared;

/// The model that the page ships, which is always there.
fn mini() -> Model {
    let dir = std::path::Path::new("www/models/mini-vit");
    block_on(Model::open(dir, Choice::Cpu, None)).expect("the model loads")
}

fn classes(model: &Model, labels: &[&str]) -> ClassSet {
    let labels: Vec<String> = labels.iter().map(ToString::to_string).collect();
    block_on(ClassSet::new(model, &labels, DEFAULT)).expect("classes")
}

fn asked(method: HeatmapMethod) -> ClassifyOptions {
    ClassifyOptions {
        heatmap: Some(method),
        ..ClassifyOptions::default()
    }
}

fn heatmap(model: &Model, classes: &ClassSet, file: &[u8], method: HeatmapMethod) -> Heatmap {
    block_on(classes.classify(model, file, &asked(method), &()))
        .expect("an answer")
        .heatmap
        .expect("a heat map")
}

/// A PNG of these pixels.
fn png(picture: &Rgb8) -> Vec<u8> {
    let mut out = std::io::Cursor::new(Vec::new());
    ::image::RgbImage::from_raw(picture.width, picture.height, picture.data.clone())
        .expect("pixels")
        .write_to(&mut out, ::image::ImageFormat::Png)
        .expect("a PNG");
    out.into_inner()
}

/// A photo of the shared fixtures, as the model sees it.
fn photo(model: &Model, name: &str) -> Option<Rgb8> {
    let folder = shared("fixtures/mini")?;
    let path = std::fs::read_dir(folder)
        .expect("a folder")
        .map(|entry| entry.expect("an entry").path())
        .find(|path| {
            path.extension().is_some_and(|e| e == "png") && path.to_string_lossy().contains(name)
        })
        .expect("the photo");
    let file = std::fs::read(path).expect("a file");
    let picture = decode(&file, &Limits::default()).expect("a picture");
    Some(promptlens::image::resize_crop(&picture, &model.preprocess).expect("its middle"))
}

/// `left` and `right`, squares of one size, side by side in the upper half of a gray square.
fn beside(left: &Rgb8, right: &Rgb8) -> Rgb8 {
    let side = left.width;
    let mut out = Rgb8::filled(2 * side, 2 * side, [128; 3]);
    for y in 0..side {
        for x in 0..side {
            for (picture, shift) in [(left, 0), (right, side)] {
                let at = ((y * 2 * side + x + shift) * 3) as usize;
                out.data[at..at + 3].copy_from_slice(&picture.pixel(x, y));
            }
        }
    }
    out
}

fn mean(map: &[f32], width: usize, place: impl Fn(usize, usize) -> bool) -> f32 {
    let chosen: Vec<f32> = map
        .iter()
        .enumerate()
        .filter(|(i, _)| place(i % width, i / width))
        .map(|(_, v)| *v)
        .collect();
    chosen.iter().sum::<f32>() / chosen.len() as f32
}

#[test]
fn a_patch_map_is_the_softmax_over_the_names_at_each_patch() {
    let model = mini();
    let classes = classes(&model, &["cat", "church", "golf ball"]);
    let picture = Rgb8::filled(90, 64, [200, 40, 10]);
    let file = png(&picture);
    let found = heatmap(&model, &classes, &file, HeatmapMethod::Patches);
    assert_eq!((found.width, found.height), (8, 8));
    assert_eq!(found.maps.len(), 3);

    let (pixels, ..) = model.pixels(&file).expect("pixels");
    let (_, patches) = block_on(model.embed_patches(&pixels)).expect("patches");
    let d = model.clip.config.projection_dim;
    for map in &found.maps {
        let k = classes.labels.iter().position(|l| *l == map.label).unwrap();
        for (patch, value) in patches.chunks_exact(d).zip(&map.values) {
            let logits: Vec<f64> = classes
                .cosines(patch)
                .iter()
                .map(|c| f64::from(*c) * f64::from(model.clip.logit_scale))
                .collect();
            let sum: f64 = logits.iter().map(|z| (z - logits[k]).exp()).sum();
            assert!((1.0 / sum - f64::from(*value)).abs() < 1e-5);
        }
    }
    for place in 0..64 {
        let sum: f32 = found.maps.iter().map(|map| map.values[place]).sum();
        assert!((sum - 1.0).abs() < 1e-5);
    }
}

#[test]
fn maps_are_those_of_the_most_probable_names_in_the_order_of_the_answer() {
    let model = mini();
    let many: Vec<String> = (0..30).map(|i| format!("thing number {i}")).collect();
    let classes = block_on(ClassSet::new(&model, &many, DEFAULT)).expect("classes");
    let file = png(&Rgb8::filled(64, 64, [10, 90, 200]));
    for method in [HeatmapMethod::Patches, HeatmapMethod::Regions] {
        let answer = block_on(classes.classify(&model, &file, &asked(method), &())).unwrap();
        let maps = answer.heatmap.expect("a heat map").maps;
        let labels: Vec<&String> = maps.iter().map(|map| &map.label).collect();
        let best: Vec<&String> = answer
            .predictions
            .iter()
            .map(|p| &p.label)
            .take(MAPS)
            .collect();
        assert_eq!(labels, best);
    }
    let plain = block_on(classes.classify(&model, &file, &ClassifyOptions::default(), &()));
    assert!(plain.unwrap().heatmap.is_none());
}

#[test]
fn regions_of_a_plain_picture_all_say_what_the_picture_says() {
    let model = mini();
    let classes = classes(&model, &["cat", "church", "golf ball"]);
    let file = png(&Rgb8::filled(64, 64, [10, 160, 60]));
    let answer =
        block_on(classes.classify(&model, &file, &asked(HeatmapMethod::Regions), &())).unwrap();
    for map in answer.heatmap.expect("a heat map").maps {
        let whole = answer
            .predictions
            .iter()
            .find(|p| p.label == map.label)
            .unwrap();
        for value in map.values {
            assert!(
                (f64::from(value) - whole.probability).abs() < 1e-4,
                "{}",
                map.label
            );
        }
    }
}

/// Two photos beside each other: each name has more of its own side than of the other.
fn finds_sides(model: &Model, method: HeatmapMethod) {
    let pairs = [
        ("sunflowers", "ship"),
        ("ship", "sunflowers"),
        ("parachute", "sunflowers"),
        ("sunflowers", "dog"),
    ];
    for (one, other) in pairs {
        let (Some(left), Some(right)) = (photo(model, one), photo(model, other)) else {
            return;
        };
        let names = [one.replace('_', " "), other.replace('_', " ")];
        let classes = classes(model, &[&names[0], &names[1]]);
        let file = png(&beside(&left, &right));
        let found = heatmap(model, &classes, &file, method);
        let map = found.maps.iter().find(|map| map.label == names[0]).unwrap();
        let half = found.width / 2;
        let near = mean(&map.values, found.width, |x, y| x < half && y < half);
        let far = mean(&map.values, found.width, |x, y| x >= half && y < half);
        println!("{method:?} {one} {other} {near:.3} {far:.3}");
        assert!(
            near > far,
            "{method:?} {one} beside {other}: {near} and {far}"
        );
    }
}

#[test]
fn patches_find_the_side_of_a_name() {
    // The shipped model's training never asks anything of its patches; see its model card.
    let Some(dir) = shared("models/mini-0") else {
        return;
    };
    let model = block_on(Model::open(&dir, Choice::Cpu, None)).expect("the model loads");
    finds_sides(&model, HeatmapMethod::Patches);
}

#[test]
fn regions_find_the_side_of_a_name() {
    finds_sides(&mini(), HeatmapMethod::Regions);
}

#[test]
fn one_name_has_all_of_every_place() {
    let texts = [1.0f32, 0.0];
    let places = [0.6f32, 0.8, 1.0, 0.0];
    assert_eq!(shares(&places, &texts, 2, 100.0).unwrap(), [1.0, 1.0]);
    assert!(shares(&places, &[1.0, 0.0, 0.0], 2, 100.0).is_err());
}

#[test]
fn the_seen_part_is_the_middle_square() {
    let p = Preprocess::clip(64);
    let rect = |x, y, width, height| Rect {
        x,
        y,
        width,
        height,
    };
    assert_eq!(p.seen(960, 480), rect(240, 0, 480, 480));
    // 640 pixels are scaled to 85.3, of which 85 remain: each stands for a little more.
    assert_eq!(p.seen(640, 480), rect(79, 0, 482, 480));
    assert_eq!(p.seen(480, 640), rect(0, 79, 480, 482));
    assert_eq!(p.seen(3, 3), rect(0, 0, 3, 3));
    assert_eq!(p.seen(1, 1000), rect(0, 499, 1, 1));
    let exact = Preprocess {
        resize: Resize::Exact {
            width: 64,
            height: 64,
        },
        ..p
    };
    assert_eq!(exact.seen(640, 480), rect(0, 0, 640, 480));
    assert_eq!(regions::WINDOWS, 25);
}

#[test]
fn an_unknown_method_is_refused() {
    assert_eq!(HeatmapMethod::parse("patches").unwrap().name(), "patches");
    assert_eq!(
        HeatmapMethod::parse("gradcam").unwrap_err().code(),
        "options/invalid"
    );
}
