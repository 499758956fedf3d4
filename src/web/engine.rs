//! The class that the package's worker drives.

use std::rc::Rc;

use js_sys::{Array, Float32Array, Function, Promise, Reflect, Uint8Array, Uint32Array};
use serde::{Deserialize, Serialize};
use wasm_bindgen::prelude::*;
use web_sys::AbortSignal;

use super::browser_decoder::readable;
use super::convert::{from_js, to_js, to_js_error};
use super::listener::{JsProgress, check, progress};
use super::session::{Session, promise};
use super::source::{Source, WebFolder};
use crate::checkpoint::Keep;
use crate::clip::tensor_spec::TensorSpec;
use crate::clock::now;
use crate::device::self_test::Outcome;
use crate::device::{self, Choice, DeviceInfo, Probe, Processor, health};
use crate::error::{Error, Kind, Result};
use crate::kernels::check::{SEED, check as check_kernels};
use crate::kernels::launch::dispatches;
use crate::kernels::read;
use crate::model::{Loading, Model};
use crate::quant::Quantization;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct LoadOptions {
    device: Option<String>,
    quantization: Option<String>,
    probe: Option<Probe>,
    /// The part of a `config.json` that the model must agree with.
    shapes: Option<serde_json::Value>,
}

#[derive(Serialize)]
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
    parameters: usize,
    load_times: LoadTimes,
    heap_bytes: HeapBytes,
    version: &'static str,
}

#[derive(Serialize)]
struct HeapBytes {
    after_load: f64,
    now: f64,
}

/// A loaded model.
#[wasm_bindgen]
pub struct Engine {
    pub(super) session: Rc<Session>,
    model: String,
    /// Whether the model is kept, as the source says.
    store: JsValue,
    times: LoadTimes,
    /// WebAssembly memory right after loading.
    heap: f64,
}

/// Milliseconds of a load.
#[derive(Default, Clone, Copy, Serialize)]
struct LoadTimes {
    /// Waiting for bytes, from the network or from what is kept.
    source: f64,
    hash: f64,
    #[serde(rename = "quantise")]
    quantize: f64,
    /// To the device.
    upload: f64,
    /// Packing and writing what is kept.
    keep: f64,
    self_test: f64,
    total: f64,
}

async fn fetch_model(
    source: &Source,
    options: &LoadOptions,
    quantization: Option<Quantization>,
    processor: Processor,
    callback: Option<&Function>,
    signal: Option<&AbortSignal>,
) -> Result<(Model, LoadTimes)> {
    let start = now();
    progress(callback, "configuration", 0, None, "network");
    let folder = WebFolder::new(source);
    let only = folder.only().await?;
    let mut loading = Loading::start(&folder, only.as_deref(), quantization, processor).await?;
    if let Some(expected) = &options.shapes {
        loading.files().expect(expected)?;
    }
    check(signal)?;
    let waiting = folder.waiting();
    let mut put = move |name: &str, bytes: Vec<u8>| {
        let bytes = Uint8Array::from(bytes.as_slice());
        waiting.borrow_mut().push((name.to_owned(), bytes));
        Ok(())
    };
    let keep = !loading.is_packed() && folder.keeps();
    let keep = keep.then_some(&mut put as &mut Keep<'_>);
    let manifest = loading.weights(&folder, keep).await?;
    check(signal)?;
    let manifest = manifest.map(|manifest| manifest.to_json()).transpose()?;
    let sha256 = loading.report().map(|report| report.file_sha256.clone());
    folder
        .finished(manifest.as_deref(), &sha256.unwrap_or_default())
        .await?;
    progress(callback, "self-test", 0, None, "network");
    let tested = now();
    let classifier = loading.finish().await?;
    health::check()?;
    check(signal)?;
    let measured = classifier.load_times;
    let times = LoadTimes {
        source: folder.waited(),
        hash: measured.hash,
        quantize: measured.quantize,
        upload: measured.sink,
        keep: measured.pack + folder.kept(),
        self_test: now() - tested,
        total: now() - start,
    };
    Ok((classifier, times))
}

/// Bytes of WebAssembly memory, which never shrinks: the most that was ever in use.
fn heap_bytes() -> f64 {
    const PAGE: f64 = 65536.0;
    core::arch::wasm32::memory_size(0) as f64 * PAGE
}

#[wasm_bindgen]
impl Engine {
    /// Loads the model of `source`. `on_progress` receives `{stage, loaded, total, source}`.
    pub fn load(
        source: Source,
        options: JsValue,
        on_progress: Option<Function>,
        signal: Option<AbortSignal>,
    ) -> Promise {
        super::log::install();
        promise(async move {
            let options: LoadOptions = from_js(options)?;
            let choice = Choice::parse(options.device.as_deref().unwrap_or("auto"))?;
            let quantization = options
                .quantization
                .as_deref()
                .map(Quantization::parse)
                .transpose()?;
            let probe = options.probe.clone().unwrap_or_default();
            let (callback, signal) = (on_progress.as_ref(), signal.as_ref());

            let processor = device::open(choice, Some(&probe)).await?;
            let on_gpu = processor.info.kind == "webgpu";
            let load = |processor| {
                fetch_model(&source, &options, quantization, processor, callback, signal)
            };
            let (classifier, times) = match load(processor).await {
                Err(error)
                    if on_gpu
                        && choice == Choice::Auto
                        && error.kind() == Kind::GpuSelfTestFailed =>
                {
                    load(device::cpu(error.message())).await?
                }
                other => other?,
            };
            let heap = heap_bytes();
            let engine = Engine {
                session: Rc::new(Session::new(classifier)),
                model: source.name(),
                store: source.store(),
                times,
                heap,
            };
            Ok(engine.into())
        })
    }

    /// What is loaded and where it runs, at this moment.
    pub fn info(&self) -> Result<JsValue, JsValue> {
        let Model {
            clip,
            processor,
            report,
            self_test,
            ..
        } = &self.session.model;
        let info = to_js(&Info {
            model: &self.model,
            model_sha256: &report.model_sha256,
            quantization: report.quantization.name(),
            device: processor,
            self_test: *self_test,
            gpu_dispatches: dispatches(),
            logit_scale: clip.logit_scale,
            image_size: clip.config.vision.image_size(),
            dimension: clip.config.projection_dim,
            parameters: clip.config.tensors().iter().map(TensorSpec::elements).sum(),
            load_times: self.times,
            heap_bytes: HeapBytes {
                after_load: self.heap,
                now: heap_bytes(),
            },
            version: env!("CARGO_PKG_VERSION"),
        })
        .map_err(|e| to_js_error(&e))?;
        // The source speaks JavaScript already.
        Reflect::set(&info, &"store".into(), &self.store)?;
        Ok(info)
    }

    /// What [`plain_view`](super::plain_view::plain_view) needs to know of the model.
    pub fn preprocessing(&self) -> Result<String, JsValue> {
        let json = serde_json::to_string(&self.session.model.preprocess);
        json.map_err(|e| to_js_error(&Error::new(Kind::Internal, e.to_string())))
    }

    /// Compares every kernel, or the one called `only`, with the CPU on this adapter, on shapes of
    /// which some are drawn from `seed`: `[{name, tiling, error, limit, passed}]`.
    #[wasm_bindgen(js_name = checkKernels)]
    pub fn check_kernels(
        &self,
        only: Option<String>,
        seed: Option<u32>,
        on_progress: Option<Function>,
        signal: Option<AbortSignal>,
    ) -> Promise {
        let work = async move |session: Rc<Session>, (): (), progress: JsProgress| {
            let placement = &session.model.clip.placement;
            let seed = seed.unwrap_or(SEED);
            to_js(&check_kernels(placement, only.as_deref(), seed, &progress).await?)
        };
        self.session
            .call(JsValue::UNDEFINED, on_progress, signal, work)
    }

    /// L2-normalized features of an image file.
    #[wasm_bindgen(js_name = embedImage)]
    pub fn embed_image(&self, bytes: Vec<u8>) -> Promise {
        let session = self.session.clone();
        promise(async move {
            let picture = readable(bytes).await?;
            let features = session.model.embed_image(&picture.bytes).await?;
            Ok(Float32Array::from(features.as_slice()).into())
        })
    }

    /// L2-normalized features of each text.
    #[wasm_bindgen(js_name = embedText)]
    pub fn embed_text(&self, texts: Vec<String>) -> Promise {
        let session = self.session.clone();
        promise(async move {
            let (features, ..) = session.model.embed_texts(&texts).await?;
            let d = session.model.clip.config.projection_dim;
            Ok(features
                .chunks(d)
                .map(Float32Array::from)
                .collect::<Array>()
                .into())
        })
    }

    /// Those of `names` that hold a word which the model never read in training, as an array.
    #[wasm_bindgen(js_name = unknownNames)]
    pub fn unknown_names(&self, names: Vec<String>) -> Array {
        let unknown = self.session.model.unknown_names(&names);
        unknown.into_iter().map(JsValue::from).collect()
    }

    /// Features before normalization of preprocessed images [B, 3, S, S], [B, d] row-major.
    #[wasm_bindgen(js_name = embedPixels)]
    pub fn embed_pixels(&self, pixels: Float32Array) -> Promise {
        let session = self.session.clone();
        promise(async move {
            let pixels = pixels.to_vec();
            let vision = &session.model.clip.vision;
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

    /// Features before normalization of token sequences (SOT and EOT included), [K, d] row-major.
    #[wasm_bindgen(js_name = embedTokens)]
    pub fn embed_tokens(&self, sequences: Vec<Uint32Array>) -> Promise {
        let session = self.session.clone();
        promise(async move {
            let text = &session.model.clip.text;
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
