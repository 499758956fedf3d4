//! A shortened vocabulary says the same with fewer tokens.

use std::path::Path;

use pollster::block_on;
use promptlens::error::Kind;
use promptlens::pretrain::model::Start;
use promptlens::pretrain::vocabulary::{merges, shorten_tokenizer};

use super::small_model;

#[test]
fn kept_tokens_keep_their_rows() {
    let shipped = Path::new("www/models/mini-vit");
    let whole = block_on(Start::open(shipped, None, None)).unwrap();
    let had = merges(&whole.files.tokenizer);
    let short = block_on(Start::open(shipped, None, Some(1_000))).unwrap();
    assert_eq!(merges(&short.files.tokenizer), 1_000);
    let lost = had - 1_000;
    let vocabulary = whole.config().text.vocab_size - lost;
    assert_eq!(short.config().text.vocab_size, vocabulary);

    let rows = |start: &Start| {
        let name = "text_model.embeddings.token_embedding.weight";
        start.values[start.layout.leaf(name).unwrap().range.clone()].to_vec()
    };
    let (all, some) = (rows(&whole), rows(&short));
    let width = whole.config().text.width;
    let front = (vocabulary - 2) * width;
    assert_eq!(some[..front], all[..front]);
    assert_eq!(some[front..], all[all.len() - 2 * width..]);
    // Everything that follows has only moved.
    assert_eq!(short.values.len(), whole.values.len() - lost * width);

    // A frequent word is one token in both; the ends of the text are the last two.
    let ids = |start: &Start, text: &str| start.tokenizer.encode(text).unwrap().ids;
    let (long, few) = (ids(&whole, "the"), ids(&short, "the"));
    assert_eq!(few.len(), 3);
    assert_eq!(few[1], long[1]);
    assert_eq!(few[0] as usize, vocabulary - 2);
    assert_eq!(few[2] as usize, vocabulary - 1);
    // A rare one is spelled.
    assert!(ids(&short, "parachute").len() > 3);
}

#[test]
fn more_merges_than_there_are_cannot_stay() {
    let folder = tempfile::tempdir().unwrap();
    let model = small_model(folder.path());
    let error = block_on(Start::open(&model, Some(1), Some(1_000_000))).err();
    assert_eq!(error.map(|e| e.kind()), Some(Kind::OptionInvalid));
}

#[test]
fn what_is_no_tokenizer_of_clip_is_refused() {
    let list =
        r#"{"model": {"merges": [["a", "b"]], "vocab": {"a": 0, "b": 1, "ab": 2, "s": 3, "e": 4}}"#;
    let end = |rest: &str| format!("{list}{rest}}}");
    assert!(shorten_tokenizer(end("").as_bytes(), 0).is_ok());
    for bad in [
        "",
        "[]",
        "7",
        "{}",
        r#"{"model": []}"#,
        r#"{"model": {"merges": [["a", "b"]], "vocab": {"a": 0}}}"#,
        r#"{"model": {"merges": [["a", "b"]], "vocab": ["a", "b", "ab", "s", "e"]}}"#,
        &end(r#", "added_tokens": [3]"#),
        &end(r#", "added_tokens": [{"id": "s"}]"#),
        &end(r#", "post_processor": {"sep": ["e", null]}"#),
    ] {
        let refused = shorten_tokenizer(bad.as_bytes(), 0).err();
        assert_eq!(
            refused.map(|e| e.kind()),
            Some(Kind::TokenizerInvalid),
            "{bad}"
        );
    }
}
