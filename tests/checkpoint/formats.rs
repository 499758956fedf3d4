//! What people publish: the same weights by every name and in every layout.

use pollster::block_on;
use promptlens::checkpoint::{Loader, ModelFiles};
use promptlens::error::Result;
use promptlens::image::{Filter, Resize};
use promptlens::kernels::Activation;
use promptlens::quant::Quantization;
use serde_json::{Value, json};

use super::folder::{Memory, OPEN_CLIP, hugging_face, open_clip, open_clip_tensors};
use super::tiny::{self, code, file, tensors};

#[test]
fn names_and_layouts_give_the_same_tensors() {
    for quantization in [
        None,
        Some(Quantization::Q8),
        Some(Quantization::Q4),
        Some(Quantization::Mixed),
    ] {
        let (reference, _) = hugging_face().load(quantization).unwrap();
        for piece in [0, 1, 7, 4099] {
            let folder = Memory {
                piece,
                ..open_clip()
            };
            let (loaded, report) = folder.load(quantization).unwrap();
            assert!(loaded == reference, "OpenCLIP's names, pieces of {piece}");
            assert_eq!(report.ignored, 0);
        }
    }
}

#[test]
fn wrappers_and_what_is_no_weight_are_seen_through() {
    let (reference, _) = hugging_face().load(None).unwrap();
    for prefix in ["module.", "state_dict.module.", "_orig_mod."] {
        let mut tensors = open_clip_tensors("F32");
        for tensor in &mut tensors {
            tensor.name = format!("{prefix}{}", tensor.name);
        }
        for name in ["input_resolution", "context_length", "vocab_size"] {
            let mut extra = tiny::Raw::floats(name, "F32", &[], &[1.0]);
            extra.dtype = "I64";
            extra.bytes = vec![0; 8];
            tensors.push(extra);
        }
        // A scalar is saved with one dimension by some.
        let scale = tensors
            .iter_mut()
            .find(|t| t.name.ends_with("logit_scale"))
            .unwrap();
        scale.shape = vec![1];
        let folder = open_clip().with("open_clip_model.safetensors", &file(&tensors));
        let (loaded, report) = folder.load(None).unwrap();
        assert!(loaded == reference, "{prefix}");
        assert_eq!(report.ignored, 0, "{prefix}");
    }
    // With an exchangeable text tower only the text has a prefix.
    let mut tensors = open_clip_tensors("F32");
    for tensor in &mut tensors {
        if !tensor.name.starts_with("visual.") && tensor.name != "logit_scale" {
            tensor.name = format!("text.{}", tensor.name);
        }
    }
    let folder = open_clip().with("open_clip_model.safetensors", &file(&tensors));
    assert!(folder.load(None).unwrap().0 == reference);
}

#[test]
fn a_wrong_packed_projection_is_refused_by_its_own_name() {
    let mut tensors = open_clip_tensors("F32");
    let place = tensors
        .iter()
        .position(|t| t.name.ends_with("attn.in_proj_weight"))
        .unwrap();
    let count: usize = tensors[place].shape.iter().product();
    tensors[place].shape = vec![40, count / 40];
    let error = open_clip()
        .with("open_clip_model.safetensors", &file(&tensors))
        .load(None)
        .unwrap_err();
    assert_eq!(error.code(), "weights/wrong-shape");
    assert!(error.message().contains("attn.in_proj_weight"), "{error}");
    let mut tensors = open_clip_tensors("F32");
    tensors.push(tiny::tensors("F32").remove(0));
    let twice = open_clip()
        .with("open_clip_model.safetensors", &file(&tensors))
        .load(None);
    assert_eq!(code(twice), "weights/invalid", "one tensor by two names");
}

/// The tiny model in `count` files with their index.
fn sharded(count: usize) -> Memory {
    let all = tensors("F32");
    let mut map = serde_json::Map::new();
    let mut folder = hugging_face().without("model.safetensors");
    for (shard, part) in all.chunks(all.len().div_ceil(count)).enumerate() {
        let name = format!("model-{:05}-of-{count:05}.safetensors", shard + 1);
        for tensor in part {
            map.insert(tensor.name.clone(), Value::from(name.clone()));
        }
        folder = folder.with(&name, &file(part));
    }
    let index = json!({"metadata": {"total_size": 1}, "weight_map": map}).to_string();
    folder.with("model.safetensors.index.json", index.as_bytes())
}

#[test]
fn shards_make_one_model() {
    let (reference, whole) = hugging_face().load(Some(Quantization::Q8)).unwrap();
    for count in [1, 2, 5] {
        let (loaded, report) = sharded(count).load(Some(Quantization::Q8)).unwrap();
        assert!(loaded == reference, "{count} shards");
        assert_eq!(report.tensors, whole.tensors);
        let bytes: usize = sharded(count)
            .files
            .iter()
            .filter(|(name, _)| name.ends_with(".safetensors"))
            .map(|(_, bytes)| bytes.len())
            .sum();
        assert_eq!(report.bytes, bytes as u64);
        assert_eq!(report.header.entries.len(), whole.header.entries.len());
    }
    let one = sharded(2).load(None).unwrap().1.model_sha256;
    let other = sharded(3).load(None).unwrap().1.model_sha256;
    assert_ne!(one, other, "the hash is that of the files");
}

#[test]
fn shards_that_do_not_belong_together_are_refused() {
    let good = sharded(3);
    let second = "model-00002-of-00003.safetensors";
    assert_eq!(code(good.without(second).load(None)), "weights/missing");
    let other = good.files["model-00001-of-00003.safetensors"].clone();
    assert_eq!(
        code(good.with(second, &other).load(None)),
        "weights/invalid",
        "a shard twice"
    );
    let index = "model.safetensors.index.json";
    let text = String::from_utf8(good.files[index].clone()).unwrap();
    for (bad, want) in [
        (
            text.replace("\"logit_scale\"", "\"other\""),
            "weights/missing-tensor",
        ),
        (
            text.replace("model-00001", "../model-00001"),
            "weights/invalid",
        ),
        (text.replace("weight_map", "weights"), "weights/invalid"),
        ("{\"weight_map\":{}}".to_owned(), "weights/missing-tensor"),
        (String::new(), "weights/invalid"),
    ] {
        let result = good.with(index, bad.as_bytes()).load(None);
        let got = code(result);
        assert!(
            got == want || got == "weights/invalid",
            "{got} for {bad:.80}"
        );
    }
}

#[test]
fn every_shard_is_checked_before_the_first_value() {
    let good = sharded(3);
    let last = "model-00003-of-00003.safetensors";
    let header = String::from_utf8_lossy(&good.files[last][8..]).into_owned();
    assert!(header.contains("visual_projection.weight"));
    let wrong = |from: &str, to: &str| {
        let bytes: Vec<char> = good.files[last].iter().map(|b| char::from(*b)).collect();
        let text = String::from_iter(bytes);
        assert!(text.contains(from), "{from}");
        let bytes: Vec<u8> = text
            .replacen(from, to, 1)
            .chars()
            .map(|c| u8::try_from(c).unwrap())
            .collect();
        let folder = good.with(last, &bytes);
        let files = block_on(ModelFiles::read(&folder, None)).unwrap();
        let loader = Loader::new(&files.config, None);
        let mut sink = |name: &str, _| -> Result<()> { panic!("{name} was handed over") };
        code(block_on(files.load(&folder, loader, &mut sink)))
    };
    assert_eq!(wrong("[8,16]", "[16,8]"), "weights/wrong-shape");
    assert_eq!(wrong("\"F32\"", "\"I32\""), "weights/unsupported-type");
    assert_eq!(
        wrong("visual_proj", "visual_porj"),
        "weights/missing-tensor"
    );
}

#[test]
fn preprocessing_is_not_assumed() {
    let folder = hugging_face().without("preprocessor_config.json");
    assert_eq!(code(folder.load(None)), "config/missing");
}

#[test]
fn the_artifact_says_how_it_wants_to_be_used() {
    let files = block_on(ModelFiles::read(&open_clip(), None)).unwrap();
    let config = &files.config;
    let vision = config.vision.vit("a test").unwrap();
    assert_eq!(vision.activation, Activation::QuickGelu);
    assert_eq!((vision.heads, vision.mlp, config.text.mlp), (1, 33, 32));
    assert!(config.text.causal);
    let views = &files.preprocess;
    assert_eq!(views.filter, Filter::Bilinear);
    assert_eq!(
        views.resize,
        Resize::Exact {
            width: 8,
            height: 8
        }
    );
    assert_eq!((views.mean, views.std), ([0.5; 3], [0.25; 3]));

    let changed = |from: &str, to: &str| {
        assert!(OPEN_CLIP.contains(from), "{from}");
        let folder = open_clip().with(
            "open_clip_config.json",
            OPEN_CLIP.replace(from, to).as_bytes(),
        );
        block_on(ModelFiles::read(&folder, None))
    };
    let gelu = changed("\"quick_gelu\": true,", "").unwrap().config;
    assert_eq!(gelu.text.activation, Activation::Gelu, "OpenCLIP's default");
    let free = changed("\"heads\": 2,", "\"heads\": 2, \"no_causal_mask\": true,").unwrap();
    assert!(!free.config.text.causal);
    for (from, to) in [
        (
            "\"layers\": 1, \"width\": 16",
            "\"layers\": [3,4,6,3], \"width\": 16",
        ),
        ("\"head_width\": 16", "\"head_width\": 0"),
        ("\"head_width\": 16", "\"timm_model_name\": \"convnext\""),
        (
            "\"heads\": 2",
            "\"heads\": 2, \"hf_model_name\": \"roberta\"",
        ),
        ("\"heads\": 2", "\"heads\": 2, \"pool_type\": \"last\""),
        ("\"image_size\": 8", "\"image_size\": [8, 9]"),
        ("bilinear", "random"),
        ("squash", "longest"),
        ("\"embed_dim\": 8", "\"embed_dim\": -8"),
        ("{\"model_cfg\"", "{\"model\""),
    ] {
        assert_eq!(code(changed(from, to)), "config/invalid", "{to}");
    }
}

#[test]
fn a_config_of_another_library_makes_way() {
    let timm = br#"{"architecture": "vit_base_patch32_clip_224", "num_classes": 512}"#;
    let folder = open_clip()
        .with("config.json", timm)
        // Half a model, as timm publishes it beside the whole.
        .with("model.safetensors", &file(&tensors("F32")[..3]));
    let (loaded, _) = folder.load(None).unwrap();
    assert!(loaded == hugging_face().load(None).unwrap().0);
    let bare = Memory::new(&[("config.json", timm), ("tokenizer.json", b"{}")]);
    assert_eq!(code(bare.load(None)), "config/missing");
    let both = hugging_face().with("open_clip_config.json", OPEN_CLIP.as_bytes());
    let files = block_on(ModelFiles::read(&both, None)).unwrap();
    assert_eq!(
        files.preprocess.mean,
        [0.1, 0.2, 0.3],
        "Hugging Face's own comes first"
    );
}

#[test]
fn configurations_survive_being_written() {
    for folder in [hugging_face(), open_clip()] {
        let files = block_on(ModelFiles::read(&folder, None)).unwrap();
        let json = files.config.to_json().to_string();
        let config = promptlens::clip::config::ClipConfig::from_json(json.as_bytes()).unwrap();
        assert_eq!(config, files.config);
        let json = files.preprocess.to_json().to_string();
        let views = promptlens::image::Preprocess::from_json(json.as_bytes()).unwrap();
        assert_eq!(views, files.preprocess);
    }
}
