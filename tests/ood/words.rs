//! The bundled lists are what they claim to be.

use promptlens::ood::negatives::{PartOfSpeech, Vocabulary};

const NOUNS: &str = include_str!("../../src/ood/words/nouns.txt");
const ADJECTIVES: &str = include_str!("../../src/ood/words/adjectives.txt");
const SYNONYMS: &str = include_str!("../../src/ood/words/synonyms.txt");

#[test]
fn sorted_unique_and_lower_case() {
    for text in [NOUNS, ADJECTIVES] {
        let lines: Vec<&str> = text.lines().collect();
        for pair in lines.windows(2) {
            assert!(pair[0] < pair[1], "{} before {}", pair[0], pair[1]);
        }
        for word in lines {
            let plain = |c: char| c.is_ascii_lowercase() || c == ' ' || c == '-';
            assert!(
                !word.is_empty() && word.chars().all(plain) && word.trim() == word,
                "{word:?}"
            );
        }
    }
}

#[test]
fn some_thousands_of_words() {
    let v = Vocabulary::bundled().unwrap();
    let count = |part| v.candidates().iter().filter(|c| c.part == part).count();
    let (nouns, adjectives) = (count(PartOfSpeech::Noun), count(PartOfSpeech::Adjective));
    assert_eq!(nouns, NOUNS.lines().count());
    assert!(
        nouns >= 2500 && adjectives >= 500,
        "{nouns} nouns, {adjectives} adjectives"
    );
    // No word is told apart from another by spelling alone.
    assert_eq!(
        adjectives,
        ADJECTIVES
            .lines()
            .filter(|w| !NOUNS.lines().any(|n| n == *w))
            .count()
    );
}

#[test]
fn synonym_lines_relate_something() {
    for line in SYNONYMS
        .lines()
        .filter(|l| !l.is_empty() && !l.starts_with('#'))
    {
        let marks = line.matches('=').count() + line.matches('>').count();
        assert!(marks >= 1 && line.matches('>').count() <= 1, "{line}");
        assert!(!(line.contains('=') && line.contains('>')), "{line}");
        assert!(
            line.split(['=', '>', ',']).all(|w| !w.trim().is_empty()),
            "{line}"
        );
    }
}
