//! A text tower small enough to check by hand: features are linear in the contexts, with a matrix
//! and an offset of its own for every name.

use half::f16;
use promptlens::error::Result;
use promptlens::progress::LocalBoxFuture;
use promptlens::prompt::file::Prompt;
use promptlens::prompt::layout::PromptLayout;
use promptlens::prompt::model::{PromptModel, TextSide};
use promptlens::prompt_learning::descriptions::Descriptions;
use promptlens::prompt_learning::examples::Examples;
use promptlens::prompt_learning::job::{TrainedPrompt, TrainingJob};
use promptlens::prompt_learning::material::Material;
use promptlens::prompt_learning::outliers::OutlierData;
use promptlens::prompt_learning::recipes::find;
use promptlens::prompt_learning::trainer::Observer;
use promptlens::rng::Rng;

pub const D: usize = 12;
pub const W: usize = 8;
pub const SCALE: f32 = 12.0;
pub const SHA: &str = "00000000000000000000000000000000000000000000000000000000000000aa";

pub struct Toy;

/// Numbers that depend on the text alone.
pub fn drawn(text: &str, salt: u64, count: usize) -> Vec<f32> {
    let seed = text
        .bytes()
        .fold(salt, |h, b| h.wrapping_mul(1_000_003) ^ u64::from(b));
    let mut rng = Rng::new(seed);
    (0..count).map(|_| rng.normal() as f32).collect()
}

/// The attribute word under which a name's text leans towards the center of its images.
pub const TELLING: &str = "telling";

pub struct Side {
    names: Vec<String>,
    telling: bool,
    rows: usize,
    assigned: Option<Vec<usize>>,
    contexts: usize,
}

impl Side {
    /// The weight of row m in the sum that meets the name's matrix.
    fn weight(row: usize) -> f32 {
        0.3 + 0.1 * row as f32
    }

    /// Pairs of context and class in the order of the features.
    fn pairs(&self) -> Vec<(usize, usize)> {
        let k = self.names.len();
        match &self.assigned {
            Some(assigned) => (0..k).map(|class| (assigned[class], class)).collect(),
            None => (0..self.contexts)
                .flat_map(|c| (0..k).map(move |class| (c, class)))
                .collect(),
        }
    }
}

impl TextSide for Side {
    fn forward<'a>(&'a mut self, contexts: &'a [f32]) -> LocalBoxFuture<'a, Vec<f32>> {
        self.contexts = contexts.len() / (self.rows * W);
        let mut out = Vec::new();
        for (c, class) in self.pairs() {
            let matrix = drawn(&self.names[class], 7, D * W);
            let mut feature = drawn(&self.names[class], 8, D);
            if self.telling {
                let center = drawn(&self.names[class].replace("class", "centre"), 1, D);
                feature.iter_mut().zip(center).for_each(|(f, c)| *f += c);
            }
            for row in 0..self.rows {
                let v = &contexts[(c * self.rows + row) * W..][..W];
                for (i, f) in feature.iter_mut().enumerate() {
                    let dot: f32 = matrix[i * W..(i + 1) * W]
                        .iter()
                        .zip(v)
                        .map(|(a, b)| a * b)
                        .sum();
                    *f += Self::weight(row) * dot;
                }
            }
            out.extend(feature);
        }
        Box::pin(std::future::ready(Ok(out)))
    }

    fn backward<'a>(&'a mut self, gradient: &'a [f32]) -> LocalBoxFuture<'a, Vec<f32>> {
        let mut out = vec![0f32; self.contexts * self.rows * W];
        for ((c, class), g) in self.pairs().into_iter().zip(gradient.chunks_exact(D)) {
            let matrix = drawn(&self.names[class], 7, D * W);
            for row in 0..self.rows {
                let v = &mut out[(c * self.rows + row) * W..][..W];
                for (i, g) in g.iter().enumerate() {
                    for (v, m) in v.iter_mut().zip(&matrix[i * W..(i + 1) * W]) {
                        *v += Self::weight(row) * g * m;
                    }
                }
            }
        }
        Box::pin(std::future::ready(Ok(out)))
    }
}

impl PromptModel for Toy {
    fn dim(&self) -> usize {
        D
    }

    fn width(&self) -> usize {
        W
    }

    fn logit_scale(&self) -> f32 {
        SCALE
    }

    fn sha256(&self) -> &str {
        SHA
    }

    fn context_length(&self) -> usize {
        77
    }

    fn words(&self, text: &str) -> Result<Vec<f32>> {
        let words = text.split_whitespace();
        Ok(words
            .flat_map(|word| drawn(word, 9, W).into_iter().map(|v| 0.1 * v))
            .collect())
    }

    fn tokens(&self, text: &str) -> Result<(usize, bool)> {
        let count = text.split_whitespace().count();
        Ok((count.min(75), count > 75))
    }

    fn features<'a>(&'a self, texts: &'a [String]) -> LocalBoxFuture<'a, Vec<f32>> {
        let all = texts.iter().flat_map(|text| drawn(text, 3, D)).collect();
        Box::pin(std::future::ready(Ok(all)))
    }

    fn text_side<'a>(
        &'a self,
        names: &[String],
        layout: &PromptLayout,
    ) -> Result<Box<dyn TextSide + 'a>> {
        Ok(Box::new(Side {
            names: match layout.nameless {
                true => vec![String::new(); names.len()],
                false => names.to_vec(),
            },
            telling: layout.attributes.iter().any(|word| word == TELLING),
            rows: layout.rows(),
            assigned: layout.assigned.clone(),
            contexts: 0,
        }))
    }
}

pub fn names(count: usize) -> Vec<String> {
    (0..count).map(|i| format!("class {i}")).collect()
}

/// `shots` images per class around a center of its own, in `views` crops.
pub fn images(classes: usize, shots: usize, views: usize, seed: u64) -> Examples {
    let mut rng = Rng::new(seed);
    let mut features = Vec::new();
    let mut labels = Vec::new();
    for class in 0..classes {
        let center = drawn(&format!("centre {class}"), 1, D);
        for _ in 0..shots {
            labels.push(class);
            for _ in 0..views {
                features.extend(center.iter().map(|v| v + 0.5 * rng.normal() as f32));
            }
        }
    }
    normalize(&mut features);
    let mut regions: Vec<f32> = features
        .chunks_exact(D)
        .flat_map(|view| {
            // One region shows the class, the other something else.
            let other: Vec<f32> = (0..D).map(|_| rng.normal() as f32).collect();
            [view.to_vec(), other].concat()
        })
        .collect();
    normalize(&mut regions);
    Examples::new(features, labels, views, D, classes)
        .and_then(|e| e.with_local_features(regions.into_iter().map(f16::from_f32).collect()))
        .expect("sound examples")
}

fn normalize(values: &mut [f32]) {
    for row in values.chunks_exact_mut(D) {
        let length = row.iter().map(|v| v * v).sum::<f32>().sqrt();
        row.iter_mut().for_each(|v| *v /= length);
    }
}

/// Names of classes without images, for the recipes that ask for them.
pub const UNSEEN: (&str, &str) = ("unseen", "fox, wolf, bear");

/// Words for what is none of the classes.
pub fn words() -> Vec<String> {
    ["river", "hat", "music", "gravel", "soup"]
        .map(str::to_owned)
        .into()
}

/// What a job may bring along.
#[derive(Default, Clone, Copy)]
pub struct Extras<'a> {
    pub unlabeled: &'a [f32],
    pub descriptions: Option<&'a Descriptions>,
    pub outliers: OutlierData<'a>,
    pub start: Option<&'a Prompt>,
    pub seed: u64,
}

/// Four, or the most classes that the recipe takes.
pub fn class_count(recipe: &str) -> usize {
    find(recipe)
        .unwrap()
        .most_classes
        .map_or(4, |most| most.min(4))
}

pub fn teach_with(
    recipe: &str,
    names: &[String],
    examples: Option<&Examples>,
    set: &[(&str, &str)],
    extras: Extras<'_>,
) -> Result<TrainedPrompt> {
    let recipe = find(recipe)?.configure(set)?;
    let job = TrainingJob {
        recipe: &recipe,
        model: &Toy,
        names,
        examples,
        material: Material {
            unlabeled: extras.unlabeled,
            descriptions: extras.descriptions,
            outliers: extras.outliers,
            start: extras.start,
        },
        seed: extras.seed,
        observer: Observer {
            progress: &(),
            observe: &|_| {},
        },
    };
    pollster::block_on(job.run())
}

pub fn teach(recipe: &str, examples: &Examples, set: &[(&str, &str)]) -> TrainedPrompt {
    let classes = examples.labels().iter().max().unwrap() + 1;
    let found = teach_with(
        recipe,
        &names(classes),
        Some(examples),
        set,
        Extras::default(),
    );
    found.unwrap_or_else(|error| panic!("{recipe}: {error}"))
}
