//! Corruptions: names, severities, and that more severe is worse.

use promptlens::image::Rgb8;
use promptlens::image::views::{Corruption, corrupt, corruption_names};

use super::picture;

fn psnr(a: &Rgb8, b: &Rgb8) -> f64 {
    let pairs = a.data.iter().zip(&b.data);
    let sum: f64 = pairs.map(|(a, b)| f64::from(a.abs_diff(*b)).powi(2)).sum();
    10.0 * (255.0 * 255.0 * a.data.len() as f64 / sum).log10()
}

#[test]
fn more_severe_is_further_from_the_original() {
    for (width, height) in [(64, 64), (160, 120), (300, 260)] {
        let image = picture(width, height);
        for name in corruption_names() {
            let quality: Vec<f64> = (1..=5)
                .map(|severity| {
                    let out = corrupt(&image, name, severity, 3).unwrap();
                    assert_eq!((out.width, out.height), (width, height));
                    psnr(&out, &image)
                })
                .collect();
            assert!(
                quality.windows(2).all(|pair| pair[1] < pair[0]),
                "{name} at {width} x {height}: {quality:?}"
            );
            assert!(quality[0] < 60.0 && quality[4] > 3.0, "{name}: {quality:?}");
        }
    }
}

#[test]
fn the_seed_decides_what_is_random() {
    let image = picture(50, 40);
    for name in corruption_names() {
        let first = corrupt(&image, name, 3, 1).unwrap();
        assert!(first == corrupt(&image, name, 3, 1).unwrap(), "{name}");
        let random = matches!(name, "gaussian-noise" | "fog");
        let differs = first != corrupt(&image, name, 3, 2).unwrap();
        assert_eq!(differs, random, "{name}");
    }
}

#[test]
fn noise_has_the_stated_deviation() {
    let gray = Rgb8::filled(120, 120, [128; 3]);
    let noisy = corrupt(&gray, "gaussian-noise", 1, 0).unwrap();
    let n = noisy.data.len() as f64;
    let mean = noisy.data.iter().map(|&v| f64::from(v)).sum::<f64>() / n;
    let square = noisy.data.iter().map(|&v| (f64::from(v) - mean).powi(2));
    let deviation = (square.sum::<f64>() / n).sqrt();
    assert!((mean - 128.0).abs() < 0.5);
    assert!((deviation - 0.08 * 255.0).abs() < 0.5, "{deviation}");
}

#[test]
fn simple_corruptions_come_out_as_by_hand() {
    // Mean 100; contrast at severity 1 leaves 0.4 of each difference.
    let image = Rgb8::new(2, 1, vec![50, 50, 50, 150, 150, 150]).unwrap();
    let out = corrupt(&image, "contrast", 1, 0).unwrap();
    assert_eq!(out.data, [80, 80, 80, 120, 120, 120]);
    // Value 200 becomes 225.5: every channel is scaled by that; black becomes gray.
    let image = Rgb8::new(2, 1, vec![200, 100, 0, 0, 0, 0]).unwrap();
    let out = corrupt(&image, "brightness", 1, 0).unwrap();
    assert_eq!(out.data, [226, 113, 0, 26, 26, 26]);
    // At severity 2 of a small picture blocks of 2 x 2 share one color.
    let out = corrupt(&picture(32, 32), "pixelate", 2, 0).unwrap();
    for y in (0..32).step_by(2) {
        for x in (0..32).step_by(2) {
            assert_eq!(out.pixel(x, y), out.pixel(x + 1, y + 1));
        }
    }
}

#[test]
fn odd_pictures_are_corrupted_too() {
    for image in [
        Rgb8::filled(1, 1, [0; 3]),
        Rgb8::filled(1, 700, [255; 3]),
        Rgb8::filled(9, 9, [77; 3]),
    ] {
        for name in corruption_names() {
            for severity in 1..=5 {
                let out = corrupt(&image, name, severity, 0).unwrap();
                assert_eq!(out.data.len(), image.data.len(), "{name}");
            }
        }
    }
}

#[test]
fn unknown_names_and_severities_are_refused() {
    let image = Rgb8::filled(4, 4, [1; 3]);
    for (name, severity) in [("snow", 1), ("blur", 0), ("blur", 6), ("", 3)] {
        let error = corrupt(&image, name, severity, 0).unwrap_err();
        assert_eq!(error.code(), "options/invalid");
    }
    assert_eq!(Corruption::parse("fog:4").unwrap().to_string(), "fog:4");
    for text in ["fog", "fog:", "fog:9", "fog:-1", "mist:2", ":", "fog:2:3"] {
        assert_eq!(
            Corruption::parse(text).unwrap_err().code(),
            "options/invalid"
        );
    }
}

#[test]
fn every_picture_has_its_own_noise() {
    let (a, b) = (picture(40, 30), Rgb8::filled(40, 30, [90; 3]));
    let noise = Corruption::parse("gaussian-noise:3").unwrap();
    let added = |image: &Rgb8, seed| -> Vec<i16> {
        let noisy = noise.apply(image, seed).unwrap();
        let pairs = noisy.data.iter().zip(&image.data);
        pairs.map(|(n, v)| i16::from(*n) - i16::from(*v)).collect()
    };
    assert_eq!(added(&a, 1), added(&a, 1));
    assert_ne!(added(&a, 1), added(&a, 2));
    // Where neither clips, the two pictures would differ by the same noise if they shared it.
    let shared = added(&a, 1)
        .iter()
        .zip(added(&b, 1))
        .filter(|(x, y)| **x == *y)
        .count();
    assert!(shared < a.data.len() / 10, "{shared}");
    let plain = Corruption::parse("contrast:2").unwrap();
    assert!(plain.apply(&a, 1).unwrap() == corrupt(&a, "contrast", 2, 9).unwrap());
}
