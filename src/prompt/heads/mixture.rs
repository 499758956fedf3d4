//! Several contexts for all names: averaged (MSGCoOp, Wang et al., 2025), or weighed by a gate for
//! every image (MoCoOp, Du et al., 2024).

use std::sync::Arc;

use super::context::{check_width, encode, extents, load_layout, save_layout};
use super::texts::TextHead;
use super::{Head, Kind, Weights, average, invalid, scaled_cosines};
use crate::error::Result;
use crate::math::{UnitRows, argmax, dot, softmax};
use crate::progress::LocalBoxFuture;
use crate::prompt::file::{Prompt, Values};
use crate::prompt::layout::PromptLayout;
use crate::prompt::model::PromptModel;
use crate::prompt::several::{Places, several};

const CONTEXTS: &str = "contexts";
const GATE_WEIGHT: &str = "gate.weight";
const GATE_BIAS: &str = "gate.bias";
const PLACES: &str = "places";

/// The kind.
pub const KIND: Kind = Kind {
    name: "mixture",
    required: &[CONTEXTS],
    optional: &[GATE_WEIGHT, GATE_BIAS, PLACES],
    load: |file| Ok(Box::new(ContextMixture::load(file)?)),
};

/// Experts that take part in an answer.
const TOP: usize = 2;

/// A linear gate d -> G over one flat list of parameters: weights [G, d], then biases [G].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Gate {
    /// d.
    pub dim: usize,
    /// G, the number of contexts.
    pub experts: usize,
}

impl Gate {
    /// Parameters in all.
    pub fn count(&self) -> usize {
        self.experts * (self.dim + 1)
    }

    /// The gate's logits [G] for a unit image feature.
    pub fn scores(&self, parameters: &[f32], image: &[f64]) -> Vec<f64> {
        let (weights, biases) = parameters.split_at(self.experts * self.dim);
        weights
            .chunks_exact(self.dim)
            .zip(biases)
            .map(|(row, b)| dot(row, image) + f64::from(*b))
            .collect()
    }

    /// Shares [G] of the experts for a unit image feature: the softmax over the best two, zero
    /// elsewhere. Of equal ones the first are taken.
    pub fn shares(&self, parameters: &[f32], image: &[f64]) -> Vec<f64> {
        let scores = self.scores(parameters, image);
        let mut left = scores.clone();
        let mut chosen = Vec::with_capacity(TOP);
        for _ in 0..TOP.min(self.experts) {
            let best = argmax(&left);
            chosen.push(best);
            left[best] = f64::NEG_INFINITY;
        }
        let among: Vec<f64> = chosen.iter().map(|i| scores[*i]).collect();
        let mut shares = vec![0.0; self.experts];
        for (i, share) in chosen.into_iter().zip(softmax(&among, 1.0)) {
            shares[i] = share;
        }
        shares
    }

    /// Adds the gradient that `scores` [G] of one image give the gate's parameters.
    pub fn backward(&self, scores: &[f64], image: &[f64], gradient: &mut [f64]) {
        let (weights, biases) = gradient.split_at_mut(self.experts * self.dim);
        let rows = weights.chunks_exact_mut(self.dim).zip(biases);
        for ((row, bias), dz) in rows.zip(scores) {
            *bias += dz;
            row.iter_mut().zip(image).for_each(|(g, f)| *g += dz * f);
        }
    }
}

/// G contexts, and the gate that weighs them.
#[derive(Debug, Clone, PartialEq)]
pub struct ContextMixture {
    /// The order of vectors and name in every context; `assigned` is not used.
    pub layout: PromptLayout,
    /// G.
    pub experts: usize,
    /// [G, M, W]; with `places` all vectors of one expert behind those of the other.
    pub contexts: Vec<f32>,
    /// The vectors of each expert around the name, if `layout` does not say it for all.
    pub places: Option<Places>,
    /// The parameters of a [`Gate`]. `None`: the text features are averaged.
    pub gate: Option<Vec<f32>>,
}

impl ContextMixture {
    fn load(file: &Prompt) -> Result<Self> {
        let places = match file.get(PLACES, 2)? {
            Some(found) => Some(load_places(found)?),
            None => None,
        };
        let dimensions = if places.is_some() { 2 } else { 3 };
        let Some(contexts) = file.get(CONTEXTS, dimensions)? else {
            return Err(invalid("it has no contexts"));
        };
        let [experts, rows, _] = match &places {
            Some(places) => {
                let rows: usize = places.iter().flatten().sum();
                if contexts.shape[0] != rows {
                    return Err(invalid("its contexts are not as long as it says"));
                }
                [places.len(), rows, contexts.shape[1]]
            }
            None => extents(contexts)?,
        };
        let gate = match (
            file.get(GATE_WEIGHT, 2)?,
            file.shaped(GATE_BIAS, &[experts])?,
        ) {
            (None, None) => None,
            (Some(weights), Some(biases)) if weights.shape[0] == experts => {
                Some([weights.data.as_slice(), biases].concat())
            }
            _ => return Err(invalid("its gate does not fit its contexts")),
        };
        Ok(Self {
            layout: load_layout(file, rows)?,
            experts,
            contexts: contexts.data.clone(),
            places,
            gate,
        })
    }
}

/// The most vectors of one expert on one side of the name.
const MOST_VECTORS: f32 = 64.0;

fn load_places(values: &Values) -> Result<Places> {
    let counts = values.data.chunks_exact(2);
    let place = |pair: &[f32]| {
        let whole = |n: &f32| n.fract() == 0.0 && (0.0..=MOST_VECTORS).contains(n);
        (pair.iter().all(whole) && pair.iter().any(|n| *n > 0.0))
            .then(|| [pair[0] as usize, pair[1] as usize])
    };
    let places: Option<Places> = counts.map(place).collect();
    match places {
        Some(places) if values.shape[1] == 2 && !places.is_empty() => Ok(places),
        _ => Err(invalid("it does not say where its vectors stand")),
    }
}

impl Weights for ContextMixture {
    fn save(&self, file: &mut Prompt) {
        save_layout(&self.layout, file);
        let experts = self.experts;
        match &self.places {
            Some(places) => {
                let rows: usize = places.iter().flatten().sum();
                let shape = [rows, self.contexts.len() / rows];
                file.put(CONTEXTS, &shape, self.contexts.clone());
                let counts = places.iter().flatten().map(|n| *n as f32);
                file.put(PLACES, &[experts, 2], counts.collect());
            }
            None => {
                let rows = self.layout.rows();
                let width = self.contexts.len() / (experts * rows);
                file.put(CONTEXTS, &[experts, rows, width], self.contexts.clone());
            }
        }
        if let Some(gate) = &self.gate {
            let dim = gate.len() / experts - 1;
            let (weights, biases) = gate.split_at(experts * dim);
            file.put(GATE_WEIGHT, &[experts, dim], weights.to_vec());
            file.put(GATE_BIAS, &[experts], biases.to_vec());
        }
    }

    fn open<'a>(
        &'a self,
        _: &'a [String],
        model: &'a dyn PromptModel,
        names: &'a [String],
    ) -> LocalBoxFuture<'a, Arc<dyn Head>> {
        Box::pin(async move {
            let experts = self.experts;
            let texts = match &self.places {
                Some(places) => {
                    let rows: usize = places.iter().flatten().sum();
                    check_width(model, &self.contexts, 1, &PromptLayout::end(rows))?;
                    let mut side = several(model, names, places)?;
                    let features = side.forward(&self.contexts).await?;
                    UnitRows::new(&features, model.dim()).values
                }
                None => {
                    check_width(model, &self.contexts, experts, &self.layout)?;
                    encode(model, names, &self.layout, &self.contexts, None).await?
                }
            };
            let Some(parameters) = &self.gate else {
                let head = TextHead::new(average(&texts, experts));
                return Ok(Arc::new(head) as Arc<dyn Head>);
            };
            let gate = Gate {
                dim: model.dim(),
                experts,
            };
            if parameters.len() != gate.count() {
                return Err(invalid("its gate is not as wide as the model's features"));
            }
            let parameters = parameters.clone();
            Ok(Arc::new(GatedHead {
                texts,
                gate,
                parameters,
            }) as Arc<dyn Head>)
        })
    }
}

/// Several text features per class [G, K, d] that a gate weighs for every image.
#[derive(Debug)]
struct GatedHead {
    texts: Vec<f64>,
    gate: Gate,
    parameters: Vec<f32>,
}

impl Head for GatedHead {
    fn answer<'a>(
        &'a self,
        model: &'a dyn PromptModel,
        image: &'a [f64],
    ) -> LocalBoxFuture<'a, Vec<f64>> {
        let shares = self.gate.shares(&self.parameters, image);
        let all = scaled_cosines(model, image, &self.texts);
        let k = all.len() / self.gate.experts;
        let logits = (0..k).map(|class| {
            let experts = shares.iter().enumerate();
            experts.map(|(g, w)| w * all[g * k + class]).sum::<f64>()
        });
        Box::pin(std::future::ready(Ok(logits.collect())))
    }

    fn centers<'a>(&'a self, _: &'a dyn PromptModel) -> LocalBoxFuture<'a, Vec<f64>> {
        let centers = average(&self.texts, self.gate.experts);
        Box::pin(std::future::ready(Ok(centers)))
    }
}
