//! The prompt file, with friendly and with hostile bytes.

use promptlens::prompt::file::Prompt;
use promptlens::prompt::heads;

use super::toy::{Toy, W, images, names, teach};

fn prompt() -> Prompt {
    let set = [("epochs", "2"), ("specific", "no")];
    teach("coop", &images(3, 2, 1, 1), &set).prompt
}

#[test]
fn the_file_states_what_the_contract_asks_for() {
    let prompt = prompt();
    let bytes = prompt.to_bytes().unwrap();
    let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    let stated = header.metadata().clone().unwrap();
    assert_eq!(stated["format"], "promptlens-prompt");
    assert_eq!(stated["version"], "1");
    assert_eq!(stated["recipe"], "coop");
    assert_eq!(stated["layout"], "end");
    assert_eq!(stated["class_names"], r#"["class 0","class 1","class 2"]"#);
    assert_eq!(stated["model_sha256"], super::toy::SHA);
    assert_eq!(stated["logit_scale"].parse::<f32>().unwrap(), 12.0);
    assert!(stated["created_by"].starts_with("promptlens "));
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(file.tensor("context").unwrap().shape(), [4, W]);
}

#[test]
fn another_model_is_refused() {
    let mut prompt = prompt();
    prompt.model_sha256 = "bb".repeat(32);
    let error = pollster::block_on(heads::open(&prompt, &Toy, &names(3))).unwrap_err();
    assert_eq!(error.code(), "prompt/wrong-model");
}

#[test]
fn tensors_that_do_not_fit_the_model_are_refused() {
    let open = |prompt: &Prompt| pollster::block_on(heads::open(prompt, &Toy, &names(3)));
    for shape in [vec![4, W + 1], vec![W * 4], vec![2, 4, W], vec![1, 1, 1]] {
        let mut prompt = prompt();
        prompt.put("context", &shape, vec![0.5; shape.iter().product()]);
        let error = open(&prompt).unwrap_err();
        assert_eq!(error.code(), "prompt/invalid", "{shape:?}");
    }
    for shape in [[3, 4, W + 1], [4, 4, W], [3, 1, W]] {
        let mut several = prompt();
        several.put("context", &[3, 4, W], vec![0.5; 12 * W]);
        let earlier = vec![0.5; shape.iter().product()];
        several.put("earlier_contexts", &shape, earlier);
        let error = open(&several).unwrap_err();
        assert_eq!(error.code(), "prompt/invalid", "{shape:?}");
    }
    let mut gated = prompt();
    gated.put("contexts", &[2, 4, W], vec![0.5; 8 * W]);
    gated.put("gate.weight", &[3, 12], vec![0.5; 36]);
    assert_eq!(open(&gated).unwrap_err().code(), "prompt/invalid");
    let mut attributed = prompt();
    attributed
        .extra
        .insert("attributes".into(), "[\"a\",\"b\"]".into());
    for per in ["3", "x", "18446744073709551615", "-1"] {
        attributed.extra.insert("per_attribute".into(), per.into());
        assert_eq!(
            open(&attributed).unwrap_err().code(),
            "prompt/invalid",
            "{per}"
        );
    }
    let mut cache = teach("tip-adapter", &images(3, 2, 1, 1), &[]).prompt;
    cache.put("cache.classes", &[6], vec![0.0, 1.0, 2.0, 99.0, -1.0, 0.0]);
    assert_eq!(open(&cache).unwrap_err().code(), "prompt/invalid");
    cache.put("cache.classes", &[6], vec![0.0; 6]);
    cache.extra.insert("alpha".into(), "NaN".into());
    assert_eq!(open(&cache).unwrap_err().code(), "prompt/invalid");
    let mut empty = prompt();
    empty.tensors.clear();
    assert_eq!(open(&empty).unwrap_err().code(), "prompt/invalid");
}

#[test]
fn damaged_files_are_refused_and_never_panic() {
    let bytes = prompt().to_bytes().unwrap();
    for end in 0..bytes.len() {
        let error = Prompt::from_bytes(&bytes[..end]).unwrap_err();
        assert_eq!(error.code(), "prompt/invalid", "{end} bytes");
    }
    for at in 0..bytes.len() {
        for flip in [0xff, 0x01, 0x20] {
            let mut damaged = bytes.clone();
            damaged[at] ^= flip;
            // Many changes leave a sound file with another name or number in it.
            if let Err(error) = Prompt::from_bytes(&damaged) {
                let code = error.code();
                assert!(
                    code == "prompt/invalid" || code.starts_with("labels/"),
                    "{at}: {code}"
                );
            }
        }
    }
    let mut not_a_number = bytes.clone();
    let last = not_a_number.len() - 4;
    not_a_number[last..].copy_from_slice(&f32::NAN.to_le_bytes());
    assert!(Prompt::from_bytes(&not_a_number).is_err());
    let mut huge = u64::MAX.to_le_bytes().to_vec();
    huge.extend([b'{'; 64]);
    assert!(Prompt::from_bytes(&huge).is_err());
}

#[test]
fn class_names_in_a_file_are_checked() {
    for names in ["[]", "[\"a\",\"a\"]", "[\" \"]", "[1]", "{}", "no"] {
        let good = prompt();
        let text = good.to_bytes().unwrap();
        let length = u64::from_le_bytes(text[..8].try_into().unwrap()) as usize;
        let mut header: serde_json::Value = serde_json::from_slice(&text[8..8 + length]).unwrap();
        header["__metadata__"]["class_names"] = names.into();
        let mut header = header.to_string().into_bytes();
        header.resize(header.len().next_multiple_of(8), b' ');
        let mut bytes = (header.len() as u64).to_le_bytes().to_vec();
        bytes.extend(header);
        bytes.extend(&text[8 + length..]);
        assert!(Prompt::from_bytes(&bytes).is_err(), "{names}");
    }
}
