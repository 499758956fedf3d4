//! Class lists, typed or pasted or as a file.

use promptlens::tokenize::{
    NameIndex, clean_label, parse_label_file, parse_labels, parse_typed_labels, same_names,
    validate, validate_stored,
};

use super::checked;

const ROOMS: &[&str] = &["labels/"];
const FILES: &[&str] = &["labels.json", "labels.csv", "labels.tsv", "labels.txt"];

pub fn run(bytes: &[u8]) {
    for name in FILES {
        // "io/failed" is for bytes that are no text.
        if let Some(names) = checked(parse_label_file(name, bytes), &["labels/", "io/failed"]) {
            assert!(!names.is_empty());
            sound(&names);
        }
    }
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let typed = checked(parse_typed_labels(text), ROOMS);
    let list = checked(parse_labels(text), ROOMS);
    if let Some(names) = &typed {
        sound(names);
        let valid = validate(names).is_ok();
        assert_eq!(list.as_ref(), valid.then_some(names));
    }
}

fn sound(names: &[String]) {
    for name in names {
        assert!(
            !name.is_empty() && !name.contains(char::is_control),
            "{name:?}"
        );
        assert_eq!(*name, clean_label(name), "cleaned twice");
    }
    let valid = checked(validate(names), ROOMS).is_some();
    if valid {
        assert!(same_names(names).is_empty());
        checked(validate_stored(names), ROOMS).expect("a list that is valid may be stored");
        let index = NameIndex::new(names);
        for (place, name) in names.iter().enumerate().take(100) {
            assert_eq!(index.place(name), Some(place));
        }
    }
    // Written as JSON it is read as the same, as a file and as typed.
    let json = serde_json::Value::from(names).to_string();
    let again = parse_typed_labels(&json).expect("an array of names");
    assert_eq!(again, names);
    if !names.is_empty() {
        let file = parse_label_file("labels.json", json.as_bytes()).expect("an array of names");
        assert_eq!(file, names);
    }
}
