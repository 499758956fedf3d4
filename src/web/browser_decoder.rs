//! Image files that only the browser's own decoder reads, as files that the engine reads.

use js_sys::{Array, Object, Reflect, Uint8Array, Uint8ClampedArray};
use wasm_bindgen::prelude::*;

use crate::error::{Error, Kind, Result};
use crate::image::{Bitmap, BrowserFormat, Limits, check_for_browser};

#[wasm_bindgen]
extern "C" {
    #[wasm_bindgen(js_name = Blob)]
    type TypedBlob;
    #[wasm_bindgen(constructor, js_class = "Blob")]
    fn new(parts: &Array, options: &Object) -> TypedBlob;

    type ImageBitmap;
    #[wasm_bindgen(method, getter)]
    fn width(this: &ImageBitmap) -> u32;
    #[wasm_bindgen(method, getter)]
    fn height(this: &ImageBitmap) -> u32;
    #[wasm_bindgen(method)]
    fn close(this: &ImageBitmap);

    #[wasm_bindgen(js_name = createImageBitmap, catch)]
    async fn create_image_bitmap(
        file: &TypedBlob,
        options: &Object,
    ) -> std::result::Result<JsValue, JsValue>;

    type OffscreenCanvas;
    #[wasm_bindgen(constructor, catch)]
    fn new(width: u32, height: u32) -> std::result::Result<OffscreenCanvas, JsValue>;
    #[wasm_bindgen(method, js_name = getContext, catch)]
    fn context(
        this: &OffscreenCanvas,
        kind: &str,
        options: &Object,
    ) -> std::result::Result<Context, JsValue>;

    #[wasm_bindgen(js_name = OffscreenCanvasRenderingContext2D)]
    type Context;
    #[wasm_bindgen(method, setter, js_name = fillStyle)]
    fn set_fill_style(this: &Context, color: &str);
    #[wasm_bindgen(method, setter, js_name = imageSmoothingQuality)]
    fn set_smoothing(this: &Context, quality: &str);
    #[wasm_bindgen(method, js_name = fillRect)]
    fn fill(this: &Context, x: u32, y: u32, width: u32, height: u32);
    #[wasm_bindgen(method, js_name = drawImage, catch)]
    fn draw(
        this: &Context,
        image: &ImageBitmap,
        x: u32,
        y: u32,
        width: u32,
        height: u32,
    ) -> std::result::Result<(), JsValue>;
    #[wasm_bindgen(method, js_name = getImageData, catch)]
    fn pixels(
        this: &Context,
        x: u32,
        y: u32,
        width: u32,
        height: u32,
    ) -> std::result::Result<ImageData, JsValue>;

    type ImageData;
    #[wasm_bindgen(method, getter)]
    fn data(this: &ImageData) -> Uint8ClampedArray;
}

/// An image file that the engine reads.
pub struct Picture {
    /// The file.
    pub bytes: Vec<u8>,
    /// By how much the browser's decoder was asked to divide its sides; `None` if the file is as it was
    /// given.
    pub by_browser: Option<u32>,
}

/// `bytes`, or an upright bitmap of what the browser decodes, over white, if they are a format that
/// only the browser reads. What the header declares is checked before.
///
/// # Errors
/// `image/unknown-format` if this browser does not decode the file, `image/too-large`,
/// `image/truncated`, `image/invalid`.
pub async fn readable(bytes: Vec<u8>) -> Result<Picture> {
    let Some(format) = BrowserFormat::of(&bytes) else {
        return Ok(Picture {
            bytes,
            by_browser: None,
        });
    };
    let limits = Limits::default();
    check_for_browser(&bytes, &limits)?;
    let parts = Array::of1(&Uint8Array::from(bytes.as_slice()));
    drop(bytes);
    let file = TypedBlob::new(&parts, &options(&[("type", format.mime_type().into())]));
    // Profiles are ignored here as in the formats that the engine decodes.
    let as_stored = options(&[("colorSpaceConversion", "none".into())]);
    let decoded = create_image_bitmap(&file, &as_stored).await;
    let decoded: ImageBitmap = decoded
        .map_err(|_| format.refused_by_browser())?
        .unchecked_into();
    let drawn = drawn(&decoded, &limits);
    decoded.close();
    let bitmap = drawn?;
    Ok(Picture {
        by_browser: Some(bitmap.divisor()),
        bytes: bitmap.finish()?,
    })
}

fn drawn(decoded: &ImageBitmap, limits: &Limits) -> Result<Bitmap> {
    /// Rows that are fetched at once: pixels of the browser and their copy lie side by side.
    const ROWS: u32 = 256;
    let mut bitmap = Bitmap::fitting(decoded.width(), decoded.height(), limits)?;
    let (width, height) = bitmap.size();
    let failed = |_| {
        Error::new(
            Kind::ImageTooLarge,
            "The browser has not the memory for this picture; scale it down first.",
        )
    };
    let canvas = OffscreenCanvas::new(width, height).map_err(failed)?;
    let read_often = options(&[("willReadFrequently", true.into())]);
    let context = canvas.context("2d", &read_often).map_err(failed)?;
    context.set_fill_style("#fff");
    context.fill(0, 0, width, height);
    context.set_smoothing("high");
    context.draw(decoded, 0, 0, width, height).map_err(failed)?;
    for y in (0..height).step_by(ROWS as usize) {
        let rows = context.pixels(0, y, width, ROWS.min(height - y));
        bitmap.push(&rows.map_err(failed)?.data().to_vec());
    }
    Ok(bitmap)
}

fn options(entries: &[(&str, JsValue)]) -> Object {
    let object = Object::new();
    for (name, value) in entries {
        // Setting a property on a fresh object cannot fail.
        let _ = Reflect::set(&object, &(*name).into(), value);
    }
    object
}
