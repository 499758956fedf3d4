//! The cut tokenizer.

use promptlens::pretrain::lit::cut_bpe::cut_tokenizer;
use promptlens::tokenize::ClipTokenizer;

const BYTES: usize = 512;
const SPECIAL: usize = 2;

/// The tokenizer of the shipped model, and how many tokens it has.
fn whole() -> (Vec<u8>, usize) {
    let bytes = std::fs::read("www/models/mini-vit/tokenizer.json").unwrap();
    let json: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    let count = json["model"]["vocab"].as_object().unwrap().len();
    (bytes, count)
}

#[test]
fn needed_words_keep_their_spelling_and_others_fall_into_pieces() {
    let (bytes, count) = whole();
    let texts = [
        ("a photo of a dog".to_owned(), 10.0),
        ("horses".to_owned(), 1.0),
    ];
    let cut = cut_tokenizer(&bytes, &texts, 60).unwrap();
    let size = BYTES + 60 + SPECIAL;
    let small = ClipTokenizer::from_bytes(&cut, 77, size).unwrap();
    let large = ClipTokenizer::from_bytes(&bytes, 77, count).unwrap();
    let ids = |tokenizer: &ClipTokenizer, text: &str| tokenizer.encode(text).unwrap().ids;
    for text in ["a photo of a dog", "Horses", "a dog of horses"] {
        assert_eq!(ids(&small, text).len(), ids(&large, text).len(), "{text}");
    }
    // Nothing is out of reach: unknown words, digits, other alphabets.
    for text in ["church", "4711", "größe 犬", "garbage truck"] {
        let (few, many) = (ids(&large, text), ids(&small, text));
        assert!(many.len() >= few.len(), "{text}");
        assert!(many.iter().all(|id| (*id as usize) < size), "{text}");
    }
    assert!(ids(&small, "church").len() > ids(&large, "church").len());
    assert_eq!(
        [small.sot(), small.eot()],
        [size as u32 - 2, size as u32 - 1]
    );
}

#[test]
fn what_texts_do_not_need_is_filled_from_the_front() {
    let (bytes, _) = whole();
    let plain = cut_tokenizer(&bytes, &[], 40).unwrap();
    let json: serde_json::Value = serde_json::from_slice(&plain).unwrap();
    let whole: serde_json::Value = serde_json::from_slice(&bytes).unwrap();
    let (short, long) = (&json["model"]["merges"], &whole["model"]["merges"]);
    let text = |merge: &serde_json::Value| match merge.as_str() {
        Some(line) => line.to_owned(),
        None => format!(
            "{} {}",
            merge[0].as_str().unwrap(),
            merge[1].as_str().unwrap()
        ),
    };
    for at in 0..40 {
        assert_eq!(text(&short[at]), text(&long[at]));
    }
    let error = cut_tokenizer(&bytes, &[], 1 << 20).unwrap_err();
    assert_eq!(error.code(), "options/invalid");
    assert_eq!(
        cut_tokenizer(b"{}", &[], 1).unwrap_err().code(),
        "tokenizer/invalid"
    );
}
