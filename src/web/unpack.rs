//! The files of an archive, and the class folders of files.

use js_sys::{Array, Object, Reflect, Uint8Array};
use serde::Serialize;
use wasm_bindgen::prelude::*;

use super::convert::{to_js, to_js_error};
use super::engine::Engine;
use crate::dataset::{self, Limits};
use crate::error::{Error, Kind};

/// The most bytes that an archive may unpack to in the memory of a page.
const UNPACKED_BYTES: u64 = 512 << 20;

/// Why a file of an archive cannot be read.
#[derive(Serialize)]
struct Unread<'a> {
    code: &'static str,
    message: &'a str,
}

#[wasm_bindgen]
impl Engine {
    /// The files of a tar, gzipped or not, or zip, as `{path, label, bytes}` or `{path, label, error}`;
    /// `label` is the class folder, or null. Links come last, with an error.
    pub fn unpack(name: &str, bytes: &[u8]) -> Result<Array, JsValue> {
        let limits = Limits {
            archive_bytes: UNPACKED_BYTES,
            ..Limits::default()
        };
        let unpacked =
            dataset::unpack_classes(name, bytes, &limits).map_err(|e| to_js_error(&e))?;
        let array = Array::new();
        for file in unpacked.files {
            let (key, value) = match file.contents {
                Ok(bytes) => ("bytes", Uint8Array::from(bytes.as_slice()).into()),
                Err(error) => ("error", unread(&error)?),
            };
            let label = file.class.map_or(JsValue::NULL, JsValue::from);
            array.push(&entry(&file.path, label, key, &value)?);
        }
        for path in unpacked.links {
            let error = Error::new(
                Kind::DataInvalid,
                "This is a link in the archive; pack the file itself.",
            );
            array.push(&entry(&path, JsValue::NULL, "error", &unread(&error)?)?);
        }
        Ok(array)
    }

    /// The class folder of each of `paths`, or null.
    #[wasm_bindgen(js_name = classFolders)]
    pub fn class_folders(paths: Vec<String>) -> Array {
        let classes = dataset::classes_of(&paths).into_iter();
        classes
            .map(|class| class.map_or(JsValue::NULL, JsValue::from))
            .collect()
    }
}

fn entry(path: &str, label: JsValue, key: &str, value: &JsValue) -> Result<JsValue, JsValue> {
    let file = Object::new();
    Reflect::set(&file, &"path".into(), &path.into())?;
    Reflect::set(&file, &"label".into(), &label)?;
    Reflect::set(&file, &key.into(), value)?;
    Ok(file.into())
}

fn unread(error: &Error) -> Result<JsValue, JsValue> {
    let unread = Unread {
        code: error.code(),
        message: error.message(),
    };
    to_js(&unread).map_err(|e| to_js_error(&e))
}
