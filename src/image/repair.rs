//! Containers that say something false about themselves, as some programs write them, set right
//! before decoding. Browsers and Pillow read such files; the decoders here take them at their word.

use std::borrow::Cow;

use super::Format;
use super::container::{gif_blocks, le32, webp_chunks};

/// Bytes of the file header and of the header that Windows writes behind it.
const BMP_FILE_HEADER: usize = 14;
const BMP_INFO_HEADER: usize = 40;
/// Bytes of the whole header of OS/2 2.x, and of its shortest form.
const OS2_HEADER: usize = 64;
const OS2_SHORT_HEADER: usize = 16;

/// `bytes`, or a copy of them with its container set right.
pub(super) fn repaired(bytes: &[u8], format: Format) -> Cow<'_, [u8]> {
    let copy = match format {
        Format::WebP => webp(bytes),
        Format::Bmp => bmp(bytes),
        Format::Gif => gif(bytes),
        Format::Png | Format::Jpeg => None,
    };
    copy.map_or(Cow::Borrowed(bytes), Cow::Owned)
}

/// Takes back the flags of an extended header that promise metadata or alpha which is not there.
fn webp(bytes: &[u8]) -> Option<Vec<u8>> {
    const ALPHA: u8 = 0x10;
    const EXIF: u8 = 0x08;
    const XMP: u8 = 0x04;
    if bytes.get(12..16)? != b"VP8X" {
        return None;
    }
    let flags = *bytes.get(20)?;
    let names: Vec<&[u8]> = webp_chunks(bytes).collect();
    let holds = |name: &[u8]| names.contains(&name);
    let mut kept = flags;
    if !holds(b"EXIF") {
        kept &= !EXIF;
    }
    if !holds(b"XMP ") {
        kept &= !XMP;
    }
    // A lossless picture carries its alpha itself, and the frames of an animation theirs.
    if holds(b"VP8 ") && !holds(b"ALPH") {
        kept &= !ALPHA;
    }
    (kept != flags).then(|| {
        let mut copy = bytes.to_vec();
        copy[20] = kept;
        copy
    })
}

/// Gives a bitmap of OS/2 2.x the header of Windows: the two begin alike.
fn bmp(bytes: &[u8]) -> Option<Vec<u8>> {
    let size = le32(bytes, BMP_FILE_HEADER)? as usize;
    let behind = BMP_FILE_HEADER + size;
    let shared = match size {
        OS2_SHORT_HEADER => OS2_SHORT_HEADER,
        // 3 and 4 stand for Huffman and 24-bit runs here, which nothing writes.
        OS2_HEADER if le32(bytes, BMP_FILE_HEADER + 16)? <= 2 => BMP_INFO_HEADER,
        _ => return None,
    };
    let pixels = le32(bytes, 10)? as usize;
    let pixels = (pixels + BMP_INFO_HEADER).checked_sub(size)?;
    let mut copy = Vec::with_capacity(bytes.len() + BMP_INFO_HEADER);
    copy.extend(bytes.get(..10)?);
    copy.extend(u32::try_from(pixels).ok()?.to_le_bytes());
    copy.extend((BMP_INFO_HEADER as u32).to_le_bytes());
    copy.extend(bytes.get(BMP_FILE_HEADER + 4..BMP_FILE_HEADER + shared)?);
    copy.resize(BMP_FILE_HEADER + BMP_INFO_HEADER, 0);
    copy.extend(bytes.get(behind..)?);
    Some(copy)
}

/// Drops extension blocks of unknown kinds before the first frame, which readers have to pass over
/// (GIF89a, 11), and widens the screen to that frame.
fn gif(bytes: &[u8]) -> Option<Vec<u8>> {
    let blocks = gif_blocks(bytes)?;
    let (width, height) = blocks.size;
    let declared = bytes.get(6..10)?;
    let wanted: Vec<u8> = [width, height]
        .iter()
        .flat_map(|side| side.to_le_bytes())
        .collect();
    if blocks.unknown.is_empty() && declared == wanted {
        return None;
    }
    let mut copy = Vec::with_capacity(bytes.len());
    let mut at = 0;
    for block in blocks.unknown {
        copy.extend_from_slice(&bytes[at..block.start]);
        at = block.end;
    }
    copy.extend_from_slice(&bytes[at..]);
    copy[6..10].copy_from_slice(&wanted);
    Some(copy)
}
