//! `prompts`, `suggest-templates`, `visualness` and `compose`, and their places in `recipes`.

use std::path::{Path, PathBuf};

use serde_json::Value;

use super::train::{mini, paint, pictures, splits};
use super::{Run, promptlens, text, with_model};

fn ok(run: Run) -> Value {
    assert_eq!(run.status, 0, "{} {}", run.stdout, run.stderr);
    run.json()
}

fn templates(history: &Path) -> Vec<(String, u64)> {
    let read: Value = serde_json::from_slice(&std::fs::read(history).unwrap()).unwrap();
    let entry = |one: &Value| {
        let template = one["template"].as_str().unwrap().to_owned();
        (template, one["step"].as_u64().unwrap())
    };
    read.as_array().unwrap().iter().map(entry).collect()
}

fn eval(data: &Path, prompt: &Path) -> f64 {
    let data = ["--data", text(data), "--labels", "auto", "--split", "train"];
    let rest = [&data[..], &["--prompt", text(prompt)]].concat();
    ok(with_model("eval", &mini(), &rest))["accuracy"]
        .as_f64()
        .unwrap()
}

#[test]
fn tools_are_listed_behind_the_recipes() {
    let listed = ok(promptlens(&["recipes", "--json"]));
    let kinds: Vec<_> = listed.as_array().unwrap().iter().collect();
    let tools: Vec<_> = kinds.iter().filter(|e| e["kind"] == "tool").collect();
    let names: Vec<_> = tools.iter().map(|e| e["name"].as_str().unwrap()).collect();
    for name in ["ipo", "glov", "templates-suggested", "visualness", "vsc"] {
        assert!(names.contains(&name), "{names:?}");
    }
    assert!(
        kinds
            .iter()
            .rev()
            .take(names.len())
            .all(|e| e["kind"] == "tool")
    );
    let people = promptlens(&["recipes"]).stdout;
    for tool in tools {
        let command = format!("promptlens {}", tool["command"].as_str().unwrap());
        assert!(people.contains(&command), "{command}");
        // Every command that a tool names exists.
        let first = command.split(' ').nth(1).unwrap().to_owned();
        assert_eq!(promptlens(&[first.as_str(), "--help"]).status, 0);
    }
}

/// A data set with files of one method beside it.
struct Place {
    dir: tempfile::TempDir,
}

impl Place {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        splits(&dir.path().join("data"));
        Self { dir }
    }

    fn file(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn step(&self, method: &str, answer: Option<&str>, rest: &[&str]) -> Run {
        let (data, history) = (self.file("data"), self.file("history.json"));
        let proposals = self.file("answer.txt");
        let mut args = vec!["--method", method, "--data", text(&data)];
        args.extend(["--history", text(&history)]);
        if let Some(answer) = answer {
            std::fs::write(&proposals, answer).unwrap();
            args.extend(["--proposals", text(&proposals)]);
        }
        args.extend(rest);
        with_model("prompts", &mini(), &args)
    }
}

#[test]
fn ipo_goes_from_question_to_answer_to_a_prompt() {
    let place = Place::new();
    let (request, out) = (place.file("question.txt"), place.file("prompt.safetensors"));
    let rest = ["--request", text(&request), "--out", text(&out)];
    let first = ok(place.step("ipo", None, &rest));
    assert_eq!(
        (&first["templates"], &first["images"]),
        (&1.into(), &12.into())
    );
    let question = std::fs::read_to_string(&request).unwrap();
    assert!(question.contains("deer, roses, ship"), "{question}");

    let answer = "Sure!\n1. a painting of a <CLASS>\n2. a {} of one color\n3. a {} and a {}\na photo of a {}.";
    let second = ok(place.step("ipo", Some(answer), &rest));
    assert_eq!(second["added"].as_array().unwrap().len(), 2, "{second}");
    assert_eq!(second["left_out"].as_array().unwrap().len(), 2, "{second}");
    let known = templates(&place.file("history.json"));
    let expected = [
        ("a photo of a {}.".to_owned(), 0),
        ("a painting of a {}".to_owned(), 1),
        ("a {} of one color".to_owned(), 1),
    ];
    assert_eq!(known, expected);
    // Its score is what eval measures: every class has as many pictures.
    let best = second["best"][0]["score"].as_f64().unwrap();
    assert!(best >= first["best"][0]["score"].as_f64().unwrap());
    let measured = 100.0 * eval(&place.file("data"), &out);
    assert!((best - measured).abs() < 1e-4, "{best} {measured}");
    let seen = promptlens(&["inspect", "--json", text(&out)]);
    assert_eq!(ok(seen)["recipe"], "ipo");

    // An answer without a new template is one to ask again for, and leaves the history as it is.
    let run = place.step("ipo", Some("I cannot help with that."), &rest);
    assert_eq!(run.status, 1);
    assert!(run.stderr.contains("ask again"), "{}", run.stderr);
    assert_eq!(templates(&place.file("history.json")), expected);
    assert_eq!(place.step("opro", None, &[]).code(), "options/invalid");
    std::fs::write(place.file("history.json"), "[{}]").unwrap();
    assert_eq!(place.step("ipo", None, &[]).code(), "prompt/invalid");
}

#[test]
fn black_box_and_glov_take_answers_by_their_own_rules() {
    let place = Place::new();
    let shots = ["--shots", "1"];
    let started = ok(place.step("black-box", None, &shots));
    assert_eq!(
        (&started["templates"], &started["images"]),
        (&80.into(), &3.into())
    );
    let void = place.step("black-box", Some("- a big {}\n- two {} {}"), &shots);
    assert_eq!(void.status, 1);
    assert_eq!(templates(&place.file("history.json")).len(), 80);
    let taken = ok(place.step("black-box", Some("Try this:\n- a big {}"), &shots));
    assert_eq!(taken["templates"], 81);

    let place = Place::new();
    let out = place.file("prompt.safetensors");
    assert_eq!(ok(place.step("glov", None, &[]))["templates"], 1);
    let four = "a {}\nthe {}\nmy {}\none {}";
    assert_eq!(place.step("glov", Some(four), &[]).status, 1);
    let five = format!("{four}\nsome {{}}");
    let done = ok(place.step("glov", Some(&five), &["--out", text(&out)]));
    assert_eq!(done["templates"], 6);
    let kept = promptlens::prompt::file::Prompt::from_bytes(&std::fs::read(&out).unwrap());
    assert_eq!(kept.unwrap().list("templates").unwrap().unwrap().len(), 3);
}

#[test]
fn templates_are_suggested_from_pictures_without_labels() {
    let dir = tempfile::tempdir().unwrap();
    for i in 0..3 {
        paint(&dir.path().join(format!("pile/{i}.png")), [40, 90, 220], i);
    }
    let (pile, out) = (dir.path().join("pile"), dir.path().join("p.safetensors"));
    let run = |rest: &[&str]| {
        let base = ["--labels", "ship,deer", "--data", text(&pile)];
        with_model("suggest-templates", &mini(), &[&base[..], rest].concat())
    };
    let found = ok(run(&["--count", "4", "--out", text(&out)]));
    assert_eq!(found["images"], 3);
    let rows = found["suggestions"].as_array().unwrap();
    let mut templates: Vec<_> = rows
        .iter()
        .map(|r| r["template"].as_str().unwrap())
        .collect();
    templates.sort_unstable();
    templates.dedup();
    assert_eq!(templates.len(), 4);
    assert_eq!(rows[0]["alike"], 0.0);
    assert_eq!(
        ok(promptlens(&["inspect", "--json", text(&out)]))["recipe"],
        "templates-suggested"
    );

    let library = dir.path().join("library.txt");
    std::fs::write(&library, "a {}\n\nthe {}\na {}\n").unwrap();
    let own = ok(run(&["--library", text(&library)]));
    assert_eq!(own["suggestions"].as_array().unwrap().len(), 2);
    std::fs::write(&library, "no place").unwrap();
    assert_eq!(
        run(&["--library", text(&library)]).code(),
        "prompt/invalid-template"
    );
}

#[test]
fn visible_and_other_sentences_are_told_apart() {
    let model = std::env::current_dir().unwrap().join("www/models/mini");
    let seen = "a red cup";
    let other = "a good decision";
    let found = ok(with_model("visualness", &model, &[seen, other]));
    let rows = found["texts"].as_array().unwrap();
    assert_eq!(rows[0]["text"], seen);
    assert_eq!(rows[0]["meaning"], "about something visible", "{found}");
    assert_eq!(rows[1]["meaning"], "about nothing visible", "{found}");
    assert!(rows.iter().all(|row| row["spread"].is_null()));
    let samples = std::env::current_dir().unwrap().join("www/samples");
    let rest = ["--data", text(&samples), seen];
    let found = ok(with_model("visualness", &model, &rest));
    assert!(found["images"].as_u64().unwrap() > 1);
    assert!(found["texts"][0]["spread"].as_f64().unwrap() > 0.0);
    assert_eq!(promptlens(&["visualness", "--model", "m"]).status, 2);
}

#[test]
fn names_of_two_words_are_composed_of_pictures_of_each() {
    let dir = tempfile::tempdir().unwrap();
    pictures(dir.path(), 5, 0);
    let out = dir.path().join("prompt.safetensors");
    let run = |labels: &str, rest: &[&str]| {
        let base = [
            "--labels",
            labels,
            "--data",
            text(dir.path()),
            "--out",
            text(&out),
        ];
        with_model("compose", &mini(), &[&base[..], rest].concat())
    };
    let found = ok(run("ship roses,ship deer,old house", &[]));
    let folders: Vec<&Value> = found["names"].as_array().unwrap().iter().collect();
    assert_eq!(folders[0]["folders"], serde_json::json!(["roses", "ship"]));
    assert_eq!(folders[2]["folders"], serde_json::json!([]));
    // One of the five pictures of each of three words.
    assert_eq!(found["held_out"], 3);
    assert_eq!(found["tried"].as_array().unwrap().len(), 4);
    let seen = ok(promptlens(&["inspect", "--json", text(&out)]));
    assert_eq!(seen["recipe"], "vsc");
    let plain = ok(run("ship roses,ship deer", &["--gamma", "0"]));
    assert_eq!(plain["gamma"], 0.0);
    assert_eq!(run("blue bus", &[]).code(), "data/empty");
}
