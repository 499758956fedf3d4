//! Archives, folders and lists as people really have them.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use promptlens::dataset::{DataSet, Limits, unpack_classes};
use promptlens::evaluate::class_names;
use serde_json::Value;
use zip::write::SimpleFileOptions;

use super::{photos, promptlens, text, tiny, with_model};
use crate::common::shared;

fn case(name: &str) -> Option<PathBuf> {
    shared("fixtures/cases").map(|folder| folder.join(name))
}

fn open(path: &Path) -> DataSet {
    DataSet::open(path, &Limits::default()).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// `CLASS COUNT` of each class, sorted, of a split.
fn counts(data: &DataSet, split: Option<&str>) -> Vec<String> {
    let items = data.select(split).unwrap();
    let names = class_names(data, split).unwrap();
    let count = |name: &String| items.iter().filter(|item| item.class == *name).count();
    names
        .iter()
        .map(|name| format!("{name} {}", count(name)))
        .collect()
}

#[test]
fn archives_of_other_systems_are_read() {
    for (name, wanted) in [
        ("09_mac_wherefroms_xattr.tar", ["church 2", "daisy 2"]),
        ("10_windows_backslashes.zip", ["church 2", "daisy 2"]),
        ("12_mac_nfd_folder.zip", ["caf\u{e9} 2", "daisy 2"]),
        ("13_one_deeper_file.zip", ["church 2", "daisy 2"]),
        ("18_jfif_in_a_zip.zip", ["church 2", "ship 2"]),
    ] {
        let Some(path) = case(name) else { return };
        let data = open(&path);
        assert_eq!(counts(&data, None), wanted, "{name}");
        let items: Vec<_> = data.items().iter().collect();
        data.read(&items, &mut |item, bytes| {
            let found = promptlens::image::sniff(&bytes?);
            assert!(found.is_some(), "{name}: {}", item.path);
            Ok(())
        })
        .unwrap();
        // In memory, as the page has it, the class folders are the same.
        let bytes = std::fs::read(&path).unwrap();
        let unpacked = unpack_classes(name, &bytes, &Limits::default()).unwrap();
        let labeled = unpacked.files.iter().filter_map(|file| file.class.clone());
        let classes: Vec<String> = data.items().iter().map(|item| item.class.clone()).collect();
        assert_eq!(labeled.collect::<Vec<_>>(), classes, "{name}");
    }
}

#[test]
fn a_folder_in_either_unicode_form_is_the_class_that_people_type() {
    let (Some(model), Some(path)) = (tiny(), case("12_mac_nfd_folder.zip")) else {
        return;
    };
    for typed in ["caf\u{e9},daisy", "cafe\u{301},daisy", "CAF\u{c9},Daisy"] {
        let run = with_model("eval", &model, &["--data", text(&path), "--labels", typed]);
        assert_eq!(run.json()["n"], 4, "{typed}: {}", run.stdout);
        assert_eq!(run.json()["skipped"], 0, "{typed}");
    }
}

#[test]
fn a_prompt_learned_for_one_form_of_a_name_knows_the_other() {
    let (Some(model), Some(path)) = (tiny(), case("12_mac_nfd_folder.zip")) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("prompt.safetensors");
    let rest = [
        "--recipe",
        "tip-adapter",
        "--data",
        text(&path),
        "--out",
        text(&out),
        "--crops",
        "1",
    ];
    let run = with_model("train", &model, &rest);
    assert_eq!(run.status, 0, "{}", run.stdout);
    let photo = photos("fixtures/mini", "png").remove(0);
    let answer = |labels: &str| {
        let rest = ["--labels", labels, "--prompt", text(&out), text(&photo)];
        let run = with_model("classify", &model, &rest).json();
        let predictions = run["results"][0]["predictions"].as_array().unwrap().clone();
        let of = |p: &Value| p["probability"].as_f64().unwrap();
        predictions.iter().map(of).collect::<Vec<f64>>()
    };
    assert_eq!(answer("caf\u{e9},daisy"), answer("cafe\u{301},DAISY"));
}

fn zip_of(names: &[&str]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for name in names {
        zip.start_file(*name, SimpleFileOptions::default()).unwrap();
        zip.write_all(name.as_bytes()).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

#[test]
fn one_folder_around_everything_is_passed_over() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("data");
    let opened = |names: &[&str]| {
        std::fs::write(&path, zip_of(names)).unwrap();
        open(&path)
    };
    let data = opened(&[
        "my data/cat/0.jpg",
        "my data/cat/1.jpg",
        "my data/dog/2.jpg",
        "my data/notes",
    ]);
    assert_eq!(counts(&data, None), ["cat 2", "dog 1"]);
    assert_eq!(counts(&data, Some("my data")), ["cat 2", "dog 1"]);
    assert_eq!((data.splits().len(), data.ignored()), (0, 1));
    let data = opened(&["d/train/cat/0.jpg", "d/test/cat/1.jpg", "d/test/dog/2.jpg"]);
    assert_eq!(counts(&data, None), ["cat 1", "dog 1"]);
    assert_eq!(counts(&data, Some("train")), ["cat 1"]);
    // A split alone stays one, and a class alone a class.
    let data = opened(&["test/cat/0.jpg", "test/dog/1.jpg"]);
    assert_eq!(data.splits().into_iter().collect::<Vec<_>>(), ["test"]);
    assert_eq!(
        counts(&opened(&["cat/0.jpg", "cat/1.jpg"]), None),
        ["cat 2"]
    );

    for name in ["around/cat/0.jpg", "around/dog/1.jpg", "around/dog/2.jpg"] {
        let file = place.path().join("folder").join(name);
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, name).unwrap();
    }
    assert_eq!(
        counts(&open(&place.path().join("folder")), None),
        ["cat 1", "dog 2"]
    );
}

#[test]
fn backslashes_are_folders_only_where_they_can_be_nothing_else() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("data");
    std::fs::write(&path, zip_of(&["a\\b/0.jpg", "c/1.jpg"])).unwrap();
    assert_eq!(counts(&open(&path), None), ["a\\b 1", "c 1"]);
    std::fs::write(&path, zip_of(&["cat\\0.jpg", "..\\1.jpg"])).unwrap();
    let error = DataSet::open(&path, &Limits::default()).unwrap_err();
    assert_eq!(error.code(), "data/unsafe-path");
}

#[test]
fn links_of_an_archive_are_counted() {
    let mut tar = tar::Builder::new(Vec::new());
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o644);
    header.set_size(4);
    tar.append_data(&mut header, "cat/0.jpg", &b"zero"[..])
        .unwrap();
    for (name, kind) in [
        ("cat/1.jpg", tar::EntryType::Link),
        ("cat/2.jpg", tar::EntryType::Symlink),
    ] {
        let mut header = tar::Header::new_gnu();
        header.set_entry_type(kind);
        header.set_size(0);
        tar.append_link(&mut header, name, "cat/0.jpg").unwrap();
    }
    let bytes = tar.into_inner().unwrap();
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("data");
    std::fs::write(&path, &bytes).unwrap();
    let data = open(&path);
    assert_eq!((data.items().len(), data.links()), (1, 2));
    let unpacked = unpack_classes("data", &bytes, &Limits::default()).unwrap();
    assert_eq!(unpacked.links, ["cat/1.jpg", "cat/2.jpg"]);
    assert_eq!(unpacked.files.len(), 1);
}

#[test]
fn archives_that_are_not_read_are_named() {
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("data");
    for (bytes, name) in [
        (&b"BZh91AY&SY"[..], "bzip2"),
        (b"\xfd7zXZ\0\0\x04", "xz"),
        (b"\x28\xb5\x2f\xfd\0\0", "zstd"),
        (b"7z\xbc\xaf\x27\x1c\0\x04", "7-Zip"),
        (b"Rar!\x1a\x07\x01\0", "RAR"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", "a single image"),
    ] {
        std::fs::write(&path, bytes).unwrap();
        let error = DataSet::open(&path, &Limits::default()).unwrap_err();
        assert_eq!(error.code(), "data/invalid");
        assert!(error.message().contains(name), "{error}");
        assert!(error.message().contains(".tar.gz"), "{error}");
    }
}

/// `promptlens classify` with these names and this on standard input.
fn classify(labels: &str, images: &[&str], input: &[u8]) -> Option<Value> {
    let model = tiny()?;
    let mut child = Command::new(env!("CARGO_BIN_EXE_promptlens"))
        .args([
            "classify",
            "--json",
            "--model",
            text(&model),
            "--labels",
            labels,
        ])
        .args(images)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    Some(serde_json::from_slice(&output.stdout).unwrap())
}

fn labels(document: &Value) -> Vec<&str> {
    let predictions = document["results"][0]["predictions"].as_array();
    let mut names: Vec<&str> = predictions
        .unwrap_or_else(|| panic!("{document}"))
        .iter()
        .map(|p| p["label"].as_str().unwrap())
        .collect();
    names.sort_unstable();
    names
}

#[test]
fn lists_come_from_files_as_people_have_them() {
    let Some(_) = tiny() else { return };
    let photo = photos("fixtures/mini", "png").remove(0);
    let given = |name: &str| {
        let path = case(name).unwrap();
        classify(&format!("@{}", text(&path)), &[text(&photo)], b"").unwrap()
    };
    assert_eq!(labels(&given("14_id2label.json")), ["goldfish", "tench"]);
    assert_eq!(
        labels(&given("14_imagenet_class_index.json")),
        ["goldfish", "tench"]
    );
    assert_eq!(
        labels(&given("16_description_with_line_break.csv")),
        ["cat", "dog"]
    );
    for (name, code) in [
        ("14_trailing_comma.json", "labels/file"),
        ("15_same_but_for_case.txt", "labels/duplicate"),
        ("15_same_but_for_normal_form.txt", "labels/duplicate"),
        ("16_excel_ansi.csv", "io/failed"),
        ("16_labels_is_a_string.json", "labels/file"),
    ] {
        assert_eq!(given(name)["error"]["code"], code, "{name}");
    }
}

#[test]
fn a_dash_is_standard_input() {
    let Some(_) = tiny() else { return };
    let photo = photos("fixtures/mini", "png").remove(0);
    for dash in ["-", "@-"] {
        let found = classify(dash, &[text(&photo)], b"cat\ndog\n").unwrap();
        assert_eq!(labels(&found), ["cat", "dog"], "{dash}");
    }
    let found = classify("cat,dog", &["-"], &std::fs::read(&photo).unwrap()).unwrap();
    assert_eq!(labels(&found), ["cat", "dog"]);
    let whole = classify("cat,dog", &[text(&photo)], b"").unwrap();
    assert_eq!(
        found["results"][0]["predictions"],
        whole["results"][0]["predictions"]
    );
}

#[test]
fn an_odd_photo_is_embedded_as_its_expected_pixels() {
    let Some(model) = tiny() else { return };
    for name in [
        "01_webp_exif_prefix.webp",
        "05_duplicate_component_ids.jpg",
        "06_os2_v2_header.bmp",
    ] {
        let path = case(name).unwrap();
        let expected = case(&format!("{name}.expected.png")).unwrap();
        let args = [
            "embed",
            "--json",
            "--model",
            text(&model),
            "--image",
            text(&path),
            text(&expected),
        ];
        let found = promptlens(&args).json();
        let values = |i: usize| found["embeddings"][i]["values"].clone();
        assert!(values(0).is_array(), "{name}: {found}");
        assert_eq!(values(0), values(1), "{name}");
    }
}

#[test]
fn a_long_error_makes_no_other_row_wider() {
    let Some(model) = tiny() else { return };
    let folder = tempfile::tempdir().unwrap();
    let broken = folder.path().join("broken.jpg");
    std::fs::write(&broken, "no photo").unwrap();
    let photo = photos("fixtures/mini", "png").remove(0);
    let args = [
        "classify",
        "--model",
        text(&model),
        "--labels",
        "cat,dog",
        text(&photo),
        text(&broken),
    ];
    let run = promptlens(&args);
    let error = run
        .stdout
        .lines()
        .find(|line| line.contains("image/unknown-format"));
    let answer = run
        .stdout
        .lines()
        .find(|line| line.ends_with("cat"))
        .unwrap();
    assert!(answer.len() < error.unwrap().len(), "{}", run.stdout);
    assert!(
        answer.len() < text(&photo).len().max(text(&broken).len()) + 24,
        "{answer}"
    );
}

#[test]
fn a_panorama_of_a_phone_is_answered_at_half_its_size() {
    let Some(model) = tiny() else { return };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("panorama.jpg");
    let (width, height) = (12_000, 4_200);
    let pixels = image::GrayImage::from_fn(width, height, |x, _| image::Luma([(x / 47) as u8]));
    pixels.save(&path).unwrap();
    let run = with_model("classify", &model, &["--labels", "cat,dog", text(&path)]).json();
    assert_eq!(run["results"][0]["reduced_by"], 2, "{run}");
    assert!(run["results"][0]["predictions"].is_array());
    let photo = photos("fixtures/mini", "png").remove(0);
    let run = with_model("classify", &model, &["--labels", "cat,dog", text(&photo)]).json();
    assert!(run["results"][0].get("reduced_by").is_none(), "{run}");
}
