//! Templates that a language model proposes: which are accepted, how they are scored, what is asked.

use promptlens::math::{UnitRows, dot};
use promptlens::prompt::heads;
use promptlens::prompt_learning::examples::Examples;
use promptlens::tools::history::{History, Scored};
use promptlens::tools::proposals::{self, Proposals, Step, find};
use promptlens::tools::scorer::Scorer;
use serde_json::Value;

use crate::common::shared;
use crate::prompt_learning::toy::{D, SCALE, Toy, drawn, images, names};

fn read(method: &str, answer: &str) -> Proposals {
    (find(method).unwrap().1.read)(answer)
}

fn scored(template: &str, score: f64, loss: f64) -> Scored {
    let template = template.to_owned();
    Scored {
        template,
        score,
        loss,
        step: 0,
    }
}

fn history(all: &[(&str, f64, f64)]) -> History {
    let mut history = History::default();
    for (template, score, loss) in all {
        assert!(history.add(scored(template, *score, *loss)));
    }
    history
}

fn step(method: &str, images: &Examples, history: &mut History, answer: Option<&str>) -> Step {
    let names = names(3);
    let scorer = Scorer {
        model: &Toy,
        names: &names,
        images,
    };
    let method = find(method).unwrap().1;
    pollster::block_on(proposals::step(method, scorer, history, answer, &())).unwrap()
}

#[test]
fn good_and_bad_lists_and_accepted_answers_are_those_of_the_authors() {
    let Some(path) = shared("fixtures/authors/methods2/texts.json") else {
        return;
    };
    let file: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
    let file = &file["blackbox"];
    let strings = |list: &Value| -> Vec<String> { serde_json::from_value(list.clone()).unwrap() };
    let mut known = History::default();
    // In the order of the file the templates are sorted; they come in another one here.
    let sorted = strings(&file["sorted"]);
    for place in [3, 0, 5, 1, 4, 2] {
        known.add(scored(&sorted[place], 90.0 - place as f64, 1.0));
    }
    let ranked: Vec<_> = known.ranked().iter().map(|s| s.template.clone()).collect();
    assert_eq!(ranked, sorted);
    let (best, worst) = known.extremes(3);
    let texts = |list: Vec<&Scored>| list.iter().map(|s| s.template.clone()).collect::<Vec<_>>();
    assert_eq!(texts(best), strings(&file["good"]));
    assert_eq!(texts(worst), strings(&file["bad"]));
    let answers = file["validate"].as_object().unwrap();
    assert_eq!(answers.len(), 5);
    for (answer, expected) in answers {
        let found = read("black-box", answer).templates;
        match expected {
            Value::Null => assert!(found.is_empty(), "{answer:?}: {found:?}"),
            list => assert_eq!(found, strings(list), "{answer:?}"),
        }
    }
}

#[test]
fn a_black_box_answer_with_one_wrong_dash_line_is_void() {
    let good = "- a {} here.";
    assert_eq!(read("black-box", good).templates, ["a {} here."]);
    for bad in ["- a {} and a {}", "- nothing", "- {0}", "- {name} {}"] {
        let found = read("black-box", &format!("{good}\n{bad}"));
        assert!(found.templates.is_empty(), "{bad}");
        assert_eq!(found.left_out.len(), 1);
    }
    let words = |count: usize| format!("- {{}}{}", " word".repeat(count - 1));
    assert_eq!(read("black-box", &words(14)).templates.len(), 1);
    let long = read("black-box", &format!("{}\n{good}", words(15)));
    assert_eq!(long.templates, ["a {} here."]);
    assert_eq!(long.left_out[0].line, words(15)[2..]);
}

#[test]
fn ipo_takes_lines_with_a_place_for_the_name_and_glov_five_or_none() {
    let answer = "Here are some:\n1. \"A sharp photo of a <CLASS>.\"\n2) a {} on a table\n* {} and {}\n- the {}";
    let found = read("ipo", answer);
    let expected = ["A sharp photo of a {}.", "a {} on a table", "the {}"];
    assert_eq!(found.templates, expected);
    assert_eq!(found.left_out.len(), 1);

    let four = "a {}.\nthe {}.\nmy {}.\none <category>.";
    let found = read("glov", four);
    assert!(found.templates.is_empty());
    assert_eq!(found.left_out.len(), 4);
    let five = read("glov", &format!("{four}\nsome {{}}."));
    assert_eq!(five.templates.len(), 5);
    assert_eq!(five.templates[3], "one {}.");
    assert_eq!(find("opro").unwrap_err().code(), "options/invalid");
}

#[test]
fn a_history_survives_its_file_and_refuses_what_is_none() {
    let images = images(3, 4, 1, 2);
    let mut known = History::default();
    step("black-box", &images, &mut known, None);
    assert_eq!(known.all().len(), 80);
    let text = known.to_json().unwrap();
    let again = History::from_json(text.as_bytes()).unwrap();
    assert_eq!(again, known);
    assert_eq!(again.to_json().unwrap(), text);
    let one = |template: &str| {
        format!(r#"[{{"template": "{template}", "score": 1, "loss": 1, "step": 0}}]"#)
    };
    for (text, code) in [
        ("{}".to_owned(), "prompt/invalid"),
        ("[1]".to_owned(), "prompt/invalid"),
        (one("no place"), "prompt/invalid-template"),
        (one("{} {}"), "prompt/invalid-template"),
    ] {
        let error = History::from_json(text.as_bytes()).unwrap_err();
        assert_eq!(error.code(), code, "{text}");
    }
}

#[test]
fn equal_scores_go_by_loss_and_then_by_age() {
    let known = history(&[
        ("old {}", 50.0, 1.0),
        ("new {}", 50.0, 1.0),
        ("sure {}", 50.0, 0.5),
        ("best {}", 60.0, 9.0),
    ]);
    let order: Vec<_> = known.ranked().iter().map(|s| s.template.clone()).collect();
    assert_eq!(order, ["best {}", "sure {}", "old {}", "new {}"]);
    // Few templates are shown once: as good ones.
    let (best, worst) = known.extremes(3);
    assert_eq!((best.len(), worst.len()), (3, 1));
    assert_eq!(worst[0].template, "new {}");
}

#[test]
fn a_score_is_the_mean_of_the_classes() {
    // Five photos of class 0 and one of class 1; class 2 has none.
    let row = |class: usize| UnitRows::new(&drawn(&format!("photo {class}"), 4, D), D).rounded();
    let labels = [0, 0, 0, 0, 0, 1];
    let features: Vec<f32> = (0..6).flat_map(row).collect();
    let images = Examples::new(features, labels.to_vec(), 1, D, 3).unwrap();
    let mut known = History::default();
    let found = step("ipo", &images, &mut known, None);
    let texts: Vec<Vec<f64>> = names(3)
        .iter()
        .map(|name| UnitRows::new(&drawn(&format!("a photo of a {name}."), 3, D), D).values)
        .collect();
    let (mut right, mut loss) = ([0.0; 2], [0.0; 2]);
    for (i, label) in labels.iter().enumerate() {
        let z: Vec<f64> = texts
            .iter()
            .map(|t| f64::from(SCALE) * dot(images.view(i, 0), t))
            .collect();
        let sum: f64 = z.iter().map(|z| z.exp()).sum();
        loss[*label] -= (z[*label].exp() / sum).ln();
        let top = z.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        right[*label] += f64::from(u8::from(z[*label] == top));
    }
    let expected = (
        50.0 * (right[0] / 5.0 + right[1]),
        0.5 * (loss[0] / 5.0 + loss[1]),
    );
    let only = &found.added[0];
    assert!(
        (only.score - expected.0).abs() < 1e-6,
        "{only:?} {expected:?}"
    );
    assert!(
        (only.loss - expected.1).abs() < 1e-6,
        "{only:?} {expected:?}"
    );
}

#[test]
fn steps_add_what_is_new_and_the_best_never_falls() {
    let images = images(3, 4, 1, 2);
    let mut known = History::default();
    let first = step("ipo", &images, &mut known, None);
    assert_eq!(first.added.len(), 1);
    assert_eq!(first.added[0].template, "a photo of a {}.");
    assert_eq!(first.added[0].step, 0);
    let mut best = known.ranked()[0].score;
    for number in 1..6 {
        let lines = (0..4).map(|i| format!("{number} of {i}: {{}}\n"));
        let answer = lines.collect::<String>() + "a photo of a {}.";
        let done = step("ipo", &images, &mut known, Some(&answer));
        assert_eq!(done.added.len(), 4, "{done:?}");
        assert!(done.added.iter().all(|scored| scored.step == number));
        assert_eq!(done.left_out.len(), 1);
        assert!(known.ranked()[0].score >= best);
        best = known.ranked()[0].score;
    }
    assert_eq!(known.all().len(), 21);
    // Nothing usable changes nothing.
    let before = known.clone();
    assert!(
        step("glov", &images, &mut known, Some("I cannot."))
            .added
            .is_empty()
    );
    assert_eq!(known, before);
    // A sentence that the model would cut is not scored.
    let long = format!("{} {{}}", "word ".repeat(80));
    let done = step("ipo", &images, &mut known, Some(&long));
    assert!(done.added.is_empty() && done.left_out[0].why.contains("longer"));
}

#[test]
fn questions_show_what_their_method_shows() {
    let names = names(2);
    let asked =
        |method: &str, known: &History| proposals::request(find(method).unwrap().1, &names, known);
    let texts: Vec<String> = (0..40)
        .map(|i| format!("sentence {i:02} of {{}}"))
        .collect();
    let all: Vec<(&str, f64, f64)> = texts
        .iter()
        .enumerate()
        .map(|(i, text)| (text.as_str(), 2.0 * i as f64, 1.0))
        .collect();
    let known = history(&all);
    let shown = |question: &str| -> Vec<usize> {
        let places = question.match_indices("sentence ");
        let number = |(at, _): (usize, &str)| question[at + 9..at + 11].parse().ok();
        places.filter_map(number).collect()
    };
    let question = asked("black-box", &known);
    assert_eq!(shown(&question), [39, 38, 37, 0, 1, 2]);
    assert!(question.contains("class 0, class 1"));
    let question = asked("glov", &known);
    assert_eq!(shown(&question), [39, 38, 37, 36, 35, 0, 1, 2, 3, 4]);
    // The last 30 of the list from poor to good.
    assert_eq!(shown(&asked("ipo", &known)), (10..40).collect::<Vec<_>>());
    // Of 25, those of at least 20 percent.
    let question = asked("ipo", &history(&all[..25]));
    assert_eq!(shown(&question), (10..25).collect::<Vec<_>>());
    assert!(
        question.contains("accuracy: 48, loss: 1.0000"),
        "{question}"
    );
}

#[test]
fn glov_ends_with_the_mean_of_the_best_three_and_the_others_with_the_best() {
    let images = images(3, 4, 1, 2);
    let names = names(3);
    let scorer = Scorer {
        model: &Toy,
        names: &names,
        images: &images,
    };
    let known = history(&[
        ("{} one", 10.0, 1.0),
        ("{} two", 40.0, 1.0),
        ("{} three", 30.0, 1.0),
        ("{} four", 20.0, 1.0),
    ]);
    let unit = |template: &str, name: &str| {
        UnitRows::new(&drawn(&template.replace("{}", name), 3, D), D).values
    };
    for (method, templates) in [
        ("black-box", &["{} two"][..]),
        ("ipo", &["{} two"]),
        ("glov", &["{} two", "{} three", "{} four"]),
    ] {
        let made = proposals::prompt(find(method).unwrap(), scorer, &known);
        let prompt = pollster::block_on(made).unwrap();
        assert_eq!(prompt.recipe, method);
        let prompt = promptlens::prompt::file::Prompt::from_bytes(&prompt.to_bytes().unwrap());
        let head = pollster::block_on(heads::open(&prompt.unwrap(), &Toy, &names)).unwrap();
        let centers = pollster::block_on(head.centers(&Toy)).unwrap();
        for (name, found) in names.iter().zip(centers.chunks_exact(D)) {
            let mut sum = vec![0.0; D];
            for template in templates {
                let row = unit(template, name);
                sum.iter_mut().zip(row).for_each(|(s, v)| *s += v);
            }
            let mean = UnitRows::new(&sum, D).values;
            assert!((dot(found, &mean) - 1.0).abs() < 1e-6, "{method} {name}");
        }
    }
    let empty = History::default();
    let none = proposals::prompt(find("ipo").unwrap(), scorer, &empty);
    assert_eq!(pollster::block_on(none).unwrap_err().code(), "data/empty");
}
