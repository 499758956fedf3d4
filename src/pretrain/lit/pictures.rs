//! Features of the training pictures, kept in a folder as files that each hold some of them.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use half::f16;
use safetensors::tensor::TensorView;
use safetensors::{Dtype, SafeTensors};
use serde::{Deserialize, Serialize};

use crate::checkpoint::read_file;
use crate::error::{Error, Kind, Result};

const MAX_BYTES: u64 = 4 << 30;
const ABOUT: &str = "promptlens.features";

/// How a picture was changed before the encoder saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Change {
    /// Out of focus.
    Blurry,
    /// With little light.
    Dark,
    /// Without color.
    BlackAndWhite,
    /// In large squares.
    Pixelated,
    /// Its middle alone.
    CloseUp,
    /// With much light.
    Bright,
}

impl Change {
    /// All changes, in the order of their texts.
    pub const ALL: [Self; 6] = [
        Self::Blurry,
        Self::Dark,
        Self::BlackAndWhite,
        Self::Pixelated,
        Self::CloseUp,
        Self::Bright,
    ];

    /// What is said of a picture that was changed so, with `{}` for the name.
    pub const fn template(self) -> &'static str {
        match self {
            Self::Blurry => "a blurry photo of a {}",
            Self::Dark => "a dark photo of a {}",
            Self::BlackAndWhite => "a black and white photo of a {}",
            Self::Pixelated => "a pixelated photo of a {}",
            Self::CloseUp => "a close-up photo of a {}",
            Self::Bright => "a bright photo of a {}",
        }
    }
}

/// Where a feature came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Picture {
    /// The data set.
    pub set: String,
    /// The folder that it lay in.
    pub label: String,
    /// Its path in the data set.
    pub path: String,
    /// How it was changed.
    pub change: Option<Change>,
}

/// What a file of features was made from, all of which must be equal to use it again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// SHA-256 of the encoder.
    pub encoder: String,
    /// Side of the encoder's input in pixels.
    pub size: u32,
    /// Where random draws came from.
    pub seed: u64,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    about: About,
    pictures: Vec<Picture>,
}

/// Pictures and their features.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Pictures {
    /// Columns of a feature.
    pub width: usize,
    /// The pictures.
    pub list: Vec<Picture>,
    features: Vec<f16>,
}

impl Pictures {
    /// No picture yet.
    pub fn new(width: usize) -> Self {
        Self {
            width,
            ..Self::default()
        }
    }

    /// Adds a picture.
    pub fn push(&mut self, picture: Picture, feature: &[f32]) {
        self.list.push(picture);
        self.features
            .extend(feature.iter().map(|v| f16::from_f32(*v)));
    }

    /// Adds the picture's feature to `out`.
    pub fn feature(&self, index: usize, out: &mut Vec<f32>) {
        let row = &self.features[index * self.width..(index + 1) * self.width];
        out.extend(row.iter().map(|v| v.to_f32()));
    }

    /// Writes the pictures to `path`, which appears only once it is complete.
    ///
    /// # Errors
    /// `io/failed`.
    pub fn write(&self, path: &Path, about: &About) -> Result<()> {
        let internal =
            |error: &dyn std::fmt::Display| Error::new(Kind::Internal, error.to_string());
        let failed =
            |error: std::io::Error| Error::new(Kind::Io, format!("{}: {error}.", path.display()));
        let stored = Stored {
            about: about.clone(),
            pictures: self.list.clone(),
        };
        let text = serde_json::to_string(&stored).map_err(|error| internal(&error))?;
        let bytes: Vec<u8> = self.features.iter().flat_map(|v| v.to_le_bytes()).collect();
        let view = TensorView::new(Dtype::F16, vec![self.list.len(), self.width], &bytes)
            .map_err(|error| internal(&error))?;
        let metadata = HashMap::from([(ABOUT.to_owned(), text)]);
        let file = safetensors::serialize([("features", view)], Some(metadata))
            .map_err(|error| internal(&error))?;
        let unfinished = path.with_extension("unfinished");
        fs::write(&unfinished, file).map_err(failed)?;
        fs::rename(&unfinished, path).map_err(failed)
    }

    /// Reads what [`write`](Self::write) wrote.
    ///
    /// # Errors
    /// `weights/missing`, `weights/invalid` for another file, `options/invalid` if it was made from
    /// something else than `about`.
    pub fn read(path: &Path, about: Option<&About>) -> Result<Self> {
        let invalid = |what: &str| {
            Error::new(
                Kind::WeightsInvalid,
                format!(
                    "{} holds no features: {what}; remove it and run the stage features again.",
                    path.display()
                ),
            )
        };
        let bytes = read_file(path, MAX_BYTES, Kind::WeightsMissing)?;
        let (_, header) =
            SafeTensors::read_metadata(&bytes).map_err(|error| invalid(&error.to_string()))?;
        let stored: Stored = header
            .metadata()
            .as_ref()
            .and_then(|metadata| metadata.get(ABOUT))
            .and_then(|text| serde_json::from_str(text).ok())
            .ok_or_else(|| invalid("it does not describe them"))?;
        if about.is_some_and(|about| *about != stored.about) {
            return Err(Error::new(
                Kind::OptionInvalid,
                format!(
                    "{} was made with another encoder, size or seed; give the same, or another cache.",
                    path.display()
                ),
            ));
        }
        let file = SafeTensors::deserialize(&bytes).map_err(|error| invalid(&error.to_string()))?;
        let tensor = file
            .tensor("features")
            .map_err(|_| invalid("they are absent"))?;
        let width = match tensor.shape() {
            [count, width] if *count == stored.pictures.len() && tensor.dtype() == Dtype::F16 => {
                *width
            }
            _ => return Err(invalid("pictures and features differ in number")),
        };
        Ok(Self {
            width,
            features: tensor
                .data()
                .chunks_exact(2)
                .map(|b| f16::from_le_bytes([b[0], b[1]]))
                .collect(),
            list: stored.pictures,
        })
    }

    /// All pictures of the files in `folder`, by their names.
    ///
    /// # Errors
    /// As [`read`](Self::read); `data/empty` if there is none.
    pub fn read_all(folder: &Path, about: Option<&About>) -> Result<Self> {
        let failed =
            |error: std::io::Error| Error::new(Kind::Io, format!("{}: {error}.", folder.display()));
        let mut files: Vec<PathBuf> = fs::read_dir(folder)
            .map_err(failed)?
            .map(|entry| entry.map(|entry| entry.path()))
            .collect::<std::io::Result<_>>()
            .map_err(failed)?;
        files.retain(|file| file.extension().is_some_and(|end| end == "safetensors"));
        files.sort();
        let mut all: Option<Self> = None;
        for file in files {
            let part = Self::read(&file, about)?;
            match &mut all {
                None => all = Some(part),
                Some(all) if all.width == part.width => {
                    all.list.extend(part.list);
                    all.features.extend(part.features);
                }
                Some(_) => {
                    return Err(Error::new(
                        Kind::WeightsInvalid,
                        format!("{} has features of two widths.", folder.display()),
                    ));
                }
            }
        }
        all.ok_or_else(|| {
            Error::new(
                Kind::DataEmpty,
                format!(
                    "{} has no features; run the stage features first.",
                    folder.display()
                ),
            )
        })
    }
}
