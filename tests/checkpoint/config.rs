use promptlens::clip::config::ClipConfig;
use promptlens::kernels::Activation;
use promptlens::quant::Role;
use serde_json::{Value, json};

use super::tiny;
use crate::common;

fn read(value: &Value) -> ClipConfig {
    ClipConfig::from_json(value.to_string().as_bytes()).unwrap()
}

#[test]
fn left_out_fields_take_the_defaults_of_vit_b_32() {
    let config = read(&json!({"model_type": "clip"}));
    let (v, t) = (config.vision.vit("a test").unwrap(), &config.text);
    assert_eq!((v.width, v.layers, v.heads, v.mlp), (768, 12, 12, 3072));
    assert_eq!((v.image_size, v.patch_size), (224, 32));
    assert_eq!((t.width, t.layers, t.heads, t.mlp), (512, 12, 8, 2048));
    assert_eq!((t.context_length, t.vocab_size), (77, 49408));
    assert_eq!(
        (config.projection_dim, t.causal, t.eos_token_id),
        (512, true, None)
    );
    assert_eq!(
        (v.activation, v.layer_norm_eps),
        (Activation::QuickGelu, 1e-5)
    );
    assert_eq!((config.grid(), v.tokens()), (7, 50));
    let parameters: usize = config.tensors().iter().map(|spec| spec.elements()).sum();
    assert_eq!(parameters, 151_277_313, "the published count of ViT-B/32");
}

#[test]
fn the_joint_width_of_a_file_that_says_null_is_that_of_its_towers() {
    let towers = json!({"projection_dim": 640});
    let width = |value: Value| read(&value).projection_dim;
    let null = json!({"projection_dim": null, "text_config": &towers, "vision_config": &towers});
    assert_eq!(width(null), 640);
    // transformers writes no number that is its default.
    assert_eq!(width(json!({"text_config": &towers})), 512);
    assert_eq!(
        width(json!({"text_config": {}, "projection_dim": null})),
        512
    );
}

#[test]
fn old_files_state_their_sections_as_dicts() {
    let config = read(&json!({
        "model_type": "clip",
        "text_config": {"hidden_size": 64, "eos_token_id": 2},
        "text_config_dict": {"hidden_size": 768, "num_attention_heads": 12},
        "vision_config_dict": null,
        "vision_config": {"hidden_act": "gelu", "layer_norm_eps": 1e-6},
    }));
    assert_eq!((config.text.width, config.text.heads), (768, 12));
    assert_eq!(
        config.vision.vit("a test").unwrap().activation,
        Activation::Gelu
    );
    assert_eq!(config.vision.vit("a test").unwrap().layer_norm_eps, 1e-6);
    assert_eq!(config.text.activation, Activation::QuickGelu);
    let odd = read(&json!({"text_config": {"eos_token_id": [2, 3]}}));
    assert_eq!(odd.text.eos_token_id, None);
    assert_eq!(
        read(&json!({"text_config": {"eos_token_id": 2}}))
            .text
            .eos_token_id,
        Some(2)
    );
}

#[test]
fn the_reference_models_are_described_completely() {
    for dir in [
        "models/mini-0",
        "fixtures/tiny-rand",
        "fixtures/tiny-rand-gelu",
    ] {
        let Some(dir) = common::shared(dir) else {
            return;
        };
        let json = std::fs::read(dir.join("config.json")).unwrap();
        let config = ClipConfig::from_json(&json).unwrap();
        let header = promptlens::checkpoint::read_header(&dir.join("model.safetensors")).unwrap();
        let mut in_file: Vec<_> = header
            .entries
            .iter()
            .map(|e| (e.name.clone(), e.shape.clone()))
            .collect();
        let mut expected: Vec<_> = config
            .tensors()
            .into_iter()
            .map(|s| (s.name, s.shape))
            .collect();
        in_file.sort();
        expected.sort();
        assert_eq!(in_file, expected);
    }
}

#[test]
fn roles_follow_the_use_of_a_tensor() {
    let specs = tiny::config().tensors();
    let role = |name: &str| specs.iter().find(|spec| spec.name == name).unwrap().role;
    assert_eq!(
        role("text_model.embeddings.token_embedding.weight"),
        Role::Embedding
    );
    assert_eq!(
        role("vision_model.embeddings.patch_embedding.weight"),
        Role::Linear
    );
    assert_eq!(role("visual_projection.weight"), Role::Linear);
    assert_eq!(
        role("text_model.encoder.layers.0.mlp.fc1.weight"),
        Role::Linear
    );
    for name in [
        "logit_scale",
        "vision_model.embeddings.class_embedding",
        "text_model.embeddings.position_embedding.weight",
        "text_model.encoder.layers.0.mlp.fc1.bias",
        "vision_model.pre_layrnorm.weight",
    ] {
        assert_eq!(role(name), Role::Float, "{name}");
    }
    let patch = specs
        .iter()
        .find(|spec| spec.name.contains("patch"))
        .unwrap();
    assert_eq!(patch.matrix(), (16, 48));
}

#[test]
fn impossible_models_are_refused() {
    let bytes: &[&[u8]] = &[
        b"",
        b"{}",
        b"[]",
        b"{\"a\":",
        b"\xff",
        b"null",
        b"{\"text_config\": 3}",
    ];
    for bytes in bytes {
        assert_eq!(tiny::code(ClipConfig::from_json(bytes)), "config/invalid");
    }
    let vision = |key: &str, value: Value| json!({"vision_config": {key: value}});
    let text = |key: &str, value: Value| json!({"text_config": {key: value}});
    let huge = json!(u64::MAX);
    for value in [
        json!({"model_type": "bert"}),
        json!({"model_type": "clip", "projection_dim": 0}),
        json!({"model_type": "clip", "projection_dim": "512"}),
        vision("hidden_size", json!(0)),
        vision("hidden_size", json!(-768)),
        vision("hidden_size", json!(768.5)),
        vision("hidden_size", huge.clone()),
        vision("hidden_size", json!(770)),
        vision("num_attention_heads", json!(1)),
        vision("num_hidden_layers", json!(201)),
        vision("num_channels", json!(1)),
        vision("patch_size", json!(225)),
        vision("image_size", huge.clone()),
        vision("hidden_act", json!("relu")),
        vision("layer_norm_eps", json!(-1)),
        json!({"vision_config": {"image_size": 2048, "patch_size": 1}}),
        text("vocab_size", huge),
        text("vocab_size", json!(1)),
        text("max_position_embeddings", json!(2)),
        text("causal", json!("no")),
        json!({"text_config": {"vocab_size": 1 << 20, "hidden_size": 8192, "num_attention_heads": 64}}),
        json!({"text_config": {"num_hidden_layers": 200, "hidden_size": 8192, "intermediate_size": 65536, "num_attention_heads": 64}}),
    ] {
        let bytes = value.to_string();
        assert_eq!(
            tiny::code(ClipConfig::from_json(bytes.as_bytes())),
            "config/invalid",
            "{value}"
        );
    }
}

#[test]
fn damaged_configs_never_panic() {
    let good = tiny::CONFIG.as_bytes();
    for end in 0..good.len() {
        assert_eq!(
            tiny::code(ClipConfig::from_json(&good[..end])),
            "config/invalid"
        );
    }
    let mut random = tiny::Random(3);
    for _ in 0..10_000 {
        let mut damaged = good.to_vec();
        damaged[random.below(good.len())] = random.bits() as u8;
        let code = tiny::code(ClipConfig::from_json(&damaged));
        assert!(code == "fine" || code == "config/invalid", "{code}");
    }
}
