//! What a model is made of, whoever published it: finds out from the small files of a folder, then
//! streams its weights.

use std::collections::BTreeMap;

use serde_json::Value;
use sha2::{Digest, Sha256};

use super::description::{Description, tokenizer};
use super::hex::hex;
use super::load::{DataHash, Loader};
use super::load_report::LoadReport;
use super::loader_state::Sink;
use super::manifest::{Manifest, PackedFile, Source};
use super::model_folder::{ModelFolder, WeightSink};
use super::pack::{Keep, PackWriter, described};
use super::weight_files;
use crate::clip::config::ClipConfig;
use crate::clip::tensor_spec::TensorSpec;
use crate::clock::now;
use crate::error::{Error, Kind, Result};
use crate::image::Preprocess;
use crate::quant::Quantization;

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
    /// Reads the small files of `folder`. `only` names the weights file if that is known.
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
                let times = feed.loader.times();
                for chunk in &manifest.chunks {
                    let (bytes, hash) = checked_chunk(folder, chunk).await?;
                    let mut now = times.get();
                    now.hash += hash;
                    times.set(now);
                    feed.push(&bytes)?;
                }
            }
            Weights::Files(candidates) => {
                weight_files::stream(folder, candidates, &mut feed).await?
            }
        }
        feed.loader.finish()
    }

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
        let times = loader.times();
        let report = self
            .load(folder, loader, &mut |name, tensor| {
                let start = now();
                writer.put(&specs[name], stored, &tensor, keep)?;
                // The loader counts all of this as the sink's.
                let took = now() - start;
                let mut parts = times.get();
                parts.pack += took;
                parts.sink -= took;
                times.set(parts);
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

/// The path of the first value of `expected` that `found` has not.
fn difference(place: &str, expected: &Value, found: &Value) -> Option<String> {
    match expected {
        Value::Object(map) => map
            .iter()
            .find_map(|(key, value)| difference(key, value, &found[key])),
        value => (value != found).then(|| place.to_owned()),
    }
}
