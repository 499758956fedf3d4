//! A folder or an archive on disk, indexed once and read by choice.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use super::{Item, Limits, Source, Take, archive, directory, failed, layout, too_large};
use crate::error::{Error, Kind, Result};

/// The split that is measured if none is named.
pub const TEST_SPLIT: &str = "test";

/// An indexed data set.
#[derive(Debug, Clone)]
pub struct DataSet {
    path: PathBuf,
    archive: bool,
    limits: Limits,
    items: Vec<Item>,
    around: Option<String>,
    ignored: usize,
    links: usize,
}

impl DataSet {
    /// Indexes the folder, `.tar`, `.tar.gz` or `.zip` at `path`; which of these it is shows in its bytes.
    ///
    /// Names that start with a dot are passed over, and so is one folder around everything. If most
    /// files lie in a folder of a folder, the outer ones are splits. Files elsewhere are counted in
    /// [`ignored`](Self::ignored), links of an archive in [`links`](Self::links).
    ///
    /// # Errors
    /// `io/failed` if it cannot be read, `data/invalid` for a file that is not a sound archive,
    /// `data/unsafe-path` for absolute member names and such with `..`, `data/too-large` beyond
    /// `limits`, `data/empty` if no file lies in a class folder.
    pub fn open(path: &Path, limits: &Limits) -> Result<Self> {
        let (names, archive) = index(path, limits)?;
        let layout = layout::layout(names.files);
        if layout.items.is_empty() {
            return Err(Error::new(
                Kind::DataEmpty,
                format!(
                    "{} has no file at <class>/<file> or <split>/<class>/<file>.",
                    path.display()
                ),
            ));
        }
        Ok(Self {
            path: path.to_owned(),
            archive,
            limits: *limits,
            ignored: layout.loose.len(),
            links: names.links.len(),
            around: layout.around,
            items: layout.items,
        })
    }

    /// As [`open`](Self::open), but if no file lies in a class folder, the files at the top are
    /// taken, with an empty class.
    ///
    /// # Errors
    /// Those of [`open`](Self::open); `data/empty` only if there is no file at all.
    pub fn open_any(path: &Path, limits: &Limits) -> Result<Self> {
        match Self::open(path, limits) {
            Err(error) if error.kind() == Kind::DataEmpty => {}
            outcome => return outcome,
        }
        Self::files(path, limits)
    }

    /// Every file wherever it lies, with an empty class.
    ///
    /// # Errors
    /// Those of [`open`](Self::open); `data/empty` only if there is no file at all.
    pub fn files(path: &Path, limits: &Limits) -> Result<Self> {
        let (names, archive) = index(path, limits)?;
        if names.files.is_empty() {
            return Err(Error::new(
                Kind::DataEmpty,
                format!("{} has no file.", path.display()),
            ));
        }
        Ok(Self {
            path: path.to_owned(),
            archive,
            limits: *limits,
            ignored: 0,
            links: names.links.len(),
            around: None,
            items: names.files.into_iter().map(Item::unlabeled).collect(),
        })
    }

    /// Every labeled file: a folder's by path, an archive's in its own order.
    pub fn items(&self) -> &[Item] {
        &self.items
    }

    /// Visible files that lie in no class folder.
    pub fn ignored(&self) -> usize {
        self.ignored
    }

    /// Links of an archive, which have no bytes.
    pub fn links(&self) -> usize {
        self.links
    }

    /// The splits, none if the classes lie at the top.
    pub fn splits(&self) -> BTreeSet<&str> {
        self.items
            .iter()
            .filter_map(|item| item.split.as_deref())
            .collect()
    }

    /// The files of `split`; if it is left out, of [`TEST_SPLIT`], or all of a data set without
    /// splits, for which also the folder around everything may be named.
    ///
    /// # Errors
    /// `data/unknown-split` if there is no such split.
    pub fn select(&self, split: Option<&str>) -> Result<Vec<&Item>> {
        let splits = self.splits();
        let all = split.is_none() || split == self.around.as_deref();
        if splits.is_empty() && all {
            return Ok(self.items.iter().collect());
        }
        let wanted = split.unwrap_or(TEST_SPLIT);
        if !splits.contains(wanted) {
            const SHOWN: usize = 8;
            let known: Vec<_> = splits.iter().take(SHOWN).collect();
            let advice = if known.is_empty() {
                "It has none; leave the split out.".to_owned()
            } else {
                format!("It starts with the folders {known:?}; name one of them as the split.")
            };
            return Err(Error::new(
                Kind::DataUnknownSplit,
                format!("{} has no split {wanted:?}. {advice}", self.path.display()),
            ));
        }
        Ok(self
            .items
            .iter()
            .filter(|item| item.split.as_deref() == Some(wanted))
            .collect())
    }

    /// Hands the bytes of `items` to `take`, in the order of [`items`](Self::items). A file that is
    /// too large or cannot be read is handed over as its error and does not end the pass.
    ///
    /// # Errors
    /// `io/failed` or `data/invalid` for the archive itself, and whatever `take` returns.
    pub fn read(&self, items: &[&Item], take: &mut Take<'_>) -> Result<()> {
        if self.archive {
            return archive::read(Source::File(&self.path), &self.limits, items, take);
        }
        for item in items {
            take(
                item,
                read_limited(&self.path.join(&item.path), self.limits.file_bytes),
            )?;
        }
        Ok(())
    }
}

/// The bytes of the image file at `path`, at most those that an image may have.
///
/// # Errors
/// `io/failed`, `image/too-large`.
pub fn read_image(path: &Path) -> Result<Vec<u8>> {
    read_limited(path, Limits::default().file_bytes)
}

/// The visible files below `path`, and whether it is an archive.
fn index(path: &Path, limits: &Limits) -> Result<(layout::Names, bool)> {
    let kind = std::fs::metadata(path).map_err(|error| failed(path.display(), &error))?;
    if kind.is_dir() {
        Ok((directory::names(path, limits)?, false))
    } else if kind.is_file() {
        Ok((archive::names(Source::File(path), limits)?, true))
    } else {
        Err(Error::new(
            Kind::Io,
            format!("{} is neither a folder nor a file.", path.display()),
        ))
    }
}

fn read_limited(path: &Path, limit: u64) -> Result<Vec<u8>> {
    let kind = std::fs::metadata(path).map_err(|error| failed(path.display(), &error))?;
    if !kind.is_file() {
        return Err(Error::new(
            Kind::Io,
            format!("{} is not a file.", path.display()),
        ));
    }
    let file = File::open(path).map_err(|error| failed(path.display(), &error))?;
    let mut bytes = Vec::new();
    file.take(limit.saturating_add(1))
        .read_to_end(&mut bytes)
        .map_err(|error| failed(path.display(), &error))?;
    if bytes.len() as u64 > limit {
        return Err(too_large(&path.display().to_string(), limit));
    }
    Ok(bytes)
}
