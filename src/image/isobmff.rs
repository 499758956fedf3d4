//! AVIF and HEIC, which only a browser's own decoder reads: what they are, how large they say they are,
//! and their way to pixels that [`decode`](super::decode) takes.
//!
//! Both are boxes in boxes (ISO/IEC 14496-12). The properties of a picture lie in `meta/iprp/ipco`, its
//! size in the property `ispe` (ISO/IEC 23008-12, 6.5.3).

use super::foreign::browser_refusal;
use super::{Limits, container::be32};
use crate::error::{Error, Kind, Result};

/// A format that browsers may decode.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BrowserFormat {
    /// AV1 in a picture file.
    Avif,
    /// HEVC in a picture file, as phones write it.
    Heic,
}

impl BrowserFormat {
    /// The format that the brands of the file type box name, or `None`.
    pub fn of(bytes: &[u8]) -> Option<Self> {
        const HEIC: &[&[u8; 4]] = &[
            b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1",
        ];
        if has_brand(bytes, &[b"avif", b"avis"]) {
            Some(Self::Avif)
        } else {
            has_brand(bytes, HEIC).then_some(Self::Heic)
        }
    }

    /// What a browser knows it by.
    pub const fn mime_type(self) -> &'static str {
        match self {
            Self::Avif => "image/avif",
            Self::Heic => "image/heic",
        }
    }

    /// What to say when the browser does not decode the file.
    pub fn refused_by_browser(self) -> Error {
        Error::new(Kind::ImageUnknownFormat, browser_refusal(self))
    }
}

/// Checks what the header says before a browser's decoder sees the file. A picture may be made of
/// tiles; the largest size that any part declares counts.
///
/// # Errors
/// [`Kind::ImageTooLarge`], [`Kind::ImageTruncated`], [`Kind::ImageInvalid`].
pub fn check_for_browser(bytes: &[u8], limits: &Limits) -> Result<()> {
    if bytes.len() > limits.max_bytes {
        return Err(Error::new(
            Kind::ImageTooLarge,
            format!(
                "The file has {} bytes, more than the {} accepted; use a smaller one.",
                bytes.len(),
                limits.max_bytes
            ),
        ));
    }
    let Some((width, height)) = largest(bytes) else {
        return Err(Error::new(
            Kind::ImageTruncated,
            "The file ends before it says how large its picture is; download or export it again.",
        ));
    };
    check_size(width, height, limits)
}

/// The same for the size that the browser's decoder gave.
///
/// # Errors
/// [`Kind::ImageTooLarge`], [`Kind::ImageInvalid`].
pub fn check_size(width: u32, height: u32, limits: &Limits) -> Result<()> {
    if width == 0 || height == 0 {
        return Err(Error::new(
            Kind::ImageInvalid,
            "The file declares no pixels; export it again.",
        ));
    }
    if u64::from(width) * u64::from(height) > limits.max_pixels {
        return Err(Error::new(
            Kind::ImageTooLarge,
            format!(
                "The file declares {width} x {height} pixels, more than the {} accepted; scale it \
                 down first.",
                limits.max_pixels
            ),
        ));
    }
    Ok(())
}

/// The largest `ispe`.
fn largest(bytes: &[u8]) -> Option<(u32, u32)> {
    const FULL_BOX: usize = 4;
    let meta = Boxes(bytes).find(|(name, _)| *name == b"meta")?.1;
    let properties = Boxes(meta.get(FULL_BOX..)?)
        .find(|(name, _)| *name == b"iprp")?
        .1;
    let container = Boxes(properties).find(|(name, _)| *name == b"ipco")?.1;
    let sizes = Boxes(container).filter(|(name, _)| *name == b"ispe");
    let sizes = sizes.filter_map(|(_, body)| Some((be32(body, FULL_BOX)?, be32(body, 8)?)));
    sizes.max_by_key(|(width, height)| u64::from(*width) * u64::from(*height))
}

/// The boxes of a box: name and contents. A box that goes on beyond the bytes ends the list.
struct Boxes<'a>(&'a [u8]);

impl<'a> Iterator for Boxes<'a> {
    type Item = (&'a [u8; 4], &'a [u8]);

    fn next(&mut self) -> Option<Self::Item> {
        let name = self.0.get(4..8)?.first_chunk()?;
        let (head, size) = match be32(self.0, 0)? {
            // To the end.
            0 => (8, self.0.len()),
            // Too long for 32 bits.
            1 if be32(self.0, 8)? > 0 => return None,
            1 => (16, be32(self.0, 12)? as usize),
            size => (8, size as usize),
        };
        let body = self.0.get(head..size)?;
        self.0 = &self.0[size..];
        Some((name, body))
    }
}

/// Whether the file type box of an ISO media file names one of `brands`, first or among those that
/// the file is compatible with.
pub(super) fn has_brand(bytes: &[u8], brands: &[&[u8; 4]]) -> bool {
    if bytes.get(4..8) != Some(b"ftyp") {
        return false;
    }
    const MOST: usize = 32;
    let size = be32(bytes, 0).unwrap_or(0) as usize;
    let end = size.min(bytes.len()).min(16 + 4 * MOST);
    let (major, compatible) = (bytes.get(8..12), bytes.get(16..end).unwrap_or(&[]));
    let (compatible, _) = compatible.as_chunks::<4>();
    let named = |one: &[u8]| brands.iter().any(|brand| brand.as_slice() == one);
    // Each AVIF also says that it is a mif1; the first brand decides if it says something.
    match major {
        Some(b"mif1" | b"msf1") => compatible.iter().any(|one| named(one)) || named(b"mif1"),
        Some(major) => named(major),
        None => false,
    }
}
