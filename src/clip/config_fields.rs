//! The fields of a `config.json` with types and bounds, and how a wrong one is refused.

use serde_json::{Map, Value};

use super::family::Family;
use crate::error::{Error, Kind, Result};
use crate::kernels::Activation;

/// The number as people write it: the f64 whose shortest form is that of the f32.
pub(super) fn shortest(value: f32) -> f64 {
    value.to_string().parse().unwrap_or(f64::from(value))
}

pub(super) fn invalid(what: impl AsRef<str>) -> Error {
    invalid_file("config.json", what)
}

/// The refusal of a model that is none of CLIP's kind.
pub(super) fn foreign(file: &str, family: Family) -> Error {
    let Family { name, instead } = family;
    Error::new(
        Kind::ConfigInvalid,
        format!("{file} describes {name}, which cannot be read; load {instead} instead."),
    )
}

/// "This configuration file ...".
pub(super) fn invalid_file(file: &str, what: impl AsRef<str>) -> Error {
    Error::new(
        Kind::ConfigInvalid,
        format!(
            "{file} {}; use the {file} that belongs to a CLIP checkpoint.",
            what.as_ref()
        ),
    )
}

/// The object `name` of a configuration, which old files call `name_dict`.
pub(super) fn section<'a>(
    root: &'a Map<String, Value>,
    name: &str,
) -> Result<Option<&'a Map<String, Value>>> {
    for key in [format!("{name}_dict"), name.to_owned()] {
        match root.get(&key) {
            None | Some(Value::Null) => {}
            Some(Value::Object(map)) => return Ok(Some(map)),
            Some(_) => return Err(invalid(format!("has a {key} that is not an object"))),
        }
    }
    Ok(None)
}

/// One section of the file with typed, bounded access.
pub(super) struct Fields<'a>(pub(super) &'static str, pub(super) &'a Map<String, Value>);

impl Fields<'_> {
    fn get(&self, key: &str) -> Option<&Value> {
        self.1.get(key).filter(|value| !value.is_null())
    }

    fn bad(&self, key: &str, value: &Value, want: impl AsRef<str>) -> Error {
        let mut shown = value.to_string();
        if shown.len() > 40 {
            shown = "something else".to_owned();
        }
        invalid(format!(
            "says {}.{key} = {shown}, but {} is needed",
            self.0,
            want.as_ref()
        ))
    }

    pub(super) fn size(&self, key: &str, default: usize, max: usize) -> Result<usize> {
        let Some(value) = self.get(key) else {
            return Ok(default);
        };
        value
            .as_u64()
            .and_then(|number| usize::try_from(number).ok())
            .filter(|number| (1..=max).contains(number))
            .ok_or_else(|| self.bad(key, value, format!("a whole number from 1 to {max}")))
    }

    pub(super) fn eps(&self) -> Result<f32> {
        let key = "layer_norm_eps";
        let Some(value) = self.get(key) else {
            return Ok(1e-5);
        };
        // Written by hand, 1e-5 may have become a text.
        let number = value.as_f64().or_else(|| value.as_str()?.parse().ok());
        number
            .filter(|number| (1e-12..=0.1).contains(number))
            .map(|number| number as f32)
            .ok_or_else(|| self.bad(key, value, "a number from 1e-12 to 0.1"))
    }

    pub(super) fn activation(&self) -> Result<Activation> {
        let key = "hidden_act";
        match self.get(key) {
            None => Ok(Activation::QuickGelu),
            Some(Value::String(name)) if name == "quick_gelu" => Ok(Activation::QuickGelu),
            Some(Value::String(name)) if name == "gelu" => Ok(Activation::Gelu),
            Some(other) => Err(self.bad(key, other, "quick_gelu or gelu")),
        }
    }

    /// An id that nothing depends on: a form that is not a plain number counts as not stated.
    pub(super) fn token_id(&self, key: &str) -> Option<u32> {
        u32::try_from(self.get(key)?.as_u64()?).ok()
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<&str>> {
        match self.get(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(other) => Err(self.bad(key, other, "a text")),
        }
    }

    pub(super) fn flag(&self, key: &str, default: bool) -> Result<bool> {
        match self.get(key) {
            None => Ok(default),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(other) => Err(self.bad(key, other, "true or false")),
        }
    }
}
