//! From paths to splits and classes.

#[cfg(not(target_arch = "wasm32"))]
use super::Item;

/// A visible file: its path inside the data set and its position there.
pub struct Name {
    pub path: String,
    pub member: usize,
}

/// The files that lie in a class folder. One file three levels deep makes the first level splits.
#[cfg(not(target_arch = "wasm32"))]
pub fn items(names: Vec<Name>) -> Vec<Item> {
    let depth = |name: &Name| name.path.split('/').count();
    let wanted = if names.iter().any(|name| depth(name) == 3) {
        3
    } else {
        2
    };
    names
        .into_iter()
        .filter(|name| depth(name) == wanted)
        .filter_map(|name| {
            let (folders, _) = name.path.rsplit_once('/')?;
            let (split, class) = match folders.split_once('/') {
                Some((split, class)) => (Some(split.to_owned()), class.to_owned()),
                None => (None, folders.to_owned()),
            };
            Some(Item {
                split,
                class,
                path: name.path,
                member: name.member,
            })
        })
        .collect()
}

/// Whether a file manager would show the path.
pub fn visible(path: &str) -> bool {
    !path.split('/').any(|part| part.starts_with('.'))
}
