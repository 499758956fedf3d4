//! PyTorch's files (`.bin`, `.pt`): as a stream, as a browser reads them; by the reader that seeks, as the
//! command line does; and as checkpoints of CoOp.

use std::path::Path;

use promptlens::checkpoint::Directory;
use promptlens::prompt::file::Prompt;
use promptlens::prompt::import::{Import, coop_checkpoint};
use promptlens::prompt::layout::NamePosition;

use super::words_model::WordsModel;
use super::{checked, tiny_model};

const WEIGHTS: &str = "pytorch_model.bin";

pub fn run(bytes: &[u8]) {
    let mut folder = tiny_model::folder();
    folder.put(WEIGHTS, bytes.to_vec());
    let whole = checked(tiny_model::load(&folder, None), tiny_model::ROOMS);
    folder.piece = Some(13);
    let parts = checked(tiny_model::load(&folder, None), tiny_model::ROOMS);
    let tensors = |found: Option<(tiny_model::Tensors, _)>| found.map(|(tensors, _)| tensors);
    let (whole, parts) = (tensors(whole), tensors(parts));
    assert!(whole == parts, "in one piece and in many");

    let place = tempfile::tempdir().expect("a folder");
    for (name, bytes) in &folder.files {
        std::fs::write(place.path().join(name), bytes).expect("a file");
    }
    let directory = Directory::open(place.path()).expect("a folder");
    let sought = checked(tiny_model::load(&directory, None), tiny_model::ROOMS);
    // The reader that seeks takes more kinds of files; on what both take they agree.
    if let (Some(streamed), Some(sought)) = (whole, tensors(sought)) {
        assert!(streamed == sought, "as a stream and by seeking");
    }
    imported(&place.path().join(WEIGHTS));
}

fn imported(path: &Path) {
    let names = ["cat".to_owned(), "dog".to_owned()];
    for given in [None, Some(&names[..])] {
        let import = Import {
            names: given,
            layout: NamePosition::End,
            check_model: given.is_some(),
        };
        let found = coop_checkpoint(path, &WordsModel, import);
        if let Some(found) = checked(found, &["prompt/", "labels/"]) {
            let file = found.prompt.to_bytes().expect("a prompt is written");
            // A checkpoint may hold NaN, which no prompt file may.
            if let Some(again) = checked(Prompt::from_bytes(&file), &["prompt/invalid"]) {
                assert!(again == found.prompt, "written and read again");
            }
        }
    }
}
