//! Reads a Hugging Face `preprocessor_config.json`, and the part of the same content in the
//! `processor_config.json` of transformers 5.

use serde::Deserialize;
use serde_json::{Value, json};

use super::preprocess::{CLIP_MEAN, CLIP_STD};
use super::{Filter, Preprocess, Resize};
use crate::error::{Error, Kind, Result};

/// The largest side a configuration may ask for.
const MAX_SIDE: u32 = 4096;

#[derive(Deserialize)]
struct Raw {
    do_resize: Option<bool>,
    size: Option<Size>,
    resample: Option<f64>,
    do_center_crop: Option<bool>,
    crop_size: Option<Size>,
    do_rescale: Option<bool>,
    rescale_factor: Option<f64>,
    do_normalize: Option<bool>,
    image_mean: Option<Vec<f64>>,
    image_std: Option<Vec<f64>>,
}

/// A number, height and width, or a table of named sides.
#[derive(Deserialize, Clone, Copy)]
#[serde(untagged)]
enum Size {
    Edge(u32),
    HeightWidth([u32; 2]),
    Named(Sides),
}

#[derive(Deserialize, Clone, Copy)]
struct Sides {
    shortest_edge: Option<u32>,
    longest_edge: Option<u32>,
    width: Option<u32>,
    height: Option<u32>,
}

impl Preprocess {
    /// Reads `preprocessor_config.json`: `size` and `crop_size` as a number, as `[height, width]`,
    /// as `{"shortest_edge"}` or as `{"width", "height"}`, `resample` 2 (bilinear) or 3 (bicubic),
    /// and the five `do_*` switches. Absent keys have CLIP's values; other keys are ignored.
    ///
    /// [`Kind::ConfigInvalid`] for broken JSON, sides outside 1..=4096, other filters, means and
    /// deviations that are not three finite numbers (deviations above zero), or a combination
    /// whose output size would depend on the photo.
    pub fn from_json(json: &[u8]) -> Result<Self> {
        let raw: Raw = serde_json::from_slice(json).map_err(|error| invalid(&error.to_string()))?;
        raw.read()
    }

    /// Reads the `image_processor` of a `processor_config.json`, as transformers 5 writes it;
    /// `None` without one, as before transformers 5.
    ///
    /// # Errors
    /// As [`from_json`](Self::from_json).
    pub fn from_processor(json: &[u8]) -> Result<Option<Self>> {
        #[derive(Deserialize)]
        struct Processor {
            image_processor: Option<Raw>,
        }
        let found: Processor =
            serde_json::from_slice(json).map_err(|error| invalid(&error.to_string()))?;
        found.image_processor.map(Raw::read).transpose()
    }
}

impl Raw {
    fn read(self) -> Result<Preprocess> {
        let raw = self;
        let resize = match raw.do_resize.unwrap_or(true) {
            true => read_resize(raw.size.unwrap_or(Size::Edge(224)))?,
            false => Resize::None,
        };
        let crop = raw.do_center_crop.unwrap_or(true);
        let (resize, (crop_width, crop_height)) = match (crop, resize) {
            (true, _) => (resize, read_crop(raw.crop_size.unwrap_or(Size::Edge(224)))?),
            (false, Resize::Exact { width, height }) => (resize, (width, height)),
            (false, Resize::ShortestEdge(edge)) if raw.size.is_some() => {
                (Resize::SquareOnly(edge), (edge, edge))
            }
            (false, _) => {
                return Err(invalid(
                    "without do_center_crop, size needs a width and a height, or a shortest_edge",
                ));
            }
        };
        let rescale = match raw.do_rescale.unwrap_or(true) {
            true => raw.rescale_factor.unwrap_or(1.0 / 255.0),
            false => 1.0,
        };
        if !(rescale.is_finite() && rescale > 0.0) {
            return Err(invalid("rescale_factor must be a positive number"));
        }
        let (mean, std) = match raw.do_normalize.unwrap_or(true) {
            true => (
                read_channels(raw.image_mean.as_deref(), CLIP_MEAN, "image_mean")?,
                read_channels(raw.image_std.as_deref(), CLIP_STD, "image_std")?,
            ),
            false => ([0.0; 3], [1.0; 3]),
        };
        if std.iter().any(|&s| s < 1e-6) {
            return Err(invalid("image_std must be above zero"));
        }
        Ok(Preprocess {
            resize,
            filter: read_filter(raw.resample)?,
            crop_width,
            crop_height,
            rescale,
            mean,
            std,
        })
    }
}

impl Preprocess {
    /// The same as a `preprocessor_config.json` with every key that is read.
    pub fn to_json(&self) -> Value {
        let size = match self.resize {
            Resize::None => Value::Null,
            Resize::ShortestEdge(edge) | Resize::SquareOnly(edge) => {
                json!({"shortest_edge": edge})
            }
            Resize::Exact { width, height } => json!({"width": width, "height": height}),
        };
        json!({
            "do_resize": self.resize != Resize::None, "size": size,
            // The numbers are Pillow's; from_json refuses 4, which no CLIP asks for.
            "resample": match self.filter {
                Filter::Bilinear => 2,
                Filter::Bicubic => 3,
                Filter::Box => 4,
            },
            "do_center_crop": !matches!(self.resize, Resize::SquareOnly(_)),
            "crop_size": {"width": self.crop_width, "height": self.crop_height},
            "do_rescale": true, "rescale_factor": self.rescale,
            "do_normalize": true, "image_mean": self.mean, "image_std": self.std,
        })
    }
}

fn invalid(what: &str) -> Error {
    Error::new(
        Kind::ConfigInvalid,
        format!(
            "The model's preprocessor_config.json or processor_config.json cannot be used: {what}."
        ),
    )
}

fn side(length: u32) -> Result<u32> {
    match length {
        1..=MAX_SIDE => Ok(length),
        _ => Err(invalid(&format!(
            "a side of {length} is not in 1..={MAX_SIDE}"
        ))),
    }
}

fn read_resize(size: Size) -> Result<Resize> {
    let exact = |width, height| -> Result<Resize> {
        Ok(Resize::Exact {
            width: side(width)?,
            height: side(height)?,
        })
    };
    match size {
        Size::Edge(edge) => Ok(Resize::ShortestEdge(side(edge)?)),
        Size::HeightWidth([height, width]) => exact(width, height),
        Size::Named(sides) => match (sides.shortest_edge, sides.width, sides.height) {
            (Some(_), None, None) if sides.longest_edge.is_some() => Err(invalid(
                "size has shortest_edge and longest_edge, and transformers 4 and 5 make other images of that; leave longest_edge out",
            )),
            (Some(edge), None, None) => Ok(Resize::ShortestEdge(side(edge)?)),
            (None, Some(width), Some(height)) => exact(width, height),
            _ => Err(invalid(
                "size needs either shortest_edge or width and height",
            )),
        },
    }
}

fn read_crop(size: Size) -> Result<(u32, u32)> {
    match size {
        Size::Edge(edge) => Ok((side(edge)?, side(edge)?)),
        Size::HeightWidth([height, width]) => Ok((side(width)?, side(height)?)),
        Size::Named(Sides {
            shortest_edge: None,
            width: Some(width),
            height: Some(height),
            ..
        }) => Ok((side(width)?, side(height)?)),
        Size::Named(_) => Err(invalid("crop_size needs width and height")),
    }
}

fn read_filter(resample: Option<f64>) -> Result<Filter> {
    match resample {
        Some(2.0) => Ok(Filter::Bilinear),
        Some(3.0) | None => Ok(Filter::Bicubic),
        Some(other) => Err(invalid(&format!(
            "resample {other} is neither 2 (bilinear) nor 3 (bicubic)"
        ))),
    }
}

fn read_channels(values: Option<&[f64]>, default: [f32; 3], name: &str) -> Result<[f32; 3]> {
    let Some(values) = values else {
        return Ok(default);
    };
    let wrong = || invalid(&format!("{name} must be three finite numbers"));
    let values: [f64; 3] = values.try_into().map_err(|_| wrong())?;
    let values = values.map(|v| v as f32);
    match values.iter().all(|v| v.is_finite()) {
        true => Ok(values),
        false => Err(wrong()),
    }
}
