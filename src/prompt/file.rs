//! The prompt file: a safetensors file with required metadata. What its tensors mean is the matter of
//! [`heads`](super::heads).

use std::collections::BTreeMap;

use safetensors::tensor::TensorInfo;
use safetensors::{Dtype, SafeTensors};
use serde_json::{Map, Value};

use super::layout::NamePosition;
use super::model::PromptModel;
use crate::checkpoint::former;
use crate::error::{Error, Kind, Result};
use crate::tokenize::validate_stored;

/// `format` of every prompt file.
pub const FORMAT: &str = "promptlens-prompt";

/// The version that is written, and the only one that is read.
pub const VERSION: &str = "1";

/// The largest prompt file in bytes.
pub const MAX_BYTES: usize = 256 << 20;

/// The most tensors in a prompt file.
const MAX_TENSORS: usize = 32;

/// Metadata that every file has.
const REQUIRED: [&str; 8] = [
    "format",
    "version",
    "recipe",
    "layout",
    "class_names",
    "model_sha256",
    "logit_scale",
    "created_by",
];

/// A tensor of a prompt.
#[derive(Debug, Clone, PartialEq)]
pub struct Values {
    /// Dimensions, outermost first.
    pub shape: Vec<usize>,
    /// Row-major.
    pub data: Vec<f32>,
}

/// A learned prompt.
#[derive(Debug, Clone, PartialEq)]
pub struct Prompt {
    /// The recipe that made it.
    pub recipe: String,
    /// Where the class name stands among learned vectors.
    pub layout: NamePosition,
    /// The classes it was trained on.
    pub class_names: Vec<String>,
    /// SHA-256 of the source weights of its model, whatever their quantization.
    pub model_sha256: String,
    /// exp(logit_scale) of its model.
    pub logit_scale: f32,
    /// The program that wrote it.
    pub created_by: String,
    /// Those of its head.
    pub tensors: BTreeMap<String, Values>,
    /// Metadata beyond what every file has.
    pub extra: BTreeMap<String, String>,
}

fn invalid(what: impl std::fmt::Display) -> Error {
    Error::new(
        Kind::PromptInvalid,
        format!("This is no usable prompt file: {what}. Export it again from promptlens."),
    )
}

impl Prompt {
    /// A prompt of `model` for `class_names`, made by `recipe`; without tensors yet.
    pub fn new(recipe: &str, model: &dyn PromptModel, class_names: &[String]) -> Self {
        Self {
            recipe: recipe.to_owned(),
            layout: NamePosition::End,
            class_names: class_names.to_vec(),
            model_sha256: model.sha256().to_owned(),
            logit_scale: model.logit_scale(),
            created_by: concat!("promptlens ", env!("CARGO_PKG_VERSION")).to_owned(),
            tensors: BTreeMap::new(),
            extra: BTreeMap::new(),
        }
    }

    /// Adds a tensor; panics if `data` does not fill `shape`.
    pub fn put(&mut self, name: &str, shape: &[usize], data: Vec<f32>) {
        assert_eq!(shape.iter().product::<usize>(), data.len(), "{name}");
        let shape = shape.to_vec();
        self.tensors.insert(name.to_owned(), Values { shape, data });
    }

    /// The tensor `name` with `rank` dimensions, if there is one.
    ///
    /// # Errors
    /// `prompt/invalid` if it has another rank.
    pub fn get(&self, name: &str, rank: usize) -> Result<Option<&Values>> {
        match self.tensors.get(name) {
            Some(values) if values.shape.len() != rank => {
                Err(invalid(format!("{name} does not have {rank} dimensions")))
            }
            found => Ok(found),
        }
    }

    /// The tensor `name` with exactly these dimensions, if there is one.
    ///
    /// # Errors
    /// `prompt/invalid` if it has others.
    pub fn shaped(&self, name: &str, shape: &[usize]) -> Result<Option<&[f32]>> {
        match self.tensors.get(name) {
            Some(values) if values.shape != shape => {
                Err(invalid(format!("{name} is not of shape {shape:?}")))
            }
            found => Ok(found.map(|values| values.data.as_slice())),
        }
    }

    /// Refuses a prompt of another model.
    ///
    /// # Errors
    /// `prompt/wrong-model`.
    pub fn belongs_to(&self, model_sha256: &str) -> Result<()> {
        if self.model_sha256.eq_ignore_ascii_case(model_sha256) {
            return Ok(());
        }
        let sentence = match former(&self.model_sha256) {
            Some(model) => format!(
                "The prompt was taught to the earlier built-in model; load {}, or teach it again.",
                model.folder
            ),
            None => "The prompt was taught to another model; load that model, or teach it again."
                .to_owned(),
        };
        Err(Error::new(Kind::PromptWrongModel, sentence))
    }

    /// States `value` in the metadata.
    pub fn note(&mut self, key: &str, value: impl std::fmt::Display) {
        self.extra.insert(key.to_owned(), value.to_string());
    }

    /// States a list of texts in the metadata.
    pub fn note_list(&mut self, key: &str, values: &[String]) {
        self.note(key, Value::from(values));
    }

    /// A number in the metadata.
    ///
    /// # Errors
    /// `prompt/invalid` if it is absent or not finite.
    pub fn number(&self, key: &str) -> Result<f64> {
        let value = self.extra.get(key).and_then(|v| v.parse::<f64>().ok());
        value
            .filter(|v| v.is_finite())
            .ok_or_else(|| invalid(format!("its {key} is no number")))
    }

    /// A list of texts in the metadata, if there is one.
    ///
    /// # Errors
    /// `prompt/invalid` for anything else under that key.
    pub fn list(&self, key: &str) -> Result<Option<Vec<String>>> {
        let parse = |json| {
            serde_json::from_str(json)
                .map_err(|_| invalid(format!("its {key} are no list of texts")))
        };
        self.extra.get(key).map(|json| parse(json)).transpose()
    }

    /// The file. Equal prompts give equal bytes.
    ///
    /// # Errors
    /// `engine/internal` if it cannot be written down.
    pub fn to_bytes(&self) -> Result<Vec<u8>> {
        let internal = |error: serde_json::Error| Error::new(Kind::Internal, error.to_string());
        let mut metadata = self.extra.clone();
        let names = serde_json::to_string(&self.class_names).map_err(internal)?;
        let values = [
            FORMAT.to_owned(),
            VERSION.to_owned(),
            self.recipe.clone(),
            self.layout.name().to_owned(),
            names,
            self.model_sha256.clone(),
            self.logit_scale.to_string(),
            self.created_by.clone(),
        ];
        metadata.extend(REQUIRED.iter().map(|k| (*k).to_owned()).zip(values));
        let mut header = Map::new();
        let metadata = serde_json::to_value(metadata).map_err(internal)?;
        header.insert("__metadata__".to_owned(), metadata);
        let mut end = 0;
        for (name, values) in &self.tensors {
            let info = TensorInfo {
                dtype: Dtype::F32,
                shape: values.shape.clone(),
                data_offsets: (end, end + values.data.len() * 4),
            };
            end += values.data.len() * 4;
            let info = serde_json::to_value(info).map_err(internal)?;
            header.insert(name.clone(), info);
        }
        let mut header = Value::from(header).to_string().into_bytes();
        header.resize(header.len().next_multiple_of(8), b' ');
        let mut out = (header.len() as u64).to_le_bytes().to_vec();
        out.extend(header);
        for values in self.tensors.values() {
            out.extend(values.data.iter().flat_map(|v| v.to_le_bytes()));
        }
        Ok(out)
    }

    /// Reads a file; any bytes are safe to give.
    ///
    /// # Errors
    /// `prompt/invalid`, and the `labels/` codes for its class names.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        if bytes.len() > MAX_BYTES {
            return Err(invalid("it is larger than 256 MiB"));
        }
        let (_, header) =
            SafeTensors::read_metadata(bytes).map_err(|e| invalid(format!("{e:?}")))?;
        let file = SafeTensors::deserialize(bytes).map_err(|e| invalid(format!("{e:?}")))?;
        let mut extra: BTreeMap<String, String> = header
            .metadata()
            .clone()
            .unwrap_or_default()
            .into_iter()
            .collect();
        let mut take = |key: &str| {
            extra
                .remove(key)
                .ok_or_else(|| invalid(format!("it does not state {key}")))
        };
        let [
            format,
            version,
            recipe,
            layout,
            names,
            model,
            scale,
            created_by,
        ] = REQUIRED.map(&mut take);
        if format? != FORMAT {
            return Err(invalid("its format is another"));
        }
        if version? != VERSION {
            return Err(invalid("its version is not known to this program"));
        }
        let class_names: Vec<String> =
            serde_json::from_str(&names?).map_err(|_| invalid("its class names are no list"))?;
        validate_stored(&class_names)?;
        let logit_scale: f32 = scale?
            .parse()
            .ok()
            .filter(|s: &f32| s.is_finite() && *s > 0.0)
            .ok_or_else(|| invalid("its logit scale is no positive number"))?;
        if file.len() > MAX_TENSORS {
            return Err(invalid("it has too many tensors"));
        }
        let mut tensors = BTreeMap::new();
        for (name, view) in file.iter() {
            if view.dtype() != Dtype::F32 || view.shape().len() > 3 || view.shape().contains(&0) {
                return Err(invalid(format!(
                    "{name} is not of one to three dimensions of 32-bit floats"
                )));
            }
            let data: Vec<f32> = view
                .data()
                .as_chunks::<4>()
                .0
                .iter()
                .map(|c| f32::from_le_bytes(*c))
                .collect();
            if data.iter().any(|v| !v.is_finite()) {
                return Err(invalid(format!("{name} contains NaN or infinity")));
            }
            let shape = view.shape().to_vec();
            tensors.insert(name.to_owned(), Values { shape, data });
        }
        Ok(Self {
            recipe: recipe?,
            layout: NamePosition::parse(&layout?)?,
            class_names,
            model_sha256: model?,
            logit_scale,
            created_by: created_by?,
            tensors,
            extra,
        })
    }
}
