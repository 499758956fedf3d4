//! A whole small model, its tokenizer included: damage to any file is a coded error, or a model that
//! answers.

use std::collections::BTreeMap;

use pollster::block_on;
use promptlens::clip::Builder;
use promptlens::clip::config::ClipConfig;
use promptlens::device;
use promptlens::error::{Error, Result};
use promptlens::kernels::read;
use promptlens::model::{Loading, Model};
use promptlens::quant::{HostTensor, Quantization};
use promptlens::tokenize::ClipTokenizer;
use serde_json::{Map, Value, json};

use super::folder::Memory;
use super::tiny::{self, Random, Raw, values};

const TEXTS: &[&str] = &["a cat", "two Dogs' houses", "日本 \u{200b}<|endoftext|>"];
const VOCABULARY: usize = 2 * 256 + MERGES.len() + 2;
const MERGES: &[(&str, &str)] = &[("c", "a"), ("ca", "t</w>"), ("o", "g"), ("d", "og")];

fn config() -> String {
    json!({
        "model_type": "clip", "projection_dim": 4,
        "text_config": {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 2,
            "intermediate_size": 8, "max_position_embeddings": 16, "vocab_size": VOCABULARY},
        "vision_config": {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1,
            "intermediate_size": 8, "image_size": 8, "patch_size": 4},
    })
    .to_string()
}

/// The least that is a CLIP tokenizer: every byte inside and at the end of a word, four merges, and
/// OpenAI's normalizer and pre-tokenizer.
fn tokenizer() -> Vec<u8> {
    let printable = |byte: &u8| matches!(byte, 33..=126 | 161..=172 | 174..=255);
    let bytes = (0..=255u8).filter(printable).map(char::from);
    let symbols: Vec<char> = bytes.chain('\u{100}'..='\u{143}').collect();
    assert_eq!(symbols.len(), 256);
    let mut vocabulary = Map::new();
    let mut add = |token: String| {
        let id = vocabulary.len();
        assert!(vocabulary.insert(token, json!(id)).is_none());
    };
    symbols.iter().for_each(|symbol| add(symbol.to_string()));
    symbols
        .iter()
        .for_each(|symbol| add(format!("{symbol}</w>")));
    MERGES.iter().for_each(|(a, b)| add(format!("{a}{b}")));
    let start = vocabulary.len();
    let added = ["<|startoftext|>", "<|endoftext|>"];
    let added: Vec<Value> = (start..)
        .zip(added)
        .map(|(id, content)| json!({"id": id, "content": content, "special": true}))
        .collect();
    let words = r"<\|startoftext\|>|<\|endoftext\|>|'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+";
    let merges: Vec<String> = MERGES.iter().map(|(a, b)| format!("{a} {b}")).collect();
    json!({
        "version": "1.0", "added_tokens": added,
        "normalizer": {"type": "Sequence", "normalizers": [{"type": "NFC"},
            {"type": "Replace", "pattern": {"Regex": "\\s+"}, "content": " "}, {"type": "Lowercase"}]},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [
            {"type": "Split", "pattern": {"Regex": words}, "behavior": "Removed", "invert": true},
            {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true}]},
        "model": {"type": "BPE", "dropout": null, "unk_token": "<|endoftext|>",
            "continuing_subword_prefix": "", "end_of_word_suffix": "</w>",
            "vocab": vocabulary, "merges": merges},
    })
    .to_string()
    .into_bytes()
}

fn tensors() -> BTreeMap<String, (Vec<usize>, Vec<f32>)> {
    values(&ClipConfig::from_json(config().as_bytes()).unwrap(), 5)
}

fn model() -> Memory {
    let tensors: Vec<Raw> = tensors()
        .iter()
        .map(|(name, (shape, data))| Raw::floats(name, "F32", shape, data))
        .collect();
    Memory::new(&[
        ("config.json", config().as_bytes()),
        ("tokenizer.json", &tokenizer()),
        (
            "preprocessor_config.json",
            br#"{"size": 8, "crop_size": 8}"#,
        ),
        ("model.safetensors", &tiny::file(&tensors)),
    ])
}

/// Features of the texts and of one picture.
fn answer(folder: &Memory) -> Result<Vec<f32>> {
    let mut loading = block_on(Loading::start(folder, None, None, device::cpu("a test")))?;
    block_on(loading.weights(folder, None))?;
    let model: Model = block_on(loading.finish())?;
    let (mut features, ..) = block_on(model.embed_texts(TEXTS))?;
    features.extend(block_on(model.embed_pixels(&[0.5; 3 * 8 * 8]))?);
    Ok(features)
}

fn coded(error: &Error) {
    let rooms = ["weights/", "config/", "tokenizer/", "engine/not-finite"];
    assert!(
        rooms.iter().any(|room| error.code().starts_with(room)),
        "{error:?}"
    );
    assert!(error.message().len() < 1000, "{error}");
}

#[test]
fn a_tokenizer_cut_at_every_length_is_refused() {
    let whole = tokenizer();
    let read = |bytes: &[u8]| ClipTokenizer::from_bytes(bytes, 16, VOCABULARY);
    let ids = read(&whole).unwrap().encode("a cat").unwrap().ids;
    let id = |token: &str| {
        let file: Value = serde_json::from_slice(&whole).unwrap();
        u32::try_from(file["model"]["vocab"][token].as_u64().unwrap()).unwrap()
    };
    let end = u32::try_from(VOCABULARY).unwrap() - 1;
    assert_eq!(
        ids,
        [end - 1, id("a</w>"), id("cat</w>"), end],
        "it is complete"
    );
    for end in 0..whole.len() {
        let code = read(&whole[..end]).unwrap_err().code();
        let want = if end == 0 {
            "tokenizer/missing"
        } else {
            "tokenizer/invalid"
        };
        assert_eq!(code, want, "cut at {end}");
    }
}

#[test]
fn a_whole_model_cut_anywhere_is_refused() {
    let packed = model().pack(Some(Quantization::Q8)).unwrap();
    for folder in [model(), packed] {
        let whole = answer(&folder).unwrap();
        for (name, bytes) in &folder.files {
            // Tensors and tokens have tests of their own at every length.
            let step = if bytes.len() > 2000 { 61 } else { 1 };
            for end in (0..bytes.len()).step_by(step) {
                match answer(&folder.with(name, &bytes[..end])) {
                    Err(error) => coded(&error),
                    Ok(found) => assert_eq!(found, whole, "{name} cut at {end}"),
                }
            }
        }
    }
}

#[test]
fn a_whole_model_with_flipped_bytes_answers_or_is_refused() {
    let packed = model().pack(Some(Quantization::Mixed)).unwrap();
    let mut random = Random(4);
    let (mut fine, mut refused) = (0, 0);
    for folder in [model(), packed] {
        let whole = answer(&folder).unwrap();
        let guarded = folder.files.contains_key("manifest.json");
        for round in 0..5000 {
            let names: Vec<&String> = folder.files.keys().collect();
            let name = names[round % names.len()];
            let mut bytes = folder.files[name].clone();
            let place = random.below(bytes.len());
            bytes[place] ^= 1 << random.below(8);
            match answer(&folder.with(name, &bytes)) {
                Err(error) => {
                    coded(&error);
                    refused += 1;
                }
                Ok(found) => {
                    assert!(!guarded || name == "manifest.json", "{name} has a hash");
                    assert_eq!(found.len(), whole.len());
                    for feature in found.chunks(4) {
                        let norm: f32 = feature.iter().map(|v| v * v).sum();
                        assert!(
                            (norm - 1.0).abs() < 1e-3,
                            "{name}, byte {place}: {feature:?}"
                        );
                    }
                    fine += 1;
                }
            }
        }
    }
    println!("{refused} refused, {fine} answered");
    assert!(refused > 1000 && fine > 100);
}

#[test]
fn tensors_may_come_in_any_order() {
    let config = ClipConfig::from_json(config().as_bytes()).unwrap();
    let processor = device::cpu("a test");
    let features = |order: &[String]| {
        let all = tensors();
        let mut builder = Builder::new(config.clone(), processor.placement.clone());
        for name in order {
            let (shape, data) = all[name].clone();
            builder
                .put(name, HostTensor::Float { shape, data })
                .unwrap();
        }
        let clip = builder.finish().unwrap();
        block_on(read(clip.vision.encode(&[0.25; 3 * 8 * 8]))).unwrap()
    };
    let mut names: Vec<String> = tensors().into_keys().collect();
    let expected = features(&names);
    names.reverse();
    assert_eq!(features(&names), expected);
    names.sort_by_key(|name| name.ends_with(".bias"));
    assert_eq!(features(&names), expected, "every matrix before every bias");
    let mut random = Random(9);
    for _ in 0..20 {
        for i in (1..names.len()).rev() {
            names.swap(i, random.below(i + 1));
        }
        assert_eq!(features(&names), expected);
    }
    for gone in &names {
        let mut builder = Builder::new(config.clone(), processor.placement.clone());
        for (name, (shape, data)) in tensors() {
            if name != *gone {
                builder
                    .put(&name, HostTensor::Float { shape, data })
                    .unwrap();
            }
        }
        let error = builder.finish().unwrap_err();
        assert_eq!(error.code(), "weights/missing-tensor", "{gone}");
    }
}
