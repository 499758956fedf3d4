//! Sentences about something visible, told from others.

use std::path::Path;

use promptlens::Model;
use promptlens::device::Choice;
use promptlens::prompt::model::PromptModel;
use promptlens::tools::visualness::{OTHER, VISUAL, Visualness};

use crate::prompt_learning::toy::{D, drawn};

fn features(model: &Model, list: &str) -> Vec<f32> {
    let lines: Vec<String> = list.lines().map(str::to_owned).collect();
    assert!(lines.len() >= 40 && lines.iter().all(|line| !line.trim().is_empty()));
    pollster::block_on(model.features(&lines)).unwrap()
}

/// Every second row, from `first`.
fn half(rows: &[f32], d: usize, first: usize) -> Vec<f32> {
    let rows = rows.chunks_exact(d).skip(first).step_by(2);
    rows.flatten().copied().collect()
}

#[test]
fn the_built_in_model_tells_the_lists_apart_on_held_out_halves() {
    let folder = Path::new("www/models/mini");
    let model = pollster::block_on(Model::open(folder, Choice::Cpu, None)).unwrap();
    let d = model.dim();
    let (visual, other) = (features(&model, VISUAL), features(&model, OTHER));
    for first in [0, 1] {
        let known = Visualness::fit(&half(&visual, d, first), &half(&other, d, first), d);
        let scores = |rows: &[f32]| -> Vec<f64> {
            let held_out = half(rows, d, 1 - first);
            let rows = held_out.chunks_exact(d);
            rows.map(|row| known.judge(row, &[]).score).collect()
        };
        let (seen, unseen) = (scores(&visual), scores(&other));
        let above = |score: &f64| unseen.iter().filter(|other| score > other).count();
        let pairs = (seen.len() * unseen.len()) as f64;
        let auc = seen.iter().map(above).sum::<usize>() as f64 / pairs;
        println!("visualness, learned from half {first}: AUC {auc:.3}");
        assert!(auc >= 0.8, "{auc}");
    }
    let known = pollster::block_on(Visualness::new(&model)).unwrap();
    assert_eq!(known, Visualness::fit(&visual, &other, d));
}

#[test]
fn a_score_has_a_scale_free_place_and_photos_add_a_second_cue() {
    let (visual, other) = (drawn("visual", 1, 6 * D), drawn("other", 2, 6 * D));
    let known = Visualness::fit(&visual, &other, D);
    let text = drawn("a text", 3, D);
    let larger: Vec<f32> = text.iter().map(|v| 8.0 * v).collect();
    let found = known.judge(&text, &[]);
    assert_eq!(found.spread, None);
    assert!((known.judge(&larger, &[]).score - found.score).abs() < 1e-12);
    // The lists' own means lie at 1 and 0.
    let mean = |rows: &[f32]| {
        let places = rows.chunks_exact(D).map(|row| known.judge(row, &[]).place);
        places.sum::<f64>() / 6.0
    };
    assert!((mean(&visual) - 1.0).abs() < 1e-9 && mean(&other).abs() < 1e-9);
    let photos = promptlens::math::UnitRows::new(&drawn("photos", 4, 5 * D), D).rounded();
    let spread = known.judge(&text, &photos).spread.unwrap();
    assert!(spread > 0.0);
    assert_eq!(known.judge(&text, &photos[..D]).spread, None);
    let same = photos[..D].repeat(4);
    assert!(known.judge(&text, &same).spread.unwrap() < 1e-18);
    assert_eq!(known.judge(&text, &photos).score, found.score);
}
