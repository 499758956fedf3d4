//! The tower in files: with batch norms and without, packed, damaged.

use std::path::Path;

use pollster::block_on;
use promptlens::checkpoint::{Format, convert_dir};
use promptlens::classifier::{ClassSet, ClassifyOptions};
use promptlens::clip::efficientnet::FEATURES;
use promptlens::device::Choice;
use promptlens::heatmap::HeatmapMethod;
use promptlens::kernels::check::values;
use promptlens::model::Model;
use promptlens::quant::Quantization;
use serde_json::Value;

use super::host;
use super::model::{DIM, SIDE, config, tensors, write, write_weights};
use crate::cli::{promptlens, text};
use crate::common::{cosine, relative_error, shared};

fn open(folder: &Path, choice: Choice) -> Model {
    block_on(Model::open(folder, choice, None)).expect("the model loads")
}

fn pixels(count: usize) -> Vec<f32> {
    values(count * 3 * SIDE * SIDE, 4)
}

/// Normalized features of two generated images.
fn features(model: &Model) -> Vec<f32> {
    block_on(model.embed_pixels(&pixels(2))).expect("finite features")
}

#[test]
fn an_image_does_not_depend_on_its_batch_and_is_the_mean_of_its_cells() {
    let folder = tempfile::tempdir().unwrap();
    if !write(folder.path()) {
        return;
    }
    let model = open(folder.path(), Choice::Cpu);
    let vision = &model.clip.vision;
    assert_eq!(
        (vision.image_size(), vision.grid(), vision.patch_size()),
        (SIDE, 3, 1)
    );
    let pixels = pixels(5);
    let together = host(vision.encode(&pixels));
    let alone: Vec<f32> = pixels
        .chunks(vision.pixels_per_image())
        .flat_map(|image| host(vision.encode(image)))
        .collect();
    assert_eq!(together, alone);
    let (feature, cells) = vision.encode_with_patches(&pixels);
    assert_eq!(host(feature), together);
    let means: Vec<f32> = host(cells)
        .chunks(9 * DIM)
        .flat_map(|cells| {
            let mean = |d: usize| cells.iter().skip(d).step_by(DIM).sum::<f32>() / 9.0;
            (0..DIM).map(mean).collect::<Vec<f32>>()
        })
        .collect();
    assert!(relative_error(&means, &together) <= 1e-5);
    let error = vision.vit("Masked training").unwrap_err();
    assert_eq!(error.code(), "model/needs-vit");
    assert!(error.message().contains("tf_efficientnet_lite0"), "{error}");
}

#[test]
fn heat_maps_have_the_cells_of_the_tower() {
    let folder = tempfile::tempdir().unwrap();
    if !write(folder.path()) {
        return;
    }
    let model = open(folder.path(), Choice::Cpu);
    let labels = ["cat", "dog"].map(str::to_owned);
    let classes = block_on(ClassSet::new(&model, &labels, &["a photo of a {}."])).unwrap();
    let photo = std::fs::read(&crate::cli::photos("fixtures/mini", "png")[0]).unwrap();
    let options = ClassifyOptions {
        heatmap: Some(HeatmapMethod::Patches),
        ..ClassifyOptions::default()
    };
    let found = block_on(classes.classify(&model, &photo, &options, &())).unwrap();
    let map = found.heatmap.expect("a heat map");
    assert_eq!((map.width, map.height), (3, 3));
}

#[test]
fn conversions_keep_the_model() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    if !write(from.path()) {
        return;
    }
    let source = features(&open(from.path(), Choice::Cpu));
    let convert = |quantization, format| {
        let done = convert_dir(from.path(), quantization, format, to.path()).expect("converted");
        assert_eq!(done.tensors, config().tensors().len());
        (features(&open(to.path(), Choice::Cpu)), done.bytes_out)
    };
    let (whole, all) = convert(Quantization::None, Format::Pack);
    assert_eq!(whole, source);
    let (whole, _) = convert(Quantization::None, Format::Safetensors);
    assert_eq!(whole, source);
    let least = |found: &[f32]| {
        let pairs = found.chunks(DIM).zip(source.chunks(DIM));
        pairs.map(|(a, b)| cosine(a, b)).fold(1.0, f64::min)
    };
    for (quantization, limit, smaller) in [
        (Quantization::F16, 0.99999, 1.9),
        (Quantization::Q8, 0.999, 3.0),
        (Quantization::Q4, 0.95, 3.0),
        (Quantization::Mixed, 0.95, 3.0),
    ] {
        let (packed, bytes) = convert(quantization, Format::Pack);
        let cosine = least(&packed);
        println!("{}: cosine {cosine:.6}, {bytes} bytes", quantization.name());
        assert!(cosine >= limit, "{}: {cosine}", quantization.name());
        assert!(all as f64 / bytes as f64 >= smaller, "{bytes} of {all}");
        if quantization != Quantization::F16 {
            let (file, _) = convert(quantization, Format::Safetensors);
            assert_eq!(file, packed, "{}", quantization.name());
        }
    }
}

#[test]
fn inspect_tells_the_trunk_of_directories_packs_and_files() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    if !write(from.path()) {
        return;
    }
    let inspect = |path: &Path| -> Value {
        let run = promptlens(&["inspect", "--json", text(path)]);
        assert_eq!(run.status, 0, "{}", run.stderr);
        run.json()
    };
    let check = |found: &Value| {
        let vision = &found["architecture"]["vision"];
        assert_eq!(vision["trunk"], "tf_efficientnet_lite0");
        assert_eq!(vision["width"], FEATURES);
    };
    let source = inspect(from.path());
    check(&source);
    assert_eq!(source["architecture"]["vision"]["grid"], 3);
    check(&inspect(&from.path().join("open_clip_model.safetensors")));
    convert_dir(from.path(), Quantization::Q8, Format::Pack, to.path()).expect("converted");
    let pack = inspect(to.path());
    check(&pack);
    assert_eq!(pack["model_sha256"], source["model_sha256"]);
    assert_eq!(pack["parameters"], source["parameters"]);
    // The stem and 16 depthwise convolutions.
    assert_eq!(pack["pack"]["storage"]["f16"], 17);
    assert_eq!(
        pack["entries"]
            .as_array()
            .unwrap()
            .iter()
            .filter(|entry| { entry["name"].as_str().unwrap().contains(".bn") })
            .count(),
        0
    );
    convert_dir(
        from.path(),
        Quantization::Q8,
        Format::Safetensors,
        to.path(),
    )
    .expect("converted");
    check(&inspect(&to.path().join("model.safetensors")));
}

#[test]
fn damaged_batch_norms_are_told() {
    let folder = tempfile::tempdir().unwrap();
    if !write(folder.path()) {
        return;
    }
    let weights = folder.path().join("open_clip_model.safetensors");
    let code = |change: &dyn Fn(&mut std::collections::BTreeMap<_, _>)| {
        let mut tensors = tensors(&config());
        change(&mut tensors);
        write_weights(&weights, &tensors);
        let opened = block_on(Model::open(folder.path(), Choice::Cpu, None));
        opened.expect_err("damaged weights").code()
    };
    let norm = "visual.trunk.blocks.1.0.bn2";
    let missing = code(&|tensors| {
        tensors.remove(&format!("{norm}.running_mean"));
    });
    assert_eq!(missing, "weights/missing-tensor");
    let negative = code(&|tensors| {
        let variance: &mut (Vec<usize>, Vec<f32>) =
            tensors.get_mut(&format!("{norm}.running_var")).unwrap();
        variance.1[3] = -2.0;
    });
    assert_eq!(negative, "weights/not-finite");
    let shape = code(&|tensors| {
        let scale: &mut (Vec<usize>, Vec<f32>) =
            tensors.get_mut(&format!("{norm}.weight")).unwrap();
        scale.0[0] -= 1;
        scale.1.pop();
    });
    assert_eq!(shape, "weights/wrong-shape");
}

#[test]
fn other_towers_of_timm_are_refused() {
    let mut description = super::model::description();
    let code = |description: &Value| {
        let read = promptlens::clip::open_clip::read(description.to_string().as_bytes());
        read.unwrap_err().code()
    };
    for (key, value) in [
        ("timm_model_name", "efficientnet_b0"),
        ("timm_pool", "abs_attn"),
        ("timm_proj", "mlp"),
    ] {
        let place = &mut description["model_cfg"]["vision_cfg"][key];
        let right = std::mem::replace(place, value.into());
        assert_eq!(code(&description), "config/invalid", "{key}");
        description["model_cfg"]["vision_cfg"][key] = right;
    }
}

/// The GPU against the CPU with the same weights, as they are and packed.
#[test]
fn the_gpu_answers_as_the_cpu_does() {
    let (from, to) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    if !write(from.path()) || shared("fixtures").is_none() {
        return;
    }
    let _alone = crate::kernels::alone();
    for quantization in [Quantization::None, Quantization::Q8, Quantization::Q4] {
        convert_dir(from.path(), quantization, Format::Pack, to.path()).expect("converted");
        let [cpu, gpu] = [Choice::Cpu, Choice::WebGpu].map(|choice| {
            let model = open(to.path(), choice);
            let (feature, cells) = model.clip.vision.encode_with_patches(&pixels(2));
            (host(feature), host(cells))
        });
        for (what, found, expected) in [("feature", gpu.0, cpu.0), ("cells", gpu.1, cpu.1)] {
            let error = relative_error(&found, &expected);
            println!("{} {what}: {error:.2e}", quantization.name());
            assert!(error <= 1e-3, "{} {what}: {error:e}", quantization.name());
        }
    }
}
