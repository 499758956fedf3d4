//! The stage `project` from its inputs to a map, with a temperature fitted on pictures kept back.

use std::collections::BTreeMap;
use std::path::Path;

use burn::tensor::Tensor;
use pollster::block_on;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::anchors::START_SCALE;
use super::concepts::Concepts;
use super::corpus::{Corpus, TeacherRows};
use super::descent::{Descent, Tell};
use super::head::Head;
use super::pictures::{Change, Pictures};
use super::pool::Pool;
use super::project::{ProjectSettings, Projection, Texts};
use super::regression::regression;
use super::student::{Map, Teaching, project};
use super::text_batches::NEUTRAL;
use super::text_stage::TextModel;
use super::text_tower::{Tape, Taped};
use crate::error::{Error, Kind, Result};
use crate::kernels::{Placement, floats, read};
use crate::math::normalize_rows;
use crate::prompt::template::Template;

/// Texts of one pass through the tower.
const CHUNK: usize = 128;
/// Different neutral templates that concepts appear in.
const TEMPLATES: usize = 6;
/// Bins of the expected calibration error (Guo et al., 2017).
const BINS: usize = 15;

/// How well shown percentages fit, on training photos that were kept back.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Calibration {
    /// Pictures kept back.
    pub pictures: usize,
    /// Share of them whose name comes first among the known names.
    pub accuracy: f64,
    /// Expected calibration error at the learned scale.
    pub error: f64,
    /// What the learned logits are divided by so that the likelihood is largest. The model's
    /// logit_scale has it in it.
    pub temperature: f64,
    /// Expected calibration error after that.
    pub fitted_error: f64,
}

/// A trained map.
#[derive(Debug, Clone)]
pub struct ProjectModel {
    /// The map's sizes.
    pub map: Map,
    /// Matrix, shift, logarithm of the scale.
    pub values: Vec<f32>,
    /// How well percentages fit.
    pub calibration: Calibration,
    /// The known names.
    pub names: Vec<String>,
}

/// Inputs of the stage.
pub struct ProjectStage<'a> {
    /// Names and vectors.
    pub corpus: &'a Corpus,
    /// Features of pictures.
    pub pictures: &'a Pictures,
    /// The set whose pictures have captions.
    pub captioned: &'a str,
    /// Captions by the path of their picture.
    pub captions: &'a [(String, String)],
    /// The teacher.
    pub head: &'a Head,
    /// Which of its classes teach.
    pub rows: TeacherRows,
    /// The text tower.
    pub text: &'a TextModel,
    /// SHA-256 of the tower's values, for the checkpoint.
    pub text_digest: &'a str,
    /// Settings.
    pub settings: ProjectSettings,
    /// Where unfinished work is kept.
    pub cache: &'a Path,
    /// Milliseconds between writing it.
    pub every: f64,
    /// Where to compute.
    pub placement: &'a Placement,
}

impl ProjectStage<'_> {
    /// Trains the map.
    ///
    /// # Errors
    /// Those of the descent, and whatever `tell` returns.
    pub fn run(&self, tell: &mut Tell<'_>) -> Result<ProjectModel> {
        let corpus = self.corpus;
        let concepts = corpus.concepts(self.rows);
        let pool = Pool::new(self.pictures, &concepts, &corpus.vocabulary, self.captioned);
        let texts = self.texts(&concepts, &pool)?;
        let map = Map {
            from: self.pictures.width,
            to: self.text.layout.sizes.out,
        };
        let known = &texts.neutral[0][..concepts.known * map.to];
        let (matrix, shift) = regression(&pool, known, map.to, &self.placement.device)?;
        let learning = Projection {
            teaching: Teaching {
                pool: &pool,
                head: self.head,
                concepts: &concepts,
                seed: self.settings.seed,
            },
            texts: &texts,
            settings: self.settings,
            map,
            device: &self.placement.device,
        };
        let about = json!({
            "settings": self.settings,
            "teacher": self.rows,
            "corpus": corpus.digest,
            "pictures": self.pictures.list.len(),
            "text": self.text_digest,
        });
        let name = match self.rows {
            TeacherRows::Complete => "project-complete.run",
            TeacherRows::WithoutWithheld => "project-without-withheld.run",
        };
        let descent = Descent {
            stage: "project",
            steps: self.settings.steps,
            warm_up: 20.min(self.settings.steps / 10),
            clip: 10.0,
            groups: learning.groups(),
            about: about.to_string(),
            checkpoint: Some(self.cache.join(name)),
            every: self.every,
        };
        let start = [&matrix[..], &shift, &[START_SCALE.ln()]].concat();
        let mut values = descent.run(&learning, start, tell)?;
        let calibration = self.calibrate(&pool, &concepts, known, map, &values)?;
        // The scale comes last. Divided by the temperature, it makes every softmax that is shown fit.
        if let Some(log_scale) = values.last_mut() {
            *log_scale -= calibration.temperature.ln() as f32;
        }
        Ok(ProjectModel {
            map,
            values,
            calibration,
            names: concepts.names[..concepts.known].to_vec(),
        })
    }

    /// Text features of length one, [texts, width].
    ///
    /// # Errors
    /// `engine/not-finite`.
    pub fn encode(&self, texts: &[String]) -> Result<Vec<f32>> {
        let mut features = Vec::with_capacity(texts.len() * self.text.layout.sizes.out);
        for chunk in texts.chunks(CHUNK) {
            let ids: Vec<Vec<u32>> = chunk
                .iter()
                .map(|text| Ok(self.text.tokenizer.encode(text)?.ids))
                .collect::<Result<_>>()?;
            let used: std::collections::BTreeSet<u32> = ids.iter().flatten().copied().collect();
            let used = used.into_iter().collect();
            let (layout, values) = (&self.text.layout, &self.text.values);
            let tower = Taped::new(layout, values, used, Tape::Off, self.placement);
            let sequences: Vec<&[u32]> = ids.iter().map(Vec::as_slice).collect();
            features.extend(block_on(read(tower.encode(&sequences)))?);
        }
        normalize_rows(&mut features, self.text.layout.sizes.out);
        Ok(features)
    }

    fn texts(&self, concepts: &Concepts, pool: &Pool<'_>) -> Result<Texts> {
        let filled = |template: &str, name: &str| Ok(Template::parse(template)?.fill(name));
        let mut texts = Texts::default();
        let mut distinct: Vec<&str> = Vec::new();
        for template in NEUTRAL {
            if !distinct.contains(template) {
                distinct.push(template);
            }
        }
        for template in &distinct[..TEMPLATES.min(distinct.len())] {
            let names: Vec<String> = concepts
                .names
                .iter()
                .map(|name| filled(template, name))
                .collect::<Result<_>>()?;
            texts.neutral.push(self.encode(&names)?);
        }
        let mut variants = Vec::new();
        for name in &concepts.names[..concepts.known] {
            variants.push(filled("a photo of a {}", name)?);
            for change in Change::ALL {
                variants.push(filled(change.template(), name)?);
            }
        }
        texts.changes = self.encode(&variants)?;
        let mut places: BTreeMap<&str, usize> = BTreeMap::new();
        for (place, picture) in pool.captioned.iter().enumerate() {
            places.insert(&self.pictures.list[*picture].path, place);
        }
        texts.of_picture = vec![Vec::new(); pool.captioned.len()];
        let mut captions = Vec::new();
        for (path, caption) in self.captions {
            // A pair with a withheld name would show what is only to be read.
            if let Some(place) = places.get(path.as_str())
                && !self.corpus.withheld.holds(caption)
            {
                texts.of_picture[*place].push(captions.len());
                captions.push(caption.clone());
            }
        }
        texts.captions = self.encode(&captions)?;
        Ok(texts)
    }

    /// The temperature that fits pictures kept back, among the known names in the default template.
    fn calibrate(
        &self,
        pool: &Pool<'_>,
        concepts: &Concepts,
        known: &[f32],
        map: Map,
        values: &[f32],
    ) -> Result<Calibration> {
        let rows = pool.kept_back.len();
        if rows == 0 {
            return Err(Error::new(
                Kind::DataEmpty,
                "No picture is left to fit the temperature on; give more photos.",
            ));
        }
        let (weight, bias, _) = map.leaves(values, &self.placement.device);
        let mut features = Vec::new();
        for (picture, _) in &pool.kept_back {
            pool.pictures.feature(*picture, &mut features);
        }
        let seen: Tensor<2> =
            project(&features, rows, &weight, &bias, &self.placement.device).inner();
        let texts = floats(
            known.to_vec(),
            [concepts.known, map.to],
            &self.placement.device,
        );
        let scale = values[map.total() - 1].exp();
        let logits = block_on(read(seen.matmul(texts.transpose()) * scale))?;
        let names: Vec<usize> = pool.kept_back.iter().map(|(_, name)| *name).collect();
        Ok(calibration(&logits, &names))
    }
}

/// Fits a temperature to rows of logits whose right columns are `names`.
pub fn calibration(logits: &[f32], names: &[usize]) -> Calibration {
    let width = logits.len() / names.len().max(1);
    let measured = |temperature: f64| {
        let (mut loss, mut right) = (0.0, 0usize);
        let mut bins = vec![(0usize, 0f64, 0usize); BINS];
        for (row, name) in logits.chunks(width).zip(names) {
            let most = row.iter().fold(f32::NEG_INFINITY, |a, b| a.max(*b));
            let share = |v: f32| (f64::from(v - most) / temperature).exp();
            let sum: f64 = row.iter().map(|v| share(*v)).sum();
            loss -= (share(row[*name]) / sum).max(1e-300).ln();
            let confidence = 1.0 / sum;
            let hit = row[*name] >= most;
            right += usize::from(hit);
            let bin = &mut bins[((confidence * BINS as f64) as usize).min(BINS - 1)];
            bin.0 += 1;
            bin.1 += confidence;
            bin.2 += usize::from(hit);
        }
        let count = names.len() as f64;
        let error = bins
            .iter()
            .map(|(_, confidence, hits)| (confidence - *hits as f64).abs() / count)
            .sum::<f64>();
        (loss / count, error, right as f64 / count)
    };
    // Golden section over the logarithm of the temperature.
    let (mut low, mut high) = (0.1f64.ln(), 10f64.ln());
    const GOLDEN: f64 = 0.618_033_988_749_895;
    for _ in 0..40 {
        let (a, b) = (high - GOLDEN * (high - low), low + GOLDEN * (high - low));
        if measured(a.exp()).0 < measured(b.exp()).0 {
            high = b;
        } else {
            low = a;
        }
    }
    let temperature = ((low + high) / 2.0).exp();
    let (_, error, accuracy) = measured(1.0);
    Calibration {
        pictures: names.len(),
        accuracy,
        error,
        temperature,
        fitted_error: measured(temperature).1,
    }
}

#[cfg(test)]
mod tests {
    use super::calibration;
    use crate::rng::Rng;

    #[test]
    fn a_temperature_undoes_logits_that_are_too_large() {
        let mut rng = Rng::new(5);
        let (mut logits, mut names) = (Vec::new(), Vec::new());
        for _ in 0..4000 {
            let row: Vec<f64> = (0..4).map(|_| rng.normal()).collect();
            let sum: f64 = row.iter().map(|v| v.exp()).sum();
            let mut at = rng.unit() * sum;
            let name = row.iter().position(|v| {
                at -= v.exp();
                at < 0.0
            });
            names.push(name.unwrap_or(3));
            logits.extend(row.iter().map(|v| (v * 3.0) as f32));
        }
        let found = calibration(&logits, &names);
        assert!((found.temperature - 3.0).abs() < 0.2, "{found:?}");
        assert!(found.fitted_error < 0.03 && found.error > 0.15, "{found:?}");
    }
}
