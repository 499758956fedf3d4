//! Convert, inspect, classify: the round trip.

use std::path::Path;

use super::{copy_model, mini, photos, promptlens, text, tiny, with_model};

#[test]
fn a_converted_model_says_what_it_is_and_answers_alike() {
    let Some(model) = mini() else { return };
    let photo = photos("fixtures/mini", "png").remove(0);
    let source = promptlens(&["inspect", "--json", text(&model)]).json();
    assert_eq!(source["kind"], "model");
    assert_eq!(source["quant"], "none");
    assert_eq!(source["architecture"]["vision"]["patch_size"], 8);
    assert_eq!(source["architecture"]["text"]["vocab_size"], 8194);
    assert_eq!(source["parameters"], 5_839_105);
    assert_eq!(source["sha256"], source["model_sha256"]);
    let labels = ["--labels", "cat,dog,church,chain saw", text(&photo)];

    let packs = ["none", "f16", "q8", "q4", "mixed"].map(|quant| (quant, "pack"));
    let files = ["none", "q8", "q4"].map(|quant| (quant, "safetensors"));
    for (quant, format) in packs.into_iter().chain(files) {
        let out = tempfile::tempdir().unwrap();
        let args = [
            "--quant",
            quant,
            "--format",
            format,
            "--out",
            text(out.path()),
        ];
        let run = with_model("convert", &model, &args);
        assert_eq!(run.status, 0, "{}", run.stderr);
        let converted = run.json();
        assert_eq!(converted["sha256"], source["sha256"]);
        assert_eq!(converted["tensors"], source["tensors"]);
        assert_eq!(converted["bytes_in"], source["bytes"]);

        let dir = promptlens(&["inspect", "--json", text(out.path())]).json();
        assert_eq!(dir["quant"], quant);
        assert_eq!(dir["architecture"], source["architecture"]);
        assert_eq!(dir["bytes"], converted["bytes_out"]);
        assert_eq!(dir["model_sha256"], source["sha256"]);
        assert!(dir["files"]["self_test.json"].as_u64().unwrap() > 0);
        let limit = match quant {
            "q4" => 4_700_000,
            "q8" | "mixed" => 7_000_000,
            "f16" => 12_000_000,
            _ => 24_000_000,
        };
        assert!(dir["bytes"].as_u64().unwrap() < limit);

        if format == "safetensors" {
            a_file_alone_says_the_same(out.path(), &dir);
        } else {
            let pack = &dir["pack"];
            assert_eq!(pack["quantisation"], quant);
            assert_eq!(pack["source"]["sha256"], source["sha256"]);
            assert!(pack["chunks"].as_u64().unwrap() > 0);
            let stored = &pack["storage"];
            let four = stored["q4"].as_u64().is_some();
            assert_eq!(four, ["q4", "mixed"].contains(&quant), "{stored}");
        }

        // As stored, and the source quantized on the way in, are the same weights.
        let stored = with_model("classify", out.path(), &labels).json();
        let mut asked = vec!["--quant", quant];
        asked.extend(labels);
        let loaded = with_model("classify", &model, &asked).json();
        assert_eq!(stored["quant"], quant);
        assert_eq!(
            stored["results"][0]["predictions"],
            loaded["results"][0]["predictions"]
        );
    }
}

/// What `inspect` says of the weights file in `out`, beside what it says of the directory.
fn a_file_alone_says_the_same(out: &Path, dir: &serde_json::Value) {
    let file = out.join("model.safetensors");
    let file = promptlens(&["inspect", "--json", text(&file)]).json();
    assert_eq!(file["kind"], "weights");
    assert_eq!(file["sha256"], dir["sha256"]);
    assert_eq!(file["model_sha256"], dir["model_sha256"]);
    for part in ["width", "layers", "mlp"] {
        for tower in ["vision", "text"] {
            let (a, b) = (&file["architecture"][tower], &dir["architecture"][tower]);
            assert_eq!(a[part], b[part], "{tower} {part}");
        }
    }
    assert_eq!(file["architecture"]["vision"]["image_size"], 64);
}

#[test]
fn the_known_answer_guards_the_model() {
    let Some(model) = tiny() else { return };
    let out = tempfile::tempdir().unwrap();
    let convert = |quant: &str| {
        let args = ["--quant", quant, "--out", text(out.path())];
        with_model("convert", &model, &args).status
    };
    assert_eq!(convert("q8"), 0);
    // Over another conversion its answer is made anew.
    assert_eq!(convert("q4"), 0);
    let embed = || with_model("embed", out.path(), &["--text", "a cat"]);
    assert_eq!(embed().status, 0);

    let path = out.path().join("self_test.json");
    let mut known: serde_json::Value =
        serde_json::from_slice(&std::fs::read(&path).unwrap()).unwrap();
    let ids = known["ids"].as_array().unwrap().len();
    assert!(ids > 2, "start, words and end");
    known["image"][0] = (known["image"][0].as_f64().unwrap() + 0.1).into();
    std::fs::write(&path, known.to_string()).unwrap();
    let run = embed();
    assert_eq!(
        (run.status, run.code().as_str()),
        (1, "gpu/self-test-failed")
    );
    std::fs::write(&path, "{").unwrap();
    assert_eq!(embed().code(), "weights/invalid");
}

#[test]
fn a_model_is_not_converted_onto_itself() {
    let Some(model) = tiny() else { return };
    let folder = tempfile::tempdir().unwrap();
    copy_model(&model, folder.path());
    let before = std::fs::read(folder.path().join("model.safetensors")).unwrap();
    let args = ["--quant", "q8", "--out", text(folder.path())];
    let run = with_model("convert", folder.path(), &args);
    assert_eq!((run.status, run.code().as_str()), (1, "io/failed"));
    let after = std::fs::read(folder.path().join("model.safetensors")).unwrap();
    assert!(before == after, "the source is untouched");
}

#[test]
fn what_is_no_weights_file_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.safetensors");
    std::fs::write(&path, b"this is not a safetensors file at all").unwrap();
    let inspect = |path: &Path| promptlens(&["inspect", "--json", text(path)]);
    assert_eq!(inspect(&path).code(), "weights/invalid");
    assert_eq!(
        inspect(&folder.path().join("absent")).code(),
        "weights/missing"
    );
    assert_eq!(inspect(folder.path()).code(), "config/missing");
}
