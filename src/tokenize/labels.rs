//! Lists of class names, as people type, paste or store them.

use std::collections::BTreeSet;

use tokenizers::NormalizedString;

use super::same_name::same_names;
use crate::error::{Error, Kind, Result};

/// The most names in a list.
pub const MAX_LABELS: usize = 10_000;
/// The longest name in characters.
pub const MAX_LABEL_CHARS: usize = 1_000;
/// The longest list in bytes: more cannot be within the other two limits.
pub(super) const MAX_LIST_BYTES: usize = MAX_LABELS * MAX_LABEL_CHARS * 4;

/// Reads a list of class names as people type it and checks it.
///
/// # Errors
/// `labels/empty` for a list without names, and those of [`validate`].
pub fn parse_labels(text: &str) -> Result<Vec<String>> {
    let names = parse_typed_labels(text)?;
    validate(&names)?;
    Ok(names)
}

/// Reads a list of class names as people type or paste it: a JSON array of strings, or names separated
/// by commas, tabs and line ends. In such a list a name with commas stands in double quotes, `""` for a
/// quote in it. Each name is cleaned by [`clean_label`]; what is left empty is passed over.
///
/// The list is not checked; [`validate`] does that.
///
/// # Errors
/// `labels/too-long` for a text that no list within the limits takes.
pub fn parse_typed_labels(text: &str) -> Result<Vec<String>> {
    if text.len() > MAX_LIST_BYTES {
        return Err(too_long_list());
    }
    let text = text.trim_start_matches('\u{feff}');
    let raw = match serde_json::from_str::<Vec<String>>(text) {
        Ok(names) => names,
        Err(_) => fields(text),
    };
    let names = raw.iter().map(|name| clean_label(name));
    Ok(names.filter(|name| !name.is_empty()).collect())
}

/// Checks a list of class names.
///
/// # Errors
/// `labels/empty` if there is none or one is blank, `labels/duplicate` if two have the same token ids
/// (all such names are in its sentence), `labels/too-long` above 10,000 names or 1,000 characters in one.
pub fn validate(names: &[String]) -> Result<()> {
    within_limits(names)?;
    match doubles(names, &same_names(names)) {
        None => Ok(()),
        Some(sentence) => Err(Error::new(Kind::LabelsDuplicate, sentence)),
    }
}

/// Checks the list of a file that was written earlier, in which only equal names are doubles: lists of
/// older files may hold `Cardigan` beside `cardigan`.
///
/// # Errors
/// As [`validate`].
pub fn validate_stored(names: &[String]) -> Result<()> {
    within_limits(names)?;
    let mut seen = BTreeSet::new();
    match names.iter().find(|name| !seen.insert(*name)) {
        None => Ok(()),
        Some(name) => Err(Error::new(
            Kind::LabelsDuplicate,
            format!("The class name {name:?} is there twice; remove one."),
        )),
    }
}

fn within_limits(names: &[String]) -> Result<()> {
    if names.is_empty() || names.iter().any(|name| name.trim().is_empty()) {
        return Err(Error::new(
            Kind::LabelsEmpty,
            "There is no class name; give at least one, and no blank ones.",
        ));
    }
    if names.len() > MAX_LABELS {
        return Err(too_long_list());
    }
    if names
        .iter()
        .any(|name| name.chars().count() > MAX_LABEL_CHARS)
    {
        return Err(Error::new(
            Kind::LabelsTooLong,
            format!("A class name is longer than {MAX_LABEL_CHARS} characters; shorten it."),
        ));
    }
    Ok(())
}

/// Every name that is there more than once, in one sentence; `None` if all differ.
fn doubles(names: &[String], groups: &[Vec<usize>]) -> Option<String> {
    const SHOWN: usize = 10;
    let told: Vec<String> = groups
        .iter()
        .take(SHOWN)
        .map(|group| {
            let (first, others) = (&names[group[0]], &group[1..]);
            match others.iter().all(|place| names[*place] == *first) {
                true => format!("{first:?}"),
                false => {
                    let all: Vec<String> =
                        group.iter().map(|at| format!("{:?}", names[*at])).collect();
                    format!("{} (the model reads them alike)", all.join(" = "))
                }
            }
        })
        .collect();
    let more = match groups.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let count = match groups.len() {
        0 => return None,
        1 => "A class name is there twice or more".to_owned(),
        count => format!("{count} class names are there twice or more"),
    };
    Some(format!(
        "{count}: {}{more}; keep one of each, or give them other words.",
        told.join(", ")
    ))
}

pub(super) fn too_long_list() -> Error {
    Error::new(
        Kind::LabelsTooLong,
        format!("The list has more than {MAX_LABELS} class names; shorten it."),
    )
}

/// A name without what cannot be seen, composed (NFC) as most keyboards type it: line ends and tabs
/// become spaces; other control characters, the marks that turn the writing direction, soft hyphens
/// and spaces of no width vanish, and so does white space around it. Case and inner spaces stay.
pub fn clean_label(name: &str) -> String {
    let kept: String = name
        .chars()
        .filter_map(|c| match c {
            '\t' | '\n' | '\r' => Some(' '),
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}' => None,
            '\u{200b}' | '\u{200e}' | '\u{200f}' => None,
            '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{2069}' => None,
            c if c.is_control() => None,
            c => Some(c),
        })
        .collect();
    let mut composed = NormalizedString::from(kept.trim());
    composed.nfc();
    composed.get().to_owned()
}

/// The fields of a text separated by commas, tabs and line ends. A quote opens a quoted field only at
/// its start and only if it is closed; anywhere else it is part of the name.
pub(super) fn fields(text: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (field, after) = match quoted(rest, false) {
            Some(found) => found,
            None => {
                let end = rest.find([',', '\t', '\n', '\r']).unwrap_or(rest.len());
                (rest[..end].to_owned(), &rest[end..])
            }
        };
        names.push(field);
        rest = after.strip_prefix([',', '\t', '\n', '\r']).unwrap_or(after);
    }
    names
}

/// A quoted field at the start of `text`, over line ends if `lines` says so, and what follows it, which
/// is a separator or nothing.
pub(super) fn quoted(text: &str, lines: bool) -> Option<(String, &str)> {
    let mut rest = text.trim_start_matches([' ', '\t']).strip_prefix('"')?;
    let mut field = String::new();
    loop {
        let quote = rest.find('"')?;
        let (part, after) = rest.split_at(quote);
        if !lines && part.contains(['\n', '\r']) {
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
                let after = after.trim_start_matches(' ');
                let ends = after.is_empty()
                    || after.starts_with([',', '\t', '\n', '\r'])
                    || lines && after.starts_with(';');
                return ends.then_some((field, after));
            }
        }
    }
}
