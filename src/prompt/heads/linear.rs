//! A linear layer on the image feature: a row and a bias for each class. Rows start at the classes'
//! texts, so names that it has not learned are answered by theirs.

use std::sync::Arc;

use super::texts::{TEMPLATES, fresh};
use super::{Head, Kind, Weights, invalid};
use crate::error::Result;
use crate::math::{Probabilities, UnitRows, dot};
use crate::progress::LocalBoxFuture;
use crate::prompt::file::Prompt;
use crate::prompt::model::PromptModel;
use crate::prompt::template::Template;
use crate::tokenize::NameIndex;

const WEIGHT: &str = "linear.weight";
const BIAS: &str = "linear.bias";
const PROBABILITIES: &str = "probabilities";
const SIGMOID: &str = "sigmoid";

/// The kind.
pub const KIND: Kind = Kind {
    name: "linear",
    required: &[WEIGHT, BIAS],
    optional: &[],
    load: |file| Ok(Box::new(LinearLayer::load(file)?)),
};

/// z_k = w_k · f + b_k.
#[derive(Debug, Clone, PartialEq)]
pub struct LinearLayer {
    /// w [K, d]: logit_scale times a text feature at the start.
    pub weight: Vec<f32>,
    /// b [K].
    pub bias: Vec<f32>,
    /// Whether one class is right, or several may be.
    pub probabilities: Probabilities,
    /// What other names stand in.
    pub templates: Vec<Template>,
}

impl LinearLayer {
    /// Reads the file.
    ///
    /// # Errors
    /// `prompt/invalid`, `prompt/invalid-template`.
    pub fn load(file: &Prompt) -> Result<Self> {
        let k = file.class_names.len();
        let Some(weight) = file.get(WEIGHT, 2)?.filter(|found| found.shape[0] == k) else {
            return Err(invalid("it does not have a row for every class"));
        };
        let Some(bias) = file.shaped(BIAS, &[k])? else {
            return Err(invalid("it does not have a bias for every class"));
        };
        let Some(templates) = file.list(TEMPLATES)? else {
            return Err(invalid("it does not say what other names stand in"));
        };
        Ok(Self {
            weight: weight.data.clone(),
            bias: bias.to_vec(),
            probabilities: match file.extra.get(PROBABILITIES).map(String::as_str) {
                Some(SIGMOID) => Probabilities::Sigmoid,
                _ => Probabilities::Softmax,
            },
            templates: Template::parse_all(&templates)?,
        })
    }

    /// The layer of `names`: rows and biases of those that it knows, and for others logit_scale times their
    /// text feature with the mean bias.
    ///
    /// # Errors
    /// `prompt/invalid` if it is not as wide as the model's features, `labels/too-long`, the device's.
    pub async fn on(
        &self,
        known: &[String],
        model: &dyn PromptModel,
        names: &[String],
    ) -> Result<Self> {
        let (d, s) = (model.dim(), model.logit_scale());
        if self.weight.len() != known.len() * d {
            return Err(invalid("its rows are not as wide as the model's features"));
        }
        let index = NameIndex::new(known);
        let new: Vec<String> = names
            .iter()
            .filter(|name| index.place(name).is_none())
            .cloned()
            .collect();
        let texts = fresh(model, &self.templates, &new).await?;
        let mut texts = texts.chunks_exact(d);
        let mean = self.bias.iter().sum::<f32>() / self.bias.len().max(1) as f32;
        let (mut weight, mut bias) = (Vec::new(), Vec::new());
        for name in names {
            match index.place(name) {
                Some(k) => {
                    weight.extend_from_slice(&self.weight[k * d..(k + 1) * d]);
                    bias.push(self.bias[k]);
                }
                None => {
                    let text = texts.next().into_iter().flatten();
                    weight.extend(text.map(|v| (f64::from(s) * v) as f32));
                    bias.push(mean);
                }
            }
        }
        Ok(Self {
            weight,
            bias,
            ..self.clone()
        })
    }
}

impl Weights for LinearLayer {
    fn save(&self, file: &mut Prompt) {
        let k = file.class_names.len();
        let d = self.weight.len() / k.max(1);
        file.put(WEIGHT, &[k, d], self.weight.clone());
        file.put(BIAS, &[k], self.bias.clone());
        let templates: Vec<String> = self.templates.iter().map(ToString::to_string).collect();
        file.note_list(TEMPLATES, &templates);
        if self.probabilities == Probabilities::Sigmoid {
            file.note(PROBABILITIES, SIGMOID);
        }
    }

    fn open<'a>(
        &'a self,
        known: &'a [String],
        model: &'a dyn PromptModel,
        names: &'a [String],
    ) -> LocalBoxFuture<'a, Arc<dyn Head>> {
        Box::pin(async move {
            let own = self.on(known, model, names).await?;
            let wide = |values: Vec<f32>| values.into_iter().map(f64::from).collect();
            Ok(Arc::new(LinearHead {
                weight: wide(own.weight),
                bias: wide(own.bias),
                probabilities: own.probabilities,
            }) as Arc<dyn Head>)
        })
    }
}

/// A linear layer in use.
#[derive(Debug)]
struct LinearHead {
    weight: Vec<f64>,
    bias: Vec<f64>,
    probabilities: Probabilities,
}

impl Head for LinearHead {
    fn answer<'a>(
        &'a self,
        _: &'a dyn PromptModel,
        image: &'a [f64],
    ) -> LocalBoxFuture<'a, Vec<f64>> {
        let rows = self.weight.chunks_exact(image.len()).zip(&self.bias);
        let logits = rows.map(|(row, bias)| dot(row, image) + bias).collect();
        Box::pin(std::future::ready(Ok(logits)))
    }

    fn centers<'a>(&'a self, model: &'a dyn PromptModel) -> LocalBoxFuture<'a, Vec<f64>> {
        let unit = UnitRows::new(&self.weight, model.dim()).values;
        Box::pin(std::future::ready(Ok(unit)))
    }

    fn probabilities(&self) -> Probabilities {
        self.probabilities
    }
}
