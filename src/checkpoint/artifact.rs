//! What a model is made of, whoever published it: finds out from the small files of a folder, then
//! streams its weights. The folder may be a directory, an address or a browser's store.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::description::{Description, absent, listed, no_weights, tokenizer};
use super::header::Header;
use super::load::{DataHash, LoadReport, Loader, Sink, hex};
use super::manifest::{Manifest, PackedFile, Source};
use super::pack::{Keep, PackWriter, described};
use super::torch_stream::is_torch;
use crate::clip::config::{ClipConfig, TensorSpec};
use crate::clock::now;
use crate::error::{Error, Kind, Result};
use crate::image::Preprocess;
use crate::quant::HostTensor;
use crate::quant::Quantization;

/// Where the files of a model are.
#[expect(
    async_fn_in_trait,
    reason = "a browser's futures stay on their thread, so no bound on them is wanted"
)]
pub trait ModelFolder {
    /// A whole small file, or `None` where there is none.
    async fn small(&self, name: &str) -> Result<Option<Vec<u8>>>;

    /// Whether there is a file of this name.
    async fn has(&self, name: &str) -> Result<bool>;

    /// A chunk of a pack, of which length and hash are known; `again` where it came damaged before.
    async fn chunk(&self, file: &PackedFile, again: bool) -> Result<Vec<u8>>;

    /// The header of the safetensors file `name`; `None` where there is no such file.
    async fn header(&self, name: &str) -> Result<Option<Header>>;

    /// Gives the weights file `name` to `feed` from front to back; false where there is none.
    async fn weights(&self, name: &str, feed: &mut WeightSink<'_>) -> Result<bool>;
}

/// Takes the bytes of weights files and gives tensors to a sink.
pub struct WeightSink<'a> {
    loader: Loader,
    sink: &'a mut dyn FnMut(&str, HostTensor) -> Result<()>,
}

impl<'a> WeightSink<'a> {
    /// A feed into `loader`, whose tensors go to `sink`.
    pub fn new(loader: Loader, sink: &'a mut dyn FnMut(&str, HostTensor) -> Result<()>) -> Self {
        Self { loader, sink }
    }

    /// The next bytes of the file.
    ///
    /// # Errors
    /// Those of [`Loader::push`].
    pub fn push(&mut self, bytes: &[u8]) -> Result<()> {
        self.loader.push(bytes, self.sink)
    }

    /// Says what a file holds that does not say so itself; see [`Loader::begin`].
    ///
    /// # Errors
    /// Those of [`Loader::begin`].
    pub fn begin(&mut self, header: Header, hash: DataHash) -> Result<()> {
        self.loader.begin(header, hash)
    }

    /// Says that the tensors of `all` follow in several parts, and checks that they are the model, unless
    /// an index has said what all files hold together.
    ///
    /// # Errors
    /// Those of [`Loader::expect`] and [`Loader::check`].
    pub(super) fn expect(&mut self, all: &Header) -> Result<()> {
        if self.loader.expects() {
            return Ok(());
        }
        let names = all.entries.iter().map(|entry| entry.name.as_str());
        self.loader.expect(names)?;
        self.loader.check(std::slice::from_ref(all))
    }

    /// Ends a part.
    ///
    /// # Errors
    /// Those of [`Loader::end_file`].
    pub(super) fn end_part(&mut self) -> Result<()> {
        self.loader.end_file()
    }

    /// Says that the parts since the last file were one of `bytes` bytes and this SHA-256.
    pub(super) fn seal(&mut self, sha256: String, bytes: u64) {
        self.loader.seal(sha256, bytes);
    }
}

/// How the weights are stored.
#[derive(Debug, Clone, PartialEq)]
pub enum Weights {
    /// In one of these files, the first that is there.
    Files(Vec<String>),
    /// As this project packs them.
    Pack(Box<Manifest>),
}

/// A model before its weights are read.
#[derive(Debug, Clone, PartialEq)]
pub struct ModelFiles {
    /// Sizes and options.
    pub config: ClipConfig,
    /// What images go through.
    pub preprocess: Preprocess,
    /// `tokenizer.json`.
    pub tokenizer: Vec<u8>,
    /// How the weights are stored.
    pub weights: Weights,
}

impl ModelFiles {
    /// Reads the small files of `folder`. `only` names the weights file where that is known.
    ///
    /// # Errors
    /// `config/missing`, `config/invalid`, `tokenizer/missing`, `weights/invalid` for a damaged
    /// manifest, and those of the folder.
    pub async fn read(folder: &impl ModelFolder, only: Option<&str>) -> Result<Self> {
        let description = Description::read(folder).await?;
        let (config, preprocess, weights) = match description {
            Description::Pack(manifest) => return Self::packed(folder, &manifest).await,
            Description::Checkpoint {
                config,
                preprocess,
                weights,
            } => (config, preprocess, weights),
        };
        let candidates = match only {
            Some(name) => vec![name.to_owned()],
            None => weights.iter().map(|&name| name.to_owned()).collect(),
        };
        check_crop(&config, &preprocess)?;
        Ok(Self {
            config,
            preprocess,
            tokenizer: tokenizer(folder).await?,
            weights: Weights::Files(candidates),
        })
    }

    async fn packed(folder: &impl ModelFolder, manifest: &[u8]) -> Result<Self> {
        let manifest = Manifest::from_json(manifest)?;
        let config = ClipConfig::from_json(manifest.config.to_string().as_bytes())?;
        let preprocess = Preprocess::from_json(manifest.preprocessor.to_string().as_bytes())?;
        let (tokenizer, _) = checked_chunk(folder, &manifest.tokenizer).await?;
        check_crop(&config, &preprocess)?;
        Ok(Self {
            config,
            preprocess,
            tokenizer,
            weights: Weights::Pack(Box::new(manifest)),
        })
    }

    /// Refuses a model that disagrees with `expected`, a part of a Hugging Face `config.json`.
    ///
    /// # Errors
    /// `config/invalid`.
    pub fn expect(&self, expected: &Value) -> Result<()> {
        let found = self.config.to_json();
        match difference("config", expected, &found) {
            None => Ok(()),
            Some(place) => Err(Error::new(
                Kind::ConfigInvalid,
                format!("The model is not the one that was asked for: its {place} differs."),
            )),
        }
    }

    /// Streams the weights into `sink`, quantized to `quantization` or as they are stored.
    ///
    /// # Errors
    /// `weights/...`, and those of the folder and of `sink`.
    pub async fn load(
        &self,
        folder: &impl ModelFolder,
        loader: Loader,
        sink: &mut Sink<'_>,
    ) -> Result<LoadReport> {
        let mut sink = |name: &str, tensor| sink(name, tensor);
        let mut feed = WeightSink::new(loader, &mut sink);
        match &self.weights {
            Weights::Pack(manifest) => {
                feed.begin(manifest.header()?, DataHash::Own)?;
                let spent = feed.loader.spent();
                for chunk in &manifest.chunks {
                    let (bytes, hash) = checked_chunk(folder, chunk).await?;
                    let mut now = spent.get();
                    now.hash += hash;
                    spent.set(now);
                    feed.push(&bytes)?;
                }
            }
            Weights::Files(candidates) => files(folder, candidates, &mut feed).await?,
        }
        feed.loader.finish()
    }
}

impl ModelFiles {
    /// The same as [`load`](Self::load), and packs what arrives: `keep` gets the
    /// tokenizer and the chunks.
    ///
    /// # Errors
    /// Those of [`load`](Self::load), of `keep` and of `sink`.
    pub async fn pack(
        &self,
        folder: &impl ModelFolder,
        loader: Loader,
        quantization: Option<Quantization>,
        keep: &mut Keep<'_>,
        sink: &mut Sink<'_>,
    ) -> Result<(LoadReport, Manifest)> {
        let specs: BTreeMap<String, TensorSpec> = self
            .config
            .tensors()
            .into_iter()
            .map(|spec| (spec.name.clone(), spec))
            .collect();
        let stored = quantization.unwrap_or(Quantization::None);
        keep("tokenizer.json", self.tokenizer.clone())?;
        let mut writer = PackWriter::default();
        let spent = loader.spent();
        let report = self
            .load(folder, loader, &mut |name, tensor| {
                let start = now();
                writer.put(&specs[name], stored, &tensor, keep)?;
                // The loader counts all of this as the sink's.
                let took = now() - start;
                let mut parts = spent.get();
                parts.pack += took;
                parts.sink -= took;
                spent.set(parts);
                sink(name, tensor)
            })
            .await?;
        let parts = writer.finish(keep)?;
        let source = Source {
            sha256: report.model_sha256.clone(),
            bytes: report.bytes,
            origin: None,
        };
        let manifest = Manifest::new(
            report.quantization,
            source,
            (self.config.to_json(), self.preprocess.to_json()),
            described("tokenizer.json".to_owned(), &self.tokenizer),
            parts,
        );
        Ok((report, manifest))
    }
}

/// Refuses preprocessing whose output is not the model's input.
fn check_crop(config: &ClipConfig, preprocess: &Preprocess) -> Result<()> {
    let size = u32::try_from(config.vision.image_size()).unwrap_or(u32::MAX);
    let crop = (preprocess.crop_width, preprocess.crop_height);
    if crop == (size, size) {
        return Ok(());
    }
    Err(Error::new(
        Kind::ConfigInvalid,
        format!(
            "The preprocessor configuration crops to {} x {} but the model takes {size} x {size}.",
            crop.0, crop.1
        ),
    ))
}

async fn files(
    folder: &impl ModelFolder,
    candidates: &[String],
    feed: &mut WeightSink<'_>,
) -> Result<()> {
    for name in candidates {
        if let Some(end) = listed(name) {
            let Some(index) = folder.small(name).await? else {
                continue;
            };
            let (files, names) = read_index(name, end, &index)?;
            feed.loader.expect(names.iter().map(String::as_str))?;
            // PyTorch's files have no header: each is checked when its pickle has come.
            let torch = files.iter().all(|file| is_torch(file));
            if !torch {
                let mut headers = Vec::with_capacity(files.len());
                for file in &files {
                    let header = folder.header(file).await?;
                    headers.push(header.ok_or_else(|| absent(Kind::WeightsMissing, file))?);
                }
                feed.loader.check(&headers)?;
            }
            for file in &files {
                if !folder.weights(file, feed).await? {
                    return Err(absent(Kind::WeightsMissing, file));
                }
                if !torch {
                    feed.loader.end_file()?;
                }
            }
            return Ok(());
        }
        if folder.weights(name, feed).await? {
            return Ok(());
        }
    }
    Err(no_weights(folder, candidates).await?)
}

/// The files of a sharded checkpoint in their order, and the tensors in all of them.
fn read_index(name: &str, end: &str, bytes: &[u8]) -> Result<(Vec<String>, Vec<String>)> {
    #[derive(Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let invalid = |what: String| Error::new(Kind::WeightsInvalid, format!("{name} {what}."));
    let index: Index =
        serde_json::from_slice(bytes).map_err(|e| invalid(format!("cannot be read ({e})")))?;
    let files: BTreeSet<String> = index.weight_map.values().cloned().collect();
    let inside = |file: &String| {
        file.ends_with(end) && !file.contains(['/', '\\', ':']) && !file.starts_with('.')
    };
    if files.is_empty() || files.len() > 1000 || !files.iter().all(inside) {
        return Err(invalid(
            "names no files, or files that lie elsewhere".to_owned(),
        ));
    }
    Ok((
        files.into_iter().collect(),
        index.weight_map.into_keys().collect(),
    ))
}

/// A file of a pack with the length and the hash that the manifest gives it. What comes damaged is
/// asked for once more. With it come the milliseconds that the hash took.
async fn checked_chunk(folder: &impl ModelFolder, file: &PackedFile) -> Result<(Vec<u8>, f64)> {
    for again in [false, true] {
        let bytes = folder.chunk(file, again).await?;
        let start = now();
        if bytes.len() as u64 == file.bytes && hex(&Sha256::digest(&bytes)) == file.sha256 {
            return Ok((bytes, now() - start));
        }
    }
    Err(Error::new(
        Kind::WeightsInvalid,
        format!(
            "{} is not what the model's manifest.json says; download or copy it again.",
            file.file
        ),
    ))
}

/// Where `found` lacks a value of `expected`.
fn difference(place: &str, expected: &Value, found: &Value) -> Option<String> {
    match expected {
        Value::Object(map) => map
            .iter()
            .find_map(|(key, value)| difference(key, value, &found[key])),
        value => (value != found).then(|| place.to_owned()),
    }
}
