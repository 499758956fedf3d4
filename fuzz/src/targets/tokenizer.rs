//! Tokenizer files: `tokenizer.json`; or, if a byte 255 stands, which no text has, the `vocab.json` in
//! front of it and the `merges.txt` behind.

use promptlens::tokenize::{ClipTokenizer, tokenizer_json};

use super::checked;

const ROOMS: &[&str] = &["tokenizer/"];
const CONTEXT_LENGTH: usize = 16;
const VOCAB_SIZE: usize = 1 << 16;
const TEXTS: &[&str] = &[
    "",
    "a photo of a cat.",
    "<|startoftext|> it's 12 cats' <|endoftext|>",
    "naïve \u{301}\u{0}\t日本語 🐈‍⬛ ﷺ ½\u{10ffff}",
    "many many many many many many many many many many many many many many words",
];

pub fn run(bytes: &[u8]) {
    let separator = bytes.iter().position(|byte| *byte == 0xff);
    let json = match separator {
        None => bytes.to_vec(),
        Some(at) => {
            let (vocab, merges) = (&bytes[..at], &bytes[at + 1..]);
            match checked(tokenizer_json(vocab, merges), ROOMS) {
                Some(json) => json,
                None => return,
            }
        }
    };
    let read = ClipTokenizer::from_bytes(&json, CONTEXT_LENGTH, VOCAB_SIZE);
    let Some(tokenizer) = checked(read, ROOMS) else {
        return;
    };
    for text in TEXTS {
        let Some(tokens) = checked(tokenizer.encode(text), ROOMS) else {
            continue;
        };
        let ids = tokens.ids;
        assert!((2..=CONTEXT_LENGTH).contains(&ids.len()), "{ids:?}");
        let ends = (ids.first().copied(), ids.last().copied());
        assert_eq!(ends, (Some(tokenizer.sot()), Some(tokenizer.eot())));
        assert!(ids.iter().all(|id| (*id as usize) < VOCAB_SIZE), "{ids:?}");
        let inner = &ids[1..ids.len() - 1];
        let marks = [tokenizer.sot(), tokenizer.eot()];
        assert!(!inner.iter().any(|id| marks.contains(id)), "{ids:?}");
        tokenizer.decode(inner);
    }
}
