//! Learning a linear layer on cached image features: MVP's loss for photos and classes that come over
//! time (Moon et al., 2023).

use super::examples::Batch;
use super::trainer::{Learner, Step};
use crate::error::{Error, Kind, Result};
use crate::math::{argmax, dot, log_sum_exp};
use crate::progress::LocalBoxFuture;

/// How the weights of photos enter the loss.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weighing {
    /// Each photo's loss has its own weight, as the paper's abstract says.
    PerPhoto,
    /// The mean loss is multiplied by the mean weight, as the authors' code does.
    Means,
}

/// MVP's loss on logits z_k = (w_k · f / c + b_k) m_k.
///
/// A photo whose gradient on its class's row differs from the batch's counts more: its weight is
/// (1 − α) + α (1 − cos(g, ḡ))^γ. Features are divided by c = 1 − cos(w_y, f) + margin while training.
/// Neither has a gradient of its own.
#[derive(Debug, Clone)]
pub struct StreamLoss {
    /// α; with 0 all photos weigh the same.
    pub alpha: f64,
    /// γ.
    pub gamma: f64,
    /// The margin of c. `None`: features stay as they are.
    pub margin: Option<f64>,
    /// How weights enter the loss.
    pub weighing: Weighing,
    /// Which classes count [K]; the others have probability 0.
    pub seen: Vec<bool>,
}

/// A linear layer on photos.
#[derive(Debug, Clone, Copy)]
pub struct LinearInput<'a> {
    /// w [K, d].
    pub weight: &'a [f64],
    /// b [K].
    pub bias: &'a [f64],
    /// m [B, K]; empty: all ones.
    pub factors: &'a [f64],
    /// f [B, d].
    pub images: &'a [f64],
    /// y [B].
    pub labels: &'a [usize],
}

/// The loss with its gradient.
#[derive(Debug, Clone, PartialEq)]
pub struct LinearGradient {
    /// The loss.
    pub value: f64,
    /// d loss / d w [K, d].
    pub weight: Vec<f64>,
    /// d loss / d b [K].
    pub bias: Vec<f64>,
    /// z [B, K] as trained on; negative infinity for classes that do not count.
    pub logits: Vec<f64>,
    /// 1 − cos(g, ḡ) of each photo [B].
    pub difference: Vec<f64>,
    /// c [B].
    pub compensation: Vec<f64>,
}

fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let length = (dot(a, a) * dot(b, b)).sqrt();
    if length > 0.0 {
        dot(a, b) / length
    } else {
        0.0
    }
}

impl LinearInput<'_> {
    fn classes(&self) -> usize {
        self.bias.len()
    }

    fn dim(&self) -> usize {
        self.weight.len() / self.classes()
    }

    fn image(&self, b: usize) -> &[f64] {
        &self.images[b * self.dim()..][..self.dim()]
    }

    fn factor(&self, b: usize, k: usize) -> f64 {
        let place = b * self.classes() + k;
        self.factors.get(place).copied().unwrap_or(1.0)
    }

    /// z [B, K] of features that are divided by `scales` [B].
    fn logits(&self, scales: &[f64], seen: &[bool]) -> Vec<f64> {
        let mut out = Vec::with_capacity(self.labels.len() * self.classes());
        for (b, scale) in scales.iter().enumerate() {
            let rows = self.weight.chunks_exact(self.dim());
            for (k, (row, bias)) in rows.zip(self.bias).enumerate() {
                out.push(match seen[k] {
                    true => (dot(row, self.image(b)) / scale + bias) * self.factor(b, k),
                    false => f64::NEG_INFINITY,
                });
            }
        }
        out
    }
}

/// softmax(z) − onehot(y) of each row.
fn errors(logits: &[f64], labels: &[usize]) -> Vec<f64> {
    let classes = logits.len() / labels.len();
    let mut out = Vec::with_capacity(logits.len());
    for (z, label) in logits.chunks_exact(classes).zip(labels) {
        let whole = log_sum_exp(z, 1.0);
        let own = |k: usize| f64::from(u8::from(k == *label));
        out.extend(
            z.iter()
                .enumerate()
                .map(|(k, z)| (z - whole).exp() - own(k)),
        );
    }
    out
}

impl StreamLoss {
    /// The loss and its gradient. The label of every photo must count.
    pub fn on(&self, input: &LinearInput<'_>) -> LinearGradient {
        let (k, d, count) = (input.classes(), input.dim(), input.labels.len());
        let row = |class: usize| &input.weight[class * d..][..d];
        let photos = || input.labels.iter().copied().enumerate();
        let compensation: Vec<f64> = photos()
            .map(|(b, y)| match self.margin {
                Some(margin) => 1.0 - cosine(row(y), input.image(b)) + margin,
                None => 1.0,
            })
            .collect();
        let difference = self.difference(input);
        let share = |b: usize| (1.0 - self.alpha) + self.alpha * difference[b].powf(self.gamma);
        let mean = (0..count).map(share).sum::<f64>() / count as f64;
        let logits = input.logits(&compensation, &self.seen);
        let errors = errors(&logits, input.labels);
        let mut found = LinearGradient {
            value: 0.0,
            weight: vec![0.0; k * d],
            bias: vec![0.0; k],
            logits,
            difference: difference.clone(),
            compensation,
        };
        for (b, y) in photos() {
            let weight = match self.weighing {
                Weighing::PerPhoto => share(b),
                Weighing::Means => mean,
            } / count as f64;
            let z = &found.logits[b * k..(b + 1) * k];
            found.value += weight * (log_sum_exp(z, 1.0) - z[y]);
            for class in 0..k {
                let slope = weight * errors[b * k + class] * input.factor(b, class);
                found.bias[class] += slope;
                let slope = slope / found.compensation[b];
                let row = &mut found.weight[class * d..][..d];
                let pairs = row.iter_mut().zip(input.image(b));
                pairs.for_each(|(g, f)| *g += slope * f);
            }
        }
        found
    }

    /// 1 − cos(g_b, ḡ) of each photo: g_b is the gradient of its cross-entropy on its class's row, ḡ that
    /// of the batch, both on the features as they are.
    fn difference(&self, input: &LinearInput<'_>) -> Vec<f64> {
        let (k, d, count) = (input.classes(), input.dim(), input.labels.len());
        let logits = input.logits(&vec![1.0; count], &self.seen);
        let errors = errors(&logits, input.labels);
        let slope = |b: usize, class: usize| errors[b * k + class] * input.factor(b, class);
        let mut whole = vec![0.0; k * d];
        for b in 0..count {
            for class in 0..k {
                let row = whole[class * d..][..d].iter_mut();
                row.zip(input.image(b))
                    .for_each(|(g, f)| *g += slope(b, class) * f / count as f64);
            }
        }
        let photos = input.labels.iter().enumerate();
        photos
            .map(|(b, y)| {
                let own: Vec<f64> = input.image(b).iter().map(|f| slope(b, *y) * f).collect();
                1.0 - cosine(&own, &whole[y * d..][..d])
            })
            .collect()
    }
}

/// Learns w [K, d] and b [K], in this order.
pub struct LinearLearner {
    /// The loss.
    pub loss: StreamLoss,
}

impl LinearLearner {
    fn descend(&self, parameters: &[f32], batch: &Batch) -> Result<Step> {
        let k = self.loss.seen.len();
        if batch.labels.iter().any(|label| !self.loss.seen[*label]) {
            return Err(Error::new(
                Kind::Internal,
                "A photo is of a class that does not count.",
            ));
        }
        let wide: Vec<f64> = parameters.iter().map(|v| f64::from(*v)).collect();
        let (weight, bias) = wide.split_at(k * batch.dim);
        let found = self.loss.on(&LinearInput {
            weight,
            bias,
            factors: &[],
            images: &batch.images,
            labels: &batch.labels,
        });
        let rows = found.logits.chunks_exact(k).zip(&batch.labels);
        let gradient = found.weight.iter().chain(&found.bias);
        Ok(Step {
            loss: found.value,
            hits: rows.filter(|(z, label)| argmax(z) == **label).count(),
            gradient: gradient.map(|g| *g as f32).collect(),
        })
    }
}

impl Learner for LinearLearner {
    fn step<'a>(&'a mut self, parameters: &'a [f32], batch: &'a Batch) -> LocalBoxFuture<'a, Step> {
        Box::pin(std::future::ready(self.descend(parameters, batch)))
    }
}
