//! Resize, crop and normalization against Pillow.

use std::path::Path;

use promptlens::image::{Filter, Preprocess, Rect, Resize, Rgb8, resize, resize_crop, to_chw};
use safetensors::SafeTensors;

use super::decoded;
use crate::common;

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn awkward_images_are_equal_to_pillow_byte_for_byte() {
    let Some(folder) = common::shared("fixtures/preprocess") else {
        return;
    };
    let bytes = read(&folder.join("expected.safetensors"));
    let expected = SafeTensors::deserialize(&bytes).unwrap();
    let mut cases = 0;
    for (name, tensor) in expected.tensors() {
        let (case, size) = name.rsplit_once('_').unwrap();
        let size: u32 = size.parse().unwrap();
        let image = decoded(&read(&folder.join(format!("{case}.png"))));
        let seen = resize_crop(&image, &Preprocess::clip(size)).unwrap();
        assert_eq!(tensor.shape(), [size as usize, size as usize, 3]);
        assert!(seen.data == tensor.data(), "{name} differs from Pillow");
        cases += 1;
    }
    assert_eq!(cases, 18);
}

#[test]
fn test_photos_reach_the_model_as_in_the_reference() {
    let Some(folder) = common::shared("fixtures/mini") else {
        return;
    };
    let config = common::shared("models/mini-0/preprocessor_config.json").unwrap();
    let p = Preprocess::from_json(&read(&config)).unwrap();
    assert_eq!(p, Preprocess::clip(64));
    let bytes = read(&folder.join("expected.safetensors"));
    let expected = SafeTensors::deserialize(&bytes).unwrap();
    let pixels = expected.tensor("u8").unwrap();
    let values: Vec<f32> = expected
        .tensor("pixel_values")
        .unwrap()
        .data()
        .as_chunks::<4>()
        .0
        .iter()
        .map(|b| f32::from_le_bytes(*b))
        .collect();
    let mut names: Vec<_> = std::fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == "png"))
        .collect();
    names.sort();
    assert_eq!(names.len(), 12);
    let size = p.input_len();
    for (i, path) in names.iter().enumerate() {
        let seen = resize_crop(&decoded(&read(path)), &p).unwrap();
        assert!(seen.data == pixels.data()[i * size..(i + 1) * size]);
        let chw = to_chw(&seen, &p);
        let wanted = &values[i * size..(i + 1) * size];
        for (a, b) in chw.iter().zip(wanted) {
            assert!((a - b).abs() <= 1e-6, "{a} {b}");
        }
    }
}

fn gradient(width: u32, height: u32) -> Rgb8 {
    let data = (0..height)
        .flat_map(|y| (0..width).flat_map(move |x| [x * 7 + y, x + y * 5, x * y]))
        .map(|v| v as u8)
        .collect();
    Rgb8::new(width, height, data).unwrap()
}

#[test]
fn a_window_equals_the_crop_of_the_whole() {
    let image = gradient(61, 40);
    for filter in [Filter::Bilinear, Filter::Bicubic] {
        for (width, height) in [(30, 90), (122, 17), (61, 23), (61, 40)] {
            let whole = Rect {
                x: 0,
                y: 0,
                width,
                height,
            };
            let all = resize(&image, image.bounds(), (width, height), whole, filter).unwrap();
            let window = Rect {
                x: 9,
                y: 5,
                width: 12,
                height: 11,
            };
            let part = resize(&image, image.bounds(), (width, height), window, filter).unwrap();
            for y in 0..11 {
                for x in 0..12 {
                    assert_eq!(part.pixel(x, y), all.pixel(x + 9, y + 5));
                }
            }
        }
    }
}

#[test]
fn a_source_rectangle_equals_cutting_first() {
    let image = gradient(50, 33);
    let source = Rect {
        x: 11,
        y: 4,
        width: 23,
        height: 19,
    };
    let mut cut = Vec::new();
    for y in 4..23 {
        for x in 11..34 {
            cut.extend(image.pixel(x, y));
        }
    }
    let cut = Rgb8::new(23, 19, cut).unwrap();
    let whole = Rect {
        x: 0,
        y: 0,
        width: 16,
        height: 16,
    };
    let a = resize(&image, source, (16, 16), whole, Filter::Bilinear).unwrap();
    let b = resize(&cut, cut.bounds(), (16, 16), whole, Filter::Bilinear).unwrap();
    assert!(a == b);
}

#[test]
fn a_sliver_needs_no_more_memory_than_its_crop() {
    // 1 x 50 000 scaled in full would be 224 x 11 200 000 pixels, 7.5 GB.
    for (width, height) in [(1, 50_000), (50_000, 1)] {
        let image = gradient(width, height);
        let seen = resize_crop(&image, &Preprocess::clip(224)).unwrap();
        assert_eq!((seen.width, seen.height), (224, 224));
        let middle = image.pixel(width / 2, height / 2);
        let center = seen.pixel(112, 112);
        assert!(center.iter().zip(middle).all(|(a, b)| a.abs_diff(b) <= 3));
    }
}

#[test]
fn rectangles_outside_the_image_are_refused() {
    let image = gradient(8, 8);
    let inside = image.bounds();
    for bad in [
        Rect { x: 1, ..inside },
        Rect { width: 0, ..inside },
        Rect {
            y: u32::MAX,
            ..inside
        },
    ] {
        assert!(resize(&image, bad, (8, 8), inside, Filter::Bicubic).is_err());
        assert!(resize(&image, inside, (8, 8), bad, Filter::Bicubic).is_err());
    }
}

#[test]
fn a_crop_larger_than_the_image_is_padded_with_black() {
    let p = Preprocess {
        resize: Resize::None,
        crop_width: 7,
        crop_height: 2,
        ..Preprocess::clip(1)
    };
    let seen = resize_crop(&Rgb8::filled(4, 4, [9, 8, 7]), &p).unwrap();
    let row: Vec<u8> = (0..7).map(|x| seen.pixel(x, 1)[0]).collect();
    assert_eq!(row, [0, 9, 9, 9, 9, 0, 0]);
}

#[test]
fn configurations_are_obeyed() {
    let read = |json: &str| Preprocess::from_json(json.as_bytes()).unwrap();
    assert_eq!(read("{}"), Preprocess::clip(224));
    assert_eq!(
        read(r#"{"size": 96, "crop_size": 96, "feature_extractor_type": "CLIPFeatureExtractor"}"#),
        Preprocess::clip(96)
    );
    let p = read(
        r#"{"size": {"height": 40, "width": 30}, "do_center_crop": false, "resample": 2,
            "do_normalize": false, "rescale_factor": 0.5}"#,
    );
    assert_eq!(
        p.resize,
        Resize::Exact {
            width: 30,
            height: 40
        }
    );
    assert_eq!((p.crop_width, p.crop_height), (30, 40));
    assert_eq!(p.filter, Filter::Bilinear);
    let chw = to_chw(&Rgb8::filled(1, 1, [0, 1, 3]), &p);
    assert_eq!(chw, [0.0, 0.5, 1.5]);
    let p = read(r#"{"do_resize": false, "do_rescale": false, "do_normalize": false}"#);
    assert_eq!(p.resize, Resize::None);
    assert_eq!(to_chw(&Rgb8::filled(1, 1, [5, 6, 7]), &p), [5.0, 6.0, 7.0]);
}

#[test]
fn hostile_configurations_are_refused() {
    for json in [
        "",
        "[]",
        "{\"size\": 0}",
        "{\"size\": -3}",
        "{\"size\": 4097}",
        "{\"size\": 1e30}",
        "{\"size\": {\"longest_edge\": 9}}",
        "{\"size\": {\"shortest_edge\": 9, \"width\": 9}}",
        "{\"crop_size\": {\"height\": 9}}",
        "{\"crop_size\": {\"shortest_edge\": 9}}",
        "{\"do_center_crop\": false}",
        "{\"resample\": 0}",
        "{\"rescale_factor\": 0}",
        "{\"image_mean\": [0.5, 0.5]}",
        "{\"image_mean\": [0.5, 0.5, 1e300]}",
        "{\"image_std\": [0.5, 0.0, 0.5]}",
        "{\"image_std\": [0.5, -1.0, 0.5]}",
    ] {
        let error = Preprocess::from_json(json.as_bytes()).expect_err(json);
        assert_eq!(error.code(), "config/invalid", "{json}");
    }
}
