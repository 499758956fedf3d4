//! Pictures made from a photo elsewhere, as views of it.

use std::path::Path;

use serde_json::Value;

use super::{Run, mini, photos, promptlens, text, with_model};

const LABELS: [&str; 2] = ["--labels", "cat,dog,church,ship"];
const HOW: [&str; 4] = ["--tune", "difftpt-lite", "--views", "5"];

fn copy(from: &Path, folder: &Path, name: &str) {
    std::fs::create_dir_all(folder).unwrap();
    std::fs::copy(from, folder.join(name)).unwrap();
}

fn classify(variants: &Path, more: &[&str], files: &[&Path]) -> Option<Run> {
    let model = mini()?;
    let files: Vec<&str> = files.iter().map(|path| text(path)).collect();
    let dir = ["--variants", text(variants)];
    Some(with_model(
        "classify",
        &model,
        &[&LABELS[..], &HOW, &dir, more, &files].concat(),
    ))
}

fn kept(tuning: &Value) -> Vec<(u64, String, f64)> {
    let views = tuning["kept_views"].as_array().expect("views");
    let view = |v: &Value| {
        let kind = v["kind"].as_str().unwrap().to_owned();
        (
            v["index"].as_u64().unwrap(),
            kind,
            v["entropy"].as_f64().unwrap(),
        )
    };
    views.iter().map(view).collect()
}

#[test]
fn variants_are_views_on_top_of_the_others() {
    if mini().is_none() {
        return;
    }
    let all = photos("fixtures/mini", "png");
    let folder = tempfile::tempdir().unwrap();
    // The first variant is the photo itself, which tells what is done to it: nothing random.
    copy(&all[9], folder.path(), "a.png");
    copy(&all[10], folder.path(), "b.png");
    std::fs::write(folder.path().join("c.png"), b"no image").unwrap();
    std::fs::write(folder.path().join(".hidden"), b"not looked at").unwrap();
    copy(&all[10], folder.path(), "d.png");
    let run = classify(folder.path(), &["--rho", "1"], &[&all[9]]).unwrap();
    assert_eq!(run.status, 0, "{}", run.stderr);
    let json = run.json();
    let tuning = &json["results"][0]["tuning"];
    assert_eq!(tuning["views"], 9);
    assert_eq!(tuning["variants"], 3);
    let failures = tuning["variant_failures"].as_array().unwrap();
    assert_eq!(failures.len(), 1);
    assert_eq!(failures[0]["index"], 2);
    assert_eq!(failures[0]["code"], "image/unknown-format");
    // Six of the eight others pass the cosine filter; the copy, most alike of all, is among them.
    let kept = kept(tuning);
    assert_eq!(kept.len(), 7);
    let of = |index| kept.iter().find(|(i, ..)| *i == index);
    let (plain, copy) = (of(0).unwrap(), of(6).unwrap());
    assert_eq!((plain.1.as_str(), copy.1.as_str()), ("plain", "variant"));
    assert_eq!(plain.2, copy.2);
    // Without variants there are strong views instead, and with them there are none.
    assert!(
        kept.iter()
            .all(|(_, kind, _)| ["plain", "crop", "variant"].contains(&kind.as_str()))
    );
}

#[test]
fn each_photo_of_several_has_its_own_folder() {
    if mini().is_none() {
        return;
    }
    let all = photos("fixtures/mini", "png");
    let folder = tempfile::tempdir().unwrap();
    let own = |i: usize| folder.path().join(all[i].file_stem().unwrap());
    copy(&all[3], &own(2), "x.png");
    copy(&all[3], &own(4), "x.png");
    copy(&all[3], &own(4), "y.png");
    let run = classify(folder.path(), &[], &[&all[2], &all[3], &all[4]]).unwrap();
    assert_eq!(run.status, 0, "{}", run.stderr);
    let json = run.json();
    let variants = |i: usize| json["results"][i]["tuning"]["variants"].clone();
    assert_eq!((variants(0), variants(2)), (1.into(), 2.into()));
    // The one without a folder says so, and hides no other.
    assert_eq!(json["results"][1]["error"]["code"], "io/failed");
}

#[test]
fn strong_views_borrow_from_a_gallery() {
    let Some(model) = mini() else { return };
    let all = photos("fixtures/mini", "png");
    let folder = tempfile::tempdir().unwrap();
    copy(&all[1], folder.path(), "a.png");
    std::fs::write(folder.path().join("b.png"), b"no image").unwrap();
    let how = ["--tune", "difftpt-lite", "--views", "40", "--rho", "1"];
    let kinds = |more: &[&str]| {
        let rest = [&LABELS[..], &how, more, &[text(&all[9])]].concat();
        let run = with_model("classify", &model, &rest);
        assert_eq!(run.status, 0, "{}", run.stderr);
        let json = run.json();
        let kept = kept(&json["results"][0]["tuning"]);
        assert!(kept.len() > 25, "{}", kept.len());
        let borrowed = |kind: &str| kept.iter().any(|(_, k, _)| k == kind);
        (
            borrowed("amplitude transfer"),
            borrowed("statistics transfer"),
        )
    };
    assert_eq!(kinds(&[]), (false, false));
    assert_eq!(kinds(&["--gallery", text(folder.path())]), (true, true));
    for how in [&[][..], &["--tune", "tpt"]] {
        let common = ["classify", "--json", "--model", "m", "--labels", "a,b"];
        let rest = ["--gallery", "d", "x.png"];
        let run = promptlens(&[&common[..], how, &rest].concat());
        assert_eq!(
            (run.status, run.code().as_str()),
            (2, "options/invalid"),
            "{how:?}"
        );
    }
}

#[test]
fn variants_that_cannot_be_used_are_refused() {
    let common = ["classify", "--json", "--model", "m", "--labels", "a,b"];
    for how in [&[][..], &["--tune", "tpt"], &["--tune", "none"]] {
        let rest = ["--variants", "d", "x.png"];
        let run = promptlens(&[&common[..], how, &rest].concat());
        assert_eq!(
            (run.status, run.code().as_str()),
            (2, "options/invalid"),
            "{how:?}"
        );
    }
    if mini().is_none() {
        return;
    }
    let photo = &photos("fixtures/mini", "png")[0];
    let folder = tempfile::tempdir().unwrap();
    let code = || {
        let run = classify(folder.path(), &[], &[photo]).unwrap();
        assert_eq!(run.status, 1);
        run.json()["results"][0]["error"]["code"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    assert_eq!(code(), "data/empty");
    std::fs::write(folder.path().join("a.png"), b"no image").unwrap();
    assert_eq!(code(), "data/empty");
}
