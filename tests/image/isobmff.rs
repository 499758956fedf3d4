//! AVIF and HEIC: what is read of them before a browser's decoder sees them.

use promptlens::image::{Bitmap, BrowserFormat, Limits, check_for_browser, decode};

use super::{code, file};

/// Where the last of these bytes lie.
fn find(bytes: &[u8], needle: &[u8]) -> usize {
    bytes
        .windows(needle.len())
        .rposition(|at| at == needle)
        .unwrap()
}

fn with_size(name: &str, width: u32, height: u32) -> Vec<u8> {
    let mut bytes = file(name);
    let at = find(&bytes, b"ispe") + 8;
    bytes[at..at + 4].copy_from_slice(&width.to_be_bytes());
    bytes[at + 4..at + 8].copy_from_slice(&height.to_be_bytes());
    bytes
}

fn verdict(bytes: &[u8], limits: &Limits) -> &'static str {
    check_for_browser(bytes, limits).map_or_else(|error| error.code(), |()| "")
}

#[test]
fn the_declared_size_decides_before_a_browser_decodes() {
    let limits = Limits::default();
    for (name, format) in [
        ("quadrants.avif", BrowserFormat::Avif),
        ("quadrants-turned.avif", BrowserFormat::Avif),
        ("quadrants.heic", BrowserFormat::Heic),
    ] {
        let bytes = file(name);
        assert_eq!(BrowserFormat::of(&bytes), Some(format), "{name}");
        assert_eq!(
            code(&bytes),
            "image/unknown-format",
            "{name}: no decoder of this crate"
        );
        assert_eq!(verdict(&bytes, &limits), "", "{name}");
        let most = |max_pixels| Limits {
            max_pixels,
            ..limits
        };
        let pixels = if format == BrowserFormat::Heic {
            64 * 64
        } else {
            48 * 32
        };
        assert_eq!(verdict(&bytes, &most(pixels)), "", "{name}");
        assert_eq!(
            verdict(&bytes, &most(48 * 32 - 1)),
            "image/too-large",
            "{name}"
        );
        let small = Limits {
            max_bytes: bytes.len() - 1,
            ..limits
        };
        assert_eq!(verdict(&bytes, &small), "image/too-large", "{name}");
        for (width, height, wanted) in [
            (100_000, 100_000, "image/too-large"),
            (u32::MAX, u32::MAX, "image/too-large"),
        ] {
            assert_eq!(
                verdict(&with_size(name, width, height), &limits),
                wanted,
                "{name}"
            );
        }
        // Any cut in the header, and any byte of it turned, is answered.
        let header = find(&bytes, b"mdat").min(bytes.len());
        for cut in 12..header {
            let found = verdict(&bytes[..cut], &limits);
            assert!(
                ["", "image/truncated"].contains(&found),
                "{name} cut to {cut}: {found}"
            );
            for flip in [0x01, 0x80, 0xff] {
                let mut turned = bytes.clone();
                turned[cut] ^= flip;
                verdict(&turned, &limits);
            }
        }
    }
    assert_eq!(
        verdict(&with_size("quadrants.avif", 0, 0), &limits),
        "image/invalid"
    );
}

#[test]
fn pixels_of_another_decoder_are_a_file() {
    let limits = Limits::default();
    let rows: Vec<u8> = (0..5 * 3)
        .flat_map(|i| [i, i + 100, 200 - i, 255])
        .collect();
    let mut bitmap = Bitmap::fitting(5, 3, &limits).unwrap();
    assert_eq!((bitmap.size(), bitmap.divisor()), ((5, 3), 1));
    bitmap.push(&rows[..2 * 5 * 4]);
    bitmap.push(&rows[2 * 5 * 4..]);
    let image = decode(&bitmap.finish().unwrap(), &limits).unwrap();
    assert_eq!((image.width, image.height), (5, 3));
    let rgb: Vec<u8> = rows.chunks(4).flat_map(|p| p[..3].to_vec()).collect();
    assert_eq!(image.data, rgb);
    // Rows that are missing are no picture.
    assert_eq!(
        Bitmap::fitting(5, 3, &limits)
            .unwrap()
            .finish()
            .unwrap_err()
            .code(),
        "engine/internal"
    );
    // As large as others may be, in a file as large as others may be.
    let large = Bitmap::fitting(8_000, 6_000, &limits).unwrap();
    assert_eq!((large.size(), large.divisor()), ((4_000, 3_000), 2));
    for (width, height, wanted) in [(8_000, 7_000, "image/too-large"), (0, 5, "image/invalid")] {
        assert_eq!(
            Bitmap::fitting(width, height, &limits).unwrap_err().code(),
            wanted
        );
    }
}
