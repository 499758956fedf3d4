//! A tar, gzipped or not, read from front to back as the bytes of a stranger.
//!
//! The `tar` crate would read the name extensions of a member into memory whatever size they
//! claim, so its raw mode is used and they are read here, under a limit.

use std::fs::File;
use std::io::{self, BufRead, BufReader, ErrorKind, Read};
use std::path::Path;

use flate2::bufread::MultiGzDecoder;
use tar::{Archive, EntryType, PaxExtensions};

use super::layout::{Name, visible};
use super::{Item, Limits, Take, failed, too_large, too_many};
use crate::error::{Error, Kind, Result};

/// Bytes of a PAX header beside the name in it.
const PAX_ROOM: u64 = 64 << 10;

/// A file of the archive.
struct Member<'a> {
    number: usize,
    path: String,
    size: u64,
    data: &'a mut dyn Read,
}

/// Every visible file, in the order of the archive.
pub fn names(path: &Path, limits: &Limits) -> Result<Vec<Name>> {
    let mut found = Vec::new();
    walk(path, limits, &mut |member| {
        if visible(&member.path) {
            found.push(Name {
                path: member.path,
                member: member.number,
            });
        }
        Ok(true)
    })?;
    Ok(found)
}

/// Hands the bytes of `items`, which stand in the order of the archive, to `take`.
pub fn read(path: &Path, limits: &Limits, items: &[&Item], take: &mut Take<'_>) -> Result<()> {
    let mut wanted = items.iter().copied().peekable();
    if wanted.peek().is_none() {
        return Ok(());
    }
    walk(path, limits, &mut |member| {
        if let Some(item) = wanted.next_if(|item| item.member == member.number) {
            if item.path != member.path {
                return Err(changed(path));
            }
            let bytes = if member.size > limits.file_bytes {
                Err(too_large(&item.path, limits.file_bytes))
            } else {
                let mut bytes = Vec::new();
                member
                    .data
                    .read_to_end(&mut bytes)
                    .map_err(|error| broken(path, &error))?;
                if bytes.len() as u64 != member.size {
                    return Err(invalid(path, "it ends in the middle of a file"));
                }
                Ok(bytes)
            };
            take(item, bytes)?;
        }
        Ok(wanted.peek().is_some())
    })?;
    match wanted.next() {
        None => Ok(()),
        Some(_) => Err(changed(path)),
    }
}

/// Shows every file of the archive to `see`, until that says false.
fn walk(
    path: &Path,
    limits: &Limits,
    see: &mut dyn FnMut(Member<'_>) -> Result<bool>,
) -> Result<()> {
    let mut archive = Archive::new(open(path, limits)?);
    let entries = archive.entries().map_err(|error| broken(path, &error))?;
    let mut long_name: Option<Vec<u8>> = None;
    for (number, entry) in entries.raw(true).enumerate() {
        if number >= limits.entries {
            return Err(too_many(path, limits.entries));
        }
        let mut entry = entry.map_err(|error| broken(path, &error))?;
        let kind = entry.header().entry_type();
        match kind {
            EntryType::GNULongName | EntryType::XHeader => {
                let room = limits.name_bytes as u64
                    + match kind {
                        EntryType::XHeader => PAX_ROOM,
                        _ => 1,
                    };
                if entry.size() > room {
                    return Err(Error::new(
                        Kind::DataTooLarge,
                        format!("{} holds a name beyond the limit.", path.display()),
                    ));
                }
                let mut bytes = Vec::new();
                entry
                    .read_to_end(&mut bytes)
                    .map_err(|error| broken(path, &error))?;
                if kind == EntryType::XHeader {
                    long_name = pax_path(path, &bytes)?.or(long_name);
                } else {
                    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
                    bytes.truncate(end);
                    long_name = Some(bytes);
                }
            }
            EntryType::GNUSparse => {
                return Err(invalid(path, "it holds sparse files, which are not read"));
            }
            EntryType::Regular | EntryType::Continuous => {
                let name = long_name
                    .take()
                    .unwrap_or_else(|| entry.path_bytes().into_owned());
                let name = inner_path(path, &name, limits)?;
                let folder = name.is_empty();
                let member = Member {
                    number,
                    path: name,
                    size: entry.size(),
                    data: &mut entry,
                };
                if !folder && !see(member)? {
                    return Ok(());
                }
            }
            EntryType::Directory => {
                let name = long_name
                    .take()
                    .unwrap_or_else(|| entry.path_bytes().into_owned());
                inner_path(path, &name, limits)?;
            }
            EntryType::GNULongLink | EntryType::XGlobalHeader => {}
            // Links, devices and pipes are no images, and nothing is unpacked.
            _ => long_name = None,
        }
    }
    Ok(())
}

/// The archive's plain bytes, at most as many as `limits` allows.
fn open(path: &Path, limits: &Limits) -> Result<impl Read> {
    let file = File::open(path).map_err(|error| failed(path, &error))?;
    let mut file = BufReader::with_capacity(1 << 16, file);
    let start = file.fill_buf().map_err(|error| failed(path, &error))?;
    if start.is_empty() {
        return Err(invalid(path, "it is empty"));
    }
    let plain: Box<dyn Read> = if start.starts_with(&[0x1f, 0x8b]) {
        Box::new(MultiGzDecoder::new(file))
    } else {
        Box::new(file)
    };
    Ok(Limited {
        plain,
        left: limits.archive_bytes,
    })
}

/// Fails where the limit is passed, instead of seeming to end.
struct Limited<R> {
    plain: R,
    left: u64,
}

impl<R: Read> Read for Limited<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.plain.read(buffer)?;
        self.left = self
            .left
            .checked_sub(count as u64)
            .ok_or_else(|| io::Error::from(ErrorKind::FileTooLarge))?;
        Ok(count)
    }
}

/// The `path` of a PAX header.
fn pax_path(archive: &Path, bytes: &[u8]) -> Result<Option<Vec<u8>>> {
    let mut found = None;
    for record in PaxExtensions::new(bytes) {
        let record = record.map_err(|error| broken(archive, &error))?;
        match record.key_bytes() {
            b"path" => found = Some(record.value_bytes().to_vec()),
            // In raw mode the size of the plain header counts; two sizes are two readings.
            b"size" => return Err(invalid(archive, "it holds a member of 8 GiB or more")),
            key if key.starts_with(b"GNU.sparse") => {
                return Err(invalid(
                    archive,
                    "it holds sparse files, which are not read",
                ));
            }
            _ => {}
        }
    }
    Ok(found)
}

/// A member's name without `./` and empty parts; empty for a folder's.
fn inner_path(archive: &Path, name: &[u8], limits: &Limits) -> Result<String> {
    if name.len() > limits.name_bytes {
        return Err(Error::new(
            Kind::DataTooLarge,
            format!("{} holds a name beyond the limit.", archive.display()),
        ));
    }
    let name = String::from_utf8_lossy(name);
    if name.starts_with('/') || name.split('/').any(|part| part == "..") {
        return Err(Error::new(
            Kind::DataUnsafePath,
            format!(
                "{} holds the name {name:?}, which points outside; make the archive anew.",
                archive.display()
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

fn invalid(path: &Path, what: &str) -> Error {
    Error::new(
        Kind::DataInvalid,
        format!(
            "{} cannot be used as a tar of images: {what}.",
            path.display()
        ),
    )
}

fn changed(path: &Path) -> Error {
    invalid(path, "it changed while it was read")
}

/// What a failed read says about the archive: only the file system's own errors are not its fault.
fn broken(path: &Path, error: &io::Error) -> Error {
    match error.kind() {
        ErrorKind::FileTooLarge => Error::new(
            Kind::DataTooLarge,
            format!("{} unpacks to more than the limit.", path.display()),
        ),
        ErrorKind::UnexpectedEof => invalid(path, "it ends early"),
        ErrorKind::InvalidData | ErrorKind::InvalidInput | ErrorKind::Other => {
            invalid(path, &error.to_string())
        }
        _ => failed(path, error),
    }
}
