//! A tar, gzipped or not, read from front to back as the bytes of a stranger.
//!
//! The `tar` crate would read the name extensions of a member into memory whatever size they
//! claim, so its raw mode is used and they are read here, under a limit.

use std::io::{BufRead, BufReader, Read};

use flate2::bufread::MultiGzDecoder;
use tar::{Archive, EntryType};

use super::archive::{Kind, Limited, Member, See, broken, inner_path, invalid};
use super::source::{Source, Stream};
use super::{Limits, failed, too_many};
use crate::error::{Error, Kind as ErrorKind, Result};

/// Bytes of a PAX header beside the name in it.
const PAX_ROOM: u64 = 64 << 10;

/// Shows every file of the archive to `see`, until that says false.
pub fn walk<'a>(
    source: Source<'a>,
    stream: BufReader<Box<dyn Stream + 'a>>,
    limits: &Limits,
    see: &mut See<'_>,
) -> Result<()> {
    let mut archive = Archive::new(plain(source, stream, limits)?);
    let entries = archive.entries().map_err(|error| broken(source, &error))?;
    let mut long_name: Option<Vec<u8>> = None;
    for (number, entry) in entries.raw(true).enumerate() {
        if number >= limits.entries {
            return Err(too_many(source, limits.entries));
        }
        let mut entry = entry.map_err(|error| broken(source, &error))?;
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
                        ErrorKind::DataTooLarge,
                        format!("{} holds a name beyond the limit.", source),
                    ));
                }
                let mut bytes = Vec::new();
                entry
                    .read_to_end(&mut bytes)
                    .map_err(|error| broken(source, &error))?;
                if kind == EntryType::XHeader {
                    long_name = pax_path(source, &bytes)?.or(long_name);
                } else {
                    let end = bytes.iter().position(|b| *b == 0).unwrap_or(bytes.len());
                    bytes.truncate(end);
                    long_name = Some(bytes);
                }
            }
            EntryType::GNUSparse => {
                return Err(invalid(source, "it holds sparse files, which are not read"));
            }
            EntryType::Regular | EntryType::Continuous => {
                let name = long_name
                    .take()
                    .unwrap_or_else(|| entry.path_bytes().into_owned());
                let name = inner_path(source, &name, limits)?;
                let folder = name.is_empty();
                let member = Member {
                    number,
                    path: name,
                    kind: Kind::File,
                    size: entry.size(),
                    data: &mut entry,
                    alone: false,
                };
                if !folder && !see(member)? {
                    return Ok(());
                }
            }
            EntryType::Directory => {
                let name = long_name
                    .take()
                    .unwrap_or_else(|| entry.path_bytes().into_owned());
                inner_path(source, &name, limits)?;
            }
            EntryType::GNULongLink | EntryType::XGlobalHeader => {}
            EntryType::Link | EntryType::Symlink => {
                let name = long_name
                    .take()
                    .unwrap_or_else(|| entry.path_bytes().into_owned());
                let path = inner_path(source, &name, limits)?;
                let member = Member {
                    number,
                    path,
                    kind: Kind::Link,
                    size: 0,
                    data: &mut std::io::empty(),
                    alone: true,
                };
                if !member.path.is_empty() && !see(member)? {
                    return Ok(());
                }
            }
            // Devices and pipes are no images, and nothing is unpacked.
            _ => long_name = None,
        }
    }
    Ok(())
}

/// The archive's plain bytes, at most as many as `limits` allows.
fn plain<'a>(
    source: Source<'a>,
    mut stream: BufReader<Box<dyn Stream + 'a>>,
    limits: &Limits,
) -> Result<Limited<Box<dyn Read + 'a>>> {
    let start = stream.fill_buf().map_err(|error| failed(source, &error))?;
    let plain: Box<dyn Read + 'a> = if start.starts_with(&[0x1f, 0x8b]) {
        Box::new(MultiGzDecoder::new(stream))
    } else {
        Box::new(stream)
    };
    Ok(Limited {
        plain,
        left: limits.archive_bytes,
    })
}

/// The `path` of a PAX header, whose records are `LENGTH KEY=VALUE` and a line feed: the length counts
/// the whole record, and a value may hold line feeds, as macOS writes where a file came from.
fn pax_path(source: Source<'_>, bytes: &[u8]) -> Result<Option<Vec<u8>>> {
    let damaged = || invalid(source, "an extended header in it is damaged");
    let mut found = None;
    let mut rest = bytes;
    // Some writers fill up the header with zeros.
    while !rest.is_empty() && rest[0] != 0 {
        let digits = rest.iter().position(|b| *b == b' ').ok_or_else(damaged)?;
        let length = std::str::from_utf8(&rest[..digits])
            .ok()
            .filter(|text| text.bytes().all(|b| b.is_ascii_digit()))
            .and_then(|text| text.parse::<usize>().ok())
            .filter(|length| *length > digits + 1 && *length <= rest.len())
            .ok_or_else(damaged)?;
        let record = &rest[digits + 1..length];
        let Some((b'\n', record)) = record.split_last() else {
            return Err(damaged());
        };
        let equals = record.iter().position(|b| *b == b'=').ok_or_else(damaged)?;
        let (key, value) = (&record[..equals], &record[equals + 1..]);
        match key {
            b"path" => found = Some(value.to_vec()),
            // In raw mode the size of the plain header counts; two sizes are two readings.
            b"size" => return Err(invalid(source, "it holds a member of 8 GiB or more")),
            key if key.starts_with(b"GNU.sparse") => {
                return Err(invalid(source, "it holds sparse files, which are not read"));
            }
            _ => {}
        }
        rest = &rest[length..];
    }
    Ok(found)
}
