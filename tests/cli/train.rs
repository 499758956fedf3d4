//! `train`, `recipes`, `--prompt`, `inspect` and `import-prompt` with the built-in model on pictures
//! that the test paints.

use std::io::Write;
use std::path::{Path, PathBuf};

use image::{Rgb, RgbImage};
use promptlens::prompt::file::Prompt;
use promptlens::rng::Rng;
use serde_json::Value;

use super::{Run, promptlens, text, with_model};

/// Names that the built-in model knows, and what the pictures of each look like.
const CLASSES: [(&str, [u8; 3]); 3] = [
    ("ship", [40, 90, 220]),
    ("roses", [220, 40, 70]),
    ("deer", [70, 140, 40]),
];

pub fn mini() -> PathBuf {
    std::env::current_dir().unwrap().join("www/models/mini-vit")
}

/// A picture of one color with noise, different for every number.
pub fn paint(path: &Path, color: [u8; 3], number: u64) {
    let mut rng = Rng::derive(5, number);
    let picture = RgbImage::from_fn(48, 48, |_, _| {
        Rgb(color.map(|c| (f64::from(c) + 40.0 * rng.normal()).clamp(0.0, 255.0) as u8))
    });
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    picture.save(path).unwrap();
}

/// `count` pictures of every class below `root`.
pub fn pictures(root: &Path, count: u64, from: u64) {
    for (class, (name, color)) in CLASSES.iter().enumerate() {
        for i in 0..count {
            let number = from + 1000 * class as u64 + i;
            paint(&root.join(name).join(format!("{i}.png")), *color, number);
        }
    }
}

/// Pictures to learn from and to measure on.
pub fn splits(root: &Path) {
    pictures(&root.join("train"), 4, 0);
    pictures(&root.join("test"), 5, 500);
}

pub fn train(data: &Path, recipe: &str, out: &Path, rest: &[&str]) -> Run {
    train_on(&mini(), data, recipe, out, rest)
}

fn train_on(model: &Path, data: &Path, recipe: &str, out: &Path, rest: &[&str]) -> Run {
    let mut args = vec!["--data", text(data), "--recipe", recipe, "--out", text(out)];
    args.extend(rest);
    with_model("train", model, &args)
}

pub fn taught(data: &Path, recipe: &str, out: &Path, rest: &[&str]) -> Value {
    taught_on(&mini(), data, recipe, out, rest)
}

fn taught_on(model: &Path, data: &Path, recipe: &str, out: &Path, rest: &[&str]) -> Value {
    let run = train_on(model, data, recipe, out, rest);
    assert_eq!(run.status, 0, "{recipe}: {} {}", run.stdout, run.stderr);
    run.json()
}

fn evaluated(data: &Path, prompt: &Path) -> f64 {
    evaluated_on(&mini(), data, prompt)
}

fn evaluated_on(model: &Path, data: &Path, prompt: &Path) -> f64 {
    let rest = [
        "--data",
        text(data),
        "--labels",
        "auto",
        "--prompt",
        text(prompt),
    ];
    let run = with_model("eval", model, &rest);
    assert_eq!(run.status, 0, "{}", run.stderr);
    run.json()["accuracy"].as_f64().unwrap()
}

/// Labels with their probabilities, by name.
fn predictions(model: &Path, labels: &str, image: &Path, rest: &[&str]) -> Vec<(String, f64)> {
    let mut args = vec!["--labels", labels];
    args.extend(rest);
    args.push(text(image));
    let run = with_model("classify", model, &args);
    assert_eq!(run.status, 0, "{}", run.stderr);
    let found = run.json()["results"][0]["predictions"].clone();
    let mut found: Vec<(String, f64)> = found
        .as_array()
        .unwrap()
        .iter()
        .map(|p| {
            let label = p["label"].as_str().unwrap().to_owned();
            (label, p["probability"].as_f64().unwrap())
        })
        .collect();
    found.sort_by(|a, b| a.0.cmp(&b.0));
    found
}

#[test]
fn coop_learns_what_the_pictures_show() {
    let Some(model) = super::mini() else { return };
    let dir = tempfile::tempdir().unwrap();
    splits(dir.path());
    let out = dir.path().join("prompt.safetensors");
    let set = ["--set", "epochs=100", "--crops", "1"];
    let found = taught_on(&model, dir.path(), "coop-snapshots", &out, &set);
    assert_eq!(found["recipe"], "coop-snapshots");
    // A context per class, however many snapshots there are of it.
    assert_eq!(found["trained_parameters"], 3 * 4 * 192);
    assert_eq!((&found["n_train"], &found["n"]), (&12.into(), &15.into()));
    assert_eq!(found["measured_on"], "test split");
    let losses: Vec<f64> = found["losses"]
        .as_array()
        .unwrap()
        .iter()
        .map(|l| l.as_f64().unwrap())
        .collect();
    // Twelve images are three steps in each of the 100 passes.
    assert_eq!(losses.len(), 300);
    let pass = |at: usize| losses[at..at + 3].iter().sum::<f64>();
    assert!(pass(297) < 0.3 * pass(0), "{losses:?}");
    let after = found["accuracy_after"].as_f64().unwrap();
    assert!(after > 0.9, "{after}");
    assert!(after >= found["accuracy_before"].as_f64().unwrap());
    assert_eq!(evaluated_on(&model, dir.path(), &out), after);

    // The same again, and then with another seed.
    let bytes = std::fs::read(&out).unwrap();
    taught_on(&model, dir.path(), "coop-snapshots", &out, &set);
    assert_eq!(std::fs::read(&out).unwrap(), bytes);
    let other = [&set[..], &["--seed", "3", "--shots", "2"]].concat();
    assert_eq!(
        taught_on(&model, dir.path(), "coop-snapshots", &out, &other)["n_train"],
        6
    );
    assert_ne!(std::fs::read(&out).unwrap(), bytes);
}

#[test]
fn every_recipe_gives_a_prompt_that_eval_reads() {
    let dir = tempfile::tempdir().unwrap();
    splits(dir.path());
    // The same without the third class, for recipes that take two.
    let two = tempfile::tempdir().unwrap();
    splits(two.path());
    for split in ["train", "test"] {
        std::fs::remove_dir_all(two.path().join(split).join(CLASSES[2].0)).unwrap();
    }
    let sentences = dir.path().join("sentences.json");
    std::fs::write(
        &sentences,
        r#"{"ship": ["a boat on blue water"], "roses": ["red flowers"], "deer": ["a brown animal"], "yacht": ["a boat"]}"#,
    )
    .unwrap();
    let listed = promptlens(&["recipes", "--json"]).json();
    let listed = listed.as_array().unwrap();
    assert!(listed.len() >= 16, "{}", listed.len());
    for recipe in listed.iter().filter(|entry| entry["kind"] != "tool") {
        let name = recipe["name"].as_str().unwrap();
        for key in ["paper", "kind", "summary"] {
            assert!(!recipe[key].as_str().unwrap().is_empty(), "{name} {key}");
        }
        let mut rest = vec!["--descriptions", text(&sentences), "--crops", "2"];
        if recipe["others"] == true {
            rest.extend(["--negatives", "violin,soup,gravel"]);
        }
        let parameters = recipe["parameters"].as_array().unwrap();
        for (key, set) in [
            ("epochs", "epochs=2"),
            ("rounds", "rounds=1"),
            ("unseen", "unseen=violin,soup,gravel"),
        ] {
            if parameters.iter().any(|p| p["name"] == key) {
                rest.extend(["--set", set]);
            }
        }
        let out = dir.path().join(format!("{name}.safetensors"));
        let data = match recipe["most_classes"].as_u64() {
            Some(2) => two.path(),
            _ => dir.path(),
        };
        let found = taught(data, name, &out, &rest);
        let after = found["accuracy_after"].as_f64().unwrap();
        assert_eq!(evaluated(data, &out), after, "{name}");
        let trained = found["trained_parameters"].as_u64().unwrap() > 0;
        assert_eq!(
            !found["losses"].as_array().unwrap().is_empty(),
            trained,
            "{name}"
        );
    }
}

#[test]
fn a_prompt_changes_the_answer_and_serves_new_names() {
    let Some(model) = super::mini() else { return };
    let dir = tempfile::tempdir().unwrap();
    splits(dir.path());
    let out = dir.path().join("prompt.safetensors");
    taught_on(
        &model,
        dir.path(),
        "coop",
        &out,
        &["--set", "epochs=10", "--crops", "1"],
    );
    let image = dir.path().join("test/deer/0.png");
    let with = ["--prompt", text(&out)];
    let (plain, learned) = (
        predictions(&model, "ship,roses,deer", &image, &[]),
        predictions(&model, "ship,roses,deer", &image, &with),
    );
    assert!(
        plain
            .iter()
            .zip(&learned)
            .any(|(a, b)| (a.1 - b.1).abs() > 1e-3)
    );
    let sum: f64 = learned.iter().map(|p| p.1).sum();
    assert!((sum - 1.0).abs() < 1e-9);
    assert_eq!(predictions(&model, "truck,deer", &image, &with).len(), 2);

    let one = dir.path().join("one.safetensors");
    let set = ["--set", "specific=no", "--set", "epochs=1", "--crops", "1"];
    assert_eq!(
        taught_on(&model, dir.path(), "coop", &one, &set)["trained_parameters"],
        4 * 192
    );
}

#[test]
fn a_prompt_of_another_model_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    pictures(dir.path(), 1, 0);
    let out = dir.path().join("prompt.safetensors");
    taught(dir.path(), "templates", &out, &[]);
    let mut prompt = Prompt::from_bytes(&std::fs::read(&out).unwrap()).unwrap();
    prompt.model_sha256 = "0".repeat(64);
    std::fs::write(&out, prompt.to_bytes().unwrap()).unwrap();
    let image = dir.path().join("deer/0.png");
    for command in ["classify", "eval"] {
        let mut args = vec!["--prompt", text(&out), "--labels", "ship,roses,deer"];
        match command {
            "eval" => args.extend(["--data", text(dir.path())]),
            _ => args.push(text(&image)),
        }
        let run = with_model(command, &mini(), &args);
        assert_eq!((run.status, run.code().as_str()), (1, "prompt/wrong-model"));
    }
    std::fs::write(&out, b"not a prompt").unwrap();
    let args = [
        "--labels",
        "ship,deer",
        "--prompt",
        text(&out),
        text(&image),
    ];
    assert_eq!(
        with_model("classify", &mini(), &args).code(),
        "prompt/invalid"
    );
}

#[test]
fn inspect_tells_what_a_prompt_is() {
    let dir = tempfile::tempdir().unwrap();
    splits(dir.path());
    let out = dir.path().join("prompt.safetensors");
    taught(
        dir.path(),
        "kgcoop",
        &out,
        &["--set", "epochs=1", "--set", "vectors=3"],
    );
    let found = promptlens(&["inspect", "--json", text(&out)]).json();
    assert_eq!(found["kind"], "prompt");
    assert_eq!(found["recipe"], "kgcoop");
    assert_eq!(found["layout"], "end");
    assert_eq!(
        found["class_names"],
        serde_json::json!(["deer", "roses", "ship"])
    );
    assert_eq!(found["tensors"]["context"], serde_json::json!([3, 192]));
    let model = promptlens(&["inspect", "--json", text(&mini())]).json();
    assert_eq!(found["model_sha256"], model["model_sha256"]);
    let shown = promptlens(&["inspect", text(&out)]);
    assert!(shown.stdout.contains("kgcoop") && shown.stdout.contains("deer, roses, ship"));
}

/// What `torch.save({"state_dict": {"ctx": tensor}, "epoch": 50})` writes, in the order of its
/// pickle's instructions.
fn checkpoint(path: &Path, key: &str, shape: &[usize], values: &[f32]) {
    let text = |s: &str| [&b"X"[..], &(s.len() as u32).to_le_bytes(), s.as_bytes()].concat();
    let int = |n: usize| [&b"J"[..], &(n as u32).to_le_bytes()].concat();
    let tuple = |items: &[usize]| {
        let items: Vec<u8> = items.iter().flat_map(|n| int(*n)).collect();
        [&b"("[..], &items, b"t"].concat()
    };
    let strides: Vec<usize> = (0..shape.len())
        .map(|i| shape[i + 1..].iter().product())
        .collect();
    let pickle = [
        &b"\x80\x02}("[..],
        &text("state_dict"),
        b"ccollections\nOrderedDict\n)R(",
        &text(key),
        b"ctorch._utils\n_rebuild_tensor_v2\n((",
        &text("storage"),
        b"ctorch\nFloatStorage\n",
        &text("0"),
        &text("cpu"),
        &int(values.len()),
        b"tQ",
        &int(0),
        &tuple(shape),
        &tuple(&strides),
        b"\x89ccollections\nOrderedDict\n)RtRu",
        &text("epoch"),
        &int(50),
        b"u.",
    ]
    .concat();
    let data: Vec<u8> = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    let mut file = zip::ZipWriter::new(std::fs::File::create(path).unwrap());
    let stored =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    for (name, bytes) in [
        ("archive/data.pkl", pickle.as_slice()),
        ("archive/data/0", &data),
        ("archive/version", b"3\n"),
        ("archive/byteorder", b"little"),
    ] {
        file.start_file(name, stored).unwrap();
        file.write_all(bytes).unwrap();
    }
    file.finish().unwrap();
}

#[test]
fn photos_without_labels_are_taken_by_recipes_that_need_none() {
    let dir = tempfile::tempdir().unwrap();
    splits(dir.path());
    let out = dir.path().join("prompt.safetensors");
    let run = |recipe: &str, option: &str| {
        let args = [
            "--recipe",
            recipe,
            option,
            text(dir.path()),
            "--labels",
            "ship,roses,deer",
            "--out",
            text(&out),
        ];
        with_model("train", &mini(), &args)
    };
    for option in ["--unlabeled", "--unlabelled"] {
        let taught = run("tfup", option);
        assert_eq!(taught.status, 0, "{}", taught.stderr);
        assert_eq!(taught.json()["n_train"], 12);
        let prompt = Prompt::from_bytes(&std::fs::read(&out).unwrap()).unwrap();
        assert!(prompt.tensors["cache.keys"].shape[0] >= 9);
    }
    assert_eq!(run("coop", "--unlabeled").code(), "options/invalid");
}

#[test]
fn a_checkpoint_of_pytorch_answers_as_the_prompt_it_came_from() {
    let dir = tempfile::tempdir().unwrap();
    splits(dir.path());
    let out = dir.path().join("prompt.safetensors");
    taught(
        dir.path(),
        "kgcoop",
        &out,
        &["--set", "epochs=5", "--crops", "1"],
    );
    let prompt = Prompt::from_bytes(&std::fs::read(&out).unwrap()).unwrap();
    let context = &prompt.tensors["context"];
    let file = dir.path().join("model.pth.tar-50");
    checkpoint(&file, "ctx", &context.shape, &context.data);
    let imported = dir.path().join("imported.safetensors");
    let import = |labels: &str, layout: &str| {
        let args = [
            "--labels",
            labels,
            "--layout",
            layout,
            "--out",
            text(&imported),
            text(&file),
        ];
        with_model("import-prompt", &mini(), &args)
    };
    let run = import("ship,roses,deer", "end");
    assert_eq!(run.status, 0, "{}", run.stderr);
    assert_eq!(run.json()["shape"], serde_json::json!([4, 192]));
    let image = dir.path().join("test/ship/1.png");
    let names = "ship,roses,deer";
    assert_eq!(
        predictions(&mini(), names, &image, &["--prompt", text(&imported)]),
        predictions(&mini(), names, &image, &["--prompt", text(&out)])
    );
    assert_eq!(import(names, "top").code(), "prompt/invalid");

    let refused = |key: &str, shape: &[usize], values: &[f32]| {
        checkpoint(&file, key, shape, values);
        let run = import(names, "end");
        assert_eq!(run.status, 1);
        run.code()
    };
    assert_eq!(
        refused("weight", &[4, 192], &context.data),
        "prompt/invalid"
    );
    assert_eq!(refused("ctx", &[8, 96], &context.data), "prompt/invalid");
    assert_eq!(
        refused("ctx", &[2, 2, 192], &context.data),
        "prompt/invalid"
    );
    assert_eq!(
        refused("ctx", &[1, 192], &[f32::NAN; 192]),
        "prompt/invalid"
    );
    std::fs::write(&file, b"nothing of the kind").unwrap();
    assert_eq!(import(names, "end").code(), "prompt/invalid");
    std::fs::remove_file(&file).unwrap();
    assert_eq!(import(names, "end").code(), "io/failed");
}
