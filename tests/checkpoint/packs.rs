//! The packed format, written and read back.

use std::path::Path;

use pollster::block_on;
use promptlens::checkpoint::{
    CHUNK_BYTES, Directory, Format, Loader, Manifest, ModelFiles, Storage, Weights, convert_dir,
};
use promptlens::quant::{HostTensor, Packed, Quantization, Scheme};
use serde_json::{Value, json};

use super::folder::{Memory, hugging_face, open_clip};
use super::tiny::{Random, code, distance};
use crate::common;

#[test]
fn a_pack_gives_back_what_was_packed() {
    for source in [hugging_face(), open_clip()] {
        for &quantization in Quantization::ALL {
            let (loaded, report) = source.load(Some(quantization)).unwrap();
            let pack = source.pack(Some(quantization)).unwrap();
            let (again, packed) = pack.load(None).unwrap();
            assert!(again == loaded, "{}", quantization.name());
            assert_eq!(
                packed.model_sha256, report.model_sha256,
                "the hash is the source's"
            );
            assert_eq!(packed.quantization, quantization);
            // What a pack asks for is what it has, and nothing else.
            let asked = pack.asked.borrow().clone();
            assert_eq!(
                asked[..3],
                ["config.json", "manifest.json", "tokenizer.json"]
            );
            assert!(
                asked[3..].iter().all(|name| name.starts_with("weights-")),
                "{asked:?}"
            );
            let same = source.pack(Some(quantization)).unwrap();
            assert!(same.files == pack.files, "packing is deterministic");
        }
        let (floats, _) = source.load(None).unwrap();
        assert!(source.pack(None).unwrap().load(None).unwrap().0 == floats);
        let q8 = source.pack(Some(Quantization::Q8)).unwrap();
        let (plain, _) = q8.load(Some(Quantization::None)).unwrap();
        assert!(
            plain
                .values()
                .all(|t| matches!(t, HostTensor::Float { .. }))
        );
        let files = |folder: &Memory| block_on(ModelFiles::read(folder, None)).unwrap();
        assert_eq!(files(&q8).config, files(&source).config);
        assert_eq!(files(&q8).preprocess, files(&source).preprocess);
    }
}

#[test]
fn the_manifest_says_how_each_tensor_is_stored() {
    let stored = |quantization| {
        let pack = hugging_face().pack(Some(quantization)).unwrap();
        let manifest = Manifest::from_json(&pack.files["manifest.json"]).unwrap();
        let find = |name: &str| {
            let tensor = manifest.tensors.iter().find(|t| t.name == name).unwrap();
            tensor.stored
        };
        (
            find("text_projection.weight"),
            find("text_model.embeddings.token_embedding.weight"),
            find("logit_scale"),
        )
    };
    assert_eq!(
        stored(Quantization::Q8),
        (Storage::Q8, Storage::Rows8, Storage::F32)
    );
    assert_eq!(
        stored(Quantization::Q4),
        (Storage::Q4, Storage::Rows8, Storage::F32)
    );
    assert_eq!(
        stored(Quantization::F16),
        (Storage::F16, Storage::F16, Storage::F32)
    );
    assert_eq!(
        stored(Quantization::None),
        (Storage::F32, Storage::F32, Storage::F32)
    );
}

#[test]
fn mixed_takes_four_bits_where_they_are_enough() {
    let values = |outliers: bool| -> Vec<f32> {
        let mut random = Random(5);
        (0..256 * 256)
            .map(|i| random.weight() * if outliers && i % 64 == 3 { 20.0 } else { 1.0 })
            .collect()
    };
    let config = br#"{"model_type": "clip", "projection_dim": 256,
      "text_config": {"hidden_size": 256, "num_hidden_layers": 1, "num_attention_heads": 4,
        "intermediate_size": 32, "max_position_embeddings": 5, "vocab_size": 11},
      "vision_config": {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 1,
        "intermediate_size": 33, "image_size": 8, "patch_size": 4}}"#;
    let config = promptlens::clip::config::ClipConfig::from_json(config).unwrap();
    let place = "text_model.encoder.layers.0.self_attn";
    let tensors: Vec<_> = super::tiny::values(&config, 3)
        .into_iter()
        .map(|(name, (shape, mut data))| {
            for (part, outliers) in [("q_proj", false), ("k_proj", true)] {
                if name == format!("{place}.{part}.weight") {
                    data = values(outliers);
                }
            }
            super::tiny::Raw::floats(&name, "F32", &shape, &data)
        })
        .collect();
    let file = super::tiny::file(&tensors);
    let (loaded, _) =
        super::tiny::load(&config, &file, Some(Quantization::Mixed), 1 << 16).unwrap();
    let bits = |part: &str| match &loaded[&format!("{place}.{part}.weight")] {
        HostTensor::Packed { packed, .. } => packed.bits,
        HostTensor::Float { .. } => 0,
    };
    assert_eq!((bits("q_proj"), bits("k_proj")), (4, 8));
}

#[test]
fn matrices_of_four_and_eight_bits_join() {
    let mut random = Random(17);
    let data: Vec<f32> = (0..40 * 7).map(|_| random.weight()).collect();
    let four = Packed::quantize(Scheme::Blocks4, 7, 40, &data).unwrap();
    let eight = Packed::quantize(Scheme::Blocks8, 7, 40, &data).unwrap();
    assert_eq!(
        four.widened().dequantize(),
        four.dequantize(),
        "widening is exact"
    );
    let joined = Packed::concat_rows(&[four.clone(), eight.clone()]).unwrap();
    assert_eq!((joined.bits, joined.rows), (8, 14));
    let want = [four.dequantize(), eight.dequantize()].concat();
    assert_eq!(joined.dequantize(), want);
    assert!(
        distance(&want[..280], &data) > 0.01,
        "four bits are not eight"
    );
}

#[test]
fn manifests_that_lie_are_refused() {
    let pack = hugging_face().pack(Some(Quantization::Q8)).unwrap();
    let manifest: Value = serde_json::from_slice(&pack.files["manifest.json"]).unwrap();
    let with = |pointer: &str, value: Value| {
        let mut next = manifest.clone();
        *next.pointer_mut(pointer).expect(pointer) = value;
        code(
            pack.with("manifest.json", next.to_string().as_bytes())
                .load(None),
        )
    };
    assert_eq!(with("/format", json!("promptlens-pack")), "fine");
    let chunk = manifest["chunks"][0]["bytes"].as_u64().unwrap();
    for (pointer, value, want) in [
        ("/format", json!("other"), "weights/invalid"),
        ("/version", json!(2), "weights/invalid"),
        ("/quantization", json!("q5"), "weights/invalid"),
        ("/source/sha256", json!("00"), "weights/invalid"),
        ("/chunks/0/bytes", json!(chunk - 4), "weights/invalid"),
        ("/chunks/0/bytes", json!(1u64 << 60), "weights/invalid"),
        ("/chunks/0/sha256", json!("0".repeat(64)), "weights/invalid"),
        (
            "/chunks/0/file",
            json!("../weights-00000.bin"),
            "weights/invalid",
        ),
        ("/chunks/0/file", json!("tokenizer.json"), "weights/invalid"),
        ("/chunks/0/file", json!("absent.bin"), "weights/missing"),
        ("/tokenizer/file", json!("/etc/passwd"), "weights/invalid"),
        (
            "/tokenizer/sha256",
            json!("1".repeat(64)),
            "weights/invalid",
        ),
        ("/tensors/0/stored", json!("q3"), "weights/invalid"),
        (
            "/tensors/0/shape",
            json!([1u64 << 40, 1u64 << 40]),
            "weights/invalid",
        ),
        (
            "/tensors/1/name",
            manifest["tensors"][0]["name"].clone(),
            "weights/invalid",
        ),
        ("/tensors/1/name", json!("other"), "weights/missing-tensor"),
        ("/config/projection_dim", json!(16), "weights/wrong-shape"),
        (
            "/config/vision_config/hidden_act",
            json!("relu"),
            "config/invalid",
        ),
        (
            "/preprocessor/crop_size",
            json!({"width": 9, "height": 9}),
            "config/invalid",
        ),
    ] {
        assert_eq!(with(pointer, value.clone()), want, "{pointer} = {value}");
    }
    // A linear layer stored as a table, and the other way round.
    let place = manifest["tensors"].as_array().unwrap();
    let place = place
        .iter()
        .position(|t| t["name"] == "text_projection.weight")
        .unwrap();
    let code = with(&format!("/tensors/{place}/stored"), json!("rows8"));
    assert_eq!(
        code, "weights/invalid",
        "the chunks have another length then"
    );
}

#[test]
fn chunks_are_small_and_tensors_start_whole() {
    let Some(mini) = common::shared("models/mini-0") else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("pack");
    let done = convert_dir(&mini, Quantization::Q8, Format::Pack, &out).unwrap();
    let manifest = Manifest::from_json(&std::fs::read(out.join("manifest.json")).unwrap()).unwrap();
    assert!(manifest.chunks.len() > 1);
    let lengths: Vec<u64> = manifest.chunks.iter().map(|chunk| chunk.bytes).collect();
    assert!(lengths.iter().all(|&length| length <= CHUNK_BYTES as u64));
    assert_eq!(lengths.iter().sum::<u64>(), done.bytes_out);
    // A tensor that fits into a chunk lies in one.
    let header = manifest.header().unwrap();
    let mut starts = vec![0];
    for length in &lengths {
        starts.push(starts[starts.len() - 1] + length);
    }
    let mut at = 0;
    for entry in &header.entries {
        let crosses = starts.iter().any(|&cut| at < cut && cut < at + entry.bytes);
        assert!(
            !crosses || entry.bytes > CHUNK_BYTES as u64,
            "{} is cut",
            entry.name
        );
        at += entry.bytes;
    }
    let load = |dir: &Path| {
        let folder = Directory::open(dir).unwrap();
        let files = block_on(ModelFiles::read(&folder, None)).unwrap();
        let packed = matches!(files.weights, Weights::Pack(_));
        let loader = Loader::new(&files.config, Some(Quantization::Q8));
        let mut all = std::collections::BTreeMap::new();
        let report = block_on(files.load(&folder, loader, &mut |name, tensor| {
            all.insert(name.to_owned(), tensor);
            Ok(())
        }));
        (packed, all, report.unwrap().model_sha256)
    };
    let (from, to) = (load(&mini), load(&out));
    assert_eq!((from.0, to.0), (false, true));
    assert!(from.1 == to.1 && from.2 == to.2);
    // A chunk that has grown is another file.
    let chunk = out.join(&manifest.chunks[0].file);
    let mut bytes = std::fs::read(&chunk).unwrap();
    bytes.push(0);
    std::fs::write(&chunk, bytes).unwrap();
    let folder = Directory::open(&out).unwrap();
    let files = block_on(ModelFiles::read(&folder, None)).unwrap();
    let loader = Loader::new(&files.config, None);
    let grown = block_on(files.load(&folder, loader, &mut |_, _| Ok(())));
    assert_eq!(code(grown), "weights/invalid");
    // Over another conversion nothing of it is left.
    convert_dir(&mini, Quantization::Q4, Format::Pack, &out).unwrap();
    let fewer = Manifest::from_json(&std::fs::read(out.join("manifest.json")).unwrap()).unwrap();
    let files = std::fs::read_dir(&out).unwrap().count();
    assert_eq!(files, fewer.chunks.len() + 2);
}
