//! Views of photos, made in one worker and answered in another.

use js_sys::{Promise, Reflect, Uint8Array};
use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::*;

use super::browser_decoder::readable;
use super::convert::to_js;
use super::session::promise;
use crate::classifier::PlainView;
use crate::error::{Error, Kind, Result};
use crate::image::{Preprocess, Rgb8};

/// A [`PlainView`] without its pixels.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Described {
    width: u32,
    height: u32,
    reduced_by: Option<u32>,
    /// By how much the browser divided the sides of a photo that it decoded.
    by_browser: Option<u32>,
    decode: f64,
    preprocess: f64,
}

/// What a model with this preprocessing looks at of an image file:
/// `{pixels, width, height, reducedBy, byBrowser, decode, preprocess}`. It needs no model, so a worker
/// that has none can do it. `preprocessing` is from [`Engine::preprocessing`](super::Engine::preprocessing).
#[wasm_bindgen(js_name = plainView)]
pub fn plain_view(bytes: Vec<u8>, preprocessing: String) -> Promise {
    promise(async move {
        let preprocess: Preprocess =
            serde_json::from_str(&preprocessing).map_err(|e| misread(&e.to_string()))?;
        let picture = readable(bytes).await?;
        let view = PlainView::of(&picture.bytes, &preprocess)?;
        let described = to_js(&Described {
            width: view.pixels.width,
            height: view.pixels.height,
            reduced_by: view.reduced_by,
            by_browser: picture.by_browser,
            decode: view.decode,
            preprocess: view.preprocess,
        })?;
        let pixels = Uint8Array::from(view.pixels.data.as_slice());
        // Setting a property on a fresh object cannot fail.
        let _ = Reflect::set(&described, &"pixels".into(), &pixels);
        Ok(described)
    })
}

/// Views, and by how much the browser divided the sides of each photo.
pub(super) fn read_views(views: Vec<JsValue>) -> Result<(Vec<PlainView>, Vec<Option<u32>>)> {
    let mut read = Vec::with_capacity(views.len());
    let mut by_browser = Vec::with_capacity(views.len());
    for view in views {
        let pixels = Reflect::get(&view, &"pixels".into()).unwrap_or_default();
        let pixels: Uint8Array = pixels.dyn_into().map_err(|_| misread("no pixels"))?;
        let described: Described =
            serde_wasm_bindgen::from_value(view).map_err(|e| misread(&e.to_string()))?;
        read.push(PlainView {
            pixels: Rgb8::new(described.width, described.height, pixels.to_vec())?,
            reduced_by: described.reduced_by,
            decode: described.decode,
            preprocess: described.preprocess,
        });
        by_browser.push(described.by_browser);
    }
    Ok((read, by_browser))
}

fn misread(why: &str) -> Error {
    Error::new(
        Kind::OptionInvalid,
        format!("A view of a photo is not one: {why}."),
    )
}
