//! From paths to splits and classes.

use std::collections::BTreeMap;

use super::Item;
use crate::tokenize::clean_label;

/// A visible file: its path inside the data set and its position there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Name {
    pub path: String,
    pub member: usize,
}

/// What an index finds.
#[derive(Debug, Default)]
pub struct Names {
    /// The visible files.
    pub files: Vec<Name>,
    /// Links of an archive, which have no bytes.
    pub links: Vec<String>,
}

/// Files by split and class.
pub struct Layout {
    pub items: Vec<Item>,
    /// The folder around everything.
    #[cfg(not(target_arch = "wasm32"))]
    pub around: Option<String>,
    /// Files that lie in no class folder.
    pub loose: Vec<Name>,
    /// Where the class folder stands in a path.
    level: usize,
}

/// Folders of these names are splits, even if there is only one.
const SPLITS: [&str; 9] = [
    "train",
    "training",
    "val",
    "valid",
    "validation",
    "dev",
    "eval",
    "test",
    "testing",
];

/// Finds the class folders: the first level, or the second if most files lie one deeper, which makes
/// the first level splits. One folder around everything is neither.
pub fn layout(names: Vec<Name>) -> Layout {
    let around = around(&names);
    let outer = usize::from(around.is_some());
    let at = |depth: usize| {
        let depth = depth + outer;
        names.iter().filter(|name| levels(name) == depth).count()
    };
    let (in_classes, in_splits) = (at(2), at(3));
    let wanted = outer
        + if in_splits > 0 && in_splits >= in_classes {
            3
        } else {
            2
        };
    let mut found = Layout {
        items: Vec::new(),
        #[cfg(not(target_arch = "wasm32"))]
        around,
        loose: Vec::new(),
        level: wanted - 2,
    };
    for name in names {
        let folders: Vec<&str> = name.path.split('/').collect();
        if folders.len() != wanted {
            found.loose.push(name);
            continue;
        }
        found.items.push(Item {
            split: (wanted - outer == 3).then(|| folders[outer].to_owned()),
            class: clean_label(folders[wanted - 2]),
            path: name.path,
            member: name.member,
        });
    }
    found
}

fn levels(name: &Name) -> usize {
    name.path.split('/').count()
}

/// The class of each of `paths`, those of a folder that was chosen or dropped. A file that lies deeper
/// than the class folders belongs to the one around it.
pub fn classes_of(paths: &[String]) -> Vec<Option<String>> {
    let names = paths.iter().enumerate().map(|(member, path)| Name {
        path: path.clone(),
        member,
    });
    let layout = layout(names.collect());
    let mut classes = vec![None; paths.len()];
    for name in &layout.loose {
        let folders: Vec<&str> = name.path.split('/').collect();
        if folders.len() > layout.level + 2 {
            classes[name.member] = Some(clean_label(folders[layout.level]));
        }
    }
    for item in layout.items {
        classes[item.member] = Some(item.class);
    }
    classes
}

/// The folder that every file in a folder lies in, if most lie deeper than a class folder would.
fn around(names: &[Name]) -> Option<String> {
    let mut firsts: BTreeMap<&str, [usize; 2]> = BTreeMap::new();
    for name in names {
        if let Some((first, rest)) = name.path.split_once('/') {
            firsts.entry(first).or_default()[usize::from(rest.contains('/'))] += 1;
        }
    }
    let (first, [direct, deeper]) = firsts.first_key_value()?;
    let split = SPLITS.iter().any(|split| first.eq_ignore_ascii_case(split));
    (firsts.len() == 1 && deeper > direct && !split).then(|| (*first).to_owned())
}

/// Whether a file manager would show the path.
pub fn visible(path: &str) -> bool {
    !path.split('/').any(|part| part.starts_with('.'))
}
