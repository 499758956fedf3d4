//! A zip as the bytes of a stranger: nothing is unpacked to disk, encrypted members and methods
//! other than stored and deflated are refused, and the bytes that come out are counted.

use std::borrow::Cow;
use std::io::{self, BufReader, Read};

use zip::ZipArchive;
use zip::result::ZipError;

use super::archive::{Kind, Limited, Member, See, broken, inner_path, invalid};
use super::source::{Source, Stream};
use super::{Limits, too_many};
use crate::error::{Error, Result};

/// The first bytes of a zip.
pub const START: &[u8] = b"PK\x03\x04";
/// The first bytes of a zip without members.
pub const START_OF_EMPTY: &[u8] = b"PK\x05\x06";

/// Shows every file of the archive to `see`, until that says false; with its bytes if `asked`
/// says so for its number.
pub fn walk<'a>(
    source: Source<'a>,
    stream: BufReader<Box<dyn Stream + 'a>>,
    limits: &Limits,
    asked: &dyn Fn(usize) -> bool,
    see: &mut See<'_>,
) -> Result<()> {
    let mut archive = ZipArchive::new(stream).map_err(|error| refused(source, &error))?;
    if archive.len() > limits.entries {
        return Err(too_many(source, limits.entries));
    }
    let mut left = limits.archive_bytes;
    for number in 0..archive.len() {
        let entry = archive
            .by_index_data(number)
            .map_err(|error| refused(source, &error))?;
        let path = inner_path(source, &with_slashes(entry.name_raw()), limits)?;
        let size = entry.size();
        let kind = match entry.is_symlink() {
            true => Kind::Link,
            false => Kind::File,
        };
        // Folders are no images.
        if path.is_empty() || entry.is_dir() {
            continue;
        }
        let mut nothing = std::io::empty();
        let mut unread;
        let mut opened;
        let data: &mut dyn Read = if !asked(number) || size > limits.file_bytes {
            &mut nothing
        } else {
            match archive.by_index(number) {
                Ok(plain) => {
                    opened = Limited { plain, left };
                    &mut opened
                }
                Err(error) => {
                    unread = Unread(refused(source, &error));
                    &mut unread
                }
            }
        };
        let member = Member {
            number,
            path,
            kind,
            size,
            data,
            alone: true,
        };
        if !see(member)? {
            return Ok(());
        }
        if asked(number) {
            left = left.saturating_sub(size);
        }
    }
    Ok(())
}

/// A name with `/` between folders. Some Windows programs write backslashes against the format; a name
/// that holds both is taken as it is.
fn with_slashes(name: &[u8]) -> Cow<'_, [u8]> {
    if name.contains(&b'/') || !name.contains(&b'\\') {
        return Cow::Borrowed(name);
    }
    let slashed = |byte: &u8| if *byte == b'\\' { b'/' } else { *byte };
    Cow::Owned(name.iter().map(slashed).collect())
}

/// A member that cannot be opened.
struct Unread(Error);

impl Read for Unread {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::Error::other(self.0.message().to_owned()))
    }
}

fn refused(source: Source<'_>, error: &ZipError) -> Error {
    match error {
        ZipError::Io(error) => broken(source, error),
        ZipError::UnsupportedArchive(ZipError::PASSWORD_REQUIRED) => {
            invalid(source, "it is encrypted; pack it without a password")
        }
        ZipError::CompressionMethodNotSupported(_) => invalid(
            source,
            "it is packed in a way that is not read; pack it with deflate",
        ),
        other => invalid(source, &other.to_string()),
    }
}
