//! The files of an archive.

use js_sys::{Array, Object, Reflect, Uint8Array};
use serde::Serialize;
use wasm_bindgen::prelude::*;

use super::convert::{to_js, to_js_error};
use super::engine::Engine;
use crate::dataset::{self, Limits};

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
    /// The files of a tar, gzipped or not, or zip, as `{path, bytes}` or `{path, error}`.
    pub fn unpack(name: &str, bytes: &[u8]) -> Result<Array, JsValue> {
        let limits = Limits {
            archive_bytes: UNPACKED_BYTES,
            ..Limits::default()
        };
        let files = dataset::unpack(name, bytes, &limits).map_err(|e| to_js_error(&e))?;
        let array = Array::new();
        for (path, contents) in files {
            let (key, value) = match contents {
                Ok(bytes) => ("bytes", Uint8Array::from(bytes.as_slice()).into()),
                Err(error) => {
                    let unread = Unread {
                        code: error.code(),
                        message: error.message(),
                    };
                    ("error", to_js(&unread).map_err(|e| to_js_error(&e))?)
                }
            };
            let file = Object::new();
            Reflect::set(&file, &"path".into(), &path.into())?;
            Reflect::set(&file, &key.into(), &value)?;
            array.push(&file);
        }
        Ok(array)
    }
}
