//! Token ids against Hugging Face's, class lists, templates, and hostile tokenizer files.

use promptlens::error::Kind;
use promptlens::prompt::template::{CLIP7, DEFAULT, Template};
use promptlens::tokenize::{ClipTokenizer, parse_labels, validate};
use serde_json::{Value, json};

use crate::common;

fn openai() -> Option<ClipTokenizer> {
    let path = common::shared("fixtures/tokenizer/tokenizer.json")?;
    let bytes = std::fs::read(path).unwrap();
    Some(ClipTokenizer::from_bytes(&bytes, 77, 49408).unwrap())
}

fn mini_json() -> Option<Vec<u8>> {
    common::shared("models/mini-0/tokenizer.json").map(|path| std::fs::read(path).unwrap())
}

fn ids(value: &Value) -> Vec<u32> {
    serde_json::from_value(value.clone()).unwrap()
}

#[test]
fn every_vector_of_the_reference_is_equal() {
    let Some(tokenizer) = openai() else { return };
    let long = {
        let path = common::shared("fixtures/tokenizer/tokenizer.json").unwrap();
        ClipTokenizer::from_bytes(&std::fs::read(path).unwrap(), 4096, 49408).unwrap()
    };
    let path = common::shared("fixtures/tokenizer/vectors.json").unwrap();
    let vectors: Vec<Value> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    assert!(vectors.len() > 500);
    let mut compared = 0;
    for vector in &vectors {
        let text = vector["text"].as_str().unwrap();
        if text.contains("<|") {
            continue;
        }
        let whole = long.encode(text).unwrap();
        assert_eq!(whole.ids, ids(&vector["ids"]), "{text:?}");
        assert!(!whole.truncated);
        let cut = tokenizer.encode(text).unwrap();
        assert_eq!(cut.ids, ids(&vector["truncated77"]), "{text:?}");
        assert_eq!(cut.truncated, whole.ids.len() > 77, "{text:?}");
        assert_eq!(*cut.ids.last().unwrap(), tokenizer.eot());
        compared += 1;
    }
    assert_eq!(
        compared + 1,
        vectors.len(),
        "one vector spells a special token"
    );
}

#[test]
fn special_tokens_in_a_text_are_plain_text() {
    let Some(tokenizer) = openai() else { return };
    assert_eq!((tokenizer.sot(), tokenizer.eot()), (49406, 49407));
    for text in [
        "<|startoftext|> cat",
        "<|endoftext|>",
        "cat <|ENDOFTEXT|> dog",
        "<|startoftext|><|endoftext|>",
    ] {
        let ids = tokenizer.encode(text).unwrap().ids;
        let words = &ids[1..ids.len() - 1];
        assert!(words.len() >= 3, "{text:?}: {ids:?}");
        assert!(words.iter().all(|&id| id < 49406), "{text:?}: {ids:?}");
    }
    // Spelled as its pieces: "<|", "startoftext", "|>".
    let ids = tokenizer.encode("<|startoftext|> cat").unwrap().ids;
    let mut pieces = vec![49406];
    for piece in ["<|", "startoftext", "|>", "cat"] {
        let ids = tokenizer.encode(piece).unwrap().ids;
        pieces.extend(&ids[1..ids.len() - 1]);
    }
    pieces.push(49407);
    assert_eq!(ids, pieces);
}

#[test]
fn a_small_vocabulary_works_the_same_way() {
    let Some(json) = mini_json() else { return };
    let tokenizer = ClipTokenizer::from_bytes(&json, 77, 8194).unwrap();
    assert_eq!((tokenizer.sot(), tokenizer.eot()), (8192, 8193));
    let ids = tokenizer.encode("a photo of a cat.").unwrap().ids;
    assert_eq!(ids, [8192, 320, 1125, 539, 320, 2368, 269, 8193]);
    assert_eq!(tokenizer.encode("").unwrap().ids, [8192, 8193]);
    let long = tokenizer.encode(&"cat ".repeat(200)).unwrap();
    assert_eq!((long.ids.len(), long.truncated), (77, true));
    assert_eq!(*long.ids.last().unwrap(), 8193);
    assert!(long.ids[1..76].iter().all(|&id| id == 2368));
    // No text, not even bytes that no merge knows, may reach an id outside the table.
    for text in [
        "\u{0}\u{1}\u{7f}",
        "日本語 🐈‍⬛",
        "\u{10ffff}",
        "ﷺ",
        "½",
        "a\u{301}",
    ] {
        let ids = tokenizer.encode(text).unwrap().ids;
        assert!(
            ids[1..ids.len() - 1].iter().all(|&id| id < 8192),
            "{text:?}"
        );
    }
    let error = tokenizer.encode(&"x".repeat(1 << 17)).unwrap_err();
    assert_eq!(error.code(), "labels/too-long");
}

fn refused(bytes: &[u8]) -> &'static str {
    ClipTokenizer::from_bytes(bytes, 77, 8194)
        .unwrap_err()
        .code()
}

#[test]
fn wrong_tokenizers_are_refused() {
    assert_eq!(refused(b""), "tokenizer/missing");
    for bytes in [&b"{"[..], b"[]", b"null", b"{}", b"\xff\xfe", b"<html>"] {
        assert_eq!(refused(bytes), "tokenizer/invalid");
    }
    let Some(json) = mini_json() else { return };
    // One row less than the ids need.
    let error = ClipTokenizer::from_bytes(&json, 77, 8193).unwrap_err();
    assert_eq!(error.kind(), Kind::TokenizerInvalid);

    let good: Value = serde_json::from_slice(&json).unwrap();
    type Spoil = fn(&mut Value);
    let spoils: &[(&str, Spoil)] = &[
        ("model type", |v| v["model"]["type"] = json!("WordPiece")),
        ("merge out of vocabulary", |v| {
            v["model"]["merges"][7] = json!("qqqq zzzz")
        }),
        ("merge of one", |v| v["model"]["merges"][7] = json!("q")),
        // Both halves are known and the joined token is longer than any in the vocabulary. The
        // last merge is the only one whose result no other merge needs.
        ("merge too long", |v| {
            let merges = v["model"]["merges"].as_array_mut().unwrap();
            merges.pop();
            let long = "q".repeat(5000);
            merges.push(json!([long, long]));
            let vocab = v["model"]["vocab"].as_object_mut().unwrap();
            vocab.retain(|_, id| *id != json!(8191));
            vocab.insert(long, json!(8191));
        }),
        ("prefix", |v| {
            v["model"]["continuing_subword_prefix"] = json!("日本")
        }),
        ("no word end", |v| {
            v["model"]["end_of_word_suffix"] = json!(null)
        }),
        ("dropout", |v| v["model"]["dropout"] = json!(0.5)),
        ("byte without symbol", |v| {
            v["model"]["vocab"]
                .as_object_mut()
                .unwrap()
                .remove("!")
                .unwrap();
        }),
        ("same id twice", |v| v["model"]["vocab"]["!"] = json!(5000)),
        ("word with the end's id", |v| {
            v["model"]["vocab"]["!"] = json!(8193)
        }),
        ("negative id", |v| v["model"]["vocab"]["!"] = json!(-1)),
        ("start is end", |v| v["added_tokens"][0]["id"] = json!(8193)),
        ("unknown step", |v| {
            v["normalizer"] = json!({"type": "Precompiled"})
        }),
        ("no byte level", |v| {
            v["pre_tokenizer"] = json!({"type": "WhitespaceSplit"})
        }),
        ("backtracking", |v| {
            v["normalizer"]["normalizers"][1]["pattern"]["Regex"] = json!("(?=(a+)+$)b");
        }),
        ("broken pattern", |v| {
            v["normalizer"]["normalizers"][1]["pattern"]["Regex"] = json!("([");
        }),
    ];
    for (what, spoil) in spoils {
        let mut spoilt = good.clone();
        spoil(&mut spoilt);
        let bytes = serde_json::to_vec(&spoilt).unwrap();
        assert_eq!(refused(&bytes), "tokenizer/invalid", "{what}");
    }
}

#[test]
fn newer_files_with_merges_as_pairs_are_read() {
    let Some(json) = mini_json() else { return };
    let mut file: Value = serde_json::from_slice(&json).unwrap();
    for merge in file["model"]["merges"].as_array_mut().unwrap() {
        let pair = match &*merge {
            Value::String(line) => {
                let (a, b) = line.split_once(' ').unwrap();
                json!([a, b])
            }
            pair => json!(format!(
                "{} {}",
                pair[0].as_str().unwrap(),
                pair[1].as_str().unwrap()
            )),
        };
        *merge = pair;
    }
    let other = serde_json::to_vec(&file).unwrap();
    let one = ClipTokenizer::from_bytes(&json, 77, 8194).unwrap();
    let two = ClipTokenizer::from_bytes(&other, 77, 8194).unwrap();
    for text in ["a photo of a golf ball.", "English springer", "日本語"] {
        assert_eq!(one.encode(text).unwrap(), two.encode(text).unwrap());
    }
}

#[test]
fn damaged_tokenizers_never_panic() {
    let Some(json) = mini_json() else { return };
    for end in (0..json.len()).step_by(997) {
        let error = ClipTokenizer::from_bytes(&json[..end], 77, 8194).unwrap_err();
        assert!(error.code().starts_with("tokenizer/"));
    }
    let mut state = 7u64;
    let mut read = 0;
    for _ in 0..150 {
        let mut damaged = json.clone();
        state = state
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        // The pipeline stands in the first two thousand bytes and deserves most of the damage.
        let range = if state & 1 == 0 {
            2000
        } else {
            json.len() as u64
        };
        let place = ((state >> 16) % range) as usize;
        damaged[place] ^= 1 << ((state >> 8) & 7);
        match ClipTokenizer::from_bytes(&damaged, 77, 8194) {
            Ok(tokenizer) => {
                read += 1;
                for text in ["a photo of a cat.", "ﬁne <|endoftext|> 日本 \u{200b}"] {
                    match tokenizer.encode(text) {
                        Ok(tokens) => assert!(tokens.ids.iter().all(|&id| id < 8194)),
                        Err(error) => assert_eq!(error.code(), "tokenizer/invalid"),
                    }
                }
            }
            Err(error) => assert_eq!(error.code(), "tokenizer/invalid"),
        }
    }
    println!("{read} of 150 damaged tokenizers could still be read");
}

fn parsed(text: &str) -> Vec<String> {
    parse_labels(text).unwrap()
}

#[test]
fn class_lists_come_in_many_forms() {
    assert_eq!(parsed("cat, dog ,golf ball"), ["cat", "dog", "golf ball"]);
    assert_eq!(
        parsed("cat\r\nFrench  horn\n\nGolf Ball\n"),
        ["cat", "French  horn", "Golf Ball"]
    );
    assert_eq!(parsed("\u{feff}cat,dog,"), ["cat", "dog"]);
    assert_eq!(
        parsed(r#"["cat", "kite, the bird", "a\tb"]"#),
        ["cat", "kite, the bird", "a b"]
    );
    assert_eq!(
        parsed("cat,\"kite, the bird\",\"say \"\"hi\"\"\"\ndog"),
        ["cat", "kite, the bird", "say \"hi\"", "dog"]
    );
    assert_eq!(parsed("5\" nail,\"open,x"), ["5\" nail", "\"open", "x"]);
    assert_eq!(
        parsed("<b>cat</b>,<|endoftext|>"),
        ["<b>cat</b>", "<|endoftext|>"]
    );
    assert_eq!(parsed("ca\u{202e}t\u{0},do\u{200f}g\u{7}"), ["cat", "dog"]);
    assert_eq!(parsed("[cat]"), ["[cat]"]);
    assert_eq!(parsed("Cat,cat"), ["Cat", "cat"]);
    assert_eq!(parsed("one"), ["one"]);
}

#[test]
fn wrong_class_lists_are_refused() {
    let code = |text: &str| parse_labels(text).unwrap_err().code();
    for text in ["", " ", ",,\n,", "[]", "\u{202e}", "\"\""] {
        assert_eq!(code(text), "labels/empty", "{text:?}");
    }
    let error = parse_labels("cat,dog, cat").unwrap_err();
    assert_eq!(error.code(), "labels/duplicate");
    assert!(error.message().contains("cat"), "{error}");
    assert_eq!(code(&"x".repeat(1001)), "labels/too-long");
    assert_eq!(parsed(&"é".repeat(1000)).len(), 1);
    let many = |count: usize| (0..count).map(|n| format!("n{n}\n")).collect::<String>();
    assert_eq!(parsed(&many(10_000)).len(), 10_000);
    assert_eq!(code(&many(10_001)), "labels/too-long");
    assert_eq!(code(&" ".repeat(50_000_000)), "labels/too-long");
    assert_eq!(validate(&[]).unwrap_err().code(), "labels/empty");
    let blank = ["a".to_owned(), " ".to_owned()];
    assert_eq!(validate(&blank).unwrap_err().code(), "labels/empty");
}

#[test]
fn templates_have_one_place_for_a_name() {
    let template = Template::parse("a photo of a {}.").unwrap();
    assert_eq!(template.fill("golf_ball"), "a photo of a golf ball.");
    assert_eq!(template.fill("{}"), "a photo of a {}.");
    assert_eq!(template.to_string(), "a photo of a {}.");
    assert_eq!(Template::parse("{}").unwrap().fill("cat"), "cat");
    for text in ["", "a photo", "{} and {}", "{", "{{}}{}", &"x".repeat(2000)] {
        let error = Template::parse(text).unwrap_err();
        assert_eq!(error.code(), "prompt/invalid-template", "{text:?}");
    }
    assert!(Template::parse_all::<&str>(&[]).is_err());
    assert_eq!(Template::parse_all(DEFAULT).unwrap().len(), 1);
    assert_eq!(Template::parse_all(CLIP7).unwrap().len(), 7);
}
