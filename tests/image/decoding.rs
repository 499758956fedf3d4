//! Every accepted kind of file against Pillow.

use image::metadata::Orientation;
use image::{DynamicImage, ImageEncoder, RgbImage};
use promptlens::image::{Format, Rgb8, dimensions, sniff};

use super::{decoded, file};

const EXACT: [&str; 36] = [
    "animated.gif",
    "animated.png",
    "animated.webp",
    "baseline.jpg",
    "bilevel.png",
    "cmyk.jpg",
    "coarse_luma.jpg",
    "grey.jpg",
    "grey.png",
    "grey16.png",
    "grey_alpha.png",
    "grey_progressive.jpg",
    "half_height.jpg",
    "half_width.jpg",
    "interlaced.gif",
    "lossless_alpha.webp",
    "narrow.jpg",
    "palette.bmp",
    "palette.png",
    "palette_transparent.png",
    "progressive.jpg",
    "progressive_444.jpg",
    "quarter.jpg",
    "restarts.jpg",
    "rgb.bmp",
    "rgb.jpg",
    "rgb16.png",
    "rgb_key.png",
    "rgba16.png",
    "scans_420.jpg",
    "scans_444.jpg",
    "transparent.gif",
    "unsent_ac_narrow.jpg",
    "unsent_ac_short.jpg",
    "unsent_band.jpg",
    "ycck.jpg",
];

fn expected(name: &str) -> Rgb8 {
    decoded(&file(&format!("{name}.expected.png")))
}

#[test]
fn most_kinds_decode_to_the_same_bytes_as_pillow() {
    for name in EXACT {
        let bytes = file(name);
        let image = decoded(&bytes);
        let wanted = expected(name);
        assert_eq!(
            (image.width, image.height),
            (wanted.width, wanted.height),
            "{name}"
        );
        assert_eq!(dimensions(&bytes).unwrap(), (image.width, image.height));
        let differing = image
            .data
            .iter()
            .zip(&wanted.data)
            .filter(|(a, b)| a != b)
            .count();
        assert_eq!(differing, 0, "{name}: of {} samples", image.data.len());
    }
}

#[test]
fn lossy_webp_decodes_close_to_pillow() {
    let image = decoded(&file("lossy.webp"));
    let wanted = expected("lossy.webp");
    assert_eq!((image.width, image.height), (wanted.width, wanted.height));
    let pairs = image.data.iter().zip(&wanted.data);
    let sum: u32 = pairs.map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
    let mean = f64::from(sum) / image.data.len() as f64;
    assert!(mean < 1.0, "off by {mean} on average");
}

#[test]
fn the_magic_bytes_decide() {
    for (name, format) in [
        ("baseline.jpg", Format::Jpeg),
        ("grey.png", Format::Png),
        ("lossy.webp", Format::WebP),
        ("animated.gif", Format::Gif),
        ("rgb.bmp", Format::Bmp),
    ] {
        assert_eq!(sniff(&file(name)), Some(format), "{name}");
    }
    assert_eq!(sniff(b"BMW is a make of car, not a bitmap"), None);
    assert_eq!(sniff(b"GIF90a"), None);
    assert_eq!(sniff(&[]), None);
}

/// A picture without any symmetry: every turn of it is different.
fn asymmetric() -> RgbImage {
    RgbImage::from_fn(5, 3, |x, y| image::Rgb([x as u8 * 50, y as u8 * 100, 7]))
}

/// The EXIF block that says how the stored rows must be turned.
fn exif(orientation: u8) -> Vec<u8> {
    let mut block = b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0".to_vec();
    block.extend([orientation, 0, 0, 0, 0, 0, 0]);
    block
}

/// What each EXIF value asks for, written out: where in the stored 5 x 3 picture the upright
/// pixel `(x, y)` lies (EXIF 2.3, tag 0x0112).
fn stored_position(orientation: u8, x: u32, y: u32) -> (u32, u32) {
    let (right, bottom) = (4, 2);
    match orientation {
        1 => (x, y),
        2 => (right - x, y),
        3 => (right - x, bottom - y),
        4 => (x, bottom - y),
        5 => (y, x),
        6 => (y, bottom - x),
        7 => (right - y, bottom - x),
        8 => (right - y, x),
        _ => unreachable!(),
    }
}

fn assert_upright(image: &Rgb8, orientation: u8, tolerance: u8, what: &str) {
    let stored = asymmetric();
    let size = if orientation < 5 { (5, 3) } else { (3, 5) };
    assert_eq!((image.width, image.height), size, "{what} {orientation}");
    for y in 0..image.height {
        for x in 0..image.width {
            let (sx, sy) = stored_position(orientation, x, y);
            let wanted = stored.get_pixel(sx, sy).0;
            let got = image.pixel(x, y);
            let near = got
                .iter()
                .zip(wanted)
                .all(|(a, b)| a.abs_diff(b) <= tolerance);
            assert!(
                near,
                "{what} {orientation} at {x},{y}: {got:?} not {wanted:?}"
            );
        }
    }
}

#[test]
fn all_eight_orientations_are_applied_exactly_once() {
    for orientation in 1..=8u8 {
        let stored = asymmetric();
        let mut png = Vec::new();
        let mut encoder = image::codecs::png::PngEncoder::new(&mut png);
        encoder.set_exif_metadata(exif(orientation)).unwrap();
        encoder
            .write_image(&stored, 5, 3, image::ExtendedColorType::Rgb8)
            .unwrap();
        assert_upright(&decoded(&png), orientation, 0, "PNG");

        let mut webp = Vec::new();
        let mut encoder = image::codecs::webp::WebPEncoder::new_lossless(&mut webp);
        encoder.set_exif_metadata(exif(orientation)).unwrap();
        encoder
            .write_image(&stored, 5, 3, image::ExtendedColorType::Rgb8)
            .unwrap();
        assert_upright(&decoded(&webp), orientation, 0, "WebP");

        let mut jpeg = Vec::new();
        let mut encoder = image::codecs::jpeg::JpegEncoder::new_with_quality(&mut jpeg, 100);
        encoder.set_exif_metadata(exif(orientation)).unwrap();
        encoder
            .write_image(&stored, 5, 3, image::ExtendedColorType::Rgb8)
            .unwrap();
        // Subsampled chroma blurs color by more than rounding.
        assert_upright(&decoded(&jpeg), orientation, 40, "JPEG");
        // The library's own reading of the tag agrees on what turns sides.
        let turned = Orientation::from_exif(orientation).unwrap();
        let mut by_library = DynamicImage::ImageRgb8(stored);
        by_library.apply_orientation(turned);
        assert_eq!(decoded(&png).data, by_library.into_rgb8().into_raw());
    }
}

#[test]
fn alpha_shows_white_behind() {
    let mut png = Vec::new();
    let rgba = [10, 20, 30, 0, 10, 20, 30, 255, 10, 20, 30, 128];
    image::codecs::png::PngEncoder::new(&mut png)
        .write_image(&rgba, 3, 1, image::ExtendedColorType::Rgba8)
        .unwrap();
    let image = decoded(&png);
    assert_eq!(image.pixel(0, 0), [255, 255, 255]);
    assert_eq!(image.pixel(1, 0), [10, 20, 30]);
    // (10 * 128 + 255 * 127) / 255 = 132.02, and so on.
    assert_eq!(image.pixel(2, 0), [132, 137, 142]);
}
