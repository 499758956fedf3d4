//! The outer structure of PNG, WebP, GIF and BMP files: declared size, and whether the file goes
//! on long enough. No pixel is looked at.

use std::ops::Range;

use super::Format;

/// Width and height from the header; `None` when the header itself is cut off.
pub(super) fn dimensions(bytes: &[u8], format: Format) -> Option<(u32, u32)> {
    match format {
        Format::Png => Some((be32(bytes, 16)?, be32(bytes, 20)?)),
        Format::Gif => gif_dimensions(bytes),
        Format::Bmp => bmp_dimensions(bytes),
        Format::WebP => webp_dimensions(bytes),
        Format::Jpeg => None,
    }
}

/// Whether the file certainly stops inside the first frame.
pub(super) fn ends_early(bytes: &[u8], format: Format) -> bool {
    match format {
        Format::WebP => webp_ends_early(bytes).unwrap_or(true),
        Format::Gif => !gif_first_frame_is_whole(bytes).unwrap_or(false),
        Format::Png | Format::Bmp | Format::Jpeg => false,
    }
}

/// Whether the file lacks the end its container declares. Asked once decoding has failed, to tell
/// a cut file from a damaged one.
pub(super) fn lacks_end(bytes: &[u8], format: Format) -> bool {
    match format {
        Format::Png => png_lacks_end(bytes).unwrap_or(true),
        Format::WebP => webp_ends_early(bytes).unwrap_or(true),
        Format::Gif => !gif_first_frame_is_whole(bytes).unwrap_or(false),
        Format::Bmp => le32(bytes, 2).is_none_or(|size| size as usize > bytes.len()),
        Format::Jpeg => false,
    }
}

pub(super) fn be32(bytes: &[u8], at: usize) -> Option<u32> {
    let b = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_be_bytes([b[0], b[1], b[2], b[3]]))
}

pub(super) fn le32(bytes: &[u8], at: usize) -> Option<u32> {
    let b = bytes.get(at..at.checked_add(4)?)?;
    Some(u32::from_le_bytes([b[0], b[1], b[2], b[3]]))
}

fn le24(bytes: &[u8], at: usize) -> Option<u32> {
    let b = bytes.get(at..at.checked_add(3)?)?;
    Some(u32::from_le_bytes([b[0], b[1], b[2], 0]))
}

fn le16(bytes: &[u8], at: usize) -> Option<u32> {
    let b = bytes.get(at..at.checked_add(2)?)?;
    Some(u32::from(u16::from_le_bytes([b[0], b[1]])))
}

fn bmp_dimensions(bytes: &[u8]) -> Option<(u32, u32)> {
    if le32(bytes, 14)? == 12 {
        return Some((le16(bytes, 18)?, le16(bytes, 20)?));
    }
    // A negative height means rows from the top.
    let side = |at| Some((le32(bytes, at)? as i32).unsigned_abs());
    Some((side(18)?, side(22)?))
}

/// The canvas of the extended form, else the frame of the simple lossy or lossless form.
fn webp_dimensions(bytes: &[u8]) -> Option<(u32, u32)> {
    match bytes.get(12..16)? {
        b"VP8X" => Some((le24(bytes, 24)? + 1, le24(bytes, 27)? + 1)),
        b"VP8L" => {
            let bits = le32(bytes, 21)?;
            Some(((bits & 0x3fff) + 1, ((bits >> 14) & 0x3fff) + 1))
        }
        b"VP8 " => Some((le16(bytes, 26)? & 0x3fff, le16(bytes, 28)? & 0x3fff)),
        // Some other first chunk: no picture in it, which the decoder will say.
        _ => Some((1, 1)),
    }
}

/// The names of the chunks that lie in the file, in their order.
pub(super) fn webp_chunks(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut at = 12usize;
    std::iter::from_fn(move || {
        let name = bytes.get(at..at.checked_add(4)?)?;
        let size = le32(bytes, at + 4)? as usize;
        let end = at.checked_add(8)?.checked_add(size)?;
        at = end.checked_add(size & 1)?;
        (end <= bytes.len()).then_some(name)
    })
}

/// `Some(false)` when the first image chunk and all before it lie inside the file.
fn webp_ends_early(bytes: &[u8]) -> Option<bool> {
    let mut at = 12usize;
    loop {
        let name = bytes.get(at..at.checked_add(4)?)?;
        let size = le32(bytes, at + 4)? as usize;
        let end = at.checked_add(8)?.checked_add(size)?;
        if end > bytes.len() {
            return Some(true);
        }
        if matches!(name, b"VP8 " | b"VP8L" | b"ANMF") {
            return Some(false);
        }
        at = end.checked_add(size & 1)?;
    }
}

fn png_lacks_end(bytes: &[u8]) -> Option<bool> {
    let mut at = 8usize;
    loop {
        let size = be32(bytes, at)? as usize;
        let name = bytes.get(at + 4..at + 8)?;
        at = at.checked_add(12)?.checked_add(size)?;
        if at > bytes.len() {
            return Some(true);
        }
        if name == b"IEND" {
            return Some(false);
        }
    }
}

/// The screen, widened to the first frame; the screen alone if the file ends before that.
fn gif_dimensions(bytes: &[u8]) -> Option<(u32, u32)> {
    match gif_blocks(bytes) {
        Some(GifBlocks { size: (w, h), .. }) => Some((u32::from(w), u32::from(h))),
        None => Some((le16(bytes, 6)?, le16(bytes, 8)?)),
    }
}

/// What stands before the data of the first frame.
pub(super) struct GifBlocks {
    /// Extension blocks of unknown kinds.
    pub unknown: Vec<Range<usize>>,
    /// The screen, widened to the first frame as browsers do it.
    pub size: (u16, u16),
    /// Where the data of the first frame begins; `None` if no frame comes.
    data: Option<usize>,
}

/// Walks to the first image descriptor; `None` if the file ends before it.
pub(super) fn gif_blocks(bytes: &[u8]) -> Option<GifBlocks> {
    const COMMENT: u8 = 0xfe;
    const PLAIN_TEXT: u8 = 0x01;
    const APPLICATION: u8 = 0xff;
    const GRAPHIC_CONTROL: u8 = 0xf9;
    let color_table = |flags: u8| match flags & 0x80 {
        0 => 0usize,
        _ => 3usize << ((flags & 7) + 1),
    };
    let side = |at| le16(bytes, at).map(|side| side as u16);
    let screen = (side(6)?, side(8)?);
    let mut blocks = GifBlocks {
        unknown: Vec::new(),
        size: screen,
        data: None,
    };
    let mut at = 13 + color_table(*bytes.get(10)?);
    loop {
        match *bytes.get(at)? {
            0x21 => {
                let end = after_sub_blocks(bytes, at + 2)?;
                let kind = *bytes.get(at + 1)?;
                if !matches!(kind, COMMENT | PLAIN_TEXT | APPLICATION | GRAPHIC_CONTROL) {
                    blocks.unknown.push(at..end);
                }
                at = end;
            }
            0x2c => {
                let far = |near: u16, size: u16| near.saturating_add(size);
                let right = far(side(at + 1)?, side(at + 5)?);
                let bottom = far(side(at + 3)?, side(at + 7)?);
                blocks.size = (screen.0.max(right), screen.1.max(bottom));
                blocks.data = Some(at + 10 + color_table(*bytes.get(at + 9)?) + 1);
                return Some(blocks);
            }
            // A trailer before any frame, or an unknown block: the decoder names the damage.
            _ => return Some(blocks),
        }
    }
}

/// Whether the data blocks of the first frame go on up to their terminator.
fn gif_first_frame_is_whole(bytes: &[u8]) -> Option<bool> {
    match gif_blocks(bytes)?.data {
        Some(data) => after_sub_blocks(bytes, data).map(|_| true),
        None => Some(true),
    }
}

fn after_sub_blocks(bytes: &[u8], mut at: usize) -> Option<usize> {
    loop {
        let size = *bytes.get(at)? as usize;
        at += 1 + size;
        if size == 0 {
            return Some(at);
        }
    }
}
