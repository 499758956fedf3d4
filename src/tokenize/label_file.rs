//! Files of class names: JSON as models and data sets publish it, tables, and plain lists.

use serde_json::{Map, Value};

use super::labels::{MAX_LIST_BYTES, clean_label, fields, quoted, too_long_list};
use crate::error::{Error, Kind, Result};

/// Reads the class names in a file called `name`: JSON if it begins with a bracket, the first column
/// if the name ends in `.csv` or `.tsv`, else one name a line; a file of one line may separate names by
/// commas or tabs. Text is UTF-8, or UTF-16 with its mark.
///
/// JSON is an array of texts or of objects with a `label` or `name`, such an array under `labels`,
/// `classes`, `names` or `class_names`, or the `id2label` or `label2id` of a model, alone or inside its
/// configuration; a class index with pairs of an identifier and a name is one too.
///
/// The list is not checked for doubles; [`validate`](super::validate) does that.
///
/// # Errors
/// `io/failed` for bytes that are no text, `labels/file` for JSON that holds no list of names,
/// `labels/empty`, `labels/too-long`.
pub fn parse_label_file(name: &str, bytes: &[u8]) -> Result<Vec<String>> {
    if bytes.len() > MAX_LIST_BYTES {
        return Err(too_long_list());
    }
    let text = decoded(name, bytes)?;
    let text = text.trim_start_matches('\u{feff}');
    let start = text.trim_start();
    let raw = if start.starts_with(['[', '{']) {
        from_json(name, start)?
    } else if has_extension(name, "csv") || has_extension(name, "tsv") {
        first_column(text)
    } else {
        from_lines(text)
    };
    let names: Vec<String> = raw
        .iter()
        .map(|name| clean_label(name))
        .filter(|name| !name.is_empty())
        .collect();
    match names.is_empty() {
        true => Err(Error::new(
            Kind::LabelsEmpty,
            format!("{name} holds no names; give one name per line, a CSV or a JSON array."),
        )),
        false => Ok(names),
    }
}

fn has_extension(name: &str, extension: &str) -> bool {
    name.rsplit_once('.')
        .is_some_and(|(_, own)| own.eq_ignore_ascii_case(extension))
}

fn decoded(name: &str, bytes: &[u8]) -> Result<String> {
    let sixteen = |from: fn([u8; 2]) -> u16, bytes: &[u8]| {
        let (pairs, rest) = bytes.as_chunks::<2>();
        let units: Vec<u16> = pairs.iter().map(|pair| from(*pair)).collect();
        String::from_utf16(&units).ok().filter(|_| rest.is_empty())
    };
    let text = match bytes {
        [0xff, 0xfe, rest @ ..] => sixteen(u16::from_le_bytes, rest),
        [0xfe, 0xff, rest @ ..] => sixteen(u16::from_be_bytes, rest),
        _ => String::from_utf8(bytes.to_vec()).ok(),
    };
    text.ok_or_else(|| {
        Error::new(
            Kind::Io,
            format!("{name} is not UTF-8 text; save it as UTF-8 (in Excel: \"CSV UTF-8\")."),
        )
    })
}

fn refused(name: &str, what: &str) -> Error {
    Error::new(
        Kind::LabelsFile,
        format!("{name} {what}; give a JSON array of names, a CSV, or one name per line."),
    )
}

fn from_json(name: &str, text: &str) -> Result<Vec<String>> {
    let value: Value = serde_json::from_str(text)
        .map_err(|error| refused(name, &format!("is not valid JSON ({error})")))?;
    listed(&value).map_err(|what| refused(name, &what))
}

/// The names in a JSON document, or what is wrong with it.
fn listed(value: &Value) -> Result<Vec<String>, String> {
    match value {
        Value::Array(items) => Ok(items.iter().filter_map(named).collect()),
        Value::Object(map) => in_object(map),
        _ => Err("holds no list".to_owned()),
    }
}

/// The name that an item of a list is or carries.
fn named(item: &Value) -> Option<String> {
    let text = match item {
        Value::Object(map) => map.get("label").or_else(|| map.get("name"))?,
        item => item,
    };
    text.as_str().map(str::to_owned)
}

fn in_object(map: &Map<String, Value>) -> Result<Vec<String>, String> {
    const LISTS: [&str; 6] = [
        "labels",
        "classes",
        "names",
        "class_names",
        "id2label",
        "label2id",
    ];
    for key in LISTS {
        match map.get(key) {
            Some(list @ (Value::Array(_) | Value::Object(_))) => return listed(list),
            Some(Value::Null) | None => {}
            Some(_) => return Err(format!("has something else than a list as \"{key}\"")),
        }
    }
    by_number(map)
        .or_else(|| of_numbers(map))
        .or_else(|| map.values().map(indexed).collect())
        .ok_or_else(|| "holds no list of names".to_owned())
}

/// `{"0": "tench", ...}` or `{"0": ["n01440764", "tench"], ...}`, by number.
fn by_number(map: &Map<String, Value>) -> Option<Vec<String>> {
    let mut numbered = map
        .iter()
        .map(|(key, value)| Some((key.trim().parse::<u64>().ok()?, indexed(value)?)))
        .collect::<Option<Vec<_>>>()?;
    numbered.sort_by_key(|(number, _)| *number);
    Some(numbered.into_iter().map(|(_, name)| name).collect())
}

/// `{"tench": 0, ...}`, by number.
fn of_numbers(map: &Map<String, Value>) -> Option<Vec<String>> {
    let mut numbered = map
        .iter()
        .map(|(key, value)| Some((value.as_u64()?, key.clone())))
        .collect::<Option<Vec<_>>>()?;
    numbered.sort();
    Some(numbered.into_iter().map(|(_, name)| name).collect())
}

/// The name of an entry of an index: alone, or behind an identifier.
fn indexed(value: &Value) -> Option<String> {
    match value {
        Value::Array(pair) => match pair.as_slice() {
            [Value::String(_), Value::String(name)] => Some(name.clone()),
            _ => None,
        },
        value => named(value),
    }
}

/// One name a line; of a single line, the names between its commas or tabs. A comma at the end of a line is
/// no part of a name.
fn from_lines(text: &str) -> Vec<String> {
    let lines: Vec<&str> = text
        .split(['\n', '\r'])
        .map(str::trim)
        .filter(|line| !line.is_empty())
        .collect();
    if let [line] = lines[..] {
        return fields(line);
    }
    let name = |line: &str| match quoted(line, false) {
        Some((name, rest)) if rest.trim_start_matches(',').trim().is_empty() => name,
        _ => line.trim_end_matches(',').to_owned(),
    };
    lines.into_iter().map(name).collect()
}

/// The first cell of each row (RFC 4180, also with semicolons or tabs); a head row that says so is
/// left out.
fn first_column(text: &str) -> Vec<String> {
    const HEADS: [&str; 8] = [
        "label",
        "labels",
        "name",
        "names",
        "class",
        "classes",
        "class_name",
        "category",
    ];
    let separators = [',', ';', '\t'];
    let mut cells = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let mut first = true;
        loop {
            let (cell, after) = quoted(rest, true).unwrap_or_else(|| {
                let end = rest
                    .find([',', ';', '\t', '\n', '\r'])
                    .unwrap_or(rest.len());
                (rest[..end].to_owned(), &rest[end..])
            });
            if first {
                cells.push(cell);
            }
            first = false;
            match after.strip_prefix(separators) {
                Some(more) => rest = more,
                None => {
                    rest = after.strip_prefix(['\n', '\r']).unwrap_or(after);
                    break;
                }
            }
        }
    }
    let head = cells.first().map(|cell| cell.trim().to_lowercase());
    if head.is_some_and(|head| HEADS.contains(&head.as_str())) {
        cells.remove(0);
    }
    cells
}
