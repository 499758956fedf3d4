//! What the names and shapes of a weights file say about a CLIP without its config.json.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use promptlens::error::Result;
use promptlens::weights::{Header, stream_file};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Metadata of this project: the shapes of quantised matrices before packing.
const SHAPES: &str = "promptlens.shapes";

/// Bytes and SHA-256 of a file.
pub fn digest(path: &Path) -> Result<(u64, String)> {
    let (mut hash, mut count) = (Sha256::new(), 0u64);
    stream_file(path, &mut |bytes| {
        hash.update(bytes);
        count += bytes.len() as u64;
        Ok(())
    })?;
    let hex = hash.finalize().iter().map(|b| format!("{b:02x}")).collect();
    Ok((count, hex))
}

/// Sizes of both towers; null where the file is no CLIP with Hugging Face names.
pub fn architecture(header: &Header) -> Value {
    let packed: BTreeMap<String, Vec<usize>> = header
        .metadata
        .get(SHAPES)
        .and_then(|text| serde_json::from_str(text).ok())
        .unwrap_or_default();
    let plain = header
        .entries
        .iter()
        .map(|entry| (entry.name.clone(), entry.shape.clone()));
    let shapes: BTreeMap<String, Vec<usize>> = plain.chain(packed).collect();
    let side = |name: &str, axis: usize| shapes.get(name).and_then(|s| s.get(axis)).copied();

    let vision_width = side("vision_model.embeddings.class_embedding", 0);
    let text_width = side("text_model.embeddings.token_embedding.weight", 1);
    if vision_width.is_none() && text_width.is_none() {
        return Value::Null;
    }
    let patch = side("vision_model.embeddings.patch_embedding.weight", 2);
    let image = side("vision_model.embeddings.position_embedding.weight", 0)
        .zip(patch)
        .and_then(|(rows, patch)| rows.checked_sub(1)?.isqrt().checked_mul(patch));
    json!({
        "family": "clip",
        "projection_dim": side("visual_projection.weight", 0),
        "vision": {
            "width": vision_width,
            "layers": layers(&shapes, "vision_model.encoder.layers."),
            "mlp": side("vision_model.encoder.layers.0.mlp.fc1.bias", 0),
            "image_size": image,
            "patch_size": patch,
        },
        "text": {
            "width": text_width,
            "layers": layers(&shapes, "text_model.encoder.layers."),
            "mlp": side("text_model.encoder.layers.0.mlp.fc1.bias", 0),
            "context_length": side("text_model.embeddings.position_embedding.weight", 0),
            "vocab_size": side("text_model.embeddings.token_embedding.weight", 0),
        },
    })
}

/// Different numbers that follow `prefix`.
fn layers(shapes: &BTreeMap<String, Vec<usize>>, prefix: &str) -> usize {
    let numbers: BTreeSet<&str> = shapes
        .keys()
        .filter_map(|name| name.strip_prefix(prefix)?.split_once('.'))
        .map(|(number, _)| number)
        .collect();
    numbers.len()
}
