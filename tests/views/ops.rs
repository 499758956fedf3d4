//! Each operation against Pillow's bytes or against arithmetic done by hand.
//! `pillow_ops.safetensors` holds a 24 x 20 picture and what Pillow 13.0.0 makes of it.

use promptlens::image::views::{
    Map, Op, amplitude_transfer, autocontrast, brightness, contrast, cutout, equalize,
    gaussian_blur, grayscale, hue, mirror, posterize, recompress, saturation, solarize,
    statistics_transfer, warp, zoom_out,
};
use promptlens::image::{Filter, Rect, Rgb8, resize};
use promptlens::rng::Rng;
use safetensors::SafeTensors;

use super::picture;

struct Pillow(Vec<u8>);

impl Pillow {
    fn read() -> Self {
        Self(std::fs::read("tests/views/pillow_ops.safetensors").unwrap())
    }

    fn get(&self, name: &str) -> Rgb8 {
        let tensors = SafeTensors::deserialize(&self.0).unwrap();
        let tensor = tensors.tensor(name).unwrap();
        let [height, width] = [tensor.shape()[0], tensor.shape()[1]].map(|n| n as u32);
        Rgb8::new(width, height, tensor.data().to_vec()).unwrap()
    }
}

fn whole(width: u32, height: u32) -> Rect {
    Rect {
        x: 0,
        y: 0,
        width,
        height,
    }
}

#[test]
fn operations_equal_pillow_byte_for_byte() {
    let pillow = Pillow::read();
    let source = pillow.get("source");
    let (width, height) = (source.width, source.height);
    let affine = |numbers: [f64; 6]| warp(&source, &Map::affine(numbers));
    let rotated = |degrees: f64| warp(&source, &Map::rotation(degrees, width, height));
    let cut = Rect {
        x: 5,
        y: 2,
        width: 13,
        height: 17,
    };
    let coarse = resize(&source, source.bounds(), (11, 7), whole(11, 7), Filter::Box).unwrap();
    let cases = [
        ("autocontrast", autocontrast(&source)),
        ("equalize", equalize(&source)),
        ("posterize_1", posterize(&source, 1)),
        ("posterize_3", posterize(&source, 3)),
        ("posterize_4", posterize(&source, 4)),
        ("solarize_0", solarize(&source, 0)),
        ("solarize_100", solarize(&source, 100)),
        ("solarize_231", solarize(&source, 231)),
        ("solarize_256", solarize(&source, 256)),
        ("rotate_-3", rotated(-3.0)),
        ("rotate_2", rotated(2.0)),
        ("rotate_17", rotated(17.0)),
        ("shear_x", affine([1.0, 0.03, 0.0, 0.0, 1.0, 0.0])),
        ("shear_y", affine([1.0, 0.0, 0.0, -0.03, 1.0, 0.0])),
        ("translate_x", affine([1.0, 0.0, -5.0, 0.0, 1.0, 0.0])),
        ("translate_y", affine([1.0, 0.0, 0.0, 0.0, 1.0, 3.0])),
        ("affine_half", affine([1.0, 0.25, 0.5, -0.1, 0.9, 0.25])),
        (
            "perspective",
            warp(
                &source,
                &Map([0.9, 0.05, 1.0, -0.04, 1.1, 0.5, 0.002, -0.003]),
            ),
        ),
        ("grey", grayscale(&source)),
        ("brightness_0.6", brightness(&source, 0.6)),
        ("brightness_1.4", brightness(&source, 1.4)),
        ("contrast_0.6", contrast(&source, 0.6)),
        ("contrast_1.4", contrast(&source, 1.4)),
        ("saturation_0.6", saturation(&source, 0.6)),
        ("saturation_1.4", saturation(&source, 1.4)),
        (
            "crop_bilinear",
            resize(&source, cut, (10, 16), whole(10, 16), Filter::Bilinear).unwrap(),
        ),
        ("box_down", coarse.clone()),
        (
            "box_up",
            resize(
                &coarse,
                coarse.bounds(),
                (24, 20),
                whole(24, 20),
                Filter::Box,
            )
            .unwrap(),
        ),
    ];
    let mut wrong = Vec::new();
    for (name, got) in &cases {
        let wanted = pillow.get(name);
        assert_eq!((got.width, got.height), (wanted.width, wanted.height));
        let off = |(a, b): (&u8, &u8)| a.abs_diff(*b);
        let worst = got.data.iter().zip(&wanted.data).map(off).max();
        if worst != Some(0) {
            let count = got
                .data
                .iter()
                .zip(&wanted.data)
                .filter(|(a, b)| a != b)
                .count();
            wrong.push((name, worst, count));
        }
    }
    assert!(wrong.is_empty(), "{wrong:?}");
}

#[test]
fn parameters_that_ask_for_nothing_change_nothing() {
    let image = picture(20, 14);
    let identity = Map::affine([1.0, 0.0, 0.0, 0.0, 1.0, 0.0]);
    let mut twice = image.clone();
    mirror(&mut twice);
    assert!(twice != image);
    mirror(&mut twice);
    for (name, same) in [
        ("warp", warp(&image, &identity)),
        ("rotation", warp(&image, &Map::rotation(0.0, 20, 14))),
        ("posterize", posterize(&image, 8)),
        ("solarize", solarize(&image, 256)),
        ("brightness", brightness(&image, 1.0)),
        ("contrast", contrast(&image, 1.0)),
        ("saturation", saturation(&image, 1.0)),
        ("hue", hue(&image, 0.0)),
        ("blur", gaussian_blur(&image, 0.0)),
        ("amplitude", amplitude_transfer(&image, &image, 0.2)),
        ("statistics", statistics_transfer(&image, &image, 1.0)),
        (
            "no strength",
            statistics_transfer(&image, &picture(5, 5), 0.0),
        ),
        (
            "cutout",
            cutout(
                &image,
                Rect {
                    width: 0,
                    ..image.bounds()
                },
                [0; 3],
            ),
        ),
        ("mirror", twice),
    ] {
        assert!(same == image, "{name}");
    }
}

#[test]
fn one_color_survives_what_looks_for_contrast() {
    let plain = Rgb8::filled(9, 9, [40, 80, 120]);
    assert!(autocontrast(&plain) == plain);
    assert!(equalize(&plain) == plain);
    assert!(gaussian_blur(&plain, 3.0) == plain);
    assert!(statistics_transfer(&plain, &plain, 1.0) == plain);
    assert!(amplitude_transfer(&plain, &plain, 0.1) == plain);
}

#[test]
fn small_arrays_come_out_as_by_hand() {
    let row = |values: &[u8]| {
        let data = values.iter().flat_map(|&v| [v; 3]).collect();
        Rgb8::new(values.len() as u32, 1, data).unwrap()
    };
    // 255 / (150 - 50) = 2.55 per step.
    assert!(autocontrast(&row(&[50, 100, 150])) == row(&[0, 127, 255]));
    assert!(posterize(&row(&[255, 130, 15]), 4) == row(&[240, 128, 0]));
    assert!(solarize(&row(&[99, 100, 255]), 100) == row(&[99, 155, 0]));
    // A third of the circle turns red to green, green to blue, blue to red.
    let primaries = Rgb8::new(3, 1, vec![200, 10, 10, 10, 200, 10, 10, 10, 200]).unwrap();
    let turned = Rgb8::new(3, 1, vec![10, 200, 10, 10, 10, 200, 200, 10, 10]).unwrap();
    assert!(hue(&primaries, 1.0 / 3.0) == turned);
    assert!(hue(&turned, -1.0 / 3.0) == primaries);
    // The picture moves left by two: what was at x + 2 shows at x.
    let shift = Map::affine([1.0, 0.0, 2.0, 0.0, 1.0, 0.0]);
    assert!(warp(&row(&[1, 2, 3, 4]), &shift) == row(&[3, 4, 0, 0]));
    // Mean 20 and deviation 10 towards mean 120 and deviation 20.
    let moved = statistics_transfer(&row(&[10, 30]), &row(&[100, 140]), 1.0);
    assert!(moved == row(&[100, 140]));
    let half = statistics_transfer(&row(&[10, 30]), &row(&[100, 140]), 0.5);
    assert!(half == row(&[55, 85]));
    let area = Rect {
        x: 1,
        y: 0,
        width: 2,
        height: 9,
    };
    assert!(cutout(&row(&[1, 2, 3, 4]), area, [7; 3]) == row(&[1, 7, 7, 4]));
}

#[test]
fn a_blurred_point_is_a_gaussian() {
    let mut image = Rgb8::filled(21, 21, [0; 3]);
    let center = (10 * 21 + 10) * 3;
    image.data[center] = 255;
    let blurred = gaussian_blur(&image, 1.0);
    // 255 / (2 pi) = 40.58, times exp(-r^2 / 2).
    for (dx, wanted) in [(0, 41), (1, 25), (2, 5), (3, 0)] {
        let got = blurred.pixel(10 + dx, 10);
        assert!(got[0].abs_diff(wanted) <= 1, "{dx}: {got:?}");
        assert_eq!(got[0], blurred.pixel(10, 10 - dx)[0]);
        assert_eq!(got[1], 0);
    }
}

#[test]
fn low_frequencies_carry_the_style() {
    let image = picture(48, 32);
    let style = Rgb8::filled(48, 32, [200, 30, 90]);
    let mean = |image: &Rgb8, channel: usize| {
        let values = image.data.iter().skip(channel).step_by(3);
        values.map(|&v| f64::from(v)).sum::<f64>() / 1536.0
    };
    // Band 0 is the mean alone.
    let brighter = Rgb8::filled(48, 32, [140, 140, 140]);
    let moved = amplitude_transfer(&image, &brighter, 0.0);
    for channel in 0..3 {
        assert!((mean(&moved, channel) - 140.0).abs() < 4.0);
        let shift = i32::from(moved.pixel(20, 9)[channel]) - i32::from(image.pixel(20, 9)[channel]);
        let wanted = mean(&moved, channel) - mean(&image, channel);
        assert!((f64::from(shift) - wanted).abs() < 6.0);
    }
    // A style without any texture takes the slow variation away: channel means follow it.
    let flat = amplitude_transfer(&image, &style, 0.1);
    for (channel, wanted) in [200.0, 30.0, 90.0].into_iter().enumerate() {
        assert!((mean(&flat, channel) - wanted).abs() < 25.0);
    }
    // A cosine inside the band takes the style's strength and keeps its own phase.
    let wave = |strength: f32, phase: f32| {
        let data = (0..32)
            .flat_map(|_| 0..48)
            .flat_map(|x| {
                let turn = std::f32::consts::TAU * 2.0 * x as f32 / 48.0 + phase;
                [(128.0 + strength * turn.cos()).round() as u8; 3]
            })
            .collect();
        Rgb8::new(48, 32, data).unwrap()
    };
    let got = amplitude_transfer(&wave(30.0, 0.7), &wave(90.0, 2.9), 0.1);
    let wanted = wave(90.0, 0.7);
    assert!(
        got.data
            .iter()
            .zip(&wanted.data)
            .all(|(a, b)| a.abs_diff(*b) <= 2)
    );
}

#[test]
fn zooming_out_shows_the_whole_photo() {
    let mut photo = Rgb8::filled(60, 20, [10, 10, 10]);
    for y in 0..20 {
        for x in [0, 59] {
            photo.data[(y * 60 + x) * 3] = 250;
        }
    }
    let view = zoom_out(&photo, (32, 32), 1.0).unwrap();
    // 32 wide, 11 high, from row 10: both red edges of the photo are there.
    assert!(view.pixel(0, 16)[0] > 60 && view.pixel(31, 16)[0] > 60);
    assert_eq!(view.pixel(16, 16), [10, 10, 10]);
    let small = zoom_out(&photo, (32, 32), 0.5).unwrap();
    assert!(small.pixel(8, 16)[0] > 60 && small.pixel(23, 16)[0] > 60);
    assert!(zoom_out(&Rgb8::filled(1, 5000, [1; 3]), (8, 8), 0.5).is_ok());
}

#[test]
fn stronger_compression_leaves_more_marks() {
    let image = picture(40, 32);
    let error = |quality| {
        let out = recompress(&image, quality).unwrap();
        assert_eq!((out.width, out.height), (40, 32));
        let pairs = out.data.iter().zip(&image.data);
        pairs
            .map(|(a, b)| u32::from(a.abs_diff(*b)).pow(2))
            .sum::<u32>()
    };
    assert!(error(95) < error(40) && error(40) < error(5));
}

#[test]
fn augmix_operations_stay_within_their_severity() {
    // Full range, so that solarizing above 230 finds something.
    let image = autocontrast(&picture(224, 224));
    let mut rng = Rng::new(4);
    for op in Op::ALL {
        let mut seen = std::collections::BTreeSet::new();
        for _ in 0..20 {
            let out = op.apply(&image, 1.0, &mut rng);
            assert_eq!(out.data.len(), image.data.len());
            seen.insert(out.data);
        }
        match op {
            // Level below 1 of 4 bits never takes a bit away beyond the four.
            Op::Posterize => assert_eq!(seen, [posterize(&image, 4).data].into()),
            Op::Autocontrast | Op::Equalize => assert_eq!(seen.len(), 1),
            // -2, -1, 0, 1, 2 degrees; 3 needs the level 1 itself.
            Op::Rotate => assert!((3..=5).contains(&seen.len()), "{}", seen.len()),
            // 7.47 pixels at most.
            Op::TranslateX | Op::TranslateY => {
                assert!((5..=15).contains(&seen.len()), "{}", seen.len());
            }
            _ => assert!(seen.len() > 10, "{op:?} {}", seen.len()),
        }
    }
}
