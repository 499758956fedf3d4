//! Names of several words from photos of the words.

use promptlens::math::{UnitRows, dot};
use promptlens::prompt_learning::examples::Examples;
use promptlens::tools::vsc::{GAMMAS, compose, fit, parts};

use crate::prompt_learning::toy::{D, drawn};

fn unit(text: &str) -> Vec<f64> {
    UnitRows::new(&drawn(text, 3, D), D).values
}

fn strings(list: &[&str]) -> Vec<String> {
    list.iter().map(|text| (*text).to_owned()).collect()
}

fn near(a: &[f64], b: &[f64]) -> bool {
    a.iter().zip(b).all(|(a, b)| (a - b).abs() < 1e-12)
}

/// `count` photos of every folder: its direction and some noise.
fn photos(folders: &[&str], count: usize, noise: f32) -> Examples {
    let (mut rows, mut labels) = (Vec::new(), Vec::new());
    for (place, folder) in folders.iter().enumerate() {
        // A photo of a red cup shows what is red and a cup.
        let mut center = [0.0; D];
        for word in folder.split(' ') {
            let own = unit(&format!("look of {word}"));
            center.iter_mut().zip(own).for_each(|(c, v)| *c += v);
        }
        for i in 0..count {
            let off = drawn(&format!("{folder} {i}"), 5, D);
            rows.extend(center.iter().zip(off).map(|(c, n)| *c as f32 + noise * n));
            labels.push(place);
        }
    }
    Examples::new(
        UnitRows::new(&rows, D).rounded(),
        labels,
        1,
        D,
        folders.len(),
    )
    .unwrap()
}

#[test]
fn without_gamma_and_towards_itself_a_text_stays() {
    let (t, a, b) = (unit("t"), unit("a"), unit("b"));
    assert_eq!(compose(&t, &[a.clone(), b.clone()], 0.0), t);
    assert_eq!(compose(&t, &[], 1.0), t);
    assert!(near(&compose(&t, &[t.clone(), t.clone()], 0.5), &t));
    let between = compose(&t, &[a.clone(), b.clone()], 1.0);
    let sum: Vec<f64> = a.iter().zip(&b).map(|(a, b)| a + b).collect();
    let direction = UnitRows::new(&sum, D).values;
    let expected: Vec<f64> = t.iter().zip(&direction).map(|(t, v)| t + v).collect();
    assert!(near(&between, &UnitRows::new(&expected, D).values));
}

#[test]
fn words_of_a_name_are_found_among_folders() {
    let folders = strings(&["red", "cup", "car", "red_cup", "Fire Truck", "cupboard"]);
    assert_eq!(parts("red cup", &folders), [0, 1]);
    assert_eq!(parts("Red fire truck", &folders), [0, 4]);
    assert_eq!(parts("cup", &folders), [1]);
    assert!(parts("blue bus", &folders).is_empty());
}

#[test]
fn gamma_is_chosen_on_photos_that_are_held_out() {
    let folders = ["red", "blue", "cup", "car", "red cup", "blue car"];
    let names = strings(&["red cup", "blue car", "red car", "blue cup"]);
    let texts: Vec<f64> = names.iter().flat_map(|name| unit(name)).collect();
    let images = photos(&folders, 8, 0.2);
    let all = strings(&folders);
    let found = fit(&texts, &names, &all, &images, None).unwrap();
    // Two of the eight photos of each of four words, and all of the two names.
    assert_eq!(found.held_out, 4 * 2 + 2 * 8);
    let gammas: Vec<f64> = found.tried.iter().map(|t| t.gamma).collect();
    assert_eq!(gammas, GAMMAS);
    let best = found.tried.iter().map(|t| t.accuracy).fold(0.0, f64::max);
    let first = found.tried.iter().find(|t| t.accuracy == best).unwrap();
    assert_eq!(found.gamma, first.gamma);
    // The texts know nothing here, so photos help.
    assert!(
        found.gamma > 0.0 && best > found.tried[0].accuracy,
        "{:?}",
        found.tried
    );
    let row = |name: usize| &found.texts[name * D..(name + 1) * D];
    let look = |word: &str| unit(&format!("look of {word}"));
    assert!(dot(row(0), &look("red")) > dot(&texts[..D], &look("red")));

    // A given gamma is taken, and 0 leaves the texts as they are.
    let plain = fit(&texts, &names, &all, &images, Some(0.0)).unwrap();
    assert_eq!(plain.texts, texts);
    assert!(plain.tried.is_empty());
    let wrong = fit(&texts, &names, &all, &images, Some(f64::NAN)).unwrap_err();
    assert_eq!(wrong.code(), "options/invalid");
    let none = fit(&texts, &names, &strings(&["x"; 6]), &images, None).unwrap_err();
    assert_eq!(none.code(), "data/empty");
}

#[test]
fn how_many_photos_a_word_has_does_not_matter() {
    let names = strings(&["red cup", "old car"]);
    let texts: Vec<f64> = names.iter().flat_map(|name| unit(name)).collect();
    let folders = strings(&["red", "cup"]);
    let once = photos(&["red", "cup"], 2, 0.2);
    // Every photo of the cup three times, those of red once.
    let more = once.subset(&[0, 1, 2, 3, 2, 3, 2, 3]).unwrap();
    let of = |images: &Examples| fit(&texts, &names, &folders, images, Some(0.5)).unwrap();
    assert!(near(&of(&once).texts, &of(&more).texts));
    // A name without photos keeps its text.
    assert_eq!(of(&once).texts[D..], texts[D..]);
    assert!(!near(&of(&once).texts[..D], &texts[..D]));
    // Two photos of a word leave none to hold out: the texts stay.
    let few = fit(&texts, &names, &folders, &once, None).unwrap();
    assert_eq!((few.held_out, few.gamma), (0, 0.0));
    assert_eq!(few.texts, texts);
}
