//! The model source that the package hands over (pkg/source/source.js), as the engine's folder.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::rc::Rc;

use js_sys::{Reflect, Uint8Array};
use wasm_bindgen::prelude::*;

use crate::checkpoint::{
    Header, Limits, ModelFolder, PackedFile, SafetensorsStream, TorchStream, WeightSink, is_torch,
};
use crate::clock::now;
use crate::error::{Error, Kind, Result};

#[wasm_bindgen]
extern "C" {
    /// See pkg/source/source.js.
    pub type Source;

    #[wasm_bindgen(method, getter)]
    pub fn name(this: &Source) -> String;

    #[wasm_bindgen(method, getter)]
    pub fn store(this: &Source) -> JsValue;

    #[wasm_bindgen(method, catch)]
    async fn only(this: &Source) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch)]
    async fn small(this: &Source, name: &str) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch)]
    async fn chunk(this: &Source, name: &str, again: bool) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch)]
    async fn has(this: &Source, name: &str) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch)]
    async fn open(this: &Source, name: &str, look: bool) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch)]
    async fn next(this: &Source) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method)]
    fn keeps(this: &Source) -> bool;

    #[wasm_bindgen(method, catch)]
    async fn keep(this: &Source, name: &str, bytes: Uint8Array) -> Result<JsValue, JsValue>;

    #[wasm_bindgen(method, catch)]
    async fn finished(this: &Source, manifest: JsValue, sha256: &str) -> Result<JsValue, JsValue>;
}

/// A [`Source`] with the chunks that wait to be kept: they arise while bytes are taken in, and can
/// be written only between two waits. They wait outside of WebAssembly memory, which never shrinks:
/// one large tensor makes many of them at once.
pub struct WebFolder<'a> {
    source: &'a Source,
    waiting: Waiting,
    waited: Cell<f64>,
    kept: Cell<f64>,
}

/// Finished chunks by name.
pub type Waiting = Rc<RefCell<Vec<(String, Uint8Array)>>>;

impl<'a> WebFolder<'a> {
    /// The folder of `source`.
    pub fn new(source: &'a Source) -> Self {
        Self {
            source,
            waiting: Waiting::default(),
            waited: Cell::new(0.0),
            kept: Cell::new(0.0),
        }
    }

    /// Milliseconds of waiting for bytes.
    pub fn waited(&self) -> f64 {
        self.waited.get()
    }

    /// Milliseconds of handing over what is kept.
    pub fn kept(&self) -> f64 {
        self.kept.get()
    }

    /// Where chunks of a pack are to be put.
    pub fn waiting(&self) -> Waiting {
        self.waiting.clone()
    }

    /// Whether the source keeps what arrives.
    pub fn keeps(&self) -> bool {
        self.source.keeps()
    }

    /// The weights file, if that is known.
    ///
    /// # Errors
    /// What the source says.
    pub async fn only(&self) -> Result<Option<String>> {
        Ok(thrown(self.source.only().await)?.as_string())
    }

    /// Hands over the chunks that wait.
    ///
    /// # Errors
    /// What the source says.
    pub async fn flush(&self) -> Result<()> {
        loop {
            let next = {
                let mut waiting = self.waiting.borrow_mut();
                if waiting.is_empty() {
                    return Ok(());
                }
                waiting.remove(0)
            };
            let (name, bytes) = next;
            timed(&self.kept, self.source.keep(&name, bytes)).await?;
        }
    }

    /// Says that the weights are read and sound; `sha256` is the hash of the file, or, of several,
    /// that of the list of theirs.
    ///
    /// # Errors
    /// What the source says: the hash is not the one that it knows.
    pub async fn finished(&self, manifest: Option<&[u8]>, sha256: &str) -> Result<()> {
        self.flush().await?;
        let manifest = manifest.map_or(JsValue::NULL, |bytes| {
            String::from_utf8_lossy(bytes).into_owned().into()
        });
        timed(&self.kept, self.source.finished(manifest, sha256))
            .await
            .map(|_| ())
    }
}

impl ModelFolder for WebFolder<'_> {
    async fn small(&self, name: &str) -> Result<Option<Vec<u8>>> {
        Ok(bytes(&timed(&self.waited, self.source.small(name)).await?))
    }

    async fn has(&self, name: &str) -> Result<bool> {
        let found = timed(&self.waited, self.source.has(name)).await?;
        Ok(found.is_truthy())
    }

    async fn chunk(&self, file: &PackedFile, again: bool) -> Result<Vec<u8>> {
        let found = timed(&self.waited, self.source.chunk(&file.file, again)).await?;
        Ok(bytes(&found).unwrap_or_default())
    }

    async fn header(&self, name: &str) -> Result<Option<Header>> {
        if timed(&self.waited, self.source.open(name, true))
            .await?
            .is_falsy()
        {
            return Ok(None);
        }
        let mut stream = SafetensorsStream::new(Limits::default());
        while stream.header().is_none() {
            let Some(piece) = bytes(&timed(&self.waited, self.source.next()).await?) else {
                stream.finish()?;
                return Ok(None);
            };
            stream.push(&piece, &mut |_| Ok(()))?;
        }
        Ok(stream.header().cloned())
    }

    async fn weights(&self, name: &str, feed: &mut WeightSink<'_>) -> Result<bool> {
        if timed(&self.waited, self.source.open(name, false))
            .await?
            .is_falsy()
        {
            return Ok(false);
        }
        let mut torch = is_torch(name).then(TorchStream::new);
        while let Some(piece) = bytes(&timed(&self.waited, self.source.next()).await?) {
            match &mut torch {
                Some(torch) => torch.push(&piece, feed)?,
                None => feed.push(&piece)?,
            }
            drop(piece);
            self.flush().await?;
        }
        if let Some(torch) = torch {
            torch.finish(feed)?;
        }
        Ok(true)
    }
}

fn bytes(value: &JsValue) -> Option<Vec<u8>> {
    value.dyn_ref::<Uint8Array>().map(Uint8Array::to_vec)
}

/// What `work` gives, its time added to `clock`.
async fn timed(
    clock: &Cell<f64>,
    work: impl Future<Output = Result<JsValue, JsValue>>,
) -> Result<JsValue> {
    let start = now();
    let outcome = work.await;
    clock.set(clock.get() + now() - start);
    thrown(outcome)
}

/// What JavaScript threw, by its code.
fn thrown(outcome: Result<JsValue, JsValue>) -> Result<JsValue> {
    outcome.map_err(|error| {
        let text = |name: &str| {
            Reflect::get(&error, &name.into())
                .ok()
                .and_then(|value| value.as_string())
                .unwrap_or_default()
        };
        let code = text("code");
        let kind = Kind::ALL.iter().find(|kind| kind.code() == code);
        Error::new(
            kind.copied().unwrap_or(Kind::NetworkFailed),
            text("message"),
        )
    })
}
