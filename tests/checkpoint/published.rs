//! The configurations that people publish: each folder of `fixtures/hub` loads, or is refused by
//! the code and the words that its `expected.tsv` asks for.

use std::collections::BTreeMap;
use std::path::Path;

use pollster::block_on;
use promptlens::checkpoint::ModelFiles;
use promptlens::error::{Error, Result};
use promptlens::image::{Preprocess, Resize, Rgb8, resize_crop};
use promptlens::tokenize::{ClipTokenizer, tokenizer_json};
use serde_json::{Value, json};

use super::folder::{Memory, hugging_face};
use super::tiny::{self, Raw, code, values};
use super::torch::saved;
use crate::common;

/// Weights of larger models are not made up here; their names and shapes are the same kind.
const MOST_ELEMENTS: usize = 20_000_000;

/// One line of `expected.tsv`.
struct Row {
    folder: String,
    loads: bool,
    code: String,
    names: String,
}

fn rows(table: &str) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    for line in table.lines().skip(1) {
        let cells: Vec<&str> = line.split('\t').collect();
        let cell = |at: usize| cells.get(at).copied().unwrap_or_default();
        let code = match cell(2) {
            "the same" => rows.last().unwrap().code.clone(),
            code => code.split(' ').next().unwrap_or_default().to_owned(),
        };
        rows.push(Row {
            folder: cell(0).to_owned(),
            loads: cell(1) == "load",
            code,
            names: cell(3).to_owned(),
        });
    }
    rows
}

/// The files of `folder`, and what was left out there because it is large: a tokenizer, weights.
fn published(folder: &Path, tokenizer: &[u8]) -> Memory {
    let mut memory = Memory::default();
    for entry in std::fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        memory
            .files
            .insert(name, std::fs::read(entry.path()).unwrap());
    }
    if !memory.files.contains_key("vocab.json") {
        memory
            .files
            .insert("tokenizer.json".to_owned(), tokenizer.to_vec());
    }
    let Ok(found) = block_on(ModelFiles::read(&memory, None)) else {
        return memory;
    };
    let elements: usize = found
        .config
        .tensors()
        .iter()
        .map(|spec| spec.elements())
        .sum();
    if elements <= MOST_ELEMENTS {
        let tensors: Vec<Raw> = values(&found.config, 1)
            .iter()
            .map(|(name, (shape, data))| Raw::floats(name, "F16", shape, data))
            .chain(extra(&memory))
            .collect();
        let pytorch =
            folder.ends_with("openai_clip-vit-base-patch32_as_on_the_hub__pytorch_model.bi");
        let (name, weights) = match pytorch {
            true => ("pytorch_model.bin", saved(&tensors)),
            false => ("model.safetensors", tiny::file(&tensors)),
        };
        memory.files.insert(name.to_owned(), weights);
    }
    memory
}

/// Tensors that OpenCLIP makes of settings which CLIP does not have.
fn extra(memory: &Memory) -> Vec<Raw> {
    let Some(json) = memory.files.get("open_clip_config.json") else {
        return Vec::new();
    };
    let json: Value = serde_json::from_slice(json).unwrap();
    let model = &json["model_cfg"];
    let mut tensors = Vec::new();
    if !model["vision_cfg"]["ls_init_value"].is_null() {
        for part in ["ls_1", "ls_2"] {
            let name = format!("visual.transformer.resblocks.0.{part}.gamma");
            tensors.push(Raw::floats(&name, "F16", &[2], &[0.5, 0.5]));
        }
    }
    if model["text_cfg"]["proj_bias"] == true {
        tensors.push(Raw::floats(
            "text_projection.bias",
            "F16",
            &[2],
            &[0.5, 0.5],
        ));
    }
    tensors
}

/// Reads the model and, if it has them, its weights.
fn load(memory: &Memory) -> Result<()> {
    let found = block_on(ModelFiles::read(memory, None))?;
    let text = &found.config.text;
    ClipTokenizer::from_bytes(&found.tokenizer, text.context_length, text.vocab_size)?;
    let weights = ["model.safetensors", "pytorch_model.bin"];
    if weights.iter().any(|name| memory.files.contains_key(*name)) {
        let (loaded, report) = memory.load(None)?;
        assert_eq!(loaded.len(), found.config.tensors().len());
        assert_eq!(report.ignored, 0);
    }
    Ok(())
}

/// Whether the refusal says what the table asks for.
fn says(error: &Error, row: &Row) -> bool {
    let message = error.message();
    match row.names.as_str() {
        "the tensors that have no place" => message.contains("ls_1") || message.contains(".bias"),
        names => names.split("; ").all(|part| message.contains(part)),
    }
}

#[test]
fn every_published_configuration_does_what_is_expected_of_it() {
    let Some(hub) = common::shared("fixtures/hub") else {
        return;
    };
    let tokenizer = common::shared("fixtures/tokenizer/tokenizer.json").unwrap();
    let tokenizer = std::fs::read(tokenizer).unwrap();
    let table = std::fs::read_to_string(hub.join("expected.tsv")).unwrap();
    let rows = rows(&table);
    assert_eq!(rows.len(), 35);
    let mut wrong = Vec::new();
    for row in &rows {
        let mut memory = published(&hub.join(&row.folder), &tokenizer);
        if row.folder.contains("onnx_only") {
            memory.files.remove("model.safetensors");
            memory.files.insert("onnx/model.onnx".to_owned(), vec![8]);
            let error = memory.load(None).unwrap_err();
            assert!(
                error.message().contains("openai/clip-vit-base-patch32"),
                "{error}"
            );
            if error.code() != row.code || !says(&error, row) {
                wrong.push(format!("{}: {error} [{}]", row.folder, error.code()));
            }
            continue;
        }
        match load(&memory) {
            Ok(()) if row.loads => {}
            // The table leaves this one to us, if the reason is given.
            Err(error) if row.folder == "size_longest_shortest_both" => {
                assert_eq!(error.code(), "config/invalid");
                assert!(error.message().contains("longest_edge"), "{error}");
            }
            Err(error) if !row.loads && error.code() == row.code && says(&error, row) => {}
            Ok(()) => wrong.push(format!("{}: loads", row.folder)),
            Err(error) => wrong.push(format!("{}: {error} [{}]", row.folder, error.code())),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_refused_family_is_told_what_to_load_instead() {
    for kind in ["siglip", "chinese_clip", "jina_clip", "clip_vision_model"] {
        let config = json!({"model_type": kind}).to_string();
        let memory = hugging_face().with("config.json", config.as_bytes());
        let error = memory.load(None).unwrap_err();
        assert_eq!(error.code(), "config/invalid");
        assert!(error.message().contains("instead"), "{error}");
    }
    let config = br#"{"model_type": "bert"}"#;
    let memory = hugging_face().with("config.json", config);
    assert_eq!(code(memory.load(None)), "config/invalid");
}

#[test]
fn settings_of_open_clip_are_obeyed_or_refused() {
    let read = |vision: Value, text: Value| {
        let mut model = json!({
            "embed_dim": 8,
            "vision_cfg": {"image_size": 8, "layers": 1, "width": 64, "patch_size": 4},
            "text_cfg": {"width": 64, "heads": 1, "layers": 1},
        });
        for (part, more) in [("vision_cfg", vision), ("text_cfg", text)] {
            let part = model[part].as_object_mut().unwrap();
            part.extend(more.as_object().unwrap().clone());
        }
        let config = json!({"model_cfg": model}).to_string();
        let files: [(&str, &[u8]); 2] = [
            ("open_clip_config.json", config.as_bytes()),
            ("tokenizer.json", b"{}"),
        ];
        block_on(ModelFiles::read(&Memory::new(&files), None))
    };
    let none = || json!({});
    let eps =
        |eps: f64| json!({"norm_kwargs": {"eps": eps}, "act_kwargs": {"approximate": "none"}});
    let found = read(eps(1e-6), eps(1e-3)).unwrap().config;
    assert_eq!(found.vision.vit("a test").unwrap().layer_norm_eps, 1e-6);
    assert_eq!(found.text.layer_norm_eps, 1e-3);
    for bad in [
        json!({"act_kwargs": {"approximate": "tanh"}}),
        json!({"norm_kwargs": {"elementwise_affine": false}}),
        json!({"norm_kwargs": {"eps": 7}}),
    ] {
        assert_eq!(code(read(bad.clone(), none())), "config/invalid", "{bad}");
        assert_eq!(code(read(none(), bad.clone())), "config/invalid", "{bad}");
    }
    for bad in [
        "attentional_pool",
        "no_ln_pre",
        "input_patchnorm",
        "global_average_pool",
    ] {
        assert_eq!(
            code(read(json!({bad: true}), none())),
            "config/invalid",
            "{bad}"
        );
    }
}

#[test]
fn a_switch_written_as_text_is_read_only_where_it_is_plain() {
    for (written, want) in [
        ("\"TRUE\"", "fine"),
        ("\"no\"", "config/invalid"),
        ("\"False\"", "config/invalid"),
    ] {
        let config = super::folder::OPEN_CLIP.replace("true", written);
        let memory = super::folder::open_clip().with("open_clip_config.json", config.as_bytes());
        assert_eq!(code(memory.load(None)), want, "{written}");
    }
}

#[test]
fn weights_inside_a_tower_without_a_place_are_refused_before_a_value_is_read() {
    let mut named = BTreeMap::new();
    for name in [
        "vision_model.encoder.layers.1.mlp.fc1.weight",
        "module.visual.transformer.resblocks.0.ls_1.gamma",
        "text_projection.bias",
        "text_model.encoder.layers.0.self_attn.q_norm.weight",
    ] {
        let mut tensors = tiny::tensors("F32");
        tensors.push(Raw::floats(name, "F32", &[2], &[f32::NAN, 1.0]));
        let memory = hugging_face().with("model.safetensors", &tiny::file(&tensors));
        let error = memory.load(None).unwrap_err();
        assert!(error.message().contains(name), "{error}");
        named.insert(name, error.code());
    }
    assert!(
        named.values().all(|code| *code == "weights/unexpected"),
        "{named:?}"
    );
}

#[test]
fn processor_config_of_transformers_5_stands_for_the_preprocessor_config() {
    let Some(path) = common::shared("fixtures/cases/19_processor_config.json") else {
        return;
    };
    let json = std::fs::read(path).unwrap();
    let found = Preprocess::from_processor(&json).unwrap().unwrap();
    assert_eq!(found, Preprocess::clip(64));
    let old = br#"{"processor_class": "CLIPProcessor"}"#;
    assert_eq!(Preprocess::from_processor(old).unwrap(), None);

    let reference = hugging_face();
    let inner: Value = serde_json::from_str(super::folder::PREPROCESSOR).unwrap();
    let processor = json!({"image_processor": inner}).to_string();
    let moved = reference
        .without("preprocessor_config.json")
        .with("processor_config.json", processor.as_bytes());
    let read = |folder: &Memory| block_on(ModelFiles::read(folder, None)).unwrap().preprocess;
    assert_eq!(read(&moved), read(&reference));
    let without = reference
        .without("preprocessor_config.json")
        .with("processor_config.json", old);
    assert_eq!(code(without.load(None)), "config/missing");
}

#[test]
fn a_configuration_without_crop_takes_square_photos_only() {
    let json = br#"{"size": {"shortest_edge": 8}, "do_center_crop": false}"#;
    let p = Preprocess::from_json(json).unwrap();
    assert_eq!(p.resize, Resize::SquareOnly(8));
    let written = p.to_json().to_string();
    assert_eq!(Preprocess::from_json(written.as_bytes()).unwrap(), p);
    let square = Rgb8::filled(20, 20, [1, 2, 3]);
    let cropped = Preprocess {
        resize: Resize::ShortestEdge(8),
        ..p.clone()
    };
    assert!(resize_crop(&square, &p).unwrap() == resize_crop(&square, &cropped).unwrap());
    let wide = resize_crop(&Rgb8::filled(20, 10, [1, 2, 3]), &p);
    assert_eq!(wide.unwrap_err().code(), "config/invalid");
}

#[test]
fn other_writings_of_sizes_are_understood() {
    let read = |json: &str| Preprocess::from_json(json.as_bytes());
    let plain = read(r#"{"size": 8, "crop_size": 8}"#).unwrap();
    assert_eq!(
        read(r#"{"size": 8, "crop_size": [8, 8], "resample": 3.0}"#).unwrap(),
        plain
    );
    let high = read(r#"{"size": [9, 8], "crop_size": [9, 8]}"#).unwrap();
    assert_eq!((high.crop_width, high.crop_height), (8, 9));
    assert_eq!(
        high.resize,
        Resize::Exact {
            width: 8,
            height: 9
        }
    );
    let both = r#"{"size": {"shortest_edge": 8, "longest_edge": 8}, "crop_size": 8}"#;
    assert_eq!(code(read(both)), "config/invalid");
    assert_eq!(code(read(r#"{"resample": 2.5}"#)), "config/invalid");
}

#[test]
fn vocab_and_merges_make_the_tokenizer_of_the_reference() {
    let Some(hub) = common::shared("fixtures/hub/vocab-merges-only") else {
        return;
    };
    let read = |name: &str| std::fs::read(hub.join(name)).unwrap();
    let (vocab, merges) = (read("vocab.json"), read("merges.txt"));
    let json = tokenizer_json(&vocab, &merges).unwrap();
    let tokenizer = ClipTokenizer::from_bytes(&json, 4096, 49408).unwrap();
    let path = common::shared("fixtures/tokenizer/vectors.json").unwrap();
    let vectors: Vec<Value> = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    for vector in vectors
        .iter()
        .filter(|v| !v["text"].as_str().unwrap().contains("<|"))
    {
        let text = vector["text"].as_str().unwrap();
        assert_eq!(
            json!(tokenizer.encode(text).unwrap().ids),
            vector["ids"],
            "{text:?}"
        );
    }
    // CLIP's whole list of merges is longer than what its vocabulary takes of it.
    let longer = [merges.as_slice(), b"\nzz zz</w>\n"].concat();
    assert_eq!(tokenizer_json(&vocab, &longer).unwrap(), json);

    for (vocab, merges) in [
        (b"[]".as_slice(), merges.as_slice()),
        (b"{\"a\": -1}", &merges),
        (b"{\"a\": 1}", &merges),
        (&vocab, b"\xff\xfe"),
    ] {
        assert_eq!(code(tokenizer_json(vocab, merges)), "tokenizer/invalid");
    }
    let alone = hugging_face()
        .without("tokenizer.json")
        .with("vocab.json", &vocab);
    assert_eq!(code(alone.load(None)), "tokenizer/missing");
}
