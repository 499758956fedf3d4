//! Writes the small files in `seeds/`, by which a fuzzer starts: `cargo run --example seeds` in `fuzz/`.
//! They are made here alone, so that running it again changes nothing.

use std::io::{Cursor, Write};
use std::path::Path;

use flate2::Compression;
use flate2::write::GzEncoder;
use image::{ExtendedColorType, ImageEncoder};
use promptlens::prompt::file::Prompt;
use promptlens::quant::Quantization;
use promptlens::tokenize::{KnownWords, tokenizer_json};
use promptlens_fuzz::targets::words_model::{DIM, SHA256, WIDTH, WordsModel};
use serde_json::{Map, Value, json};
use zip::CompressionMethod;
use zip::write::SimpleFileOptions;

// The builders of the tests.
#[allow(dead_code)]
#[path = "../../tests/checkpoint/folder.rs"]
mod folder;
#[allow(dead_code)]
#[path = "../../tests/checkpoint/tiny.rs"]
mod tiny;
#[allow(dead_code, unused_imports)]
#[path = "../../tests/checkpoint/torch.rs"]
mod torch;

use folder::{Memory, OPEN_CLIP, PREPROCESSOR, hugging_face, open_clip};
use tiny::Raw;
use torch::{saved, torch_archive};

fn main() {
    configurations();
    weights();
    prompts();
    words();
    lists();
    images();
    archives();
    options();
    classifiers();
}

/// Writes one seed.
fn put(target: &str, name: &str, bytes: impl AsRef<[u8]>) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("seeds")
        .join(target);
    std::fs::create_dir_all(&folder).expect("a folder of seeds");
    std::fs::write(folder.join(name), bytes).expect("a seed");
}

fn configurations() {
    put("config", "config.json", tiny::CONFIG);
    put("config", "open_clip_config.json", OPEN_CLIP);
    put("config", "preprocessor_config.json", PREPROCESSOR);
    let whole = r#"{"do_resize":true,"size":{"shortest_edge":224},"resample":3,"do_center_crop":true,
"crop_size":{"height":224,"width":224},"do_rescale":true,"rescale_factor":0.00392,"do_normalize":true,
"image_mean":[0.48,0.46,0.41],"image_std":[0.27,0.26,0.28]}"#;
    put("config", "preprocessor_whole.json", whole);
    put(
        "config",
        "processor_config.json",
        format!(r#"{{"image_processor":{whole}}}"#),
    );
    let lite = json!({"model_type": "clip", "projection_dim": 16,
        "vision_config": {"model_type": "efficientnet", "variant": "lite0", "image_size": 224},
        "text_config": {"hidden_size": 32, "num_attention_heads": 1, "num_hidden_layers": 1,
            "intermediate_size": 64, "max_position_embeddings": 12, "vocab_size": 300,
            "hidden_act": "gelu", "eos_token_id": 299, "causal": false, "layer_norm_eps": 1e-5}});
    put("config", "efficientnet.json", lite.to_string());
    let index = json!({"metadata": {"total_size": 1}, "weight_map": {
        "logit_scale": "model-00001-of-00002.safetensors",
        "text_projection.weight": "model-00002-of-00002.safetensors"}});
    put("config", "model.safetensors.index.json", index.to_string());
    let modules =
        json!([{"path": "0_CLIPModel", "type": "sentence_transformers.models.CLIPModel"}]);
    put("config", "modules.json", modules.to_string());
}

fn weights() {
    put("safetensors", "f16", tiny::file(&tiny::tensors("F16")));
    put("safetensors", "empty", tiny::file_with("{}", &[]));
    let two = r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"I64","shape":[],"data_offsets":[8,16]},"c":{"dtype":"U8","shape":[0,3],"data_offsets":[16,16]}}"#;
    put("safetensors", "three", tiny::file_with(two, &[0; 16]));
    put("torch", "half", saved(&tiny::tensors("F16")));
    let context: Vec<f32> = (0..2 * WIDTH).map(|i| i as f32 / 16.0).collect();
    let context = Raw::floats("prompt_learner.ctx", "F32", &[2, WIDTH], &context);
    put("torch", "coop", saved(&[context]));
    put("torch", "nothing", torch_archive(b"\x80\x02}.", &[]));
    packs("q8", &hugging_face(), Quantization::Q8);
    packs("q4", &open_clip(), Quantization::Q4);
}

fn packs(name: &str, folder: &Memory, quantization: Quantization) {
    let packed = folder.pack(Some(quantization)).expect("a packed model");
    let manifest = &packed.files["manifest.json"];
    put("manifest", name, manifest);
    let mut file = (manifest.len() as u32).to_le_bytes().to_vec();
    file.extend(manifest);
    file.extend(&packed.files["weights-00000.bin"]);
    put("pack", name, file);
}

fn prompts() {
    let names = ["cat", "golf_ball"].map(str::to_owned);
    let prompt = |recipe: &str, tensors: &[(&str, &[usize])]| {
        let mut prompt = Prompt::new(recipe, &WordsModel, &names);
        for (name, shape) in tensors {
            let count = shape.iter().product();
            let data = (0..count).map(|i| (i % 2) as f32).collect();
            prompt.put(name, shape, data);
        }
        prompt
    };
    let write = |prompt: Prompt| {
        let file = prompt.to_bytes().expect("a prompt is written");
        put("prompt", &prompt.recipe, file);
    };
    write(prompt("coop", &[("context", &[2, WIDTH])]));
    let each: &[usize] = &[2, 2, WIDTH];
    write(prompt(
        "coop-each",
        &[("context", each), ("earlier_contexts", each)],
    ));
    let mut lapt = prompt(
        "lapt",
        &[("context", &[2, WIDTH]), ("negative_context", &[2, WIDTH])],
    );
    lapt.note_list("negatives", &["soup".to_owned(), "river".to_owned()]);
    write(lapt);
    let mut attributes = prompt("atprompt", &[("context", &[3, WIDTH])]);
    attributes.note_list("attributes", &["color".to_owned()]);
    attributes.note("per_attribute", 1);
    write(attributes);
    write(prompt("msgcoop", &[("contexts", each)]));
    let gate: &[(&str, &[usize])] = &[
        ("contexts", each),
        ("gate.weight", &[2, DIM]),
        ("gate.bias", &[2]),
    ];
    write(prompt("mocoop", gate));
    let mut conditional = prompt(
        "cocoop",
        &[
            ("context", &[2, WIDTH]),
            ("condition.weight1", &[3, DIM]),
            ("condition.bias1", &[3]),
            ("condition.weight2", &[WIDTH, 3]),
            ("condition.bias2", &[WIDTH]),
        ],
    );
    conditional.note("strength", 1);
    write(conditional);
    let texts: &[(&str, &[usize])] = &[("text_features", &[2, DIM]), ("residual", &[2, DIM])];
    let mut taskres = prompt("taskres", texts);
    taskres.note_list("templates", &["a photo of a {}.".to_owned()]);
    write(taskres);
    let mut tip = prompt(
        "tip-adapter",
        &[
            ("text_features", &[2, DIM]),
            ("cache.keys", &[2, DIM]),
            ("cache.classes", &[2]),
        ],
    );
    tip.note_list("templates", &["a photo of a {}.".to_owned()]);
    tip.note("alpha", 1.17);
    tip.note("beta", 1);
    tip.note("likeness", "cosine");
    write(tip);
}

/// A vocabulary of the 256 bytes as CLIP writes them, and two merges.
fn words() {
    let own = |byte: &u8| matches!(byte, 33..=126 | 161..=172 | 174..=255);
    let mut symbols: Vec<char> = (0..=255u8).filter(own).map(char::from).collect();
    symbols.extend(('\u{100}'..).take(256 - symbols.len()));
    let mut tokens: Vec<String> = symbols.iter().map(char::to_string).collect();
    tokens.extend(symbols.iter().map(|symbol| format!("{symbol}</w>")));
    tokens.extend(["ca", "cat</w>", "<|startoftext|>", "<|endoftext|>"].map(str::to_owned));
    let vocab: Map<String, Value> = tokens
        .into_iter()
        .enumerate()
        .map(|(id, token)| (token, Value::from(id)))
        .collect();
    let vocab = Value::from(vocab).to_string().into_bytes();
    let merges = b"#version: 0.2\nc a\nca t</w>\n";
    let json = tokenizer_json(&vocab, merges).expect("a tokenizer");
    put("tokenizer", "tokenizer.json", json);
    put(
        "tokenizer",
        "vocab-merges",
        [&vocab[..], b"\xff", merges].concat(),
    );

    let known = KnownWords::of(["a chain saw", "berries of glass", "crème brûlée"]);
    put(
        "words",
        "words.txt.gz",
        known.to_bytes().expect("a file in memory"),
    );
    put(
        "words",
        "list.txt",
        "# nouns\ncat\ngolf ball\ndate (fruit)\n\ncrème brûlée\n",
    );
}

fn lists() {
    for (name, text) in [
        (
            "typed",
            "cat, dog,\"lamp, standing\"\n\"say \"\"so\"\"\"\tcafé",
        ),
        ("lines", "cat\r\ndog,\r\n\"lamp, standing\"\r\n"),
        ("array.json", r#"["cat", "golf_ball", "cafe\u0301"]"#),
        (
            "id2label.json",
            r#"{"id2label": {"0": "tench", "1": "goldfish"}}"#,
        ),
        (
            "label2id.json",
            r#"{"label2id": {"tench": 0, "goldfish": 1}}"#,
        ),
        (
            "index.json",
            r#"{"0": ["n01440764", "tench"], "1": ["n01443537", "goldfish"]}"#,
        ),
        (
            "objects.json",
            r#"{"classes": [{"name": "a"}, {"label": "b"}, null]}"#,
        ),
        ("table.csv", "label;count\n\"a \"\"b\"\"\nc\";1\nd;2\n"),
        ("marks", "\u{feff}a\u{202e}b, A\u{301}, \u{200b}, x\u{0}y"),
    ] {
        put("labels", name, text);
    }
    let sixteen = |text: &str| {
        text.encode_utf16()
            .flat_map(u16::to_le_bytes)
            .collect::<Vec<_>>()
    };
    put(
        "labels",
        "utf-16",
        [b"\xff\xfe".as_slice(), &sixteen("Küche\ncat\n")].concat(),
    );
}

fn images() {
    let (width, height) = (9, 5);
    let pixels: Vec<u8> = (0..width * height * 3).map(|i| (i * 7) as u8).collect();
    let color = ExtendedColorType::Rgb8;
    let mut png = Vec::new();
    let encoder = image::codecs::png::PngEncoder::new(&mut png);
    encoder
        .write_image(&pixels, width, height, color)
        .expect("a PNG");
    put("image", "small.png", &png);
    // It declares 30,000 x 30,000 pixels; the checksum of its header is wrong.
    png[16..20].copy_from_slice(&30_000u32.to_be_bytes());
    png[20..24].copy_from_slice(&30_000u32.to_be_bytes());
    put("image", "vast.png", &png);
    let mut jpeg = Vec::new();
    let encoder = image::codecs::jpeg::JpegEncoder::new(&mut jpeg);
    encoder
        .write_image(&pixels, width, height, color)
        .expect("a JPEG");
    put("image", "small.jpg", jpeg);
    let mut bmp = Vec::new();
    let encoder = image::codecs::bmp::BmpEncoder::new(&mut bmp);
    encoder
        .write_image(&pixels, width, height, color)
        .expect("a bitmap");
    put("image", "small.bmp", bmp);
    let mut webp = Vec::new();
    let encoder = image::codecs::webp::WebPEncoder::new_lossless(&mut webp);
    encoder
        .write_image(&pixels, width, height, color)
        .expect("a WebP");
    put("image", "small.webp", webp);
    let mut gif = Vec::new();
    let mut encoder = image::codecs::gif::GifEncoder::new(&mut gif);
    encoder
        .encode(&pixels, width, height, color)
        .expect("a GIF");
    drop(encoder);
    put("image", "small.gif", gif);
    put(
        "image",
        "drawing.svg",
        "<svg xmlns='http://www.w3.org/2000/svg'/>",
    );
}

const FILES: &[(&str, &[u8])] = &[
    ("train/cat/0.jpg", b"first"),
    ("train/dog/1.jpg", b"second"),
    ("test/cat/2.jpg", b""),
    (".hidden/x", b"x"),
    ("loose.jpg", b"loose"),
];

fn archives() {
    let mut tar = tar::Builder::new(Vec::new());
    let long = format!("cat/{}.jpg", "long".repeat(30));
    for (name, bytes) in FILES.iter().copied().chain([(long.as_str(), &b"long"[..])]) {
        let mut header = tar::Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        tar.append_data(&mut header, name, bytes).expect("a member");
    }
    tar.append_pax_extensions([("path", "cat/é.jpg".as_bytes())])
        .expect("an extension");
    let mut header = tar::Header::new_ustar();
    header.set_entry_type(tar::EntryType::Symlink);
    header.set_size(0);
    tar.append_link(&mut header, "short", "cat/0.jpg")
        .expect("a link");
    let tar = tar.into_inner().expect("a tar in memory");
    put("tar", "photos.tar", &tar);
    let mut gz = GzEncoder::new(Vec::new(), Compression::best());
    gz.write_all(&tar).expect("bytes in memory");
    put(
        "tar",
        "photos.tar.gz",
        gz.finish().expect("bytes in memory"),
    );

    for (name, method) in [
        ("stored.zip", CompressionMethod::Stored),
        ("deflated.zip", CompressionMethod::Deflated),
    ] {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let options = SimpleFileOptions::default().compression_method(method);
        for (name, bytes) in FILES {
            zip.start_file(*name, options).expect("a member");
            zip.write_all(bytes).expect("bytes in memory");
        }
        zip.add_directory("folder", options).expect("a folder");
        zip.add_symlink("cat/link.jpg", "0.jpg", options)
            .expect("a link");
        put(
            "zip",
            name,
            zip.finish().expect("a zip in memory").into_inner(),
        );
    }
    let empty = zip::ZipWriter::new(Cursor::new(Vec::new()));
    put(
        "zip",
        "empty.zip",
        empty.finish().expect("a zip in memory").into_inner(),
    );
}

/// A calibration file.
fn threshold() -> Value {
    json!({"version": 1, "key": {"model_sha256": "aa".repeat(32),
        "quantization": "q8", "prompt_sha256": "bb".repeat(32), "classes_sha256": "cc".repeat(32),
        "negatives_sha256": null, "score": "mcm", "parameters": {"tau": 1.0, "local_weight": 0.0,
        "groups": 1, "shuffle_seed": null}, "tuning": "none"}, "n": 40, "m": 2, "threshold": "0.25"})
}

fn classifiers() {
    let names = json!({"format": "promptlens-classifier", "version": 1, "labels": ["cat", "golf_ball"],
        "templates": ["a photo of a {}."]});
    put("classifier", "names", names.to_string());
    let mut everything = names.clone();
    everything["templates"] = json!(["a photo of a {}.", "{}"]);
    everything["rejection"] = json!({"score": "neglabel", "threshold": {"score": "neglabel", "value": 0.5},
        "calibration": {"file": threshold().to_string(), "score": "mcm", "threshold": 0.25, "n": 40,
            "interval": {"low": 0.0, "high": 0.1}},
        "negatives": {"own": null, "struck": ["hat"], "added": ["soup", "river"]}});
    everything["tuning"] =
        json!({"tune": "tpt", "views": 16, "steps": 2, "seed": 7, "rho": 0.3, "augmix": true});
    everything["model"] =
        json!({"address": "../mini/", "name": "mini", "quantization": "q8", "sha256": SHA256});
    put("classifier", "everything", everything.to_string());
    let mut prompt = Prompt::new(
        "coop",
        &WordsModel,
        &["cat", "golf_ball"].map(str::to_owned),
    );
    let data = (0..2 * WIDTH).map(|i| (i % 2) as f32).collect();
    prompt.put("context", &[2, WIDTH], data);
    let mut taught = names;
    taught["prompt"] = json!(base64::encode(
        prompt.to_bytes().expect("a prompt is written")
    ));
    taught["model"] = json!({"sha256": SHA256});
    put("classifier", "taught", taught.to_string());
}

fn options() {
    for (name, value) in [
        (
            "answer",
            json!({"tune": "difftpt-lite", "views": 16, "steps": 2, "seed": 7, "rho": 0.3,
                "ood": "gl-mcm", "tau": 0.1, "localWeight": 0.5, "groups": 10, "heatmap": "regions",
                "templates": ["a photo of a {}.", "{}"], "quantization": "q4"}),
        ),
        (
            "train",
            json!({"recipe": "coop", "set": {"epochs": "5", "lr": "auto", "specific": "yes"},
                "validation": "leave-one-out", "layout": "middle", "labels": ["cat"],
                "descriptions": r#"{"cat": ["A cat has whiskers.", " "], "dog": []}"#}),
        ),
        (
            "tip",
            json!({"recipe": "tip-adapter", "set": {"alpha": "1.5", "beta": "2"}}),
        ),
        (
            "calibration",
            json!({"calibration": threshold().to_string(), "tune": "tpt"}),
        ),
    ] {
        put("options", name, value.to_string());
    }
}
