//! Lists of words: those that a model has read (`words.txt.gz`), those for negative labels, and those of
//! one meaning.

use promptlens::ood::negatives::{PartOfSpeech, Synonyms, Vocabulary};
use promptlens::tokenize::KnownWords;

use super::checked;

pub fn run(bytes: &[u8]) {
    let known = KnownWords::from_bytes(bytes);
    let file = known.to_bytes().expect("a file in memory");
    assert!(
        KnownWords::from_bytes(&file) == known,
        "written and read again"
    );
    known.know("a photo of many glasses");

    let mut vocabulary = Vocabulary::default();
    for part in [PartOfSpeech::Noun, PartOfSpeech::Adjective] {
        let before = vocabulary.candidates().len();
        let added = checked(vocabulary.extend(bytes, part), &["negatives/invalid"]);
        let after = vocabulary.candidates().len();
        assert_eq!(after, before + added.unwrap_or(0));
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        Synonyms::parse(text);
    }
}
