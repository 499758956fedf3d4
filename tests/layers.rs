//! Modules import downwards only, as docs/design/architecture.md's table of layers says.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const ROOT: &str = env!("CARGO_MANIFEST_DIR");

/// The rows of the table under "## Layers": a layer's modules, lowest layer first.
fn table(architecture: &str) -> Vec<Vec<String>> {
    let section = architecture
        .split("\n## ")
        .find(|section| section.starts_with("Layers\n"))
        .expect("docs/design/architecture.md has a section Layers");
    let mut layers: Vec<Vec<String>> = section
        .lines()
        .filter_map(|line| line.strip_prefix("| `"))
        .map(|row| {
            let cell = row.split('|').next().expect("a row has a cell");
            let modules = cell.split('`').step_by(2);
            modules
                .map(str::to_owned)
                .filter(|m| !m.is_empty())
                .collect()
        })
        .collect();
    // The page shows the highest layer first, as it stands on the others.
    layers.reverse();
    layers
}

fn sources(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(dir).expect("a folder of sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|e| e == "rs") {
            found.push(path);
        }
    }
}

/// The module of `src/` that a file belongs to.
fn module(path: &Path) -> String {
    let inside = path
        .strip_prefix(Path::new(ROOT).join("src"))
        .expect("in src/");
    let first = inside.components().next().expect("a file has a name");
    let name = first.as_os_str().to_string_lossy();
    name.trim_end_matches(".rs").to_owned()
}

/// The modules that code outside comments and inline tests names.
fn imports(code: &str) -> BTreeSet<String> {
    let code = code
        .split("#[cfg(test)]\nmod tests {")
        .next()
        .unwrap_or(code);
    let mut found = BTreeSet::new();
    for line in code
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
    {
        for after in line.split("crate::").skip(1) {
            let name: String = after
                .chars()
                .take_while(|c| c.is_ascii_alphanumeric() || *c == '_')
                .collect();
            found.insert(name);
        }
    }
    found.remove("");
    found
}

/// Every import that does not point to a lower layer.
fn upward(layers: &[Vec<String>], files: &[(String, String)]) -> Vec<String> {
    let height: BTreeMap<&str, usize> = layers
        .iter()
        .enumerate()
        .flat_map(|(height, modules)| modules.iter().map(move |m| (m.as_str(), height)))
        .collect();
    let mut wrong = BTreeSet::new();
    for (own, code) in files {
        let Some(from) = height.get(own.as_str()) else {
            wrong.insert(format!("{own} is in no layer"));
            continue;
        };
        for other in imports(code) {
            match height.get(other.as_str()) {
                _ if other == *own => {}
                Some(to) if to < from => {}
                Some(_) => drop(wrong.insert(format!("{own} imports {other}"))),
                // A macro or an item of lib.rs itself.
                None => {}
            }
        }
    }
    wrong.into_iter().collect()
}

#[test]
fn modules_import_downwards_only() {
    let architecture =
        fs::read_to_string(Path::new(ROOT).join("docs/design/architecture.md")).unwrap();
    let layers = table(&architecture);
    assert!(layers.len() > 5, "{layers:?}");
    let mut paths = Vec::new();
    sources(&Path::new(ROOT).join("src"), &mut paths);
    let files: Vec<(String, String)> = paths
        .iter()
        .map(|path| (module(path), fs::read_to_string(path).unwrap()))
        .filter(|(module, _)| module != "lib" && module != "bin")
        .collect();
    let wrong = upward(&layers, &files);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn an_import_that_points_up_is_found() {
    let layers = [
        vec!["math".to_owned()],
        vec!["clip".to_owned(), "device".to_owned()],
    ];
    let file = |module: &str, code: &str| (module.to_owned(), code.to_owned());
    let found = |module, code| upward(&layers, &[file(module, code)]);
    assert!(found("clip", "use crate::math::dot;").is_empty());
    assert_eq!(
        found("math", "use crate::clip::Clip;"),
        ["math imports clip"]
    );
    assert_eq!(
        found("clip", "let d = crate::device::cpu();"),
        ["clip imports device"]
    );
    assert!(found("math", "// crate::clip is above").is_empty());
    assert_eq!(found("new", ""), ["new is in no layer"]);
}
