//! Targets: plurals, aliases, words above, modifiers.

use promptlens::pretrain::lit::text_targets::{Item, Kind, TextTargets};

use super::Small;
use crate::common::cosine;

fn item<'a>(targets: &'a TextTargets, text: &str) -> &'a Item {
    targets
        .items
        .iter()
        .find(|item| item.text.to_lowercase() == text)
        .unwrap_or_else(|| panic!("{text} is no item"))
}

#[test]
fn a_plural_an_alias_and_a_merged_name_have_the_target_of_the_name() {
    let targets = Small::new().targets();
    for (one, others) in [
        ("rose", vec!["roses"]),
        ("car", vec!["automobile", "cars"]),
        ("beagle", vec!["hound dog", "beagles"]),
    ] {
        for other in others {
            assert_eq!(
                item(&targets, one).row,
                item(&targets, other).row,
                "{other}"
            );
        }
    }
    // A folder's own name weighs as an alias, a plural by rule as a plural.
    assert_eq!(item(&targets, "roses").kind, Kind::Alias);
    assert_eq!(item(&targets, "beagles").kind, Kind::Plural);
}

#[test]
fn every_text_comes_once_and_every_target_has_length_one() {
    let targets = Small::new().targets();
    let mut texts: Vec<String> = targets
        .items
        .iter()
        .map(|i| i.text.to_lowercase())
        .collect();
    texts.sort();
    let count = texts.len();
    texts.dedup();
    assert_eq!(texts.len(), count);
    for row in targets.rows.chunks(targets.width) {
        let norm: f32 = row.iter().map(|v| v * v).sum();
        assert!((norm - 1.0).abs() < 1e-4, "{norm}");
    }
}

#[test]
fn a_word_without_a_vector_lies_near_the_kind_above_it() {
    let small = Small::new();
    let targets = small.targets();
    let row = |text: &str| targets.row(item(&targets, text).row);
    let (tabby, cat) = (row("tabby"), row("cat"));
    let alone = small.space.mapped(small.minilm.nouns.get("tabby").unwrap());
    let (near, far) = (cosine(tabby, cat), cosine(&alone, cat));
    assert!(near > far + 0.1, "{near} {far}");
    // Withheld names are read: they have targets, but none of the concepts'.
    assert!(item(&targets, "trumpet").row >= targets.concepts);
    assert!(item(&targets, "limo").row >= targets.concepts);
}

#[test]
fn a_modifier_moves_a_target_and_keeps_its_name() {
    let targets = Small::new().targets();
    // The changes of pictures come first, with the article written out.
    assert_eq!(targets.modifiers[0].template, "a blurry photo of a {}");
    assert_eq!(targets.modifiers[2].template, "a toy {}");
    let dog = item(&targets, "dog").row;
    let moved = targets.modified(dog, &targets.modifiers[0]);
    let other = targets.modified(dog, &targets.modifiers[1]);
    let (stays, apart) = (cosine(&moved, targets.row(dog)), cosine(&moved, &other));
    assert!((0.6..0.97).contains(&stays), "{stays}");
    assert!(apart < 0.97, "{apart}");
}
