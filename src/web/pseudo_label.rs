//! The engine's part that makes examples out of a pile of photos, and photos out of an archive.

use js_sys::{Array, Function, Object, Promise, Reflect, Uint8Array};
use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::*;
use web_sys::{AbortSignal, Blob};

use super::class_set::bytes_of;
use super::convert::{from_js, to_js, to_js_error};
use super::engine::{Engine, promise};
use super::listener::{JsProgress, check};
use super::train::{Failure, negatives};
use crate::dataset::{self, Limits};
use crate::error::{Error, Kind, Result};
use crate::progress::Progress;
use crate::prompt_learning::gather::gather;
use crate::prompt_learning::photos::{ExampleBuilder, ViewEncoder};

/// The most bytes that an archive may unpack to in the memory of a page.
const UNPACKED_BYTES: u64 = 512 << 20;

/// The most images kept of each class where nobody says how many, as LAPT does.
const PER_CLASS: usize = 36;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default, deny_unknown_fields)]
struct GatherOptions {
    per_class: Option<usize>,
    negatives: Option<Vec<String>>,
}

/// An image that probably shows a class.
#[derive(Serialize)]
struct Own {
    index: usize,
    label: String,
}

#[derive(Serialize)]
struct GatherAnswer {
    own: Vec<Own>,
    others: Vec<usize>,
    surplus: Vec<usize>,
    failures: Vec<Failure>,
}

/// Why a file of an archive cannot be had.
#[derive(Serialize)]
struct Unread<'a> {
    code: &'static str,
    message: &'a str,
}

#[wasm_bindgen]
impl Engine {
    /// Labels image files by the names of a class list and its negative labels. Files are read one at
    /// a time.
    pub fn gather(
        &self,
        classes: u32,
        images: Vec<Blob>,
        options: JsValue,
        on_progress: Option<Function>,
        signal: Option<AbortSignal>,
    ) -> Promise {
        let inner = self.0.clone();
        promise(async move {
            check(signal.as_ref())?;
            let classes = inner.set(classes)?.current();
            let given: GatherOptions = from_js(options)?;
            let per_class = given.per_class.unwrap_or(PER_CLASS);
            if per_class == 0 {
                return Err(Error::new(
                    Kind::OptionInvalid,
                    "Keep at least 1 per class.",
                ));
            }
            let listener = JsProgress {
                callback: on_progress,
                signal,
            };
            let model = &inner.classifier;
            let words = negatives(&inner, &classes, given.negatives, &listener).await?;
            let mut photos = ExampleBuilder::new(1, ViewEncoder::new(1, 0, None)?);
            let mut places = Vec::new();
            for (done, image) in images.iter().enumerate() {
                listener.step("gather", done, images.len()).await?;
                let before = photos.len();
                match bytes_of(image).await {
                    Ok(bytes) => photos.add(model, &bytes, 0).await?,
                    Err(error) => photos.keep(Err(error), 0),
                }
                if photos.len() > before {
                    places.push(done);
                }
            }
            listener.step("gather", images.len(), images.len()).await?;
            let failures = photos
                .failures()
                .iter()
                .map(|(index, error)| Failure {
                    index: *index,
                    code: error.code(),
                    message: error.message().to_owned(),
                })
                .collect();
            let mut answer = GatherAnswer {
                own: Vec::new(),
                others: Vec::new(),
                surplus: Vec::new(),
                failures,
            };
            if !photos.is_empty() {
                let examples = photos.finish()?;
                let found = gather(model, &classes.labels, &words, &examples, per_class).await?;
                let place = |image: &usize| places[*image];
                answer.own = found
                    .own
                    .iter()
                    .map(|(image, class)| Own {
                        index: place(image),
                        label: classes.labels[*class].clone(),
                    })
                    .collect();
                answer.others = found.others.iter().map(place).collect();
                answer.surplus = found.surplus.iter().map(place).collect();
            }
            to_js(&answer)
        })
    }

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
