//! PyTorch checkpoints of several files, as a stream and from a file system.

use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use promptlens::quant::Quantization;

use super::folder::{Memory, hugging_face};
use super::tiny::{code, tensors};
use super::torch::{directory, load, saved};

const INDEX: &str = "pytorch_model.bin.index.json";

/// The tiny model in `count` files with their index.
fn sharded(count: usize, piece: usize) -> Memory {
    let all = tensors("F32");
    let mut map = Map::new();
    let mut folder = hugging_face().without("model.safetensors");
    for (shard, part) in all.chunks(all.len().div_ceil(count)).enumerate() {
        let name = format!("pytorch_model-{:05}-of-{count:05}.bin", shard + 1);
        for tensor in part {
            map.insert(tensor.name.clone(), Value::from(name.clone()));
        }
        folder = folder.with(&name, &saved(part));
    }
    let index = json!({"metadata": {"total_size": 1}, "weight_map": map}).to_string();
    Memory {
        piece,
        ..folder.with(INDEX, index.as_bytes())
    }
}

/// The files with weights, in their order.
fn weights(folder: &Memory) -> Vec<&[u8]> {
    let files = folder.files.iter();
    files
        .filter(|(name, _)| name.ends_with(".bin"))
        .map(|(_, bytes)| bytes.as_slice())
        .collect()
}

fn sha256(bytes: &[u8]) -> String {
    let hash = Sha256::digest(bytes);
    hash.iter().map(|b| format!("{b:02x}")).collect()
}

#[test]
fn pytorch_shards_make_one_model() {
    for quantization in [None, Some(Quantization::Q8)] {
        let (reference, whole) = hugging_face().load(quantization).unwrap();
        for (count, piece) in [(1, 0), (2, 13), (5, 0)] {
            let folder = sharded(count, piece);
            let (loaded, report) = folder.load(quantization).unwrap();
            assert!(loaded == reference, "{count} shards");
            let files = weights(&folder);
            let bytes: usize = files.iter().map(|file| file.len()).sum();
            assert_eq!((report.bytes, report.ignored), (bytes as u64, 0));
            assert_eq!(report.header.entries.len(), whole.header.entries.len());
            let hashes: Vec<String> = files.iter().map(|file| sha256(file)).collect();
            let expected = match hashes.as_slice() {
                [one] => one.clone(),
                many => sha256(many.join("\n").as_bytes()),
            };
            assert_eq!(report.file_sha256, expected, "as of other files");

            let on_disk: Vec<(&str, &[u8])> = folder
                .files
                .iter()
                .map(|(name, bytes)| (name.as_str(), bytes.as_slice()))
                .collect();
            let (sought, other) = load(directory(&on_disk).path(), quantization).unwrap();
            assert!(sought == reference, "{count} shards");
            assert_eq!((other.file_sha256, other.bytes), (expected, bytes as u64));
        }
    }
}

#[test]
fn pytorch_shards_that_do_not_belong_together_are_refused() {
    let good = sharded(3, 100);
    let (first, second) = (
        "pytorch_model-00001-of-00003.bin",
        "pytorch_model-00002-of-00003.bin",
    );
    assert_eq!(code(good.without(second).load(None)), "weights/missing");
    let other = good.with(second, &good.files[first]);
    assert_eq!(
        code(other.load(None)),
        "weights/invalid",
        "one tensor twice"
    );
    let cut = good.with(second, &good.files[second][..5000]);
    assert_eq!(code(cut.load(None)), "weights/invalid");
    let empty = good.with(second, &saved(&[]));
    assert_eq!(code(empty.load(None)), "weights/missing-tensor");
    for map in [
        json!({}),
        json!({"a": "../pytorch_model.bin"}),
        json!({"a": "model.safetensors"}),
    ] {
        let index = json!({ "weight_map": map }).to_string();
        let folder = good.with(INDEX, index.as_bytes());
        assert_eq!(code(folder.load(None)), "weights/invalid");
    }
    let mut index: Value = serde_json::from_slice(&good.files[INDEX]).unwrap();
    let map = index["weight_map"].as_object_mut().unwrap();
    map.remove("logit_scale").unwrap();
    let folder = good.with(INDEX, index.to_string().as_bytes());
    assert_eq!(code(folder.load(None)), "weights/missing-tensor");
}
