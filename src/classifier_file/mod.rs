//! Classifier files, `NAME.promptlens`: class names, sentences, a learned prompt, how images are rejected
//! and tuned, and which model all of it was made with. docs/reference/classifier-format.md specifies them;
//! `pkg/classifier_file.js` reads and writes them in a browser.

mod raw;

use serde::Deserialize;

use self::raw::Raw;
use crate::error::{Error, Kind, Result};
use crate::ood::score::Score;
use crate::ood::threshold::Calibration;
use crate::prompt::file::Prompt;
use crate::prompt::template::Template;
use crate::quant::Quantization;
use crate::reliability::check_temperature;
use crate::tokenize::validate;
use crate::tpt::Tuning;

/// `format` of every classifier file.
pub const FORMAT: &str = "promptlens-classifier";

/// The only version that is read.
pub const VERSION: u32 = 1;

/// The ending of its name, without the dot.
pub const EXTENSION: &str = "promptlens";

/// The largest file in bytes.
pub const MAX_BYTES: usize = 16 << 20;

/// The most sentences.
const MAX_TEMPLATES: usize = 1000;

/// The longest text in characters.
const MAX_CHARS: usize = 1000;

/// What a classifier file holds, checked.
#[derive(Debug, Clone)]
pub struct ClassifierFile {
    /// The class names.
    pub labels: Vec<String>,
    /// Sentences with `{}` for the class name.
    pub templates: Vec<String>,
    /// A learned prompt, which answers in their place.
    pub prompt: Option<Prompt>,
    /// Which images are none of the classes.
    pub rejection: Rejection,
    /// Tuning on every image.
    pub tuning: Option<Tuning>,
    /// What divides the logits of an answer; 1 unless it was set.
    pub temperature: f64,
    /// What all of it was made with.
    pub model: ModelReference,
}

/// How a classifier file rejects images.
#[derive(Debug, Clone)]
pub struct Rejection {
    /// `None`: no score.
    pub score: Option<&'static Score>,
    /// A threshold that a person has set.
    pub threshold: Option<Threshold>,
    /// A fitted threshold.
    pub calibration: Option<Calibration>,
    /// Negative labels in place of the mined ones.
    pub own: Option<Vec<String>>,
    /// Words that are not to be mined.
    pub struck: Vec<String>,
    /// Words beside the mined ones.
    pub added: Vec<String>,
}

/// A threshold that a person has set.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Threshold {
    /// The name of the score that it is for.
    pub score: &'static str,
    /// Images below it are none of the classes.
    pub value: f64,
}

/// The model of a classifier file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelReference {
    /// `hf:owner/name`, or the address of a folder, which may be relative to the file's own.
    pub address: Option<String>,
    /// What people know it by.
    pub name: String,
    /// How its matrices are held; `None`: as stored.
    pub quantization: Option<Quantization>,
    /// SHA-256 of its source weights, if known.
    pub sha256: Option<String>,
}

impl ClassifierFile {
    /// Reads a classifier file.
    ///
    /// # Errors
    /// `prompt/invalid` for damage and another version, `prompt/wrong-model` if the prompt is not that of
    /// the model; `labels/*`, `prompt/invalid-template`, `calibration/invalid`, `negatives/*` and
    /// `options/invalid` for its parts.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        if bytes.len() > MAX_BYTES {
            return Err(invalid("it is larger than 16 MB"));
        }
        let head: Head = parsed(bytes)?;
        if head.format.as_deref() != Some(FORMAT) {
            return Err(invalid("its format is another"));
        }
        if head.version != Some(f64::from(VERSION)) {
            let sentence = format!(
                "This classifier file has another version of its format than {VERSION}. Use a newer promptlens."
            );
            return Err(Error::new(Kind::PromptInvalid, sentence));
        }
        objects(&parsed(bytes)?)?;
        let raw: Raw = parsed(bytes)?;
        let model = raw.model.unwrap_or_default().checked()?;
        let prompt = raw.prompt.as_deref().map(prompt).transpose()?;
        if let Some(prompt) = &prompt
            && model.sha256.as_ref() != Some(&prompt.model_sha256)
        {
            return Err(Error::new(
                Kind::PromptWrongModel,
                "The prompt in this classifier file was learned on another model than the file names. Save it again.",
            ));
        }
        validate(&raw.labels)?;
        if raw.templates.len() > MAX_TEMPLATES {
            return Err(invalid_template(format!(
                "The classifier file has more than {MAX_TEMPLATES} sentences."
            )));
        }
        Template::parse_all(&raw.templates)?;
        let temperature = raw.temperature.unwrap_or(1.0);
        check_temperature(temperature)?;
        Ok(Self {
            labels: raw.labels,
            templates: raw.templates,
            prompt,
            rejection: raw.rejection.unwrap_or_default().checked()?,
            tuning: raw.tuning.unwrap_or_default().checked()?,
            temperature,
            model,
        })
    }
}

impl Rejection {
    /// Whether the score compares with negative labels.
    pub fn reads_negatives(&self) -> bool {
        self.score.is_some_and(|score| score.needs.negatives)
    }
}

/// What decides how the rest is read.
#[derive(Deserialize)]
struct Head {
    format: Option<String>,
    version: Option<f64>,
}

/// Refuses lists in place of parts: a list would be read as the values of a part in their order.
fn objects(file: &serde_json::Value) -> Result<()> {
    const PARTS: [&str; 6] = [
        "/rejection",
        "/rejection/threshold",
        "/rejection/calibration",
        "/rejection/negatives",
        "/tuning",
        "/model",
    ];
    match PARTS
        .iter()
        .find(|part| file.pointer(part).is_some_and(serde_json::Value::is_array))
    {
        Some(part) => Err(invalid(format!("its part {part} is a list"))),
        None => Ok(()),
    }
}

fn prompt(text: &str) -> Result<Prompt> {
    let bytes = base64::decode(text).map_err(|_| invalid("its prompt is not in base64"))?;
    Prompt::from_bytes(&bytes)
}

fn too_long(text: &str) -> bool {
    text.chars().count() > MAX_CHARS
}

fn parsed<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T> {
    serde_json::from_slice(bytes).map_err(|error| {
        // It may quote what is in the file.
        let why: String = error.to_string().chars().take(200).collect();
        invalid(format!("it is damaged, or cut off ({why})"))
    })
}

fn invalid(what: impl std::fmt::Display) -> Error {
    Error::new(
        Kind::PromptInvalid,
        format!("This is no usable classifier file: {what}. Save it again from promptlens."),
    )
}

fn invalid_template(sentence: String) -> Error {
    Error::new(Kind::TemplateInvalid, sentence)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const SHA256: &str = "5c98d0be731dd201331aedcccc6e6fb1332f6d3f27103a7ea59897ffd5b26e48";

    fn whole_file() -> Value {
        json!({
            "format": FORMAT,
            "version": 1,
            "createdBy": "a test",
            "labels": ["cat", "dog"],
            "templates": ["a photo of a {}.", "{}"],
            "prompt": null,
            "rejection": {
                "score": "energy",
                "threshold": { "score": "energy", "value": 1.25 },
                "calibration": null,
                "negatives": { "own": null, "struck": ["hat"], "added": [] }
            },
            "tuning": { "tune": "tpt", "views": 16, "steps": 2, "seed": 3, "rho": 0.5 },
            "model": { "address": "../mini/", "name": "mini", "quantization": "q8", "sha256": SHA256 },
            "temperature": 2.0,
            "later": { "unknown": [1, 2] }
        })
    }

    fn read(value: &Value) -> Result<ClassifierFile> {
        ClassifierFile::from_bytes(value.to_string().as_bytes())
    }

    /// The code for the file with the value at `place` changed.
    fn code(place: &str, value: Value) -> &'static str {
        let mut file = whole_file();
        *file.pointer_mut(place).expect("a place in the file") = value;
        read(&file).expect_err("a file that is refused").code()
    }

    #[test]
    fn everything_in_a_file_is_read() {
        let file = read(&whole_file()).unwrap();
        assert_eq!(file.labels, ["cat", "dog"]);
        assert_eq!((file.templates.len(), file.temperature), (2, 2.0));
        assert_eq!(file.rejection.score.unwrap().name, "energy");
        let threshold = file.rejection.threshold.unwrap();
        assert_eq!((threshold.score, threshold.value), ("energy", 1.25));
        assert_eq!(file.rejection.struck, ["hat"]);
        assert!(file.tuning.is_some() && file.prompt.is_none());
        assert_eq!(file.model.address.as_deref(), Some("../mini/"));
        assert_eq!(
            file.model.quantization,
            Some(Quantization::parse("q8").unwrap())
        );
    }

    #[test]
    fn parts_that_are_left_out_are_the_defaults() {
        let file =
            json!({ "format": FORMAT, "version": 1, "labels": ["cat"], "templates": ["{}"] });
        let file = read(&file).unwrap();
        assert_eq!(file.rejection.score.unwrap().name, "mcm");
        assert!(file.tuning.is_none());
        assert_eq!(file.temperature, 1.0);
        assert_eq!(file.model.sha256, None);
        let mut none = whole_file();
        none["rejection"]["score"] = Value::Null;
        assert!(read(&none).unwrap().rejection.score.is_none());
    }

    #[test]
    fn hostile_values_have_the_codes_of_their_parts() {
        let many = |n: usize| Value::from((0..n).map(|i| format!("n{i}")).collect::<Vec<_>>());
        for (place, value, expected) in [
            ("/version", json!(2), "prompt/invalid"),
            ("/format", json!("x"), "prompt/invalid"),
            ("/labels", json!([]), "labels/empty"),
            ("/temperature", json!(0), "options/invalid"),
            ("/labels", json!([1]), "prompt/invalid"),
            ("/labels", json!(["a", "a"]), "labels/duplicate"),
            ("/labels", many(10_001), "labels/too-long"),
            ("/labels", json!(["x".repeat(1001)]), "labels/too-long"),
            ("/templates", json!(["none"]), "prompt/invalid-template"),
            ("/templates", json!([]), "prompt/invalid-template"),
            (
                "/templates",
                json!(vec!["{}"; 1001]),
                "prompt/invalid-template",
            ),
            ("/prompt", json!("<b>"), "prompt/invalid"),
            ("/prompt", json!("AAAA"), "prompt/invalid"),
            ("/rejection", json!([]), "prompt/invalid"),
            ("/rejection/score", json!("x"), "options/invalid"),
            (
                "/rejection/threshold",
                json!({ "score": "mcm" }),
                "prompt/invalid",
            ),
            (
                "/rejection/calibration",
                json!({ "file": "{}" }),
                "calibration/invalid",
            ),
            ("/rejection/negatives/own", json!([]), "negatives/empty"),
            (
                "/rejection/negatives/added",
                many(50_001),
                "negatives/invalid",
            ),
            ("/tuning/tune", json!("x"), "options/invalid"),
            ("/tuning/views", json!(1e9), "options/invalid"),
            ("/tuning/steps", json!(1.5), "options/invalid"),
            ("/tuning/rho", json!(2), "options/invalid"),
            ("/model/sha256", json!("5C"), "prompt/invalid"),
            ("/model/address", json!(""), "prompt/invalid"),
        ] {
            assert_eq!(code(place, value.clone()), expected, "{place} {value}");
        }
        assert_eq!(
            ClassifierFile::from_bytes(&vec![b' '; MAX_BYTES + 1])
                .unwrap_err()
                .code(),
            "prompt/invalid"
        );
    }

    #[test]
    fn a_file_cut_anywhere_is_refused() {
        let text = whole_file().to_string();
        for length in 0..text.len() {
            let error = ClassifierFile::from_bytes(&text.as_bytes()[..length]).unwrap_err();
            assert_eq!(error.code(), "prompt/invalid", "{length} bytes");
        }
    }

    #[test]
    fn a_prompt_belongs_to_the_model_that_the_file_names() {
        let bytes = include_bytes!("../../tests/prompt_learning/files/coop.safetensors");
        let prompt = Prompt::from_bytes(bytes).unwrap();
        let mut file = whole_file();
        file["prompt"] = Value::from(base64::encode(bytes));
        assert_eq!(read(&file).unwrap_err().code(), "prompt/wrong-model");
        file["model"]["sha256"] = Value::from(prompt.model_sha256.clone());
        assert_eq!(read(&file).unwrap().prompt, Some(prompt));
    }
}
