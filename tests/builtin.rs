//! The model that ships: what it is, what it says about itself, and what its maps find.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use pollster::block_on;
use promptlens::checkpoint::FORMER;
use promptlens::classifier::{ClassSet, ClassifyOptions};
use promptlens::dataset::{DataSet, Item, Limits};
use promptlens::device::Choice;
use promptlens::heatmap::HeatmapMethod;
use promptlens::image::{Limits as ImageLimits, Rgb8, decode};
use promptlens::model::Model;
use promptlens::prompt::template::DEFAULT;
use promptlens::rng::Rng;

use crate::common::shared;

const FOLDER: &str = "www/models/mini";
/// Everything that a visitor downloads before the first answer, and what a repository may hold.
const MAX_BYTES: u64 = 9_000_000;

fn model() -> Model {
    block_on(Model::open(Path::new(FOLDER), Choice::Cpu, None)).expect("the model loads")
}

fn classes(model: &Model, labels: &[String]) -> ClassSet {
    block_on(ClassSet::new(model, labels, DEFAULT)).expect("classes")
}

fn list(name: &str) -> Vec<String> {
    let text = std::fs::read_to_string(Path::new(FOLDER).join(name)).expect(name);
    match name.ends_with(".json") {
        true => serde_json::from_str(&text).expect(name),
        false => text.lines().map(str::to_owned).collect(),
    }
}

#[test]
fn it_is_small_and_tested_and_knows_the_names_that_it_offers() {
    let files: Vec<PathBuf> = std::fs::read_dir(FOLDER)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    let bytes: u64 = files.iter().map(|f| f.metadata().unwrap().len()).sum();
    assert!(bytes <= MAX_BYTES, "{bytes}");
    let model = model();
    assert!(model.self_test.is_some(), "no known answer is stored");
    assert_eq!(model.report.quantization.name(), "q8");
    let offered = list("labels.json");
    assert!(offered.len() >= 6);
    let trained: BTreeSet<String> = list("trained.txt").into_iter().collect();
    assert!(trained.len() > 350, "{}", trained.len());
    assert_eq!(model.unknown_names(&offered), Vec::<&str>::new());
    let names = ["a red banana", "dogs", "flurbish", "wug teapot"].map(str::to_owned);
    assert_eq!(model.unknown_names(&names), ["flurbish", "wug teapot"]);
}

#[test]
fn the_page_names_the_models_beside_it_by_their_weights() {
    let page = std::fs::read_to_string("www/ui/local.js").unwrap();
    let sha256 = &model().report.model_sha256;
    assert!(
        page.contains(&format!("\"mini\", sha256: \"{sha256}\"")),
        "{sha256}"
    );
    for former in FORMER {
        assert!(page.contains(former.sha256));
        assert!(Path::new("www").join(former.folder).is_dir());
    }
}

#[test]
fn every_sample_is_answered_with_its_name_among_those_first_shown() {
    let model = model();
    let offered = list("labels.json");
    let classes = classes(&model, &offered);
    let page = std::fs::read_to_string("www/ui/sources.js").unwrap();
    let (_, rest) = page.split_once("const SAMPLES = {").expect("the samples");
    let (samples, _) = rest.split_once("};").unwrap();
    let mut count = 0;
    for line in samples.lines().filter(|line| line.contains(": \"")) {
        let (file, name) = line.trim().trim_end_matches(',').split_once(": ").unwrap();
        let (file, name) = (file.trim_matches('"'), name.trim_matches('"'));
        let bytes = std::fs::read(format!("www/samples/{file}.jpg")).expect(file);
        let found = block_on(classes.classify(&model, &bytes, &ClassifyOptions::default(), &()));
        let best = &found.unwrap().predictions[0];
        assert_eq!(best.label, name, "{file}: {}", best.probability);
        count += 1;
    }
    assert!(count >= 4, "{count}");
}

/// A name of vocabulary.tsv that training saw pictures of.
struct Known {
    name: String,
    above: BTreeSet<String>,
}

fn known(vocabulary: &str) -> Vec<Known> {
    let (head, rows) = vocabulary.split_once('\n').unwrap();
    let head: Vec<&str> = head.trim_end().split('\t').collect();
    let column = |name: &str| head.iter().position(|h| *h == name).unwrap();
    let [name, usage, above, same] = ["name", "use", "is_a", "same_as"].map(column);
    rows.lines()
        .map(|row| row.trim_end_matches('\r').split('\t').collect::<Vec<_>>())
        .filter(|row| row[usage] == "known" && row.get(same).is_none_or(|s| s.is_empty()))
        .map(|row| Known {
            name: row[name].to_owned(),
            above: row[above].split(';').map(str::to_owned).collect(),
        })
        .collect()
}

/// The middle half of a picture, as high as wide halves are: its middle square, its middle columns.
fn middle(picture: &Rgb8, side: u32) -> Vec<[u8; 3]> {
    let square = picture.width.min(picture.height);
    let (x0, y0) = ((picture.width - square) / 2, (picture.height - square) / 2);
    let mut out = Vec::new();
    for y in 0..side {
        for x in 0..side / 2 {
            let across = square / 4 + (x * (square / 2)) / (side / 2);
            let down = y * square / side;
            out.push(picture.pixel(x0 + across, y0 + down));
        }
    }
    out
}

/// Two middles side by side in a square, as PNG.
fn beside(left: &Rgb8, right: &Rgb8, side: u32) -> Vec<u8> {
    let halves = [middle(left, side), middle(right, side)];
    let half = side / 2;
    let picture = ::image::RgbImage::from_fn(side, side, |x, y| {
        ::image::Rgb(halves[(x / half) as usize][(y * half + x % half) as usize])
    });
    let mut out = std::io::Cursor::new(Vec::new());
    picture
        .write_to(&mut out, ::image::ImageFormat::Png)
        .expect("a PNG");
    out.into_inner()
}

#[test]
fn maps_find_the_half_that_shows_a_name() {
    const SETS: [&str; 8] = [
        "tiny200",
        "cifar100",
        "caltech101",
        "grocery",
        "clothing",
        "scenes",
        "weather",
        "animals22",
    ];
    const PAIRS: usize = 100;
    let Some(vocabulary) = shared("data/names/vocabulary.tsv") else {
        return;
    };
    let known = known(&std::fs::read_to_string(vocabulary).unwrap());
    let mut rng = Rng::new(8);
    let mut pictures: Vec<(usize, Rgb8)> = Vec::new();
    for set in SETS {
        let data = DataSet::open(
            &shared(&format!("data/{set}.tar.gz")).unwrap(),
            &Limits::default(),
        )
        .unwrap();
        let items = data.select(Some("test")).unwrap();
        let of_known: Vec<&Item> = items
            .into_iter()
            .filter(|item| known.iter().any(|k| k.name == item.class))
            .collect();
        // As many of each set, whatever its size.
        let mut chosen: Vec<&Item> = (0..2 * PAIRS / SETS.len())
            .map(|_| of_known[rng.below(of_known.len() as u64) as usize])
            .collect();
        chosen.sort_by_key(|item| of_known.iter().position(|other| other.path == item.path));
        chosen.dedup();
        data.read(&chosen, &mut |item, bytes| {
            let name = known.iter().position(|k| k.name == item.class).unwrap();
            pictures.push((name, decode(&bytes?, &ImageLimits::default())?));
            Ok(())
        })
        .unwrap();
    }
    let model = model();
    let related = |a: &Known, b: &Known| {
        a.name == b.name || a.above.contains(&b.name) || b.above.contains(&a.name)
    };
    let options = ClassifyOptions {
        heatmap: Some(HeatmapMethod::Patches),
        ..ClassifyOptions::default()
    };
    let mut right = 0;
    for _ in 0..PAIRS {
        let (left, right_one) = loop {
            let draw = |rng: &mut Rng| rng.below(pictures.len() as u64) as usize;
            let (a, b) = (draw(&mut rng), draw(&mut rng));
            if !related(&known[pictures[a].0], &known[pictures[b].0]) {
                break (&pictures[a], &pictures[b]);
            }
        };
        let side = model.preprocess.crop_width;
        let file = beside(&left.1, &right_one.1, side);
        let labels = [left.0, right_one.0].map(|name| known[name].name.clone());
        let classes = classes(&model, &labels);
        let answer = block_on(classes.classify(&model, &file, &options, &())).unwrap();
        let found = answer.heatmap.unwrap();
        let mean = |label: &str, first: bool| {
            let map = found.maps.iter().find(|map| map.label == label).unwrap();
            let half = found.width / 2;
            let places = map.values.iter().enumerate().filter(|(place, _)| {
                let x = place % found.width;
                if first {
                    x < half
                } else {
                    x >= found.width - half
                }
            });
            let values: Vec<f32> = places.map(|(_, value)| *value).collect();
            values.iter().sum::<f32>() / values.len() as f32
        };
        let finds = |label: &str, first: bool| mean(label, first) > mean(label, !first);
        right += usize::from(finds(&labels[0], true) && finds(&labels[1], false));
    }
    println!("{right} of {PAIRS} pairs");
    assert!(right >= 90, "{right} of {PAIRS}");
}
