//! The class that the package's worker drives.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::future::Future;
use std::rc::Rc;

use js_sys::{Array, Float32Array, Function, Promise, Uint32Array};
use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::*;
use wasm_bindgen_futures::future_to_promise;
use web_sys::AbortSignal;

use super::class_set::ClassSet;
use super::convert::{from_js, to_js, to_js_error};
use super::fetch::{small, stream};
use super::listener::{Listener, check, progress};
use crate::classifier::{Classifier, Loading, ModelFiles};
use crate::clip::read;
use crate::device::self_test::{self, Outcome};
use crate::device::{self, Choice, DeviceInfo, Probe, Processor, health};
use crate::error::{Error, Kind, Result};
use crate::kernels::{self, launch::dispatches};
use crate::weights::Quantisation;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct LoadOptions {
    device: Option<String>,
    quantization: Option<String>,
    probe: Option<Probe>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Info<'a> {
    model: &'a str,
    model_sha256: &'a str,
    quantization: &'static str,
    device: &'a DeviceInfo,
    self_test: Option<Outcome>,
    gpu_dispatches: u64,
    logit_scale: f32,
    image_size: usize,
    dimension: usize,
    version: &'static str,
}

/// What an engine holds.
pub struct Inner {
    pub(super) classifier: Classifier,
    model: String,
    pub(super) sets: RefCell<BTreeMap<u32, Rc<ClassSet>>>,
    pub(super) next: Cell<u32>,
}

/// A loaded model.
#[wasm_bindgen]
pub struct Engine(pub(super) Rc<Inner>);

/// A promise of what `work` gives, provided that the device is still sound then.
pub(super) fn promise<F>(work: F) -> Promise
where
    F: Future<Output = Result<JsValue>> + 'static,
{
    future_to_promise(async move {
        let outcome = work.await;
        // A kernel that the browser skipped shows up only here, and before any answer leaves.
        outcome
            .and_then(|value| health::check().map(|()| value))
            .map_err(|e| to_js_error(&e))
    })
}

async fn fetch_model(
    base: &str,
    quantisation: Option<Quantisation>,
    processor: Processor,
    callback: Option<&Function>,
    signal: Option<&AbortSignal>,
) -> Result<Classifier> {
    let url = |name: &str| format!("{base}{name}");
    progress(callback, "configuration", 0, None, "network");
    let files = ModelFiles {
        config: small(&url("config.json"), signal).await?,
        tokenizer: small(&url("tokenizer.json"), signal).await?,
        preprocessor: small(&url("preprocessor_config.json"), signal).await?,
        self_test: small(&url(self_test::FILE), signal).await?,
    };
    let mut loading = Loading::new(&files, quantisation, processor)?;
    let mut take = |bytes: &[u8], loaded: u64, total: Option<u64>| {
        loading.push(bytes)?;
        progress(callback, "weights", loaded, total, "network");
        Ok(())
    };
    stream(
        &url("model.safetensors"),
        Kind::WeightsMissing,
        signal,
        &mut take,
    )
    .await?;
    progress(callback, "self-test", 0, None, "network");
    let classifier = loading.finish(quantisation).await?;
    health::check()?;
    check(signal)?;
    Ok(classifier)
}

#[wasm_bindgen]
impl Engine {
    /// Loads the model directory at `model_url`. `on_progress` receives
    /// `{stage, loaded, total, source}`.
    pub fn load(
        model_url: String,
        options: JsValue,
        on_progress: Option<Function>,
        signal: Option<AbortSignal>,
    ) -> Promise {
        super::log::install();
        promise(async move {
            let options: LoadOptions = from_js(options)?;
            let choice = Choice::parse(options.device.as_deref().unwrap_or("auto"))?;
            let quantisation = options
                .quantization
                .as_deref()
                .map(Quantisation::parse)
                .transpose()?;
            let probe = options.probe.unwrap_or_default();
            let base = if model_url.ends_with('/') {
                model_url
            } else {
                format!("{model_url}/")
            };
            let (callback, signal) = (on_progress.as_ref(), signal.as_ref());

            let processor = device::open(choice, Some(&probe)).await?;
            let on_gpu = processor.info.kind == "webgpu";
            let loaded = fetch_model(&base, quantisation, processor, callback, signal).await;
            let classifier = match loaded {
                Err(error)
                    if on_gpu
                        && choice == Choice::Auto
                        && error.kind() == Kind::GpuSelfTestFailed =>
                {
                    let processor = device::cpu(error.message());
                    fetch_model(&base, quantisation, processor, callback, signal).await?
                }
                other => other?,
            };
            let model = base
                .trim_end_matches('/')
                .rsplit('/')
                .next()
                .unwrap_or_default()
                .to_string();
            let inner = Inner {
                classifier,
                model,
                sets: RefCell::new(BTreeMap::new()),
                next: Cell::new(1),
            };
            Ok(Engine(Rc::new(inner)).into())
        })
    }

    /// What is loaded and where it runs, at this moment.
    pub fn info(&self) -> Result<JsValue, JsValue> {
        let Classifier {
            clip,
            processor,
            report,
            self_test,
            ..
        } = &self.0.classifier;
        to_js(&Info {
            model: &self.0.model,
            model_sha256: &report.model_sha256,
            quantization: report.quantisation.name(),
            device: processor,
            self_test: *self_test,
            gpu_dispatches: dispatches(),
            logit_scale: clip.logit_scale,
            image_size: clip.config.vision.image_size,
            dimension: clip.config.projection_dim,
            version: env!("CARGO_PKG_VERSION"),
        })
        .map_err(|e| to_js_error(&e))
    }

    /// Compares every kernel, or the one called `only`, with the CPU on this adapter:
    /// `[{name, tiling, error, limit, passed}]`.
    #[wasm_bindgen(js_name = checkKernels)]
    pub fn check_kernels(
        &self,
        only: Option<String>,
        on_progress: Option<Function>,
        signal: Option<AbortSignal>,
    ) -> Promise {
        let device = self.0.classifier.clip.text.device.clone();
        promise(async move {
            let callback = on_progress;
            let watch = Listener { callback, signal };
            to_js(&kernels::check::check(&device, only.as_deref(), &watch).await?)
        })
    }

    /// L2-normalised features of an image file.
    #[wasm_bindgen(js_name = embedImage)]
    pub fn embed_image(&self, bytes: Vec<u8>) -> Promise {
        let inner = self.0.clone();
        promise(async move {
            let features = inner.classifier.embed_image(&bytes).await?;
            Ok(Float32Array::from(features.as_slice()).into())
        })
    }

    /// L2-normalised features of each text.
    #[wasm_bindgen(js_name = embedText)]
    pub fn embed_text(&self, texts: Vec<String>) -> Promise {
        let inner = self.0.clone();
        promise(async move {
            let (features, ..) = inner.classifier.embed_texts(&texts).await?;
            let d = inner.classifier.clip.config.projection_dim;
            Ok(features
                .chunks(d)
                .map(Float32Array::from)
                .collect::<Array>()
                .into())
        })
    }

    /// Features before normalisation of preprocessed images [B, 3, S, S], [B, d] row-major.
    #[wasm_bindgen(js_name = embedPixels)]
    pub fn embed_pixels(&self, pixels: Float32Array) -> Promise {
        let inner = self.0.clone();
        promise(async move {
            let pixels = pixels.to_vec();
            let vision = &inner.classifier.clip.vision;
            if pixels.is_empty() || !pixels.len().is_multiple_of(vision.pixels_per_image()) {
                let each = vision.pixels_per_image();
                return Err(Error::new(
                    Kind::OptionInvalid,
                    format!("An image has {each} values."),
                ));
            }
            let features = read(vision.encode(&pixels)).await?;
            Ok(Float32Array::from(features.as_slice()).into())
        })
    }

    /// Features before normalisation of token sequences (SOT and EOT included), [K, d] row-major.
    #[wasm_bindgen(js_name = embedTokens)]
    pub fn embed_tokens(&self, sequences: Vec<Uint32Array>) -> Promise {
        let inner = self.0.clone();
        promise(async move {
            let text = &inner.classifier.clip.text;
            let sequences: Vec<Vec<u32>> = sequences.iter().map(Uint32Array::to_vec).collect();
            let fits = |s: &Vec<u32>| {
                !s.is_empty()
                    && s.len() <= text.config.context_length
                    && s.iter().all(|id| (*id as usize) < text.config.vocab_size)
            };
            if sequences.is_empty() || !sequences.iter().all(fits) {
                return Err(Error::new(
                    Kind::OptionInvalid,
                    "A token sequence is empty, too long or has unknown ids.",
                ));
            }
            let features = read(text.encode(&sequences).0).await?;
            Ok(Float32Array::from(features.as_slice()).into())
        })
    }
}

/// The package's version.
#[wasm_bindgen(js_name = version)]
pub fn version() -> String {
    env!("CARGO_PKG_VERSION").to_string()
}
