//! Model directories.

use std::collections::BTreeMap;
use std::path::Path;

use promptlens::checkpoint::{Format, Loader, WEIGHTS_FILE, convert_dir, load_file, read_header};
use promptlens::clip::config::ClipConfig;
use promptlens::image::Preprocess;
use promptlens::quant::{HostTensor, Quantization};

use super::folder::PREPROCESSOR;
use super::tiny::{self, Loaded, code, distance};
use crate::common;

fn load_dir(dir: &Path, quantization: Option<Quantization>) -> (Loaded, String) {
    let config = ClipConfig::from_json(&std::fs::read(dir.join("config.json")).unwrap()).unwrap();
    let mut loaded = BTreeMap::new();
    let loader = Loader::new(&config, quantization);
    let report = load_file(&dir.join(WEIGHTS_FILE), loader, &mut |name, tensor| {
        loaded.insert(name.to_owned(), tensor);
        Ok(())
    })
    .unwrap();
    (loaded, report.model_sha256)
}

#[test]
fn mini_converts_to_every_form() {
    let Some(source) = common::shared("models/mini-0") else {
        return;
    };
    let (reference, sha256) = load_dir(&source, None);
    let dir = tempfile::tempdir().unwrap();
    for (quantization, most_bytes, bound) in [
        (Quantization::None, 23_700_000, 0.0),
        (Quantization::Q8, 6_900_000, 0.02),
        (Quantization::Q4, 4_900_000, 0.15),
    ] {
        let out = dir.path().join(quantization.name());
        let done = convert_dir(&source, quantization, Format::Safetensors, &out).unwrap();
        assert_eq!(done.tensors, reference.len());
        assert_eq!(done.sha256, sha256);
        assert_eq!(done.bytes_in, 23_374_740);
        let written = std::fs::metadata(out.join(WEIGHTS_FILE)).unwrap().len();
        assert_eq!(done.bytes_out, written);
        let total: u64 = std::fs::read_dir(&out)
            .unwrap()
            .map(|entry| entry.unwrap().metadata().unwrap().len())
            .sum();
        println!("mini-0 {}: {total} bytes in all", quantization.name());
        assert!(total < most_bytes);
        let read = |dir: &Path, name: &str| std::fs::read(dir.join(name)).unwrap();
        let tokenizer = "tokenizer.json";
        assert_eq!(read(&out, tokenizer), read(&source, tokenizer));
        let config = |dir| ClipConfig::from_json(&read(dir, "config.json")).unwrap();
        assert_eq!(config(&out), config(&source));
        let views = |dir| Preprocess::from_json(&read(dir, "preprocessor_config.json")).unwrap();
        assert_eq!(views(&out), views(&source));

        let (loaded, kept) = load_dir(&out, None);
        assert_eq!(kept, sha256, "the hash is that of the source");
        let mut worst = (0.0, String::new());
        for (name, tensor) in loaded {
            let packed = matches!(tensor, HostTensor::Packed { .. });
            let error = distance(
                &tensor.into_floats(),
                &reference[&name].clone().into_floats(),
            );
            if packed {
                println!("{} {error:.5} {name}", quantization.name());
            } else {
                assert_eq!(error, 0.0, "{name} is stored whole");
            }
            if error > worst.0 {
                worst = (error, name);
            }
        }
        assert!(worst.0 <= bound, "{worst:?}");

        // The same conversion gives the same bytes.
        let again = dir.path().join("again");
        convert_dir(&source, quantization, Format::Safetensors, &again).unwrap();
        let read = |dir: &Path| std::fs::read(dir.join(WEIGHTS_FILE)).unwrap();
        assert!(
            read(&out) == read(&again),
            "conversion is not deterministic"
        );
    }
    // From a quantized directory, the hash of the source is handed on.
    let q4 = convert_dir(
        &dir.path().join("q8"),
        Quantization::Q4,
        Format::Safetensors,
        &dir.path().join("q8-q4"),
    )
    .unwrap();
    assert_eq!(q4.sha256, sha256);
}

#[test]
fn a_written_file_is_ordinary_safetensors() {
    let Some(source) = common::shared("fixtures/tiny-rand") else {
        return;
    };
    let dir = tempfile::tempdir().unwrap();
    convert_dir(&source, Quantization::Q8, Format::Safetensors, dir.path()).unwrap();
    let bytes = std::fs::read(dir.path().join(WEIGHTS_FILE)).unwrap();
    let parsed = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let header = read_header(&dir.path().join(WEIGHTS_FILE)).unwrap();
    assert_eq!(parsed.len(), header.entries.len());
    let words = parsed.tensor("text_projection.weight.words").unwrap();
    assert_eq!(
        (words.dtype(), words.shape()),
        (safetensors::Dtype::U32, &[32, 16][..])
    );
    let scales = parsed.tensor("text_projection.weight.scales").unwrap();
    assert_eq!(
        (scales.dtype(), scales.shape()),
        (safetensors::Dtype::F16, &[32, 2][..])
    );
    assert_eq!(header.metadata["promptlens.quantization"], "q8");
    let shapes: serde_json::Value =
        serde_json::from_str(&header.metadata["promptlens.shapes"]).unwrap();
    let patch = &shapes["vision_model.embeddings.patch_embedding.weight"];
    assert_eq!(*patch, serde_json::json!([96, 3, 16, 16]));
}

#[test]
fn what_a_directory_lacks_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let (model, out) = (dir.path().join("model"), dir.path().join("out"));
    std::fs::create_dir(&model).unwrap();
    let convert = || {
        code(convert_dir(
            &model,
            Quantization::Q8,
            Format::Safetensors,
            &out,
        ))
    };
    assert_eq!(convert(), "config/missing");
    std::fs::write(model.join("config.json"), tiny::CONFIG).unwrap();
    assert_eq!(convert(), "config/missing", "of the preprocessing");
    std::fs::write(model.join("preprocessor_config.json"), PREPROCESSOR).unwrap();
    assert_eq!(convert(), "tokenizer/missing");
    std::fs::write(model.join("tokenizer.json"), "{}").unwrap();
    assert_eq!(convert(), "weights/missing");
    std::fs::write(model.join(WEIGHTS_FILE), "").unwrap();
    assert_eq!(convert(), "weights/invalid");
    assert_eq!(
        code(read_header(&model.join(WEIGHTS_FILE))),
        "weights/invalid"
    );
    assert!(
        !out.join(WEIGHTS_FILE).exists(),
        "nothing half done is left under the name"
    );
    std::fs::write(model.join(WEIGHTS_FILE), tiny::file(&tiny::tensors("F32"))).unwrap();
    assert_eq!(convert(), "fine");
    assert_eq!(
        code(convert_dir(&model, Quantization::Q8, Format::Pack, &model)),
        "io/failed"
    );
}
