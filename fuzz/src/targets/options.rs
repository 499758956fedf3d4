//! Options as the page gives them, in JSON: an object with any of the keys below. The structs that take
//! JavaScript's values apart need a browser; what their values go through is here.

use promptlens::checkpoint::former;
use promptlens::heatmap::HeatmapMethod;
use promptlens::ood::score::{ScoreParameters, by_name, check_parameters};
use promptlens::ood::threshold::Calibration;
use promptlens::prompt::layout::NamePosition;
use promptlens::prompt::template::Template;
use promptlens::prompt_learning::descriptions::Descriptions;
use promptlens::prompt_learning::recipes::find;
use promptlens::prompt_learning::validate::Validation;
use promptlens::quant::Quantization;
use promptlens::tpt::{Method, Overrides, StrongViews, Tuning, TuningKind};
use serde_json::{Map, Value};

use super::checked;

const OPTIONS: &[&str] = &["options/invalid"];
const PROMPT: &[&str] = &["prompt/"];

pub fn run(bytes: &[u8]) {
    let Ok(Value::Object(given)) = serde_json::from_slice(bytes) else {
        return;
    };
    let given = Given(given);
    tuning(&given);
    scores(&given);
    training(&given);
    templates(&given);
    files(&given);
    if let Some(name) = given.text("quantization") {
        checked(Quantization::parse(name), OPTIONS);
    }
    if let Some(sha256) = given.text("model") {
        former(sha256);
    }
}

struct Given(Map<String, Value>);

impl Given {
    fn text(&self, key: &str) -> Option<&str> {
        self.0.get(key)?.as_str()
    }

    fn number(&self, key: &str) -> Option<f64> {
        self.0.get(key)?.as_f64()
    }

    fn count(&self, key: &str) -> Option<u64> {
        self.0.get(key)?.as_u64()
    }

    fn size(&self, key: &str) -> Option<usize> {
        usize::try_from(self.count(key)?).ok()
    }

    fn texts(&self, key: &str) -> Vec<&str> {
        let list = self.0.get(key).and_then(Value::as_array);
        list.into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect()
    }
}

fn tuning(given: &Given) {
    let overrides = Overrides {
        views: given.size("views"),
        steps: given.size("steps"),
        rho: given.number("rho"),
        seed: given.count("seed").unwrap_or(0),
    };
    let method = given.text("tune").map(Method::parse_or_none);
    let named = method.and_then(|method| checked(method, OPTIONS)).flatten();
    let kind = match named {
        Some(Method::DiffTptLite) => TuningKind::DiffTptLite(StrongViews::Drawn),
        _ => TuningKind::Tpt {
            augmix: given.0.contains_key("augmix"),
        },
    };
    if let Some(tuning) = checked(Tuning::new(kind, &overrides), OPTIONS) {
        let config = tuning.config();
        assert!(config.rho > 0.0 && config.rho <= 1.0 && config.steps >= 1);
        tuning.view_plan();
    }
    if let Some(name) = given.text("heatmap") {
        checked(HeatmapMethod::parse(name), OPTIONS);
    }
}

fn scores(given: &Given) {
    let Some(score) = given
        .text("ood")
        .and_then(|name| checked(by_name(name), OPTIONS))
    else {
        return;
    };
    let own = score.defaults(10.0);
    let parameters = score.canonical(&ScoreParameters {
        tau: given.number("tau").unwrap_or(own.tau),
        local_weight: given.number("localWeight").unwrap_or(own.local_weight),
        groups: given.size("groups").unwrap_or(own.groups),
        shuffle_seed: given.count("seed"),
    });
    checked(check_parameters(&parameters), OPTIONS);
}

fn training(given: &Given) {
    if let Some(name) = given.text("validation") {
        checked(Validation::parse_or_none(name), OPTIONS);
    }
    let Some(recipe) = given
        .text("recipe")
        .and_then(|name| checked(find(name), OPTIONS))
    else {
        return;
    };
    let set = given.0.get("set").and_then(Value::as_object);
    let set: Vec<(&str, &str)> = set
        .into_iter()
        .flatten()
        .filter_map(|(key, value)| Some((key.as_str(), value.as_str()?)))
        .collect();
    if let Some(configured) = checked(recipe.configure(&set), OPTIONS) {
        configured.crops();
    }
}

fn templates(given: &Given) {
    if let Some(name) = given.text("layout") {
        checked(
            NamePosition::parse(name),
            &["options/invalid", "prompt/invalid"],
        );
    }
    let Some(all) = checked(Template::parse_all(&given.texts("templates")), PROMPT) else {
        return;
    };
    for template in all {
        assert_eq!(
            template.fill("{}").replace('_', " "),
            template.to_string().replace('_', " ")
        );
        template.words_before();
        template.words_behind();
    }
}

fn files(given: &Given) {
    if let Some(text) = given.text("descriptions")
        && let Some(found) = checked(Descriptions::from_json(text.as_bytes()), PROMPT)
    {
        let names = given.texts("labels");
        let names: Vec<String> = names.into_iter().map(str::to_owned).collect();
        let coverage = found.coverage(&names);
        assert!(coverage.missing.len() <= names.len());
    }
    if let Some(text) = given.text("calibration")
        && let Some(found) = checked(
            Calibration::from_json(text.as_bytes()),
            &["calibration/invalid"],
        )
    {
        let written = found.to_json().expect("a threshold is written");
        let again = Calibration::from_json(written.as_bytes()).expect("what was written");
        assert_eq!(again.threshold.to_bits(), found.threshold.to_bits());
        let interval = found.interval();
        assert!(0.0 <= interval.low && interval.low <= interval.high && interval.high <= 1.0);
        assert!(found.is_outlier(0.0).is_ok());
        checked(found.matches(&again.key), &["calibration/mismatch"]);
    }
}
