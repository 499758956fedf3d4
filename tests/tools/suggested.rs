//! Templates that fit photos, without repeating each other.

use promptlens::math::{UnitRows, dot};
use promptlens::tools::templates_suggested::{fit, suggest};

use crate::prompt_learning::toy::{D, drawn, images};

const K: usize = 3;
const P: usize = 12;

fn texts() -> Vec<f64> {
    UnitRows::new(&drawn("templates", 3, P * K * D), D).values
}

#[test]
fn the_first_fits_best_and_none_comes_twice() {
    let (texts, photos) = (texts(), images(K, 5, 1, 3).plain());
    let fits: Vec<f64> = texts
        .chunks_exact(K * D)
        .map(|t| {
            let nearest = photos.chunks_exact(D).map(|photo| {
                let cosines = t.chunks_exact(D).map(|text| dot(photo, text));
                cosines.fold(-1.0, f64::max)
            });
            nearest.sum::<f64>() / 15.0
        })
        .collect();
    let found = suggest(&texts, K, &photos, D, P + 3);
    let best = (0..P).max_by(|a, b| fits[*a].total_cmp(&fits[*b])).unwrap();
    assert_eq!((found[0].place, found[0].alike), (best, 0.0));
    let mut places: Vec<usize> = found.iter().map(|s| s.place).collect();
    for s in &found {
        assert!((s.fit - fits[s.place]).abs() < 1e-12);
    }
    places.sort_unstable();
    assert_eq!(places, (0..P).collect::<Vec<_>>());
    assert_eq!(suggest(&texts, K, &photos, D, 4), found[..4]);
}

#[test]
fn a_template_that_repeats_a_chosen_one_waits() {
    let (mut texts, photos) = (texts(), images(K, 5, 1, 3).plain());
    let first = suggest(&texts, K, &photos, D, 1)[0].place;
    // A copy of the best one in another place fits as well and says nothing new.
    let copy = (first + 1) % P;
    let own = texts[first * K * D..(first + 1) * K * D].to_vec();
    texts[copy * K * D..(copy + 1) * K * D].copy_from_slice(&own);
    let found = suggest(&texts, K, &photos, D, 2);
    assert!(found[0].place == first.min(copy) && found[1].place != first.max(copy));
    // The second has the largest fit minus cosine to the first.
    let row = |p: usize| &texts[p * K * D..(p + 1) * K * D];
    let worth = |p: usize| fit(row(p), &photos, D) - dot(row(p), row(first)) / K as f64;
    let best = (0..P)
        .filter(|p| *p != found[0].place)
        .max_by(|a, b| worth(*a).total_cmp(&worth(*b)));
    assert_eq!(found[1].place, best.unwrap());
    let alike = dot(row(found[1].place), row(first)) / K as f64;
    assert!((found[1].alike - alike).abs() < 1e-12);
}
