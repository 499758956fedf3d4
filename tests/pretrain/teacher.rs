//! Text embeddings of another model.

use std::collections::HashMap;
use std::path::Path;

use pollster::block_on;
use promptlens::error::Kind;
use promptlens::pretrain::batch::Source;
use promptlens::pretrain::captions::{Captions, TEMPLATES, WORDS};
use promptlens::pretrain::held_out::HeldOut;
use promptlens::pretrain::model::Start;
use promptlens::pretrain::settings::Settings;
use promptlens::pretrain::teacher::Teacher;
use safetensors::Dtype;
use safetensors::tensor::TensorView;

use super::{small_model, small_photos, small_settings};

fn write(path: &Path, names: &str, values: &[f32], width: usize) {
    let bytes: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    let shape = vec![values.len() / width, width];
    let view = TensorView::new(Dtype::F32, shape, &bytes).unwrap();
    let metadata = HashMap::from([("names".to_owned(), names.to_owned())]);
    let file = safetensors::serialize([("text", view)], Some(metadata)).unwrap();
    std::fs::write(path, file).unwrap();
}

#[test]
fn a_teacher_gives_its_names_without_those_held_out() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("names.safetensors");
    let held_out = HeldOut::new(&["frog"]);
    let names = r#"["bird_house", "tree_frog", "bat_(animal)"]"#;
    write(&path, names, &[3.0, 4.0, 1.0, 0.0, 0.0, -2.0], 2);
    let teacher = Teacher::read(&path, 2, &held_out).unwrap();
    assert_eq!(teacher.names, ["bird house", "bat"]);
    assert_eq!(teacher.embeddings, [0.6, 0.8, 0.0, -1.0]);
    assert_eq!(teacher.left_out, 1);

    let kind = |width| Teacher::read(&path, width, &held_out).err().unwrap().kind();
    assert_eq!(kind(3), Kind::WeightsWrongShape);
    write(&path, names, &[f32::NAN; 6], 2);
    assert_eq!(kind(2), Kind::WeightsNotFinite);
    write(&path, "no list", &[1.0; 6], 2);
    assert_eq!(kind(2), Kind::WeightsInvalid);
    std::fs::write(&path, b"nothing of the kind").unwrap();
    assert_eq!(kind(2), Kind::WeightsInvalid);
}

#[test]
fn a_batch_says_a_teachers_names_beside_their_embeddings() {
    let folder = tempfile::tempdir().unwrap();
    let start = block_on(Start::open(&small_model(folder.path()), Some(1), None)).unwrap();
    let photos = small_photos(&folder.path().join("data"), 3);
    let captions = Captions::new(
        &start.tokenizer,
        &photos.names,
        WORDS,
        TEMPLATES,
        &HeldOut::default(),
    )
    .unwrap();
    let teacher = Teacher {
        names: vec!["boat".to_owned(), "apple".to_owned(), "tent".to_owned()],
        embeddings: vec![1.0, 0.0, 0.0, 1.0, 0.6, 0.8],
        width: 2,
        left_out: 0,
    };
    let mut settings = small_settings();
    settings.distil_texts = 2;
    let taught = |settings: &Settings| {
        let source = Source::new(
            &photos,
            &captions,
            Some(&teacher),
            start.preprocess(),
            settings,
            16,
            1,
        );
        source.batch(4).unwrap()
    };
    let batch = taught(&settings);
    assert_eq!((batch.taught.len(), batch.wanted.len()), (2, 4));
    for (ids, row) in batch.taught.iter().zip(batch.wanted.chunks(2)) {
        let index = teacher
            .names
            .iter()
            .position(|name| captions.encode(&format!("a {name}")).unwrap() == *ids)
            .expect("one of the teacher's names");
        assert_eq!(row, &teacher.embeddings[index * 2..index * 2 + 2]);
    }
    settings.distil = 0.0;
    assert!(taught(&settings).taught.is_empty());
}
