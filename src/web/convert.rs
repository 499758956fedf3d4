//! Values and errors across the boundary.

use js_sys::{Error as JsError, Reflect};
use serde::Serialize;
use serde::de::DeserializeOwned;
use wasm_bindgen::JsValue;

use crate::error::{Error, Kind, Result};

/// An `Error` object with `code` beside `message`.
pub fn to_js_error(error: &Error) -> JsValue {
    let value = JsError::new(error.message());
    // Setting a property on a fresh object cannot fail.
    let _ = Reflect::set(&value, &"code".into(), &error.code().into());
    value.into()
}

/// Plain objects and arrays, `null` for none.
pub fn to_js<T: Serialize>(value: &T) -> Result<JsValue> {
    value
        .serialize(&serde_wasm_bindgen::Serializer::json_compatible())
        .map_err(|e| {
            Error::new(
                Kind::Internal,
                format!("A result cannot be handed over: {e}"),
            )
        })
}

/// Options from JavaScript; absent and `undefined` give the defaults.
pub fn from_js<T: DeserializeOwned + Default>(value: JsValue) -> Result<T> {
    if value.is_undefined() || value.is_null() {
        return Ok(T::default());
    }
    serde_wasm_bindgen::from_value(value).map_err(|e| {
        Error::new(
            Kind::OptionInvalid,
            format!("An option is not understood: {e}."),
        )
    })
}
