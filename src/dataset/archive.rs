//! An archive of images, a tar or a zip: which of them shows in its first bytes.

use std::io::{self, BufRead, ErrorKind as IoKind, Read};

use super::layout::{Name, Names, visible};
use super::source::Source;
use super::{Item, Limits, Take, failed, tar, too_large, zip};
use crate::error::{Error, Kind as ErrorKind, Result};
use crate::image::{Format, sniff};

/// What a member is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    File,
    /// To another member or to a file of the machine that packed it; it has no bytes.
    Link,
}

/// A file of an archive.
pub(super) struct Member<'a> {
    /// Its position among the members.
    pub number: usize,
    /// Its path, without `./` and empty parts.
    pub path: String,
    /// Whether it has bytes of its own.
    pub kind: Kind,
    /// How many bytes it claims to have.
    pub size: u64,
    /// These bytes.
    pub data: &'a mut dyn Read,
    /// True if a failure here leaves other members readable (zip yes, tar no).
    pub alone: bool,
}

/// What is shown every file until it says false.
pub(super) type See<'a> = dyn FnMut(Member<'_>) -> Result<bool> + 'a;

/// Every visible file, in the order of the archive.
pub fn names(source: Source<'_>, limits: &Limits) -> Result<Names> {
    let mut found = Names::default();
    walk(source, limits, &|_| false, &mut |member| {
        if visible(&member.path) {
            match member.kind {
                Kind::File => found.files.push(Name {
                    path: member.path,
                    member: member.number,
                }),
                Kind::Link => found.links.push(member.path),
            }
        }
        Ok(true)
    })?;
    Ok(found)
}

/// Hands the bytes of `items`, which stand in the order of the archive, to `take`.
pub fn read(
    source: Source<'_>,
    limits: &Limits,
    items: &[&Item],
    take: &mut Take<'_>,
) -> Result<()> {
    let mut wanted = items.iter().copied().peekable();
    if wanted.peek().is_none() {
        return Ok(());
    }
    let numbers: Vec<usize> = items.iter().map(|item| item.member).collect();
    let asked = |number: usize| numbers.binary_search(&number).is_ok();
    walk(source, limits, &asked, &mut |member| {
        if let Some(item) = wanted.next_if(|item| item.member == member.number) {
            if item.path != member.path {
                return Err(changed(source));
            }
            let bytes = if member.size > limits.file_bytes {
                Err(too_large(&item.path, limits.file_bytes))
            } else {
                contents(source, limits, member)?
            };
            take(item, bytes)?;
        }
        Ok(wanted.peek().is_some())
    })?;
    match wanted.next() {
        None => Ok(()),
        Some(_) => Err(changed(source)),
    }
}

/// The bytes of a member, or why it alone cannot be had.
fn contents(source: Source<'_>, limits: &Limits, member: Member<'_>) -> Result<Result<Vec<u8>>> {
    let mut bytes = Vec::new();
    let room = limits.file_bytes.saturating_add(1);
    let error = match member.data.take(room).read_to_end(&mut bytes) {
        Ok(_) if bytes.len() as u64 == member.size => return Ok(Ok(bytes)),
        Ok(_) => invalid(source, "a file in it has another length than it says"),
        Err(error) => broken(source, &error),
    };
    if member.alone && error.kind() != ErrorKind::DataTooLarge {
        return Ok(Err(error));
    }
    Err(error)
}

/// What a file seems to be that is none of the archives which are read.
fn foreign(start: &[u8]) -> Option<&'static str> {
    const KINDS: &[(&[u8], &str)] = &[
        (b"BZh", "packed with bzip2 (.tar.bz2)"),
        (b"\xfd7zXZ\0", "packed with xz (.tar.xz)"),
        (b"\x28\xb5\x2f\xfd", "packed with zstd (.tar.zst)"),
        (b"\x04\x22\x4d\x18", "packed with lz4 (.tar.lz4)"),
        (b"LZIP", "packed with lzip (.tar.lz)"),
        (b"\x1f\x9d", "packed with compress (.tar.Z)"),
        (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive (.7z)"),
        (b"Rar!\x1a\x07", "a RAR archive (.rar)"),
        (b"PK\x07\x08", "one part of a zip in several files"),
        (b"PAR1", "a Parquet table (.parquet)"),
    ];
    let known = KINDS.iter().find(|(magic, _)| start.starts_with(magic));
    known.map(|(_, name)| *name).or_else(|| match sniff(start) {
        Some(Format::Bmp) | None => None,
        Some(_) => Some("a single image"),
    })
}

/// Shows every file to `see`, until that says false. The bytes of a zip's members are there only for
/// the numbers that `asked` names; a tar passes all of them anyway.
fn walk(
    source: Source<'_>,
    limits: &Limits,
    asked: &dyn Fn(usize) -> bool,
    see: &mut See<'_>,
) -> Result<()> {
    let mut stream = source.open()?;
    let start = stream.fill_buf().map_err(|error| failed(source, &error))?;
    if start.is_empty() {
        return Err(invalid(source, "it is empty"));
    }
    if let Some(name) = foreign(start) {
        return Err(invalid(
            source,
            &format!("it is {name}, which is not read; pack the images as .zip, .tar or .tar.gz"),
        ));
    }
    if start.starts_with(zip::START) || start.starts_with(zip::START_OF_EMPTY) {
        zip::walk(source, stream, limits, asked, see)
    } else {
        tar::walk(source, stream, limits, see)
    }
}

/// Fails if the limit is passed, instead of seeming to end.
pub(super) struct Limited<R> {
    /// What is limited.
    pub plain: R,
    /// Bytes left.
    pub left: u64,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.plain.read(buffer)?;
        self.left = self
            .left
            .checked_sub(count as u64)
            .ok_or_else(|| io::Error::from(IoKind::FileTooLarge))?;
        Ok(count)
    }
}

/// A member's name without `./` and empty parts; empty for a folder's.
pub(super) fn inner_path(source: Source<'_>, name: &[u8], limits: &Limits) -> Result<String> {
    if name.len() > limits.name_bytes {
        return Err(Error::new(
            ErrorKind::DataTooLarge,
            format!("{source} holds a name beyond the limit."),
        ));
    }
    let name = String::from_utf8_lossy(name);
    if name.starts_with('/') || name.split('/').any(|part| part == "..") {
        return Err(Error::new(
            ErrorKind::DataUnsafePath,
            format!(
                "{source} holds the name {name:?}, which points outside; make the archive anew."
            ),
        ));
    }
    if name.ends_with('/') {
        return Ok(String::new());
    }
    let parts: Vec<&str> = name
        .split('/')
        .filter(|part| !part.is_empty() && *part != ".")
        .collect();
    Ok(parts.join("/"))
}

pub(super) fn invalid(source: Source<'_>, what: &str) -> Error {
    Error::new(
        ErrorKind::DataInvalid,
        format!("{source} cannot be used as an archive of images: {what}."),
    )
}

fn changed(source: Source<'_>) -> Error {
    invalid(source, "it changed while it was read")
}

/// What a failed read says about the archive: only the file system's own errors are not its fault.
pub(super) fn broken(source: Source<'_>, error: &io::Error) -> Error {
    match error.kind() {
        IoKind::FileTooLarge => Error::new(
            ErrorKind::DataTooLarge,
            format!("{source} unpacks to more than the limit."),
        ),
        IoKind::UnexpectedEof => invalid(source, "it ends early"),
        IoKind::InvalidData | IoKind::InvalidInput | IoKind::Other => {
            invalid(source, &error.to_string())
        }
        _ => failed(source, error),
    }
}
