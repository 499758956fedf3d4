//! States of prompt learners, with the tensor names of CoOp and five relatives.

use promptlens::device::Choice;
use promptlens::model::Model;
use promptlens::prompt::heads;
use promptlens::prompt::import::{Import, Imported, coop_checkpoint};
use promptlens::prompt::layout::NamePosition;

use crate::common::shared;
use crate::prompt_learning::parity::mini;

const CLASSES: [&str; 4] = ["cat", "dog", "horse", "ship"];

fn import(
    model: &Model,
    file: &str,
    names: Option<&[String]>,
    check: bool,
) -> Result<Imported, String> {
    let folder = "fixtures/authors/shelf/checkpoints";
    let path = shared(&format!("{folder}/{file}.pth.tar-50")).expect("checked before");
    let import = Import {
        names,
        layout: NamePosition::End,
        check_model: check,
    };
    coop_checkpoint(&path, model, import).map_err(|error| {
        assert_eq!(error.code(), "prompt/invalid");
        error.message().to_owned()
    })
}

#[test]
fn a_checkpoint_of_coop_names_its_classes_and_its_model() {
    let Some(model) = mini(Choice::Cpu) else {
        return;
    };
    let found = import(&model, "coop_mini0", None, true).unwrap();
    assert_eq!(found.names, CLASSES);
    assert_eq!(found.prompt.class_names, CLASSES);
    assert_eq!(found.shape, [4, 192]);
    pollster::block_on(heads::open(&found.prompt, &model, &found.names)).unwrap();
    // One context for all serves any names; what it was taught is not in it.
    let other = ["truck".to_owned()];
    let named = import(&model, "coop_mini0", Some(&other), true).unwrap();
    assert_eq!(named.names, other);

    // The same state with a start token of random numbers.
    let refused = import(&model, "coop", None, true).unwrap_err();
    assert!(refused.contains("start token"), "{refused}");
    assert!(refused.contains("--no-model-check"), "{refused}");
    let refused = import(&model, "coop", None, false).unwrap_err();
    assert!(refused.contains("--labels"), "{refused}");
    let names = CLASSES.map(str::to_owned);
    let taken = import(&model, "coop", Some(&names), false).unwrap();
    assert_eq!(taken.names, CLASSES);
}

#[test]
fn packed_embeddings_still_spell_the_names() {
    let Some(dir) = shared("models/mini-0") else {
        return;
    };
    for quantization in ["q8", "q4"] {
        let quantization = promptlens::quant::Quantization::parse(quantization).unwrap();
        let model = Model::open(&dir, Choice::Cpu, Some(quantization));
        let model = pollster::block_on(model).unwrap();
        let found = import(&model, "coop_mini0", None, true).unwrap();
        assert_eq!(found.names, CLASSES, "{quantization:?}");
    }
}

#[test]
fn a_checkpoint_with_more_than_a_context_is_refused_with_the_reason() {
    let Some(model) = mini(Choice::Cpu) else {
        return;
    };
    let names = CLASSES.map(str::to_owned);
    for (file, method, what) in [
        ("cocoop", "CoCoOp", "for every image"),
        ("pre", "PRE", "encoder"),
        ("atprompt", "ATPrompt", "attribute words"),
        ("promptsrc", "PromptSRC", "deeper layers"),
        ("msgcoop_4_contexts", "MSGCoOp", "several contexts"),
    ] {
        for check in [true, false] {
            let refused = import(&model, file, Some(&names), check).unwrap_err();
            assert!(
                refused.contains(method) && refused.contains(what),
                "{refused}"
            );
        }
    }
}
