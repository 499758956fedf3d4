//! A folder of images. Links are followed, as the file system does; the depth is bounded, so a
//! loop of links ends.

use std::path::Path;

use super::layout::{Name, Names, visible};
use super::{Limits, failed, too_many};
use crate::error::Result;

/// Levels of folders that are looked into: one around everything, split and class.
const LEVELS: usize = 3;

/// Every visible file down to `<folder>/<split>/<class>/<file>`, sorted by path.
pub fn names(root: &Path, limits: &Limits) -> Result<Names> {
    let mut found = Vec::new();
    let mut left = limits.entries;
    walk(root, "", LEVELS, limits, &mut left, &mut found)?;
    found.sort();
    let files = found.into_iter().map(|path| Name { path, member: 0 });
    Ok(Names {
        files: files.collect(),
        links: Vec::new(),
    })
}

fn walk(
    folder: &Path,
    prefix: &str,
    levels: usize,
    limits: &Limits,
    left: &mut usize,
    found: &mut Vec<String>,
) -> Result<()> {
    for entry in std::fs::read_dir(folder).map_err(|error| failed(folder.display(), &error))? {
        let entry = entry.map_err(|error| failed(folder.display(), &error))?;
        *left = left
            .checked_sub(1)
            .ok_or_else(|| too_many(folder.display(), limits.entries))?;
        // A name that is not Unicode could not be opened again by its path in the index.
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        if !visible(&name) {
            continue;
        }
        // A link to nothing is no file.
        let Ok(kind) = std::fs::metadata(entry.path()) else {
            continue;
        };
        let path = format!("{prefix}{name}");
        if kind.is_file() {
            found.push(path);
        } else if kind.is_dir() && levels > 0 {
            let prefix = format!("{path}/");
            walk(&entry.path(), &prefix, levels - 1, limits, left, found)?;
        }
    }
    Ok(())
}
