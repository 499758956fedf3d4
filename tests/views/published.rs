//! Crops and operations against what the authors' own code made with Pillow 13, whose rounding differs
//! from Pillow 12's, which is followed here.

use promptlens::image::views::{
    Crop, CropRange, Map, autocontrast, equalize, posterize, solarize, warp,
};
use promptlens::image::{Filter, Rect, Rgb8};
use promptlens::rng::Rng;

use crate::fixtures::Fixture;

fn core(name: &str) -> Option<Fixture> {
    Fixture::open(&format!("authors/core/{name}.safetensors"))
}

fn image(values: &[f32], height: usize, width: usize) -> Rgb8 {
    let bytes = values.iter().map(|v| *v as u8).collect();
    Rgb8::new(width as u32, height as u32, bytes).unwrap()
}

#[test]
fn crops_equal_the_authors_but_for_the_rounding_of_pillow_13() {
    let Some(f) = core("views_crop") else { return };
    let photo = &f["image"];
    let photo = image(&photo.values, photo.shape[0], photo.shape[1]);
    let (mut differ, mut all) = (0usize, 0usize);
    for i in 0..64 {
        let [top, left, height, width, mirrored] = f["rects"].row(i) else {
            panic!("five numbers");
        };
        let crop = Crop {
            source: Rect {
                x: *left as u32,
                y: *top as u32,
                width: *width as u32,
                height: *height as u32,
            },
            mirrored: *mirrored == 1.0,
            filter: Filter::Bilinear,
        };
        let found = crop.cut(&photo, (64, 64)).unwrap();
        for (a, b) in found.data.iter().zip(f["views"].row(i)) {
            let difference = (f32::from(*a) - b).abs();
            assert!(difference <= 1.0, "view {i}: {a} {b}");
            differ += usize::from(difference > 0.0);
            all += 1;
        }
    }
    println!("{differ} of {all} values differ by 1");
    assert!(differ as f64 <= 0.035 * all as f64);
}

#[test]
fn rectangles_are_distributed_as_torchvision_draws_them() {
    for (case, width, height) in [
        ("64x64", 64, 64),
        ("96x128", 96, 128),
        ("500x333", 500, 333),
        ("100x1000", 100, 1000),
        ("1000x100", 1000, 100),
    ] {
        let Some(f) = core(&format!("draw_{case}")) else {
            return;
        };
        let theirs = &f["rects"];
        let count = theirs.shape[0];
        let mut rng = Rng::new(5);
        let ours: Vec<[f64; 4]> = (0..count)
            .map(|_| CropRange::default().draw(width, height, &mut rng))
            .map(|r| [r.y, r.x, r.height, r.width].map(f64::from))
            .collect();
        let theirs: Vec<[f64; 4]> = (0..count)
            .map(|i| std::array::from_fn(|j| f64::from(theirs.row(i)[j])))
            .collect();
        for (what, of) in [
            ("top", (|r: &[f64; 4]| r[0]) as fn(&[f64; 4]) -> f64),
            ("left", |r| r[1]),
            ("area", |r| r[2] * r[3]),
            ("aspect", |r| r[3] / r[2]),
        ] {
            let sorted = |rects: &[[f64; 4]]| {
                let mut v: Vec<f64> = rects.iter().map(of).collect();
                v.sort_by(f64::total_cmp);
                v
            };
            let (a, b) = (sorted(&ours), sorted(&theirs));
            let share = |v: &[f64], at: f64| v.partition_point(|x| *x <= at) as f64 / count as f64;
            let distance = a
                .iter()
                .chain(&b)
                .map(|at| (share(&a, *at) - share(&b, *at)).abs())
                .fold(0.0, f64::max);
            // Kolmogorov and Smirnov's bound for one in 10,000 by chance.
            let bound = 2.23 * (2.0 / count as f64).sqrt();
            assert!(distance <= bound, "{case} {what}: {distance}");
        }
    }
}

#[test]
fn the_operations_of_augmix_at_given_levels() {
    let Some(f) = core("augmix_ops") else { return };
    let source = image(&f["image"].values, 64, 64);
    let (mut seen, mut differ, mut all) = (0, 0usize, 0usize);
    for (name, expected) in f.tensors() {
        let (op, level) = name.rsplit_once('_').unwrap_or((name, ""));
        let level: f64 = level.parse().unwrap_or(f64::NAN);
        let affine = |numbers| warp(&source, &Map::affine(numbers));
        let found = match op {
            "image" => continue,
            "autocontrast" => autocontrast(&source),
            "equalize" => equalize(&source),
            "posterize" => posterize(&source, level as u32),
            "solarize" => solarize(&source, level as u32),
            "rotate" => warp(&source, &Map::rotation(level, 64, 64)),
            "shear_x" => affine([1.0, level, 0.0, 0.0, 1.0, 0.0]),
            "shear_y" => affine([1.0, 0.0, 0.0, level, 1.0, 0.0]),
            "translate_x" => affine([1.0, 0.0, level, 0.0, 1.0, 0.0]),
            "translate_y" => affine([1.0, 0.0, 0.0, 0.0, 1.0, level]),
            other => panic!("{other} is not known"),
        };
        seen += 1;
        for (a, b) in found.data.iter().zip(&expected.values) {
            let difference = (f32::from(*a) - b).abs();
            assert!(difference <= 1.0, "{name}: {a} {b}");
            differ += usize::from(difference > 0.0);
            all += 1;
        }
    }
    assert_eq!(seen, 27);
    println!("{differ} of {all} values differ by 1");
    assert!(differ as f64 <= 0.035 * all as f64);
}
