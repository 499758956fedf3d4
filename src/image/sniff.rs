//! Which image format is this? Answered from the first bytes, never from a file name.

/// The accepted image formats.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Format {
    /// JFIF, EXIF or Adobe JPEG, baseline or progressive.
    Jpeg,
    /// PNG and APNG.
    Png,
    /// WebP: lossy, lossless, animated.
    WebP,
    /// GIF 87a and 89a.
    Gif,
    /// Windows bitmap.
    Bmp,
}

impl Format {
    /// The name people know.
    pub const fn name(self) -> &'static str {
        match self {
            Format::Jpeg => "JPEG",
            Format::Png => "PNG",
            Format::WebP => "WebP",
            Format::Gif => "GIF",
            Format::Bmp => "BMP",
        }
    }
}

/// The format that the magic bytes announce, or `None`.
pub fn sniff(bytes: &[u8]) -> Option<Format> {
    match bytes {
        [0xff, 0xd8, 0xff, ..] => Some(Format::Jpeg),
        [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(Format::Png),
        [
            b'R',
            b'I',
            b'F',
            b'F',
            _,
            _,
            _,
            _,
            b'W',
            b'E',
            b'B',
            b'P',
            ..,
        ] => Some(Format::WebP),
        [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Format::Gif),
        [b'B', b'M', ..] if has_bitmap_header(bytes) => Some(Format::Bmp),
        _ => None,
    }
}

/// "BM" alone also begins ordinary text, so the size of the header that follows must be one of
/// the sizes in use.
fn has_bitmap_header(bytes: &[u8]) -> bool {
    let Some(size) = bytes.get(14..18) else {
        return false;
    };
    matches!(
        u32::from_le_bytes([size[0], size[1], size[2], size[3]]),
        12 | 16 | 40 | 52 | 56 | 64 | 108 | 124
    )
}

/// What a refused file seems to be, to say so in the error.
pub(super) fn describe_foreign(bytes: &[u8]) -> &'static str {
    let start = bytes.trim_ascii_start();
    let start = start.strip_prefix(b"\xef\xbb\xbf").unwrap_or(start);
    let head = &start[..start.len().min(512)];
    let holds = |needle: &[u8]| {
        head.windows(needle.len())
            .any(|window| window.eq_ignore_ascii_case(needle))
    };
    if head.starts_with(b"%PDF") {
        "a PDF document"
    } else if holds(b"<svg") {
        "an SVG drawing"
    } else if holds(b"<html") || holds(b"<!doctype html") {
        "a web page"
    } else if bytes.get(4..8) == Some(b"ftyp") {
        "a HEIC, AVIF or video file"
    } else if bytes.starts_with(b"II*\0") || bytes.starts_with(b"MM\0*") {
        "a TIFF or camera raw file"
    } else if std::str::from_utf8(head).is_ok_and(|text| {
        !text
            .chars()
            .any(|c| c.is_control() && !c.is_ascii_whitespace())
    }) {
        "text"
    } else {
        "of an unknown kind"
    }
}
