//! The zip that `torch.save` writes, read from front to back. Its members are stored, not
//! compressed, and their headers tell no sizes: those follow the data, and are in the pickle.

use super::{damaged, torchscript, unsupported};
use crate::error::Result;

const LOCAL: [u8; 4] = *b"PK\x03\x04";
const CENTRAL: [u8; 4] = *b"PK\x01\x02";
const BEHIND: [u8; 4] = *b"PK\x07\x08";
/// Bytes of a local header before its name.
const FIXED: usize = 30;
/// The longest name and the longest extra field together; torch.save pads to 64 bytes with it.
const MAX_VARIABLE: usize = 1 << 12;
/// The largest member of another kind: a version, an alignment, an id.
const MAX_SMALL: usize = 1 << 12;
/// The magic number at the start of files of torch.save before PyTorch 1.6, as a pickle.
const LEGACY: &[u8] = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19";

/// A member of the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Member {
    /// `data.pkl`.
    Pickle,
    /// `data/KEY`.
    Storage(String),
    /// A few bytes that tell nothing that is needed, and `byteorder`.
    Small(String),
}

/// A local header.
#[derive(Debug)]
pub(super) struct Local {
    pub(super) member: Member,
    /// Bytes of the data, if the header tells.
    pub(super) size: Option<u64>,
}

/// What comes next in the archive.
pub(super) enum Next {
    Member(Local),
    /// The list of all members, which says nothing new.
    Directory,
}

/// Reads what stands at the front of `bytes`, and its length; `None` if more must come.
pub(super) fn next(bytes: &[u8], first: bool) -> Result<Option<(usize, Next)>> {
    if first && is_other(bytes) {
        return Err(not_an_archive(bytes));
    }
    let Some(signature) = bytes.first_chunk::<4>() else {
        return Ok(None);
    };
    if *signature == CENTRAL && !first {
        return Ok(Some((0, Next::Directory)));
    }
    if *signature != LOCAL {
        return Err(match first {
            true => not_an_archive(bytes),
            false => damaged("a member of its archive does not end where it should"),
        });
    }
    let Some(fixed) = bytes.first_chunk::<FIXED>() else {
        return Ok(None);
    };
    let short = |at: usize| u16::from_le_bytes([fixed[at], fixed[at + 1]]);
    let long =
        |at: usize| u32::from_le_bytes([fixed[at], fixed[at + 1], fixed[at + 2], fixed[at + 3]]);
    let (flags, method) = (short(6), short(8));
    let (name_bytes, extra_bytes) = (usize::from(short(26)), usize::from(short(28)));
    if name_bytes + extra_bytes > MAX_VARIABLE {
        return Err(damaged("a member of its archive has too long a name"));
    }
    let Some(variable) = bytes.get(FIXED..FIXED + name_bytes + extra_bytes) else {
        return Ok(None);
    };
    if flags & 1 != 0 || method != 0 {
        return Err(unsupported("its archive is compressed or encrypted"));
    }
    let (name, extra) = variable.split_at(name_bytes);
    let size = match flags & 8 {
        0 => Some(whole_size(u64::from(long(22)), extra)?),
        _ => None,
    };
    let member = member(name)?;
    let length = FIXED + name_bytes + extra_bytes;
    Ok(Some((length, Next::Member(Local { member, size }))))
}

/// The size in a local header, or in its zip64 field.
fn whole_size(size: u64, mut extra: &[u8]) -> Result<u64> {
    if size != u64::from(u32::MAX) {
        return Ok(size);
    }
    while let Some((&[a, b, c, d], rest)) = extra.split_first_chunk::<4>() {
        let length = usize::from(u16::from_le_bytes([c, d]));
        let Some(field) = rest.get(..length) else {
            break;
        };
        if u16::from_le_bytes([a, b]) == 1
            && let Some(size) = field.first_chunk::<8>()
        {
            return Ok(u64::from_le_bytes(*size));
        }
        extra = &rest[length..];
    }
    Err(damaged("a member of its archive has no size"))
}

fn member(name: &[u8]) -> Result<Member> {
    let name = std::str::from_utf8(name)
        .map_err(|_| damaged("a member of its archive has a name that is no UTF-8"))?;
    // Everything lies in one folder, whatever its name.
    let inner = name.split_once('/').map_or(name, |(_, inner)| inner);
    if inner == "constants.pkl" || inner.starts_with("code/") {
        return Err(torchscript());
    }
    Ok(match inner.strip_prefix("data/") {
        Some(key) => Member::Storage(key.to_owned()),
        None if inner == "data.pkl" => Member::Pickle,
        None => Member::Small(inner.to_owned()),
    })
}

/// The length of the record behind a member of `size` bytes; `None` if more must come.
pub(super) fn behind(bytes: &[u8], size: u64) -> Result<Option<usize>> {
    let wrong = || damaged("a member of its archive has another size than its pickle says");
    let Some(record) = bytes.first_chunk::<16>() else {
        // An empty member may have none.
        return match bytes.first_chunk::<4>() {
            Some(signature) if *signature != BEHIND => match size {
                0 => Ok(Some(0)),
                _ => Err(wrong()),
            },
            _ => Ok(None),
        };
    };
    if record[..4] != BEHIND {
        return if size == 0 { Ok(Some(0)) } else { Err(wrong()) };
    }
    let low = u32::try_from(size).ok().map(u32::to_le_bytes);
    if let Some(low) = low
        && record[8..12] == low
        && record[12..16] == low
    {
        return Ok(Some(16));
    }
    let Some(record) = bytes.first_chunk::<24>() else {
        return Ok(None);
    };
    let size = size.to_le_bytes();
    match record[8..16] == size && record[16..24] == size {
        true => Ok(Some(24)),
        false => Err(wrong()),
    }
}

/// The content of a small member and its length with the record behind it; `None` if more must
/// come.
pub(super) fn small(bytes: &[u8], size: Option<u64>) -> Result<Option<(usize, &[u8])>> {
    let too_large = || unsupported("its archive holds files that no state dictionary has");
    if let Some(size) = size {
        let size = usize::try_from(size).ok().filter(|size| *size <= MAX_SMALL);
        let size = size.ok_or_else(too_large)?;
        return Ok(bytes.get(..size).map(|content| (size, content)));
    }
    for at in 0..=bytes.len().min(MAX_SMALL) {
        let rest = &bytes[at..];
        if rest.first_chunk::<4>() != Some(&BEHIND) {
            continue;
        }
        match behind(rest, at as u64) {
            Ok(Some(record)) => return Ok(Some((at + record, &bytes[..at]))),
            Ok(None) => return Ok(None),
            // These four bytes were part of the content.
            Err(_) => {}
        }
    }
    match bytes.len() > MAX_SMALL + 24 {
        true => Err(too_large()),
        false => Ok(None),
    }
}

/// Whether a file that begins so is no zip, as far as can be seen.
fn is_other(bytes: &[u8]) -> bool {
    let count = bytes.len().min(4);
    bytes[..count] != LOCAL[..count]
}

fn not_an_archive(bytes: &[u8]) -> crate::error::Error {
    let count = bytes.len().min(LEGACY.len());
    match bytes[..count] == LEGACY[..count] {
        true => unsupported("it is of PyTorch before 1.6"),
        false => damaged("it is no archive of torch.save"),
    }
}
