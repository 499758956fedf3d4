//! Values and errors across the boundary.

use js_sys::{Error as JsError, Object, Reflect};
use serde::Serialize;
use serde::de::{DeserializeOwned, Visitor, value};
use wasm_bindgen::{JsCast, JsValue};

use super::camel_case::CamelCase;
use crate::error::{Error, Kind, Result};

/// An `Error` object with `code` beside `message`.
pub fn to_js_error(error: &Error) -> JsValue {
    let value = JsError::new(error.message());
    // Setting a property on a fresh object cannot fail.
    let _ = Reflect::set(&value, &"code".into(), &error.code().into());
    value.into()
}

/// Plain objects with camelCase keys, and arrays; `null` for `None`.
pub fn to_js<T: Serialize>(value: &T) -> Result<JsValue> {
    CamelCase(value)
        .serialize(&serde_wasm_bindgen::Serializer::json_compatible())
        .map_err(|e| {
            Error::new(
                Kind::Internal,
                format!("A result cannot be handed over: {e}"),
            )
        })
}

/// Options from JavaScript; absent and `undefined` give the defaults. Unknown options are rejected; a
/// typo would otherwise be ignored silently.
pub fn from_js<T: DeserializeOwned + Default>(value: JsValue) -> Result<T> {
    if value.is_undefined() || value.is_null() {
        return Ok(T::default());
    }
    let invalid = |sentence: String| Error::new(Kind::OptionInvalid, sentence);
    if let (Some(known), Some(given)) = (field_names::<T>(), value.dyn_ref::<Object>()) {
        let unknown = Object::keys(given)
            .iter()
            .filter_map(|key| key.as_string())
            .find(|key| !known.contains(&key.as_str()));
        if let Some(unknown) = unknown {
            let all = known.join(", ");
            return Err(invalid(format!(
                "There is no option {unknown}; the options are {all}."
            )));
        }
    }
    serde_wasm_bindgen::from_value(value)
        .map_err(|e| invalid(format!("An option is not understood: {e}.")))
}

/// The names of the fields of a struct, as they are deserialized; none if `T` is no plain struct.
/// `deny_unknown_fields` does not see them: the deserializer of JavaScript values asks an object for
/// the fields it knows, and never for its keys.
fn field_names<T: DeserializeOwned>() -> Option<&'static [&'static str]> {
    let mut names = None;
    let _ = T::deserialize(FieldNames(&mut names));
    names
}

/// Notes the fields that a struct asks for, and gives none.
struct FieldNames<'a>(&'a mut Option<&'static [&'static str]>);

impl<'de> serde::Deserializer<'de> for FieldNames<'_> {
    type Error = value::Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Self::Error> {
        *self.0 = Some(fields);
        self.deserialize_any(visitor)
    }

    fn deserialize_any<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Self::Error> {
        Err(serde::de::Error::custom("only the names are wanted"))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option
        unit unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}
