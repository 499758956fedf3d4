//! Prompt files: read, written, and put to work on their own names and on others.

use pollster::block_on;
use promptlens::prompt::file::Prompt;
use promptlens::prompt::heads;

use super::checked;
use super::words_model::{DIM, SHA256, WordsModel};

const ROOMS: &[&str] = &["prompt/", "labels/"];
/// What may also be said of names that a head cannot serve, and of features that overflow.
const IN_USE: &[&str] = &["prompt/", "labels/", "options/invalid", "engine/not-finite"];
/// More names than this only take time.
const MAX_NAMES: usize = 64;

pub fn run(bytes: &[u8]) {
    let Some(mut prompt) = checked(Prompt::from_bytes(bytes), ROOMS) else {
        return;
    };
    let file = prompt.to_bytes().expect("a prompt is written");
    assert!(Prompt::from_bytes(&file).expect("what was written") == prompt);
    checked(prompt.belongs_to(SHA256), &["prompt/wrong-model"]);
    let Some(weights) = checked(heads::load(&prompt), ROOMS) else {
        return;
    };
    let mut saved = prompt.clone();
    weights.save(&mut saved);
    checked(heads::load(&saved), ROOMS).expect("the same weights");
    if prompt.class_names.len() > MAX_NAMES {
        return;
    }
    prompt.model_sha256 = SHA256.to_owned();
    let others = [
        "axolotl".to_owned(),
        "golf_ball".to_owned(),
        "a b c d".to_owned(),
    ];
    for names in [&prompt.class_names[..], &others] {
        let head = block_on(heads::open(&prompt, &WordsModel, names));
        let Some(head) = checked(head, IN_USE) else {
            continue;
        };
        let image = [0.5; DIM];
        if let Some(logits) = checked(block_on(head.answer(&WordsModel, &image)), IN_USE) {
            assert_eq!(logits.len(), names.len());
        }
        if let Some(centers) = checked(block_on(head.centers(&WordsModel)), IN_USE) {
            assert_eq!(centers.len(), image.len() * names.len());
        }
    }
}
