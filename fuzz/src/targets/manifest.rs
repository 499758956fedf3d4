//! `manifest.json` of packed models.

use promptlens::checkpoint::Manifest;
use promptlens::clip::config::ClipConfig;
use promptlens::image::Preprocess;

use super::{checked, same_json};

pub fn run(bytes: &[u8]) {
    let Some(manifest) = checked(Manifest::from_json(bytes), &["weights/invalid"]) else {
        return;
    };
    let header = manifest.header().expect("a manifest that was checked");
    let held: u64 = header.entries.iter().map(|entry| entry.bytes).sum();
    let chunks: u64 = manifest.chunks.iter().map(|chunk| chunk.bytes).sum();
    assert_eq!((header.data_bytes, held), (chunks, chunks));
    for file in manifest.chunks.iter().chain([&manifest.tokenizer]) {
        let name = &file.file;
        assert!(
            !name.contains(['/', '\\', ':']) && !name.starts_with('.'),
            "{name:?}"
        );
    }
    let json = manifest.to_json().expect("a manifest is written");
    let again = Manifest::from_json(&json).expect("what was written");
    let value = |manifest: &Manifest| serde_json::to_value(manifest).expect("JSON");
    assert!(same_json(&value(&again), &value(&manifest)));
    let (config, preprocessor) = (&manifest.config, &manifest.preprocessor);
    checked(
        ClipConfig::from_json(config.to_string().as_bytes()),
        &["config/"],
    );
    checked(
        Preprocess::from_json(preprocessor.to_string().as_bytes()),
        &["config/"],
    );
}
