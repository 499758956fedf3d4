//! The words that a text tower has read in training, as far as a model says so.

use std::collections::BTreeSet;
use std::io::{Read, Write};

use flate2::Compression;
use flate2::read::GzDecoder;
use flate2::write::GzEncoder;

/// A model's file of them, one word per line, gzipped.
pub const FILE: &str = "words.txt.gz";
/// What is more is not read.
const MAX_BYTES: u64 = 8 << 20;
/// How gzip begins.
const GZIP: [u8; 2] = [0x1f, 0x8b];

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

    /// Those of the file, which a server may have unzipped on the way. What is not UTF-8 in it is no
    /// word, and what is behind a damaged place is not read.
    pub fn from_bytes(bytes: &[u8]) -> Self {
        if !bytes.starts_with(&GZIP) {
            return Self::of(String::from_utf8_lossy(bytes).lines());
        }
        let mut text = Vec::new();
        // A file that ends early still says which words were read up to there.
        let _ = GzDecoder::new(bytes).take(MAX_BYTES).read_to_end(&mut text);
        Self::of(String::from_utf8_lossy(&text).lines())
    }

    /// The file: sorted, the same bytes for the same words.
    ///
    /// # Errors
    /// Those of the encoder, which has none in memory.
    pub fn to_bytes(&self) -> std::io::Result<Vec<u8>> {
        let mut file = GzEncoder::new(Vec::new(), Compression::best());
        for word in &self.0 {
            writeln!(file, "{word}")?;
        }
        file.finish()
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
        let file = known.to_bytes().unwrap();
        assert_eq!(file, known.to_bytes().unwrap());
        assert_eq!(KnownWords::from_bytes(&file), known);
        assert_eq!(KnownWords::from_bytes(b"a\nb\nc\n"), known);
        // Cut short it knows less, and nothing else.
        let cut = KnownWords::from_bytes(&file[..file.len() / 2]);
        assert!(cut.0.is_subset(&known.0));
        assert_eq!(
            KnownWords::from_bytes(b"a\r\nb\nc\n\xff"),
            KnownWords::of(["a b c"])
        );
    }
}
