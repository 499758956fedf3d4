//! Files as people really have them, against the pixels that Pillow and the browsers show.

use promptlens::image::{Limits, Reduction, Rgb8, decode, dimensions, reduction};

use super::{code, decoded, file};
use crate::common::shared;

fn case(name: &str) -> Option<Vec<u8>> {
    shared("fixtures/cases").map(|folder| std::fs::read(folder.join(name)).expect("the case"))
}

/// The mean difference of the samples of a case from the expected ones.
fn difference(name: &str) -> Option<f64> {
    let bytes = case(name)?;
    let image = decoded(&bytes);
    let wanted = decoded(&case(&format!("{name}.expected.png"))?);
    assert_eq!(
        (image.width, image.height),
        (wanted.width, wanted.height),
        "{name}"
    );
    let pairs = image.data.iter().zip(&wanted.data);
    let sum: u64 = pairs.map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    Some(sum as f64 / image.data.len() as f64)
}

#[test]
fn odd_containers_decode_to_the_same_bytes_as_pillow() {
    for name in [
        "01_webp_exif_prefix.webp",
        "03_mjpeg_without_huffman_tables.jpg",
        "04_progressive_dc_only.jpg",
        "04_progressive_two_scans.jpg",
        "05_duplicate_component_ids.jpg",
        "06_os2_v2_header.bmp",
        "07_unknown_extension_block.gif",
        "08_frame_beyond_logical_screen.gif",
        "17_webp_exif_orientation_6.webp",
    ] {
        let Some(off) = difference(name) else { return };
        assert_eq!(off, 0.0, "{name}");
    }
}

#[test]
fn webp_flags_without_their_chunks_are_no_reason_to_refuse() {
    for name in [
        "02_webp_exif_flag_without_chunk.webp",
        "02_webp_xmp_flag_without_chunk.webp",
    ] {
        let Some(off) = difference(name) else { return };
        assert!(off < 1.0, "{name}: {off}");
        let mut bytes = case(name).unwrap();
        let whole = decoded(&bytes);
        // All three flags at once: EXIF, XMP and alpha.
        bytes[20] = 0x1c;
        assert!(decoded(&bytes) == whole, "{name}");
    }
}

/// `bytes` without its Huffman tables.
fn without_tables(bytes: &[u8]) -> Vec<u8> {
    let mut out = bytes[..2].to_vec();
    let mut at = 2;
    while bytes[at + 1] != 0xda {
        let end = at + 2 + usize::from(u16::from_be_bytes([bytes[at + 2], bytes[at + 3]]));
        if bytes[at + 1] != 0xc4 {
            out.extend(&bytes[at..end]);
        }
        at = end;
    }
    out.extend(&bytes[at..]);
    out
}

#[test]
fn missing_code_tables_are_those_of_the_standard() {
    // Files that the image crate writes use them.
    let photo = decoded(&file("baseline.jpg"));
    let mut jpeg = Vec::new();
    image::codecs::jpeg::JpegEncoder::new(&mut jpeg)
        .encode(
            &photo.data,
            photo.width,
            photo.height,
            image::ExtendedColorType::Rgb8,
        )
        .unwrap();
    let bare = without_tables(&jpeg);
    assert!(bare.len() + 400 < jpeg.len());
    assert!(decoded(&bare) == decoded(&jpeg));
    assert_eq!(
        code(&without_tables(&file("progressive.jpg"))),
        "image/invalid"
    );
}

/// `palette.bmp` with the header of OS/2 2.x in place of that of Windows.
fn os2(size: u8) -> Vec<u8> {
    let bytes = file("palette.bmp");
    let mut out = bytes.clone();
    out[14] = size;
    let pixels = u32::from_le_bytes(bytes[10..14].try_into().unwrap());
    let moved = pixels + u32::from(size) - 40;
    out[10..14].copy_from_slice(&moved.to_le_bytes());
    out.splice(54..54, vec![0; usize::from(size) - 40]);
    out
}

#[test]
fn bitmaps_of_os2_are_read() {
    let palette = file("palette.bmp");
    assert_eq!(palette[14], 40);
    assert!(decoded(&os2(64)) == decoded(&palette));
    // Its two own compressions are not read.
    for compression in [3, 4] {
        let mut bytes = os2(64);
        bytes[30] = compression;
        assert_eq!(code(&bytes), "image/invalid");
    }
    // The shortest header says no more than the sides and the depth.
    let rgb = file("rgb.bmp");
    assert_eq!((rgb[14], rgb[28]), (40, 24));
    let mut short = rgb.clone();
    short[14] = 16;
    short.drain(30..54);
    short[10..14].copy_from_slice(&30u32.to_le_bytes());
    assert!(decoded(&short) == decoded(&rgb));
}

#[test]
fn every_beginning_of_an_odd_file_is_refused_or_whole() {
    for name in [
        "01_webp_exif_prefix.webp",
        "02_webp_exif_flag_without_chunk.webp",
        "03_mjpeg_without_huffman_tables.jpg",
        "05_duplicate_component_ids.jpg",
        "06_os2_v2_header.bmp",
        "07_unknown_extension_block.gif",
        "08_frame_beyond_logical_screen.gif",
    ] {
        let Some(bytes) = case(name) else { return };
        let upright = |image: &Rgb8| image.width * image.height;
        let whole = decoded(&bytes);
        for length in (1..bytes.len()).step_by(7) {
            match decode(&bytes[..length], &Limits::default()) {
                // Metadata may lie behind the picture.
                Ok(image) => assert_eq!(upright(&image), upright(&whole), "{name} cut to {length}"),
                Err(error) => {
                    let short_head = length < 32 && error.code() == "image/unknown-format";
                    let cut = error.code() == "image/truncated";
                    assert!(cut || short_head, "{name} cut to {length}: {error}");
                }
            }
        }
    }
}

#[test]
fn a_frame_that_widens_the_screen_meets_the_limit() {
    let Some(mut gif) = case("08_frame_beyond_logical_screen.gif") else {
        return;
    };
    assert_eq!(dimensions(&gif).unwrap(), (96, 96));
    let table = 3usize << ((gif[10] & 7) + 1);
    let frame = (13 + table..gif.len()).find(|&at| gif[at] == 0x2c).unwrap();
    gif[frame + 5..frame + 9].copy_from_slice(&[255; 4]);
    assert_eq!(code(&gif), "image/too-large");
}

#[test]
fn formats_that_are_not_read_are_named_with_the_way_out() {
    let iso = |brands: &[u8]| {
        let size = (8 + brands.len()) as u32;
        [&size.to_be_bytes()[..], b"ftyp", brands, &[0; 40]].concat()
    };
    for (bytes, name, way) in [
        (iso(b"heic\0\0\0\0mif1heic"), "HEIC", "JPEG"),
        (iso(b"mif1\0\0\0\0mif1heic"), "HEIC", "JPEG"),
        (iso(b"avif\0\0\0\0mif1avif"), "AVIF", "JPEG"),
        (iso(b"mif1\0\0\0\0mif1avif"), "AVIF", "JPEG"),
        (iso(b"crx \0\0\0\x01crx isom"), "raw", "JPEG"),
        (iso(b"isom\0\0\0\0isommp42"), "video", "JPEG"),
        (b"\xff\x0a\xfa\x1f".to_vec(), "JPEG XL", "save it as JPEG"),
        (
            b"\0\0\0\x0cJXL \r\n\x87\n".to_vec(),
            "JPEG XL",
            "save it as JPEG",
        ),
        (
            b"\0\0\0\x0cjP  \r\n\x87\n".to_vec(),
            "JPEG 2000",
            "save it as JPEG",
        ),
        (
            b"\xff\x4f\xff\x51\0".to_vec(),
            "JPEG 2000",
            "save it as JPEG",
        ),
        (b"MM\0*\0\0\0\x08".to_vec(), "TIFF", "save it as JPEG"),
        (
            b"II*\0\x10\0\0\0CR\x02\0".to_vec(),
            "raw",
            "save it as JPEG",
        ),
        (b"FUJIFILMCCD-RAW 0201".to_vec(), "raw", "save it as JPEG"),
        (b"8BPS\0\x01".to_vec(), "PSD", "save it as JPEG"),
        (b"\0\0\x01\0\x01\0".to_vec(), "ICO", "PNG"),
        (b"%PDF-1.7".to_vec(), "PDF", "JPEG"),
        (b"<svg xmlns='x'/>".to_vec(), "SVG", "export it as PNG"),
        (b"PK\x03\x04\x14\0".to_vec(), "archive", "unpack"),
    ] {
        let error = decode(&bytes, &Limits::default()).unwrap_err();
        assert_eq!(error.code(), "image/unknown-format", "{name}");
        assert!(
            error.message().contains(name) && error.message().contains(way),
            "{error}"
        );
    }
}

#[test]
fn a_jpeg_beyond_the_limit_is_decoded_at_the_scale_that_keeps_it() {
    for name in [
        "grey.jpg",
        "baseline.jpg",
        "progressive.jpg",
        "half_width.jpg",
        "cmyk.jpg",
    ] {
        let bytes = file(name);
        let whole = decoded(&bytes);
        let pixels = u64::from(whole.width * whole.height);
        let at = |max_pixels| Limits {
            max_pixels,
            ..Limits::default()
        };
        assert_eq!(reduction(&bytes, &at(pixels)), Ok(Reduction::One), "{name}");
        for (most, wanted) in [
            (pixels - 1, Reduction::Two),
            (pixels / 4 + 1, Reduction::Four),
        ] {
            assert_eq!(reduction(&bytes, &at(most)), Ok(wanted), "{name}");
            let small = decode(&bytes, &at(most)).unwrap();
            let step = wanted.divisor();
            let sides = (whole.width.div_ceil(step), whole.height.div_ceil(step));
            assert_eq!((small.width, small.height), sides, "{name}");
            // The means of squares of the whole picture; at the right and lower edge, where the blocks go
            // on beyond it, and where color is interpolated, other ways to the same picture differ.
            let mut off = (0u64, 0u64);
            for y in 0..whole.height / step {
                for x in 0..whole.width / step {
                    for channel in 0..3 {
                        let square = (0..step * step).map(|i| {
                            let at = whole.pixel(x * step + i % step, y * step + i / step);
                            u32::from(at[channel])
                        });
                        let mean = (square.sum::<u32>() + step * step / 2) / (step * step);
                        let got = u32::from(small.pixel(x, y)[channel]);
                        off = (off.0 + u64::from(got.abs_diff(mean)), off.1 + 1);
                    }
                }
            }
            match name {
                "grey.jpg" => assert_eq!(off.0, 0, "{name} at 1/{step}"),
                _ => assert!(
                    off.0 as f64 / (off.1 as f64) < 6.0,
                    "{name} at 1/{step}: {off:?}"
                ),
            }
        }
        let refused = decode(&bytes, &at(pixels / 4 - 1)).expect_err("too many");
        assert_eq!(refused.code(), "image/too-large", "{name}");
    }
    // Other formats are refused above the limit.
    let limits = Limits {
        max_pixels: 100,
        ..Limits::default()
    };
    for name in ["grey.png", "lossy.webp", "rgb.bmp", "animated.gif"] {
        let refused = decode(&file(name), &limits).expect_err("too many");
        assert_eq!(refused.code(), "image/too-large", "{name}");
    }
}
