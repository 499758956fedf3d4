//! What a model's small files say: `config.json`, `open_clip_config.json`, `preprocessor_config.json`,
//! `processor_config.json`, and the lists of several weights files.

use pollster::block_on;
use promptlens::checkpoint::{Loader, ModelFiles};
use promptlens::clip::config::ClipConfig;
use promptlens::clip::open_clip;
use promptlens::image::Preprocess;

use super::memory_folder::Memory;
use super::{checked, same_json, tiny_model};

const ROOMS: &[&str] = &["config/"];

pub fn run(bytes: &[u8]) {
    if let Some(config) = checked(ClipConfig::from_json(bytes), ROOMS) {
        same_again(&config);
    }
    if let Some((config, preprocess)) = checked(open_clip::read(bytes), ROOMS) {
        same_again(&config);
        written(&preprocess);
    }
    if let Some(preprocess) = checked(Preprocess::from_json(bytes), ROOMS) {
        written(&preprocess);
    }
    if let Some(Some(preprocess)) = checked(Preprocess::from_processor(bytes), ROOMS) {
        written(&preprocess);
    }
    // As each of the files in a folder without weights; nothing can come of it but a coded error.
    for name in [
        "config.json",
        "open_clip_config.json",
        "processor_config.json",
        "modules.json",
        "model.safetensors.index.json",
        "pytorch_model.bin.index.json",
    ] {
        let mut folder = tiny_model::folder();
        if matches!(name, "open_clip_config.json" | "modules.json") {
            folder.remove("config.json");
        }
        if name == "processor_config.json" {
            folder.remove("preprocessor_config.json");
        }
        folder.put(name, bytes.to_vec());
        let areas = &["config/", "weights/"];
        if let Some(files) = checked(block_on(ModelFiles::read(&folder, None)), areas) {
            checked(load(&files, &folder), areas);
        }
    }
}

fn load(files: &ModelFiles, folder: &Memory) -> promptlens::error::Result<()> {
    let loader = Loader::new(&files.config, None);
    block_on(files.load(folder, loader, &mut |_, _| Ok(()))).map(|_| ())
}

fn same_again(config: &ClipConfig) {
    let json = config.to_json().to_string();
    let again = ClipConfig::from_json(json.as_bytes()).expect("what was written");
    assert_eq!(again, *config);
    let tensors = config.tensors();
    assert!(tensors.len() < 100_000, "{} tensors", tensors.len());
    if let Some(unfolded) = config.unfolded() {
        assert!(unfolded.len() >= tensors.len());
    }
}

fn written(preprocess: &Preprocess) {
    let json = preprocess.to_json().to_string();
    let again = Preprocess::from_json(json.as_bytes()).expect("what was written");
    assert_eq!(again.input_len(), preprocess.input_len());
    assert!(same_json(&again.to_json(), &preprocess.to_json()));
}
