//! Files over HTTP: whole small ones, and large ones piece by piece with progress.

use gloo::net::http::{Request, Response};
use js_sys::{Reflect, Uint8Array};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;
use web_sys::{AbortSignal, ReadableStreamDefaultReader};

use super::listener::check;
use crate::error::{Error, Kind, Result};

/// The largest small file.
const SMALL: usize = 64 << 20;

fn failed(url: &str, why: impl std::fmt::Display) -> Error {
    Error::new(
        Kind::NetworkFailed,
        format!("{url} could not be loaded: {why}."),
    )
}

async fn send(url: &str, signal: Option<&AbortSignal>) -> Result<Response> {
    check(signal)?;
    let response = Request::get(url).abort_signal(signal).send().await;
    check(signal)?;
    response.map_err(|e| failed(url, e))
}

/// The file at `url`, or `None` where there is none (404).
///
/// # Errors
/// `network/failed`, `engine/cancelled`.
pub async fn small(url: &str, signal: Option<&AbortSignal>) -> Result<Option<Vec<u8>>> {
    let response = send(url, signal).await?;
    match response.status() {
        404 => return Ok(None),
        200 => {}
        status => return Err(failed(url, format!("the server answers {status}"))),
    }
    let bytes = response.binary().await.map_err(|e| failed(url, e))?;
    if bytes.len() > SMALL {
        return Err(failed(url, "it is too large"));
    }
    Ok(Some(bytes))
}

/// Receives `(bytes, loaded, total)` of a stream.
pub type Take<'a> = dyn FnMut(&[u8], u64, Option<u64>) -> Result<()> + 'a;

/// Streams the file at `url` to `take(bytes, loaded, total)`.
///
/// # Errors
/// `missing` where there is none, `network/failed`, `engine/cancelled`, and those of `take`.
pub async fn stream(
    url: &str,
    missing: Kind,
    signal: Option<&AbortSignal>,
    take: &mut Take<'_>,
) -> Result<()> {
    let response = send(url, signal).await?;
    match response.status() {
        200 => {}
        404 => return Err(Error::new(missing, format!("There is no {url}."))),
        status => return Err(failed(url, format!("the server answers {status}"))),
    }
    // With a content encoding the length counts packed bytes, so it is no total.
    let headers = response.headers();
    let total = match headers.get("content-encoding") {
        None => headers.get("content-length").and_then(|v| v.parse().ok()),
        Some(_) => None,
    };
    let body = response
        .body()
        .ok_or_else(|| failed(url, "the answer has no body"))?;
    let reader: ReadableStreamDefaultReader = body.get_reader().unchecked_into();
    let mut loaded = 0u64;
    loop {
        if let Err(cancelled) = check(signal) {
            // The stream is dropped either way.
            let _ = JsFuture::from(reader.cancel()).await;
            return Err(cancelled);
        }
        let piece = JsFuture::from(reader.read()).await;
        check(signal)?;
        let piece = piece.map_err(|e| failed(url, describe(&e)))?;
        let get = |name: &str| Reflect::get(&piece, &name.into()).unwrap_or(JsValue::UNDEFINED);
        if get("done").is_truthy() {
            break;
        }
        let bytes = Uint8Array::new(&get("value")).to_vec();
        loaded += bytes.len() as u64;
        take(&bytes, loaded, total)?;
    }
    match total {
        Some(total) if total != loaded => Err(failed(
            url,
            format!("the connection ended after {loaded} of {total} bytes"),
        )),
        _ => Ok(()),
    }
}

fn describe(error: &JsValue) -> String {
    Reflect::get(error, &"message".into())
        .ok()
        .and_then(|m| m.as_string())
        .unwrap_or_else(|| "the connection broke".to_string())
}
