//! Bad input: a clear coded error, and nothing else breaks.

use std::collections::BTreeMap;
use std::path::Path;

use safetensors::SafeTensors;
use safetensors::tensor::TensorView;
use serde_json::Value;

use super::{Run, command, copy_model, finish, photos, promptlens, text, tiny, with_model};

/// The head of a PNG that claims `side` x `side` gray pixels and has none.
fn vast_png(side: u32) -> Vec<u8> {
    let mut header = b"IHDR".to_vec();
    header.extend(side.to_be_bytes());
    header.extend(side.to_be_bytes());
    header.extend([8, 0, 0, 0, 0]);
    let mut crc = flate2::Crc::new();
    crc.update(&header);
    let mut png = b"\x89PNG\r\n\x1a\n\0\0\0\x0d".to_vec();
    png.extend(header);
    png.extend(crc.sum().to_be_bytes());
    png.extend(b"\0\0\0\0IDAT\x35\xaf\x06\x1e\0\0\0\0IEND\xae\x42\x60\x82");
    png
}

fn cut(path: &Path) -> Vec<u8> {
    let bytes = std::fs::read(path).unwrap();
    bytes[..bytes.len() / 2].to_vec()
}

#[test]
fn one_bad_file_never_hides_the_others() {
    let Some(model) = tiny() else { return };
    let good = photos("fixtures/mini", "png").remove(0);
    let jpeg = photos("fixtures/mini/jpeg", "jpg").remove(0);
    let folder = tempfile::tempdir().unwrap();
    let bad: Vec<(&str, Vec<u8>, &str)> = vec![
        ("empty.jpg", Vec::new(), "image/empty"),
        (
            "text.jpg",
            b"This is no photo.".to_vec(),
            "image/unknown-format",
        ),
        ("cut.jpg", cut(&jpeg), "image/truncated"),
        ("cut.png", cut(&good), "image/truncated"),
        ("vast.png", vast_png(30_000), "image/too-large"),
        (
            "drawing.tiff",
            b"II*\0\x08\0\0\0".to_vec(),
            "image/unknown-format",
        ),
    ];
    let mut files = vec![text(&good).to_owned()];
    for (name, bytes, _) in &bad {
        let path = folder.path().join(name);
        std::fs::write(&path, bytes).unwrap();
        files.push(text(&path).to_owned());
    }
    files.push(text(&folder.path().join("absent.jpg")).to_owned());
    files.push(text(folder.path()).to_owned());
    let codes: Vec<&str> = bad
        .iter()
        .map(|(.., code)| *code)
        .chain(["io/failed", "io/failed"])
        .collect();

    let mut args = vec!["--labels", "cat,dog"];
    args.extend(files.iter().map(String::as_str));
    let run = with_model("classify", &model, &args);
    assert_eq!(run.status, 0, "{}", run.stderr);
    let found = run.json();
    let results = found["results"].as_array().unwrap();
    assert_eq!(results.len(), files.len());
    assert_eq!(results[0]["predictions"].as_array().unwrap().len(), 2);
    check(&results[1..], "file", &files[1..], &codes);

    let mut args = vec!["--image"];
    args.extend(files.iter().map(String::as_str));
    let run = with_model("embed", &model, &args);
    assert_eq!(run.status, 0, "{}", run.stderr);
    let found = run.json();
    let embeddings = found["embeddings"].as_array().unwrap();
    assert_eq!(embeddings[0]["values"].as_array().unwrap().len(), 32);
    check(&embeddings[1..], "input", &files[1..], &codes);

    // Without a good one the batch has failed, and still says why for each.
    for (name, first) in [
        ("classify", vec!["--labels", "cat"]),
        ("embed", vec!["--image"]),
    ] {
        let mut args = first;
        args.extend(files[1..].iter().map(String::as_str));
        let run = with_model(name, &model, &args);
        assert_eq!(run.status, 1, "{}", run.stderr);
        let found = run.json();
        let (list, key) = match name {
            "classify" => ("results", "file"),
            _ => ("embeddings", "input"),
        };
        check(found[list].as_array().unwrap(), key, &files[1..], &codes);
    }
}

#[test]
fn many_photos_have_the_answers_that_each_has_alone() {
    let Some(model) = tiny() else { return };
    let some = photos("fixtures/mini", "png");
    let many = [some.clone(), some.clone(), some].concat();
    let mut args = vec!["--labels", "cat,dog,church", "--ood", "gl-mcm"];
    args.extend(many.iter().map(|path| text(path)));
    let together = with_model("classify", &model, &args).json();
    for (path, found) in many.iter().zip(together["results"].as_array().unwrap()) {
        assert_eq!(found["file"], text(path));
        let args = ["--labels", "cat,dog,church", "--ood", "gl-mcm", text(path)];
        let alone = with_model("classify", &model, &args).json()["results"][0].take();
        for (one, of_many) in [("ood", "value"), ("predictions", "probability")] {
            let number = |of: &Value| match &of[one] {
                Value::Array(list) => list[0][of_many].as_f64().unwrap(),
                of => of[of_many].as_f64().unwrap(),
            };
            assert!(
                (number(&alone) - number(found)).abs() < 1e-6,
                "{}: {one}",
                text(path)
            );
        }
        assert_eq!(
            alone["predictions"][0]["label"],
            found["predictions"][0]["label"]
        );
    }
}

fn check(results: &[Value], key: &str, files: &[String], codes: &[&str]) {
    assert_eq!(results.len(), codes.len());
    for ((result, file), code) in results.iter().zip(files).zip(codes) {
        assert_eq!(result[key], *file);
        assert_eq!(result["error"]["code"], *code, "{file}");
        assert!(!result["error"]["message"].as_str().unwrap().is_empty());
    }
}

fn classify(model: &Path, labels: &str) -> Run {
    let photo = photos("fixtures/mini", "png").remove(0);
    with_model("classify", model, &["--labels", labels, text(&photo)])
}

#[test]
fn lists_of_class_names_are_checked() {
    let Some(model) = tiny() else { return };
    for (labels, code) in [
        ("", "labels/empty"),
        (" , ,", "labels/empty"),
        ("[]", "labels/empty"),
        ("cat,dog,cat", "labels/duplicate"),
        (&"x".repeat(2000), "labels/too-long"),
        ("@no-such-list.txt", "io/failed"),
    ] {
        let run = classify(&model, labels);
        assert_eq!(run.status, 1, "{labels}");
        assert_eq!(run.code(), code, "{labels}");
    }
    let folder = tempfile::tempdir().unwrap();
    let list = folder.path().join("labels.txt");
    std::fs::write(&list, b"cat\n\xff\xfe").unwrap();
    assert_eq!(
        classify(&model, &format!("@{}", text(&list))).code(),
        "io/failed"
    );
    std::fs::write(&list, "Golden Retriever\ncat\n").unwrap();
    let found = classify(&model, &format!("@{}", text(&list))).json();
    let names = names(&found["results"][0]);
    assert!(names.contains(&"Golden Retriever".to_owned()), "{names:?}");
}

fn names(result: &Value) -> Vec<String> {
    let predictions = result["predictions"].as_array().unwrap();
    let label = |p: &Value| p["label"].as_str().unwrap().to_owned();
    predictions.iter().map(label).collect()
}

#[test]
fn one_class_and_odd_names_are_answered() {
    let Some(model) = tiny() else { return };
    let one = classify(&model, "cat");
    assert_eq!(one.status, 0);
    assert_eq!(
        one.json()["results"][0]["predictions"][0]["probability"],
        1.0
    );

    let odd = [
        "<script>alert(1)</script>",
        "<|endoftext|>",
        "<|startoftext|> <|endoftext|>",
        "{}",
        "\u{1f431} \u{732b}",
    ];
    let run = classify(&model, &serde_json::to_string(&odd).unwrap());
    assert_eq!(run.status, 0, "{}", run.stderr);
    let mut found = names(&run.json()["results"][0]);
    found.sort();
    let mut wanted = odd.map(str::to_owned).to_vec();
    wanted.sort();
    assert_eq!(found, wanted);
}

/// A special token in a text must not end it: what follows would otherwise not be read.
#[test]
fn special_tokens_in_texts_are_plain_text() {
    let Some(model) = tiny() else { return };
    let texts = ["<|endoftext|> cat", "<|endoftext|> aeroplane"];
    let run = with_model("embed", &model, &["--text", texts[0], texts[1]]);
    assert_eq!(run.status, 0, "{}", run.stderr);
    let found = run.json();
    assert_ne!(
        found["embeddings"][0]["values"],
        found["embeddings"][1]["values"]
    );
}

#[test]
fn templates_need_their_place() {
    let Some(model) = tiny() else { return };
    let photo = photos("fixtures/mini", "png").remove(0);
    for template in ["a photo", "{} and {}"] {
        let args = ["--labels", "cat", "--template", template, text(&photo)];
        let run = with_model("classify", &model, &args);
        assert_eq!(
            (run.status, run.code().as_str()),
            (1, "prompt/invalid-template")
        );
    }
}

#[test]
fn a_model_that_lacks_a_file_is_refused() {
    let Some(model) = tiny() else { return };
    for (name, code) in [
        ("config.json", "config/missing"),
        ("tokenizer.json", "tokenizer/missing"),
        ("model.safetensors", "weights/missing"),
    ] {
        let folder = tempfile::tempdir().unwrap();
        copy_model(&model, folder.path());
        std::fs::remove_file(folder.path().join(name)).unwrap();
        refused(folder.path(), code);
        std::fs::write(folder.path().join(name), b"{]").unwrap();
        refused(folder.path(), &code.replace("missing", "invalid"));
    }
    let absent = classify(Path::new("no-such-model"), "cat");
    assert_eq!((absent.status, absent.code().as_str()), (1, "io/failed"));
}

/// Every command that reads models says `code`.
fn refused(model: &Path, code: &str) {
    let run = classify(model, "cat,dog");
    assert_eq!((run.status, run.code().as_str()), (1, code));
    let run = promptlens(&["inspect", "--json", text(model)]);
    assert_eq!((run.status, run.code().as_str()), (1, code));
    let out = tempfile::tempdir().unwrap();
    let args = ["--quant", "q8", "--out", text(out.path())];
    let run = with_model("convert", model, &args);
    assert_eq!((run.status, run.code().as_str()), (1, code));
    assert!(!out.path().join("model.safetensors").exists());
}

/// Rewrites the weights; `change` may drop a tensor or give it another shape.
fn rewrite(model: &Path, change: impl Fn(&str, &[usize]) -> Option<Vec<usize>>) {
    let path = model.join("model.safetensors");
    let bytes = std::fs::read(&path).unwrap();
    let file = SafeTensors::deserialize(&bytes).unwrap();
    let views: BTreeMap<String, TensorView<'_>> = file
        .tensors()
        .into_iter()
        .filter_map(|(name, view)| {
            let shape = change(&name, view.shape())?;
            let view = TensorView::new(view.dtype(), shape, view.data()).unwrap();
            Some((name, view))
        })
        .collect();
    let bytes = safetensors::serialize(views, None).unwrap();
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn weights_that_do_not_fit_the_configuration_are_refused() {
    let Some(model) = tiny() else { return };
    const NAME: &str = "visual_projection.weight";
    let folder = tempfile::tempdir().unwrap();
    copy_model(&model, folder.path());
    rewrite(folder.path(), |name, shape| {
        let turned = shape.iter().rev().copied().collect();
        Some(if name == NAME { turned } else { shape.to_vec() })
    });
    refused(folder.path(), "weights/wrong-shape");

    copy_model(&model, folder.path());
    rewrite(folder.path(), |name, shape| {
        (name != NAME).then(|| shape.to_vec())
    });
    refused(folder.path(), "weights/missing-tensor");

    copy_model(&model, folder.path());
    let path = folder.path().join("model.safetensors");
    std::fs::write(&path, cut(&path)).unwrap();
    refused(folder.path(), "weights/invalid");

    copy_model(&model, folder.path());
    let mut bytes = std::fs::read(&path).unwrap();
    let end = bytes.len();
    bytes[end - 4..].copy_from_slice(&f32::NAN.to_le_bytes());
    std::fs::write(&path, bytes).unwrap();
    refused(folder.path(), "weights/not-finite");
}

#[test]
fn a_gpu_that_is_not_there_is_an_error_and_auto_still_answers() {
    let Some(model) = tiny() else { return };
    let run = |device: &str| {
        let mut command = command();
        // No driver of Vulkan or EGL can be found.
        command
            .env("VK_DRIVER_FILES", "/nonexistent")
            .env("VK_ICD_FILENAMES", "/nonexistent")
            .env("__EGL_VENDOR_LIBRARY_FILENAMES", "/nonexistent")
            .args(["embed", "--json", "--device", device, "--model"])
            .arg(&model)
            .args(["--text", "a cat"]);
        finish(command.output().expect("the command runs"))
    };
    if cfg!(target_os = "linux") {
        for name in ["webgpu", "gpu"] {
            let run = run(name);
            assert_eq!((run.status, run.code().as_str()), (1, "gpu/unavailable"));
        }
    }
    let auto = run("auto");
    assert_eq!(auto.status, 0, "{}", auto.stderr);
    assert_eq!(auto.json()["device"]["kind"], "cpu");
}
