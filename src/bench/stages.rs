//! How long each stage takes here: load, text, and the stages of classifying one photo, plain and
//! tuned. Every stage is measured as users run it, through the classifier.

use std::path::Path;

use serde::Serialize;

use crate::classifier::{ClassSet, ClassifyOptions, Timings};
use crate::clock::now;
use crate::device::{Choice, DeviceInfo};
use crate::error::Result;
use crate::image::Rgb8;
use crate::image::views::encode_jpeg;
use crate::model::Model;
use crate::quant::Quantization;
use crate::rng::Rng;
use crate::tpt::{Overrides, Tuning};

/// What to measure.
#[derive(Debug, Clone)]
pub struct Plan {
    /// Where to compute.
    pub device: Choice,
    /// How matrices are stored; as in the file if left out.
    pub quantization: Option<Quantization>,
    /// Times that everything but loading is done.
    pub repeats: usize,
    /// Classes of the text stage.
    pub classes: usize,
    /// Views of the tuned answer; none leaves it out.
    pub views: usize,
}

/// Milliseconds of one stage.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Stage {
    /// What was done.
    pub stage: &'static str,
    /// The first time, with whatever is compiled or allocated then.
    pub first: f64,
    /// Median of the other times; of the only one if there is one.
    pub median: f64,
    /// The quickest of the other times.
    pub least: f64,
    /// How often it was done.
    pub repeats: usize,
}

impl Stage {
    /// From every time in the order measured, of which there is at least one.
    pub fn new(stage: &'static str, times: &[f64]) -> Self {
        let mut others = times[usize::from(times.len() > 1)..].to_vec();
        others.sort_by(f64::total_cmp);
        let middle = others.len() / 2;
        let median = if others.len() % 2 == 1 {
            others[middle]
        } else {
            f64::midpoint(others[middle - 1], others[middle])
        };
        Self {
            stage,
            first: times[0],
            median,
            least: others[0],
            repeats: times.len(),
        }
    }
}

/// The times of one model on one device.
#[derive(Debug, Clone, Serialize)]
pub struct Measured {
    /// Where it ran.
    pub device: DeviceInfo,
    /// How matrices are stored.
    pub quant: &'static str,
    /// Side of the model's input in pixels.
    pub image_size: usize,
    /// Columns and rows of the photo.
    pub photo: [u32; 2],
    /// Classes of the text stage.
    pub classes: usize,
    /// Views of the tuned answer.
    pub views: usize,
    /// The stages in the order in which they run.
    pub stages: Vec<Stage>,
}

/// A photo of smooth colors with noise, as a JPEG file.
fn photo(width: u32, height: u32) -> Result<(Rgb8, Vec<u8>)> {
    let mut rng = Rng::new(1);
    let mut image = Rgb8::filled(width, height, [0; 3]);
    for (i, value) in image.data.iter_mut().enumerate() {
        let (x, y) = (i / 3 % width as usize, i / 3 / width as usize);
        let wave = ((x * (1 + i % 3)) as f64 / 40.0).sin() + (y as f64 / 60.0).cos();
        *value = (128.0 + 50.0 * wave + 20.0 * (rng.unit() - 0.5)) as u8;
    }
    let file = encode_jpeg(&image, 90)?;
    Ok((image, file))
}

/// Measures the model in `dir`.
///
/// # Errors
/// Those of loading and classifying.
pub async fn measure(dir: &Path, plan: &Plan) -> Result<Measured> {
    let start = now();
    let model = Model::open(dir, plan.device, plan.quantization).await?;
    let mut stages = vec![Stage::new("load", &[now() - start])];
    let names: Vec<String> = (0..plan.classes).map(|i| format!("thing {i}")).collect();
    let templates = ["a photo of a {}.".to_owned()];
    let mut times = Vec::new();
    let mut classes = None;
    for _ in 0..plan.repeats {
        let start = now();
        classes = Some(ClassSet::new(&model, &names, &templates).await?);
        times.push(now() - start);
    }
    stages.push(Stage::new("text", &times));
    let classes = match classes {
        Some(classes) => classes,
        None => ClassSet::new(&model, &names, &templates).await?,
    };

    let (image, file) = photo(1280, 960)?;
    let plain = ClassifyOptions {
        ood: None,
        ..ClassifyOptions::default()
    };
    let views = Overrides {
        views: Some(plan.views),
        ..Overrides::default()
    };
    let tuned = match plan.views {
        0 => None,
        _ => Some(ClassifyOptions {
            tuning: Some(Tuning::tpt(&views)?),
            ..plain.clone()
        }),
    };
    type Part = (&'static str, fn(&Timings) -> f64);
    let plain_parts: &[Part] = &[
        ("decode", |t| t.decode),
        ("preprocess", |t| t.preprocess),
        ("encode", |t| t.encode),
        ("classify", |t| t.total),
    ];
    let tuned_parts: &[Part] = &[
        ("tpt views", |t| t.preprocess + t.encode),
        ("tpt step", |t| t.tune),
        ("tpt", |t| t.total),
    ];
    for (options, parts) in [(Some(&plain), plain_parts), (tuned.as_ref(), tuned_parts)] {
        let Some(options) = options else { continue };
        let mut each = Vec::new();
        for _ in 0..plan.repeats.max(1) {
            each.push(classes.classify(&model, &file, options, &()).await?.timings);
        }
        for (stage, part) in parts {
            stages.push(Stage::new(
                stage,
                &each.iter().map(part).collect::<Vec<_>>(),
            ));
        }
    }
    Ok(Measured {
        device: model.processor.clone(),
        quant: model.report.quantization.name(),
        image_size: model.clip.config.vision.image_size(),
        photo: [image.width, image.height],
        classes: plan.classes,
        views: plan.views,
        stages,
    })
}

#[cfg(test)]
mod tests {
    use super::Stage;

    #[test]
    fn the_first_time_stands_apart() {
        let stage = Stage::new("x", &[9.0, 3.0, 1.0, 2.0]);
        assert_eq!((stage.first, stage.median, stage.least), (9.0, 2.0, 1.0));
        let stage = Stage::new("x", &[9.0, 3.0, 1.0]);
        assert_eq!((stage.first, stage.median, stage.repeats), (9.0, 2.0, 3));
        let stage = Stage::new("x", &[9.0]);
        assert_eq!((stage.first, stage.median, stage.least), (9.0, 9.0, 9.0));
    }
}
