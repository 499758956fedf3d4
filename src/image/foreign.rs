//! What a refused file seems to be, and the way out.

use super::isobmff::{BrowserFormat, has_brand};

/// The sentence about a file of none of the accepted formats.
pub(super) fn refusal(bytes: &[u8]) -> String {
    let (what, way) = match KINDS.iter().find(|kind| (kind.is)(bytes)) {
        Some(kind) => (kind.name, kind.way),
        None => ("of an unknown kind", SAVE),
    };
    format!("The file is {what}, not a JPEG, PNG, WebP, GIF or BMP image; {way}.")
}

/// The sentence about a file that the browser's decoder does not read.
pub(super) fn browser_refusal(format: BrowserFormat) -> String {
    let (name, way) = match format {
        BrowserFormat::Avif => (AVIF_NAME, JPEG),
        BrowserFormat::Heic => (HEIC_NAME, HEIC),
    };
    format!("The file is {name}, which this browser cannot decode; {way}.")
}

/// A kind of file that people choose and that is not read.
struct Kind {
    is: fn(&[u8]) -> bool,
    /// With its article.
    name: &'static str,
    /// What to do.
    way: &'static str,
}

const AVIF_NAME: &str = "an AVIF image";
const HEIC_NAME: &str = "a HEIC photo";
const SAVE: &str = "save the picture as one of these";
const JPEG: &str = "open it in an image viewer and save it as JPEG";
const HEIC: &str = "save it as JPEG, or set the camera of the phone to its most compatible format";
const RAW: &str = "develop it in the camera or in its program and save it as JPEG";
const PAGE: &str = "save the page or a picture of it as JPEG or PNG";
const DRAWING: &str = "export it as PNG";
const ONE_FRAME: &str = "take one picture of it and save that as JPEG";
const UNPACK: &str = "unpack it first";

/// The first that fits stands.
const KINDS: &[Kind] = &[
    kind(
        |b| BrowserFormat::of(b) == Some(BrowserFormat::Avif),
        AVIF_NAME,
        JPEG,
    ),
    kind(
        |b| BrowserFormat::of(b) == Some(BrowserFormat::Heic),
        HEIC_NAME,
        HEIC,
    ),
    kind(|b| has_brand(b, &[b"crx "]), "a camera raw file (CR3)", RAW),
    kind(|b| b.get(4..8) == Some(b"ftyp"), "a video", ONE_FRAME),
    kind(
        |b| b.starts_with(b"\xff\x0a") || b.starts_with(b"\0\0\0\x0cJXL "),
        "a JPEG XL image",
        JPEG,
    ),
    kind(
        |b| b.starts_with(b"\xff\x4f\xff\x51") || b.starts_with(b"\0\0\0\x0cjP  "),
        "a JPEG 2000 image",
        JPEG,
    ),
    kind(is_raw, "a camera raw file", RAW),
    kind(
        |b| {
            [b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"]
                .iter()
                .any(|magic| b.starts_with(*magic))
        },
        "a TIFF or camera raw file",
        JPEG,
    ),
    kind(|b| b.starts_with(b"8BPS"), "a Photoshop file (PSD)", JPEG),
    kind(
        |b| b.starts_with(b"\0\0\x01\0") || b.starts_with(b"\0\0\x02\0"),
        "an icon (ICO)",
        DRAWING,
    ),
    kind(|b| b.starts_with(b"gimp xcf"), "a GIMP file (XCF)", JPEG),
    kind(
        |b| b.starts_with(b"\x76\x2f\x31\x01"),
        "an OpenEXR image",
        JPEG,
    ),
    kind(
        |b| matches!(b, [b'P', b'1'..=b'7', b' ' | b'\n' | b'\r' | b'\t', ..]),
        "a PNM image",
        JPEG,
    ),
    kind(|b| b.starts_with(b"\x1a\x45\xdf\xa3"), "a video", ONE_FRAME),
    kind(
        |b| b.starts_with(b"PK\x03\x04") || b.starts_with(b"\x1f\x8b"),
        "an archive",
        UNPACK,
    ),
    kind(
        |b| text_head(b).starts_with(b"%PDF"),
        "a PDF document",
        PAGE,
    ),
    kind(|b| holds(b, b"<svg"), "an SVG drawing", DRAWING),
    kind(
        |b| holds(b, b"<html") || holds(b, b"<!doctype html"),
        "a web page",
        "save the picture on it instead of the page",
    ),
    kind(is_text, "text", "choose an image file"),
];

const fn kind(is: fn(&[u8]) -> bool, name: &'static str, way: &'static str) -> Kind {
    Kind { is, name, way }
}

/// Raw files that are no plain TIFF.
fn is_raw(bytes: &[u8]) -> bool {
    let starts: [&[u8]; 5] = [b"FUJIFILMCCD-RAW", b"IIRO", b"IIRS", b"IIU\0", b"FOVb"];
    starts.iter().any(|start| bytes.starts_with(start))
        || bytes.starts_with(b"II*\0") && bytes.get(8..10) == Some(b"CR")
}

/// The beginning of a file that may be text.
fn text_head(bytes: &[u8]) -> &[u8] {
    let start = bytes.trim_ascii_start();
    let start = start
        .strip_prefix(b"\xef\xbb\xbf")
        .unwrap_or(start)
        .trim_ascii_start();
    &start[..start.len().min(512)]
}

fn holds(bytes: &[u8], needle: &[u8]) -> bool {
    text_head(bytes)
        .windows(needle.len())
        .any(|window| window.eq_ignore_ascii_case(needle))
}

fn is_text(bytes: &[u8]) -> bool {
    // The cut may fall inside a character.
    let head = text_head(bytes);
    let text = match std::str::from_utf8(head) {
        Ok(text) => text,
        Err(error) if error.error_len().is_none() => {
            std::str::from_utf8(&head[..error.valid_up_to()]).unwrap_or_default()
        }
        Err(_) => return false,
    };
    !text
        .chars()
        .any(|c| c.is_control() && !c.is_ascii_whitespace())
}
