//! Token ids against Hugging Face's, class lists, templates, and hostile tokenizer files.

use promptlens::error::Kind;
use promptlens::prompt::template::{CLIP7, DEFAULT, Template};
use promptlens::tokenize::{
    ClipTokenizer, NameIndex, name_key, parse_label_file, parse_labels, validate, validate_stored,
};
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
    assert_eq!(parsed("Cat,dog"), ["Cat", "dog"]);
    assert_eq!(
        parsed("ca\u{ad}t\u{200b},d\u{2060}og,cafe\u{301}"),
        ["cat", "dog", "café"]
    );
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

#[test]
fn names_with_the_same_token_ids_have_the_same_key_and_only_those() {
    let Some(path) = common::shared("fixtures/tokenizer/tokenizer.json") else {
        return;
    };
    let tokenizer = ClipTokenizer::from_bytes(&std::fs::read(path).unwrap(), 77, 49_408).unwrap();
    let names = [
        "Ship",
        "ship",
        "SHIP ",
        "ships",
        "café",
        "cafe\u{301}",
        "cafe",
        "t-shirt",
        "t - shirt",
        "T-SHIRT",
        "tshirt",
        "ice cream",
        "ice  cream",
        "icecream",
        "dog's",
        "dog 's",
        "dog s",
        "route 66",
        "route 6 6",
        "route66",
        "golf_ball",
        "golf ball",
        "golf _ ball",
        "İstanbul",
        "i\u{307}stanbul",
        "日本",
        "日 本",
        "½",
        "1/2",
        "a.b",
        "a. b",
        "a...b",
        "a. ..b",
        "we'll",
        "we 'll",
        "x'y",
        "x 'y",
        "ΣΑΣ",
        "σασ",
        "σας",
    ];
    for a in names {
        for b in names {
            let same = tokenizer.encode(a).unwrap() == tokenizer.encode(b).unwrap();
            assert_eq!(name_key(a) == name_key(b), same, "{a:?} and {b:?}");
        }
    }
}

#[test]
fn names_that_the_model_reads_alike_are_one_name() {
    let error = parse_labels("Ship,church,ship,crane,SHIP,crane").unwrap_err();
    assert_eq!(error.code(), "labels/duplicate");
    for part in [
        "2 class names",
        "\"Ship\" = \"ship\" = \"SHIP\"",
        "\"crane\"",
    ] {
        assert!(error.message().contains(part), "{error}");
    }
    let both = [
        "Cardigan".to_owned(),
        "cardigan".to_owned(),
        "Corgi".to_owned(),
    ];
    assert_eq!(validate(&both).unwrap_err().code(), "labels/duplicate");
    // A prompt that was learned for both still opens.
    validate_stored(&both).unwrap();
    let index = NameIndex::new(&both);
    let places = ["cardigan", "Cardigan", "CARDIGAN", "corgi", "cat"].map(|name| index.place(name));
    assert_eq!(places, [Some(1), Some(0), Some(0), Some(2), None]);
}

/// The files of the reference material, by the values in their README.
#[test]
fn files_of_class_names_are_read_as_people_have_them() {
    let Some(cases) = common::shared("fixtures/cases") else {
        return;
    };
    let read = |name: &str| parse_label_file(name, &std::fs::read(cases.join(name)).unwrap());
    for name in ["14_id2label.json", "14_imagenet_class_index.json"] {
        assert_eq!(read(name).unwrap(), ["tench", "goldfish"], "{name}");
    }
    for name in ["14_trailing_comma.json", "16_labels_is_a_string.json"] {
        assert_eq!(read(name).unwrap_err().code(), "labels/file", "{name}");
    }
    for name in [
        "15_same_but_for_case.txt",
        "15_same_but_for_normal_form.txt",
    ] {
        let error = validate(&read(name).unwrap()).unwrap_err();
        assert_eq!(error.code(), "labels/duplicate", "{name}");
    }
    assert_eq!(
        read("16_description_with_line_break.csv").unwrap(),
        ["cat", "dog"]
    );
    let error = read("16_excel_ansi.csv").unwrap_err();
    assert_eq!(error.code(), "io/failed");
    assert!(error.message().contains("UTF-8"), "{error}");
}

#[test]
fn kinds_of_files_of_class_names() {
    let read = |name: &str, text: &str| parse_label_file(name, text.as_bytes());
    for (name, text, names) in [
        ("a.txt", "\u{feff}cat\r\n\r\n dog \r\n", &["cat", "dog"][..]),
        ("a.txt", "cat, dog", &["cat", "dog"]),
        ("a.txt", "cat,\ndog,\n", &["cat", "dog"]),
        (
            "a.txt",
            "tench, Tinca tinca\ngoldfish",
            &["tench, Tinca tinca", "goldfish"],
        ),
        (
            "a.txt",
            "\"tench, Tinca\"\n5\" nail",
            &["tench, Tinca", "5\" nail"],
        ),
        ("a.csv", "name;n\n\"a;b\";1\nc;2", &["a;b", "c"]),
        ("a.TSV", "cat\tx\ndog\ty\n", &["cat", "dog"]),
        ("a.csv", "x,\"y\nz\",\"w\"\r\nv\r\n", &["x", "v"]),
        (
            "a.json",
            "[{\"label\":\"one\"},\"two\",{\"name\":\"three\"}]",
            &["one", "two", "three"],
        ),
        ("a.json", "{\"labels\":[\"x\",\"y\"]}", &["x", "y"]),
        (
            "config.json",
            "{\"id2label\":{\"10\":\"k\",\"9\":\"j\"},\"label2id\":{\"j\":9,\"k\":10}}",
            &["j", "k"],
        ),
        ("a.json", "{\"b\":0,\"a\":1}", &["b", "a"]),
        (
            "a.json",
            "{\"n01\":\"tench\",\"n02\":\"goldfish\"}",
            &["tench", "goldfish"],
        ),
    ] {
        assert_eq!(read(name, text).unwrap(), names, "{text:?}");
    }
    let wide: Vec<u8> = "\u{feff}café\nnaïve"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    assert_eq!(parse_label_file("a.txt", &wide).unwrap(), ["café", "naïve"]);
    for (name, text, code) in [
        ("a.txt", " \n ", "labels/empty"),
        ("a.json", "[]", "labels/empty"),
        ("a.json", "[1,", "labels/file"),
        ("a.json", "{\"labels\":3}", "labels/file"),
        ("a.json", "{\"a\":{\"b\":1}}", "labels/file"),
    ] {
        assert_eq!(read(name, text).unwrap_err().code(), code, "{text:?}");
    }
}
