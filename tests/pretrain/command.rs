//! `promptlens pretrain` as people run it.

use std::path::Path;

use promptlens::dataset::{DataSet, Limits};

use super::{small_data, small_model};
use crate::cli::{Run, promptlens, text};

fn prepare(data: &Path, out: &Path, rest: &[&str]) -> Run {
    let mut args = vec!["pretrain", "prepare", "--json", "--data", text(data)];
    args.extend(["--out", text(out)]);
    args.extend(rest);
    promptlens(&args)
}

#[test]
fn prepare_packs_what_may_be_trained_on() {
    let folder = tempfile::tempdir().unwrap();
    let data = small_data(&folder.path().join("data"), 4);
    std::fs::write(data.join("train/cat/broken.jpg"), b"no photo").unwrap();
    let out = folder.path().join("pack.tar.gz");

    // Nobody said what is held out.
    assert_eq!(prepare(&data, &out, &[]).code(), "options/invalid");
    let run = prepare(&data, &out, &["--hold-out", "frog", "--edge", "24"]);
    assert_eq!(run.status, 0, "{}", run.stderr);
    let said = run.json();
    assert_eq!(said["images"], 12);
    assert_eq!(said["left_out"], 4);
    assert_eq!(said["failed"], 1);
    assert!(run.stderr.contains("broken.jpg"), "{}", run.stderr);
    assert_eq!(said["bytes"], std::fs::metadata(&out).unwrap().len());

    let packed = DataSet::open(&out, &Limits::default()).unwrap();
    assert_eq!(packed.splits().into_iter().collect::<Vec<_>>(), ["train"]);
    assert_eq!(packed.items().len(), 12);
    assert!(packed.items().iter().all(|item| item.class != "frog"));
    packed
        .read(
            &packed.items().iter().collect::<Vec<_>>(),
            &mut |_, bytes| {
                let (w, h) = promptlens::image::dimensions(&bytes.unwrap()).unwrap();
                assert_eq!(w.min(h), 24);
                Ok(())
            },
        )
        .unwrap();

    // Equal input, equal bytes; and what is small enough stays as it is.
    let again = folder.path().join("again.tar.gz");
    prepare(&data, &again, &["--hold-out", "frog", "--edge", "24"]);
    assert_eq!(std::fs::read(&out).unwrap(), std::fs::read(&again).unwrap());
    let same = prepare(&data, &again, &["--hold-out", "frog"]).json();
    assert_eq!(same["unchanged"], 12);

    // Too large leaves no file.
    let large = folder.path().join("large.tar.gz");
    let run = prepare(&data, &large, &["--hold-out", "frog", "--max-mb", "0"]);
    assert_eq!(run.code(), "data/too-large");
    assert!(!large.exists());

    // What is there to be measured on has no split to train on.
    let measured = folder.path().join("measured");
    std::fs::rename(data.join("test"), folder.path().join("test")).unwrap();
    std::fs::create_dir(&measured).unwrap();
    std::fs::rename(folder.path().join("test"), measured.join("test")).unwrap();
    let run = prepare(&measured, &large, &["--hold-out", "none"]);
    assert_eq!(run.code(), "data/unknown-split");
}

#[test]
fn run_writes_a_model_that_the_other_commands_use() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    std::fs::create_dir(path("model")).unwrap();
    let model = small_model(&path("model"));
    let data = small_data(&path("data"), 20);
    let train = |out: &str, model: &Path, rest: &[&str]| {
        let out = path(out);
        let mut args = vec!["pretrain", "run", "--json", "--model", text(model)];
        args.extend(["--data", text(&data), "--out", text(&out)]);
        args.extend(["--batch", "12", "--warm-up", "2", "--lr", "0.003"]);
        args.extend(rest);
        promptlens(&args)
    };
    let checkpoint = path("run.safetensors");
    let fresh = [
        "--fresh",
        "--hold-out",
        "frog",
        "--steps",
        "60",
        "--commit",
        "abc",
        "--checkpoint",
        text(&checkpoint),
    ];
    let run = train(
        "half-way",
        &model,
        &[&fresh[..], &["--stop-after", "30"]].concat(),
    );
    assert_eq!(run.status, 0, "{}", run.stderr);
    assert_eq!(run.json()["steps"], 30);
    let run = train("trained", &model, &fresh);
    assert_eq!(run.status, 0, "{}", run.stderr);
    let said = run.json();
    assert_eq!((&said["steps"], &said["classes"]), (&60.into(), &3.into()));
    assert_eq!(said["left_out"], 20);
    assert!(run.stderr.contains("step 60/60"), "{}", run.stderr);

    // The options that change what a step is come through, and a wrong one is refused.
    let more = [
        "--steps",
        "3",
        "--merges",
        "500",
        "--muon",
        "--shards",
        "2",
        "--patterns",
        "0.3",
    ];
    let run = train("more", &model, &[&fresh[..3], &more[..]].concat());
    assert_eq!(run.status, 0, "{}", run.stderr);
    let read = |file: &str| -> serde_json::Value {
        serde_json::from_slice(&std::fs::read(path("more").join(file)).unwrap()).unwrap()
    };
    let settings = &read("training.json")["about"]["settings"];
    assert_eq!(
        (
            &settings["muon"],
            &settings["shards"],
            &settings["patterns"]
        ),
        (&true.into(), &2.into(), &0.3.into())
    );
    let vocabulary = read("config.json")["text_config"]["vocab_size"].clone();
    assert_eq!(
        vocabulary,
        read("tokenizer.json")["model"]["vocab"]
            .as_object()
            .unwrap()
            .len()
    );
    assert_eq!(vocabulary, 256 * 2 + 500 + 2);
    for wrong in [
        ["--shards", "13"],
        ["--patterns", "1.5"],
        ["--merges", "9000000"],
    ] {
        let run = train("wrong", &model, &[&fresh[..3], &wrong[..]].concat());
        assert_eq!(run.code(), "options/invalid", "{wrong:?}");
    }

    let about = std::fs::read(path("trained").join("training.json")).unwrap();
    let about: serde_json::Value = serde_json::from_slice(&about).unwrap();
    assert_eq!(
        about["train_names"],
        serde_json::json!(["cat", "dog", "golf_ball"])
    );
    assert_eq!(about["near_ood"], serde_json::json!(["frog"]));
    assert_eq!(about["images_seen"], 720);
    assert_eq!(
        (&about["seed"], &about["commit"]),
        (&1.into(), &"abc".into())
    );
    assert!(about["command"].as_str().unwrap().contains("pretrain run"));
    assert_eq!(
        about["curve"].as_array().unwrap().last().unwrap()["step"],
        60
    );

    // The model is one like any other: its own names, its test split, quantized.
    let q8 = path("q8");
    let trained = path("trained");
    let args = [
        "convert",
        "--json",
        "--model",
        text(&trained),
        "--quant",
        "q8",
    ];
    let run = promptlens(&[&args[..], &["--out", text(&q8)]].concat());
    assert_eq!(run.status, 0, "{}", run.stderr);
    let names = format!("@{}", trained.join("trained.txt").display());
    let args = [
        "eval",
        "--json",
        "--model",
        text(&q8),
        "--data",
        text(&data),
    ];
    let run = promptlens(&[&args[..], &["--labels", &names]].concat());
    let measured = run.json();
    assert_eq!(measured["accuracy"], 1.0, "{}", run.stderr);
    assert_eq!(
        (&measured["n"], &measured["skipped"]),
        (&6.into(), &2.into())
    );

    // What was held out once stays so, and half as many bytes are enough to go on.
    let more = ["--steps", "2", "--half"];
    let run = train("more", &q8, &[&more[..], &["--hold-out", "frog"]].concat());
    assert_eq!(run.status, 0, "{}", run.stderr);
    let run = train("again", &path("more"), &more);
    assert_eq!(run.json()["left_out"], 20, "{}", run.stderr);
    let bytes = |dir: &str| {
        let file = path(dir).join("model.safetensors");
        std::fs::metadata(file).unwrap().len()
    };
    assert!(bytes("again") * 19 < bytes("trained") * 10);
    assert_eq!(
        train("q8", &q8, &["--hold-out", "none", "--steps", "1"]).code(),
        "io/failed"
    );
    assert_eq!(
        train("no", &q8, &["--hold-out", "none", "--keep", "2"]).code(),
        "options/invalid"
    );
}
