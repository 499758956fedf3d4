//! Lists of class names, as people type, paste or store them.

use std::collections::BTreeSet;

use crate::error::{Error, Kind, Result};

/// The most names in a list.
pub const MAX_LABELS: usize = 10_000;
/// The longest name in characters.
pub const MAX_LABEL_CHARS: usize = 1_000;
/// The longest list in bytes: more cannot be within the other two limits.
const MAX_LIST_BYTES: usize = MAX_LABELS * MAX_LABEL_CHARS * 4;

/// Reads a list of class names: a JSON array of strings, or names separated by commas and line
/// ends. In such a list a name with commas stands in double quotes, `""` for a quote in it.
///
/// White space around a name is dropped, and so are control characters and those that turn the
/// writing direction; case and inner spaces stay. Lines or fields with nothing in them are passed
/// over.
///
/// # Errors
/// `labels/empty` for a list without names, and those of [`validate`].
pub fn parse_labels(text: &str) -> Result<Vec<String>> {
    if text.len() > MAX_LIST_BYTES {
        return Err(too_many());
    }
    let text = text.trim_start_matches('\u{feff}');
    let raw = match serde_json::from_str::<Vec<String>>(text) {
        Ok(names) => names,
        Err(_) => fields(text),
    };
    let names: Vec<String> = raw
        .iter()
        .map(|name| clean(name))
        .filter(|name| !name.is_empty())
        .collect();
    validate(&names)?;
    Ok(names)
}

/// Checks a list of class names.
///
/// # Errors
/// `labels/empty` if there is none or one is blank, `labels/duplicate` if two are equal,
/// `labels/too-long` above 10,000 names or 1,000 characters in one.
pub fn validate(names: &[String]) -> Result<()> {
    if names.is_empty() || names.iter().any(|name| name.trim().is_empty()) {
        return Err(Error::new(
            Kind::LabelsEmpty,
            "There is no class name; give at least one, and no blank ones.",
        ));
    }
    if names.len() > MAX_LABELS {
        return Err(too_many());
    }
    let mut seen = BTreeSet::new();
    for name in names {
        if name.chars().count() > MAX_LABEL_CHARS {
            return Err(Error::new(
                Kind::LabelsTooLong,
                format!("A class name is longer than {MAX_LABEL_CHARS} characters; shorten it."),
            ));
        }
        if !seen.insert(name) {
            return Err(Error::new(
                Kind::LabelsDuplicate,
                format!("The class name {name:?} is there twice; remove one."),
            ));
        }
    }
    Ok(())
}

fn too_many() -> Error {
    Error::new(
        Kind::LabelsTooLong,
        format!("The list has more than {MAX_LABELS} class names; shorten it."),
    )
}

/// A name without what cannot be seen: line ends and tabs become spaces, other control characters
/// and the marks that turn the writing direction vanish.
fn clean(name: &str) -> String {
    let kept: String = name
        .chars()
        .filter_map(|c| match c {
            '\t' | '\n' | '\r' => Some(' '),
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{feff}' => None,
            '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => None,
            c if c.is_control() => None,
            c => Some(c),
        })
        .collect();
    kept.trim().to_owned()
}

/// The fields of a text separated by commas and line ends. A quote opens a quoted field only at
/// its start and only if it is closed; anywhere else it is part of the name.
fn fields(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (field, after) = match quoted(rest) {
            Some(found) => found,
            None => {
                let end = rest.find([',', '\n', '\r']).unwrap_or(rest.len());
                (rest[..end].to_owned(), &rest[end..])
            }
        };
        names.push(field);
        rest = after.strip_prefix([',', '\n', '\r']).unwrap_or(after);
    }
    names
}

/// A quoted field at the start of `text` and what follows it, which is a separator or nothing.
fn quoted(text: &str) -> Option<(String, &str)> {
    let mut rest = text.trim_start_matches([' ', '\t']).strip_prefix('"')?;
    let mut field = String::new();
    loop {
        let quote = rest.find('"')?;
        let (part, after) = rest.split_at(quote);
        if part.contains(['\n', '\r']) {
            return None;
        }
        field.push_str(part);
        let after = &after[1..];
        match after.strip_prefix('"') {
            Some(more) => {
                field.push('"');
                rest = more;
            }
            None => {
                let after = after.trim_start_matches([' ', '\t']);
                let ends = after.is_empty() || after.starts_with([',', '\n', '\r']);
                return ends.then_some((field, after));
            }
        }
    }
}
