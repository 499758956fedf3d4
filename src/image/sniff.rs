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
