//! Targets: plurals, aliases, words above, modifiers.

use promptlens::pretrain::lit::text_targets::{Item, Kind, Lessons};

use super::Small;
use crate::common::cosine;

fn item<'a>(lessons: &'a Lessons, text: &str) -> &'a Item {
    lessons
        .items
        .iter()
        .find(|item| item.text.to_lowercase() == text)
        .unwrap_or_else(|| panic!("{text} is no item"))
}

#[test]
fn a_plural_an_alias_and_a_merged_name_have_the_target_of_the_name() {
    let lessons = Small::new().lessons();
    for (one, others) in [
        ("rose", vec!["roses"]),
        ("car", vec!["automobile", "cars"]),
        ("beagle", vec!["hound dog", "beagles"]),
    ] {
        for other in others {
            assert_eq!(
                item(&lessons, one).row,
                item(&lessons, other).row,
                "{other}"
            );
        }
    }
    // A folder's own name weighs as an alias, a plural by rule as a plural.
    assert_eq!(item(&lessons, "roses").kind, Kind::Alias);
    assert_eq!(item(&lessons, "beagles").kind, Kind::Plural);
}

#[test]
fn every_text_comes_once_and_every_target_has_length_one() {
    let lessons = Small::new().lessons();
    let mut texts: Vec<String> = lessons
        .items
        .iter()
        .map(|i| i.text.to_lowercase())
        .collect();
    texts.sort();
    let count = texts.len();
    texts.dedup();
    assert_eq!(texts.len(), count);
    for row in lessons.rows.chunks(lessons.width) {
        let norm: f32 = row.iter().map(|v| v * v).sum();
        assert!((norm - 1.0).abs() < 1e-4, "{norm}");
    }
}

#[test]
fn a_word_without_a_vector_lies_near_the_kind_above_it() {
    let small = Small::new();
    let lessons = small.lessons();
    let row = |text: &str| lessons.row(item(&lessons, text).row);
    let (tabby, cat) = (row("tabby"), row("cat"));
    let alone = small.space.mapped(small.minilm.nouns.get("tabby").unwrap());
    let (near, far) = (cosine(tabby, cat), cosine(&alone, cat));
    assert!(near > far + 0.1, "{near} {far}");
    // Withheld names are read: they have targets, but none of the concepts'.
    assert!(item(&lessons, "trumpet").row >= lessons.concepts);
    assert!(item(&lessons, "limo").row >= lessons.concepts);
}

#[test]
fn a_modifier_moves_a_target_and_keeps_its_name() {
    let lessons = Small::new().lessons();
    // The changes of pictures come first, with the article written out.
    assert_eq!(lessons.modifiers[0].template, "a blurry photo of a {}");
    assert_eq!(lessons.modifiers[2].template, "a toy {}");
    let dog = item(&lessons, "dog").row;
    let moved = lessons.modified(dog, &lessons.modifiers[0]);
    let other = lessons.modified(dog, &lessons.modifiers[1]);
    let (stays, apart) = (cosine(&moved, lessons.row(dog)), cosine(&moved, &other));
    assert!((0.6..0.97).contains(&stays), "{stays}");
    assert!(apart < 0.97, "{apart}");
}
