//! Labeled images from a directory, a tar or a zip: `<split>/<class>/<file>` or `<class>/<file>`.
//!
//! Nothing is ever unpacked to disk. A first pass over the names builds the index, a second one
//! hands over the bytes of the chosen images.

#[cfg(all(feature = "engine", not(target_arch = "wasm32")))]
mod answers;
mod archive;
#[cfg(not(target_arch = "wasm32"))]
mod directory;
#[cfg(all(feature = "engine", not(target_arch = "wasm32")))]
mod features;
mod layout;
#[cfg(all(feature = "engine", not(target_arch = "wasm32")))]
mod pipeline;
mod source;
mod tar;
#[cfg(not(target_arch = "wasm32"))]
mod whole;
mod zip;

use std::fmt::Display;

use crate::error::{Error, Kind, Result};
use crate::image;

#[cfg(all(feature = "engine", not(target_arch = "wasm32")))]
pub use answers::classify_all;
#[cfg(all(feature = "engine", not(target_arch = "wasm32")))]
pub use features::{Embedded, Features, Reading, TunedAnswer, embed_all};
pub use layout::classes_of;
#[cfg(all(feature = "engine", not(target_arch = "wasm32")))]
pub use pipeline::{Feed, pipeline, workers};
pub use source::Source;
#[cfg(not(target_arch = "wasm32"))]
pub use whole::{DataSet, TEST_SPLIT, read_image};

/// What a data set may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Members of an archive, or entries of a folder.
    pub entries: usize,
    /// Bytes of one image file.
    pub file_bytes: u64,
    /// Bytes of one name.
    pub name_bytes: usize,
    /// Bytes of an unpacked archive.
    pub archive_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            entries: 2_000_000,
            file_bytes: image::Limits::default().max_bytes as u64,
            name_bytes: 4096,
            archive_bytes: 512 << 30,
        }
    }
}

/// One labeled file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The split, if the data set has splits.
    pub split: Option<String>,
    /// The class: the name of the folder that the file lies in, composed (NFC) and without invisible
    /// characters as in every list of names.
    pub class: String,
    /// The path inside the data set, with `/` between folders.
    pub path: String,
    /// Position among the members of an archive.
    member: usize,
}

/// Receives the bytes of a file, or why there are none.
pub type Take<'a> = dyn FnMut(&Item, Result<Vec<u8>>) -> Result<()> + 'a;

impl Item {
    fn unlabeled(name: layout::Name) -> Self {
        Self {
            split: None,
            class: String::new(),
            path: name.path,
            member: name.member,
        }
    }
}

fn too_large(name: &str, limit: u64) -> Error {
    Error::new(
        Kind::ImageTooLarge,
        format!("{name} is larger than {limit} bytes; use a smaller image file."),
    )
}

fn too_many(place: impl Display, limit: usize) -> Error {
    Error::new(
        Kind::DataTooLarge,
        format!("{place} has more than {limit} entries; split it."),
    )
}

fn failed(place: impl Display, error: &std::io::Error) -> Error {
    Error::new(Kind::Io, format!("{place}: {error}."))
}

/// An archive in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpacked {
    /// The visible files in the order of the archive.
    pub files: Vec<UnpackedFile>,
    /// The paths of links, which have no bytes.
    pub links: Vec<String>,
}

/// A file of an archive in memory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnpackedFile {
    /// Its path inside the archive.
    pub path: String,
    /// The class folder that it lies in.
    pub class: Option<String>,
    /// Its bytes, or why these cannot be had.
    pub contents: Result<Vec<u8>>,
}

/// The archive `name` whose bytes are `bytes`, with the class folder of each file.
///
/// # Errors
/// As `DataSet::open` for an archive.
pub fn unpack_classes(name: &str, bytes: &[u8], limits: &Limits) -> Result<Unpacked> {
    let source = Source::Bytes(name, bytes);
    let names = archive::names(source, limits)?;
    let layout = layout::layout(names.files);
    let labeled = layout.items.into_iter().map(|item| (item, true));
    let loose = layout.loose.into_iter().map(Item::unlabeled);
    let mut items: Vec<(Item, bool)> = labeled.chain(loose.map(|item| (item, false))).collect();
    items.sort_by_key(|(item, _)| item.member);
    let all: Vec<&Item> = items.iter().map(|(item, _)| item).collect();
    let mut in_class = items.iter().map(|(_, labeled)| *labeled);
    let mut files = Vec::with_capacity(items.len());
    archive::read(source, limits, &all, &mut |item, contents| {
        let labeled = in_class.next().unwrap_or_default();
        files.push(UnpackedFile {
            path: item.path.clone(),
            class: labeled.then(|| item.class.clone()),
            contents,
        });
        Ok(())
    })?;
    Ok(Unpacked {
        files,
        links: names.links,
    })
}

/// The visible files of the archive `name` whose bytes are `bytes`, in its order: the path of each
/// with its contents, or why these cannot be had.
///
/// # Errors
/// As `DataSet::open` for an archive.
pub fn unpack(name: &str, bytes: &[u8], limits: &Limits) -> Result<Vec<(String, Result<Vec<u8>>)>> {
    let files = unpack_classes(name, bytes, limits)?.files.into_iter();
    Ok(files.map(|file| (file.path, file.contents)).collect())
}
