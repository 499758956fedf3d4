//! The words that a text tower has read in training, as far as a model says so.

use std::collections::BTreeSet;

/// A model's file of them, one word per line.
pub const FILE: &str = "words.txt";

/// Words in lower case.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct KnownWords(BTreeSet<String>);

/// The words of a text: runs of letters and digits, in lower case.
fn words(text: &str) -> impl Iterator<Item = String> {
    let runs = text.split(|c: char| !c.is_alphanumeric());
    runs.filter(|run| !run.is_empty()).map(str::to_lowercase)
}

impl KnownWords {
    /// The words of texts.
    pub fn of<'a>(texts: impl IntoIterator<Item = &'a str>) -> Self {
        Self(texts.into_iter().flat_map(words).collect())
    }

    /// Those of the file; what is not UTF-8 in it is no word.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self::of(String::from_utf8_lossy(bytes).lines())
    }

    /// The file: sorted, one word per line.
    pub fn to_text(&self) -> String {
        self.0.iter().map(|word| format!("{word}\n")).collect()
    }

    /// Whether every word of `name` was read, in the singular or in the plural. A name without
    /// letters or digits was not.
    pub fn know(&self, name: &str) -> bool {
        let mut any = false;
        words(name).all(|word| {
            any = true;
            self.has(&word)
        }) && any
    }

    fn has(&self, word: &str) -> bool {
        // What is behind an apostrophe is a word of its own here.
        let singulars = [
            Some(word.to_owned()),
            word.strip_suffix('s').map(str::to_owned),
            word.strip_suffix("es").map(str::to_owned),
            word.strip_suffix("ies").map(|stem| format!("{stem}y")),
        ];
        let mut forms = singulars.into_iter().flatten();
        word == "s" || forms.any(|form| self.0.contains(&form))
    }
}

#[cfg(test)]
mod tests {
    use super::KnownWords;

    #[test]
    fn every_word_of_a_name_counts() {
        let known = KnownWords::of(["A chain saw.", "Berry", "glass", "crème brûlée", "dog's"]);
        for name in [
            "chain saw",
            "Chain_Saw",
            "berries",
            "glasses",
            "CRÈME brûlée",
            "a dog's chains",
        ] {
            assert!(known.know(name), "{name}");
        }
        for name in ["", "?!", "chain sow", "flurb", "猫", "dog flurb"] {
            assert!(!known.know(name), "{name}");
        }
    }

    #[test]
    fn the_file_gives_the_same_words() {
        let known = KnownWords::of(["b a", "A-c"]);
        assert_eq!(known.to_text(), "a\nb\nc\n");
        assert_eq!(KnownWords::from_bytes(known.to_text().as_bytes()), known);
        assert_eq!(
            KnownWords::from_bytes(b"a\r\nb\nc\n\xff"),
            KnownWords::of(["a b c"])
        );
    }
}
