//! Files that are not what they say.

use image::ImageEncoder;
use promptlens::image::{Limits, decode, dimensions};

use super::{code, decoded, file};

const WHOLE: [&str; 18] = [
    "animated.gif",
    "baseline.jpg",
    "cmyk.jpg",
    "coarse_luma.jpg",
    "grey_alpha.png",
    "grey_progressive.jpg",
    "half_height.jpg",
    "interlaced.gif",
    "lossless_alpha.webp",
    "animated.webp",
    "lossy.webp",
    "palette.bmp",
    "palette_transparent.png",
    "progressive.jpg",
    "progressive_444.jpg",
    "restarts.jpg",
    "scans_420.jpg",
    "ycck.jpg",
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

/// Where the first segment with this marker begins.
fn segment(bytes: &[u8], marker: u8) -> usize {
    bytes
        .windows(2)
        .position(|pair| pair == [0xff, marker])
        .unwrap()
}

#[test]
fn jpegs_of_kinds_that_are_not_read_are_refused() {
    let good = file("baseline.jpg");
    let frame = segment(&good, 0xc0);
    let edited = |edit: &dyn Fn(&mut Vec<u8>)| {
        let mut bytes = good.clone();
        edit(&mut bytes);
        code(&bytes)
    };
    // Arithmetic coding, lossless coding, twelve bits.
    assert_eq!(edited(&|b| b[frame + 1] = 0xc9), "image/invalid");
    assert_eq!(edited(&|b| b[frame + 1] = 0xc3), "image/invalid");
    assert_eq!(edited(&|b| b[frame + 4] = 12), "image/invalid");
    // Three samples beside two, and a quantization table that was never sent.
    assert_eq!(edited(&|b| b[frame + 11] = 0x31), "image/invalid");
    assert_eq!(edited(&|b| b[frame + 12] = 3), "image/invalid");
    // A scan of the same coefficients twice adds nothing and only costs time.
    let progressive = file("progressive.jpg");
    let first = segment(&progressive, 0xda);
    let behind = first + 2 + segment(&progressive[first + 2..], 0xc4);
    let again = [&progressive[..behind], &progressive[first..]].concat();
    assert_eq!(code(&again), "image/invalid");
}

#[test]
fn a_jpeg_that_would_take_too_much_memory_is_refused() {
    // 45 x 35 in planes of 48 x 48, 24 x 24 and 24 x 24, and the pixels.
    let needed = 48 * 48 * 3 / 2 + 45 * 35 * 3;
    let with = |name, max_alloc| {
        let limits = Limits {
            max_alloc,
            ..Limits::default()
        };
        decode(&file(name), &limits).map_err(|error| error.code())
    };
    assert!(with("baseline.jpg", needed).is_ok());
    assert_eq!(with("baseline.jpg", needed - 1), Err("image/too-large"));
    // The coefficients of a progressive file are two bytes each.
    let needed = 48 * 48 * 3 / 2 * 2 + 48 * 48;
    assert!(with("progressive.jpg", needed).is_ok());
    assert_eq!(with("progressive.jpg", needed - 1), Err("image/too-large"));
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
