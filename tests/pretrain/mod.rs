//! Training the towers: one step against PyTorch, resuming, augmentation, what is held out.

mod batches;
mod command;
mod lit;
mod parity;
mod resume;
mod teacher;
mod vocabulary;

use std::path::{Path, PathBuf};

use promptlens::image::Rgb8;
use promptlens::image::views::encode_jpeg;
use promptlens::pretrain::held_out::HeldOut;
use promptlens::pretrain::photos::Photos;
use promptlens::pretrain::settings::Settings;
use promptlens::rng::Rng;

/// A model directory without weights: small towers, and the vocabulary of the shipped model.
pub fn small_model(dir: &Path) -> PathBuf {
    let shipped = Path::new("www/models/mini-vit");
    std::fs::copy(shipped.join("tokenizer.json"), dir.join("tokenizer.json")).unwrap();
    let config = serde_json::json!({
        "model_type": "clip",
        "projection_dim": 16,
        "text_config": {
            "hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 2,
            "num_hidden_layers": 1, "vocab_size": 6146, "eos_token_id": 6145,
        },
        "vision_config": {
            "hidden_size": 32, "intermediate_size": 64, "num_attention_heads": 2,
            "num_hidden_layers": 2, "image_size": 32, "patch_size": 8,
        },
    });
    std::fs::write(dir.join("config.json"), config.to_string()).unwrap();
    let preprocess = serde_json::json!({"size": {"shortest_edge": 32}, "crop_size": 32});
    std::fs::write(dir.join("preprocessor_config.json"), preprocess.to_string()).unwrap();
    dir.to_owned()
}

/// Photos of plain colors with noise, `train/<class>/<n>.jpg`; every class has its own color. There
/// is a frog, which is for measuring, and a split `test`.
pub fn small_data(dir: &Path, per_class: usize) -> PathBuf {
    let mut rng = Rng::new(7);
    let classes = [
        ("cat", [200, 40, 40]),
        ("dog", [40, 200, 40]),
        ("golf_ball", [40, 40, 200]),
        ("frog", [200, 200, 40]),
    ];
    for (split, count) in [("train", per_class), ("test", 2)] {
        for (class, color) in classes {
            let folder = dir.join(split).join(class);
            std::fs::create_dir_all(&folder).unwrap();
            for number in 0..count {
                let mut image = Rgb8::filled(48, 40, color);
                for value in &mut image.data {
                    *value = value.wrapping_add(rng.below(30) as u8);
                }
                let file = encode_jpeg(&image, 90).unwrap();
                std::fs::write(folder.join(format!("{number}.jpg")), file).unwrap();
            }
        }
    }
    dir.to_owned()
}

pub fn small_photos(dir: &Path, per_class: usize) -> Photos {
    let data = small_data(dir, per_class);
    Photos::load(&[data], &HeldOut::new(&["frog"]), 40).unwrap()
}

pub fn small_settings() -> Settings {
    Settings {
        seed: 3,
        steps: 8,
        batch: 6,
        lr: 3e-3,
        warm_up: 2,
        words: 3,
        ..Settings::default()
    }
}
