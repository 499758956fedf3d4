//! The most likely classes scored again, by texts that tell them from each other (FuDD, Esfandiarpoor
//! and Bach, 2024).

use std::collections::BTreeSet;
use std::sync::Arc;

use super::texts::{FEATURES, TextFeatures};
use super::{Head, Kind, Weights, invalid, scaled_cosines};
use crate::error::Result;
use crate::math::{UnitRows, dot};
use crate::progress::LocalBoxFuture;
use crate::prompt::file::Prompt;
use crate::prompt::model::PromptModel;
use crate::prompt::pair_texts::{PairTexts, Text};
use crate::tokenize::NameIndex;

const TEXTS: &str = "pairs.texts";
const ENTRIES: &str = "pairs.entries";
const TOP: &str = "top";
/// In place of a text's row: the class's own text.
const DEFAULT: f32 = -1.0;

/// The most classes that are scored again: their pairs grow as the square.
pub const MAX_TOP: usize = 100;

/// The kind.
pub const KIND: Kind = Kind {
    name: "pairs",
    required: &[FEATURES, TEXTS, ENTRIES],
    optional: &[],
    load: |file| Ok(Box::new(DescribedPairs::load(file)?)),
};

/// Text features of classes, and of what tells two of them apart.
#[derive(Debug, Clone, PartialEq)]
pub struct DescribedPairs {
    /// Of the known names, for the first pass.
    pub texts: TextFeatures,
    /// Unit features of the describing texts, [T, d].
    pub described: Vec<f32>,
    /// Which of them belong to which pair of known names.
    pub pairs: PairTexts,
    /// How many of the most likely classes are scored again.
    pub top: usize,
}

impl DescribedPairs {
    fn load(file: &Prompt) -> Result<Self> {
        let (Some(described), Some(entries)) = (file.get(TEXTS, 2)?, file.get(ENTRIES, 2)?) else {
            return Err(invalid("it describes no pairs"));
        };
        if entries.shape[1] != 3 {
            return Err(invalid("its pairs are not rows of two classes and a text"));
        }
        let (classes, texts) = (file.class_names.len(), described.shape[0]);
        let place = |value: f32, count: usize| {
            let whole = value as usize;
            (value >= 0.0 && whole < count)
                .then_some(whole)
                .ok_or_else(|| invalid("its pairs name a class or a text that it does not have"))
        };
        let mut pairs = PairTexts::default();
        for row in entries.data.chunks_exact(3) {
            let text = match row[2] {
                DEFAULT => Text::Default,
                text => Text::Described(place(text, texts)?),
            };
            pairs.add(place(row[0], classes)?, place(row[1], classes)?, text);
        }
        let top = file.number(TOP)?;
        if !(1.0..=MAX_TOP as f64).contains(&top) {
            return Err(invalid(
                "it scores no number of classes between 1 and 100 again",
            ));
        }
        Ok(Self {
            texts: TextFeatures::load(file)?,
            described: described.data.clone(),
            pairs,
            top: top as usize,
        })
    }
}

impl Weights for DescribedPairs {
    fn save(&self, file: &mut Prompt) {
        self.texts.put(file);
        let k = file.class_names.len().max(1);
        let d = (self.texts.features.len() / k).max(1);
        file.put(
            TEXTS,
            &[self.described.len() / d, d],
            self.described.clone(),
        );
        let entries: Vec<f32> = self
            .pairs
            .entries()
            .flat_map(|(class, other, text)| {
                let text = match text {
                    Text::Default => DEFAULT,
                    Text::Described(row) => row as f32,
                };
                [class as f32, other as f32, text]
            })
            .collect();
        file.put(ENTRIES, &[entries.len() / 3, 3], entries);
        file.note(TOP, self.top);
    }

    fn open<'a>(
        &'a self,
        known: &'a [String],
        model: &'a dyn PromptModel,
        names: &'a [String],
    ) -> LocalBoxFuture<'a, Arc<dyn Head>> {
        Box::pin(async move {
            let d = model.dim();
            if !self.described.len().is_multiple_of(d) {
                return Err(invalid("its texts are not as wide as the model's features"));
            }
            let index = NameIndex::new(names);
            let mut pairs = PairTexts::default();
            for (class, other, text) in self.pairs.entries() {
                // Pairs with a class that is not in `names` cannot be met.
                if let (Some(a), Some(b)) = (index.place(&known[class]), index.place(&known[other]))
                {
                    pairs.add(a, b, text);
                }
            }
            Ok(Arc::new(PairHead {
                texts: self.texts.on(known, model, names).await?,
                described: self.described.iter().map(|v| f64::from(*v)).collect(),
                pairs,
                top: self.top,
            }) as Arc<dyn Head>)
        })
    }
}

/// Described pairs in use.
#[derive(Debug)]
struct PairHead {
    texts: Vec<f64>,
    described: Vec<f64>,
    pairs: PairTexts,
    top: usize,
}

impl PairHead {
    /// The normalized mean of the features of `texts` of `class`, [d].
    fn mean(&self, class: usize, texts: &BTreeSet<Text>, d: usize) -> Vec<f64> {
        let mut sum = vec![0.0; d];
        for text in texts {
            let row = match text {
                Text::Default => &self.texts[class * d..][..d],
                Text::Described(row) => &self.described[row * d..][..d],
            };
            sum.iter_mut().zip(row).for_each(|(s, v)| *s += v);
        }
        UnitRows::new(&sum, d).values
    }

    /// Logits [K] from those of the first pass.
    fn again(&self, mut logits: Vec<f64>, image: &[f64], scale: f64) -> Vec<f64> {
        let mut order: Vec<usize> = (0..logits.len()).collect();
        order.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]).then(a.cmp(b)));
        let (top, others) = order.split_at(self.top.min(order.len()));
        let lowest = |logits: &[f64]| top.iter().map(|c| logits[*c]).fold(f64::INFINITY, f64::min);
        let before = lowest(&logits);
        for (class, texts) in top.iter().zip(self.pairs.among(top)) {
            // Without a description the answer of the first pass stands as it is.
            if texts.iter().any(|text| *text != Text::Default) {
                logits[*class] = scale * dot(image, &self.mean(*class, &texts, image.len()));
            }
        }
        // The others keep their distances and stay behind.
        let fall = (lowest(&logits) - before).min(0.0);
        others.iter().for_each(|class| logits[*class] += fall);
        logits
    }
}

impl Head for PairHead {
    fn answer<'a>(
        &'a self,
        model: &'a dyn PromptModel,
        image: &'a [f64],
    ) -> LocalBoxFuture<'a, Vec<f64>> {
        let first = scaled_cosines(model, image, &self.texts);
        let logits = self.again(first, image, f64::from(model.logit_scale()));
        Box::pin(std::future::ready(Ok(logits)))
    }

    fn centers<'a>(&'a self, _: &'a dyn PromptModel) -> LocalBoxFuture<'a, Vec<f64>> {
        Box::pin(std::future::ready(Ok(self.texts.clone())))
    }
}
