//! Files that are not what they say.

use image::ImageEncoder;
use promptlens::image::{Limits, decode, dimensions};

use super::{code, decoded, file};

const WHOLE: [&str; 14] = [
    "animated.gif",
    "baseline.jpg",
    "cmyk.jpg",
    "grey_alpha.png",
    "grey_progressive.jpg",
    "interlaced.gif",
    "lossless_alpha.webp",
    "animated.webp",
    "lossy.webp",
    "palette.bmp",
    "palette_transparent.png",
    "progressive.jpg",
    "progressive_444.jpg",
    "restarts.jpg",
];

#[test]
fn nothing_in_the_file() {
    assert_eq!(code(&[]), "image/empty");
    assert_eq!(dimensions(&[]).unwrap_err().code(), "image/empty");
}

#[test]
fn other_files_under_an_image_name() {
    for (bytes, word) in [
        (&b"just some words, saved as photo.jpg"[..], "text"),
        (b"<?xml version=\"1.0\"?><svg xmlns=\"x\"></svg>", "SVG"),
        (b"\xef\xbb\xbf  <!DOCTYPE html><html></html>", "web page"),
        (b"%PDF-1.7\n%\xe2\xe3\xcf\xd3", "PDF"),
        (b"\0\0\0\x20ftypheic\0\0\0\0", "HEIC"),
        (b"II*\0\x08\0\0\0", "TIFF"),
        (b"\x7fELF\x02\x01\x01\0", "unknown kind"),
    ] {
        let error = decode(bytes, &Limits::default()).unwrap_err();
        assert_eq!(error.code(), "image/unknown-format");
        assert!(error.message().contains(word), "{error}");
    }
}

/// A PNG that declares a size and holds no pixels.
fn png_header(width: u32, height: u32) -> Vec<u8> {
    let mut png = Vec::new();
    image::codecs::png::PngEncoder::new(&mut png)
        .write_image(&[0; 3], 1, 1, image::ExtendedColorType::Rgb8)
        .unwrap();
    png[16..20].copy_from_slice(&width.to_be_bytes());
    png[20..24].copy_from_slice(&height.to_be_bytes());
    let mut crc = !0u32;
    for &byte in &png[12..29] {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xedb8_8320 & (crc & 1).wrapping_neg());
        }
    }
    png[29..33].copy_from_slice(&(!crc).to_be_bytes());
    png
}

#[test]
fn a_declared_size_is_checked_before_decoding() {
    assert_eq!(decoded(&png_header(1, 1)).width, 1);
    let started = std::time::Instant::now();
    assert_eq!(code(&png_header(30_000, 30_000)), "image/too-large");
    assert_eq!(code(&png_header(u32::MAX, u32::MAX)), "image/too-large");
    assert!(started.elapsed().as_millis() < 200);
    assert_eq!(code(&png_header(0, 5)), "image/invalid");
    let mut bmp = file("rgb.bmp");
    bmp[18..26].copy_from_slice(&[0, 0, 1, 0, 0, 0, 255, 255]);
    assert_eq!(code(&bmp), "image/too-large");
    let mut gif = file("transparent.gif");
    gif[6..10].copy_from_slice(&[255; 4]);
    assert_eq!(code(&gif), "image/too-large");
    let mut jpeg = file("baseline.jpg");
    let frame = jpeg
        .windows(2)
        .position(|pair| pair == [0xff, 0xc0])
        .unwrap();
    jpeg[frame + 5..frame + 9].copy_from_slice(&[255; 4]);
    assert_eq!(code(&jpeg), "image/too-large");
}

#[test]
fn a_large_file_is_refused_unread() {
    let limits = Limits {
        max_bytes: 100,
        ..Limits::default()
    };
    let error = decode(&file("baseline.jpg"), &limits).unwrap_err();
    assert_eq!(error.code(), "image/too-large");
}

#[test]
fn every_beginning_of_a_file_is_refused_or_whole() {
    for name in WHOLE {
        let bytes = file(name);
        let whole = decoded(&bytes);
        let mut shortest_whole = bytes.len();
        for length in 1..bytes.len() {
            match decode(&bytes[..length], &Limits::default()) {
                Ok(image) => {
                    shortest_whole = shortest_whole.min(length);
                    assert!(image == whole, "{name} cut to {length} gives other pixels");
                }
                Err(error) => {
                    let code = error.code();
                    let short_head = length < 32 && code == "image/unknown-format";
                    assert!(
                        code == "image/truncated" || short_head,
                        "{name} cut to {length} of {}: {error}",
                        bytes.len()
                    );
                    // Behind the first frame of an animation a cut may fall inside a chunk header.
                    let whole_before = shortest_whole < bytes.len();
                    assert!(
                        !whole_before || name == "animated.webp",
                        "{name} cut to {length}"
                    );
                }
            }
        }
    }
}

#[test]
fn a_jpeg_may_lack_its_end_marker_and_nothing_else() {
    for name in WHOLE.iter().filter(|name| name.ends_with(".jpg")) {
        let bytes = file(name);
        let body = &bytes[..bytes.len() - 2];
        assert!(decoded(body) == decoded(&bytes), "{name}");
        for cut in [3, 8, 40, body.len() / 3] {
            let cut = &body[..body.len() - cut];
            assert_eq!(code(cut), "image/truncated", "{name}");
            // An end marker glued onto the stump makes nothing whole.
            let closed = [cut, &[0xff, 0xd9]].concat();
            let refused = decode(&closed, &Limits::default()).err();
            let refused = refused.map(|error| error.code());
            let progressive = name.contains("progressive");
            assert!(
                refused == Some("image/truncated") || progressive && refused.is_none(),
                "{name}: {refused:?}"
            );
        }
    }
}

#[test]
fn a_progressive_stump_with_an_end_marker_is_refused_inside_a_scan() {
    // Between scans such a file is a coarse but valid image; inside a scan data is missing.
    let bytes = file("progressive.jpg");
    let scans: Vec<usize> = bytes
        .windows(2)
        .enumerate()
        .filter(|(_, pair)| pair == &[0xff, 0xda])
        .map(|(at, _)| at)
        .collect();
    assert!(scans.len() > 5);
    for &scan in &scans[..3] {
        let closed = [&bytes[..scan + 14], &[0xff, 0xd9][..]].concat();
        assert_eq!(code(&closed), "image/truncated");
    }
    // Without an end marker a missing later scan is a cut file.
    assert_eq!(code(&bytes[..scans[4]]), "image/truncated");
}

#[test]
fn rare_layouts_that_the_decoder_gets_wrong_are_refused() {
    for name in ["scans_420.jpg", "coarse_luma.jpg"] {
        assert_eq!(code(&file(name)), "image/invalid", "{name}");
    }
}

#[test]
fn damage_never_panics() {
    for name in WHOLE {
        let good = file(name);
        let mut state = 1u32;
        for _ in 0..400 {
            let mut bytes = good.clone();
            for _ in 0..3 {
                state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
                let at = (state >> 8) as usize % bytes.len();
                bytes[at] ^= (state & 0xff) as u8 | 1;
            }
            let limits = Limits {
                max_pixels: 100_000,
                ..Limits::default()
            };
            if let Ok(image) = decode(&bytes, &limits) {
                let pixels = image.width as usize * image.height as usize;
                assert_eq!(image.data.len(), pixels * 3);
            }
        }
    }
}
