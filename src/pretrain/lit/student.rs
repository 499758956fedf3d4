//! What anchors and projection have in common: a linear map from the encoder's features to the joint
//! space, its losses against texts, and the batches of pictures that it learns from.

use burn::tensor::activation::log_softmax;
use burn::tensor::{Device, Tensor};

use super::concepts::Concepts;
use super::head::Head;
use super::pool::Pool;
use crate::error::Result;
use crate::kernels::floats;
use crate::pretrain::loss::normalize;
use crate::rng::Rng;

/// Added to a logit that a softmax shall not see.
const UNSEEN: f32 = -1e9;
/// How far the logit of a class without photos rises.
const RISE: (f64, f64) = (5.0, 19.0);
/// Share of a feature's values that a step does not see.
const DROPOUT: f64 = 0.1;

/// Rows of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct BatchRows {
    /// Pictures of known names.
    pub known: usize,
    /// Any pictures, for the teacher.
    pub any: usize,
    /// Features moved toward a class of the teacher.
    pub moved: usize,
}

/// Where the values of the map lie in a flat list: matrix, shift, logarithm of the scale.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Map {
    /// Columns of a feature.
    pub from: usize,
    /// Columns of the joint space.
    pub to: usize,
}

impl Map {
    /// Values of the matrix [to, from].
    pub const fn matrix(self) -> usize {
        self.from * self.to
    }

    /// All values.
    pub const fn total(self) -> usize {
        self.matrix() + self.to + 1
    }

    /// The map's tensors as leaves of a tape: matrix, shift, logarithm of the scale.
    pub fn leaves(self, values: &[f32], device: &Device) -> (Tensor<2>, Tensor<1>, Tensor<1>) {
        let (matrix, rest) = values.split_at(self.matrix());
        (
            floats(matrix.to_vec(), [self.to, self.from], device)
                .autodiff()
                .require_grad(),
            floats(rest[..self.to].to_vec(), [self.to], device)
                .autodiff()
                .require_grad(),
            floats(vec![rest[self.to]], [1], device)
                .autodiff()
                .require_grad(),
        )
    }
}

/// Pictures of one step.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// Features without dropout [rows, width].
    pub seen: Vec<f32>,
    /// The same with dropout.
    pub dropped: Vec<f32>,
    /// The known name of each of the first rows.
    pub names: Vec<usize>,
    /// Number of rows.
    pub rows: usize,
}

/// What batches are made from.
#[derive(Debug, Clone, Copy)]
pub struct Teaching<'a> {
    /// Pictures.
    pub pool: &'a Pool<'a>,
    /// The teacher.
    pub head: &'a Head,
    /// Names that pictures are compared with.
    pub concepts: &'a Concepts,
    /// Where random draws come from.
    pub seed: u64,
}

impl Teaching<'_> {
    /// The batch of a step.
    pub fn batch(&self, step: usize, rows: BatchRows) -> Batch {
        let mut rng = Rng::derive(self.seed, step as u64);
        let pictures = self.pool.pictures;
        let mut seen = Vec::new();
        let mut names = Vec::with_capacity(rows.known);
        for _ in 0..rows.known {
            let (picture, name) = self.pool.draw(&mut rng);
            pictures.feature(picture, &mut seen);
            names.push(name);
        }
        let any = |rng: &mut Rng, seen: &mut Vec<f32>| {
            let captioned = &self.pool.captioned;
            let all = (self.pool.len() + captioned.len()) as u64;
            let at = rng.below(all.max(1)) as usize;
            let picture = match captioned.get(at) {
                Some(picture) => *picture,
                None => self.pool.draw(rng).0,
            };
            pictures.feature(picture, seen);
        };
        for _ in 0..rows.any {
            any(&mut rng, &mut seen);
        }
        let teaching: Vec<usize> = (0..self.concepts.of_class.len())
            .filter(|class| self.concepts.of_class[*class].is_some())
            .collect();
        for _ in 0..rows.moved {
            let start = seen.len();
            any(&mut rng, &mut seen);
            let class = teaching[rng.below(teaching.len() as u64) as usize];
            let rise = rng.uniform(RISE.0, RISE.1) as f32;
            self.head.toward(&mut seen[start..], class, rise);
        }
        let scale = 1.0 / (1.0 - DROPOUT as f32);
        let dropped = seen
            .iter()
            .map(|v| if rng.chance(DROPOUT) { 0.0 } else { v * scale })
            .collect();
        Batch {
            seen,
            dropped,
            names,
            rows: rows.known + rows.any + rows.moved,
        }
    }

    /// What the teacher says of features [rows, width]: shares of the concepts [rows, concepts].
    /// Withheld classes have none.
    pub fn shares(&self, seen: &[f32], rows: usize, device: &Device) -> Result<Vec<f32>> {
        let (width, classes) = (self.head.width, self.head.classes());
        let x = floats(seen.to_vec(), [rows, width], device);
        let weight = floats(self.head.weight.clone(), [classes, width], device);
        let bias = floats(self.head.bias.clone(), [1, classes], device);
        let logits = x.matmul(weight.transpose()) + bias;
        let logits = pollster::block_on(crate::kernels::read(logits))?;
        let count = self.concepts.names.len();
        let mut shares = vec![0f32; rows * count];
        for (logits, shares) in logits.chunks(classes).zip(shares.chunks_mut(count)) {
            let most = logits
                .iter()
                .zip(&self.concepts.of_class)
                .filter(|(_, concept)| concept.is_some())
                .fold(f32::NEG_INFINITY, |most, (logit, _)| most.max(*logit));
            let mut sum = 0.0;
            for (logit, concept) in logits.iter().zip(&self.concepts.of_class) {
                if let Some(concept) = concept {
                    let share = (logit - most).exp();
                    shares[*concept] += share;
                    sum += share;
                }
            }
            shares.iter_mut().for_each(|share| *share /= sum);
        }
        Ok(shares)
    }

    /// Cross-entropy of the first rows' logits over the known names; names that may be right beside
    /// the row's own are not seen.
    pub fn naming(&self, logits: Tensor<2>, names: &[usize], device: &Device) -> Tensor<1> {
        let count = self.concepts.names.len();
        let known = self.concepts.known;
        let mut mask = vec![0f32; names.len() * count];
        let mut wanted = vec![0f32; names.len() * count];
        for (row, name) in names.iter().enumerate() {
            let line = row * count;
            mask[line + known..line + count].fill(UNSEEN);
            for other in &self.concepts.related[*name] {
                mask[line + other] = UNSEEN;
            }
            wanted[line + name] = 1.0;
        }
        let shape = [names.len(), count];
        let logits = logits.narrow(0, 0, names.len()) + floats(mask, shape, device);
        cross_entropy(logits, floats(wanted, shape, device))
    }

    /// Cross-entropy of all rows' logits to what the teacher says; concepts that it has no class for
    /// are not seen.
    pub fn distillation(&self, logits: Tensor<2>, shares: Vec<f32>, device: &Device) -> Tensor<1> {
        let [rows, count] = logits.dims();
        let mask: Vec<f32> = self
            .concepts
            .taught()
            .iter()
            .map(|taught| if *taught { 0.0 } else { UNSEEN })
            .collect();
        let logits = logits + floats(mask, [1, count], device);
        cross_entropy(logits, floats(shares, [rows, count], device))
    }
}

/// The mean cross-entropy of rows of logits to rows of shares.
pub fn cross_entropy(logits: Tensor<2>, wanted: Tensor<2>) -> Tensor<1> {
    let rows = logits.dims()[0];
    (log_softmax(logits, 1) * wanted).sum() * (-1.0 / rows.max(1) as f32)
}

/// Unit rows of `features [rows, from] Wᵀ + b`.
pub fn project(
    features: &[f32],
    rows: usize,
    weight: &Tensor<2>,
    bias: &Tensor<1>,
    device: &Device,
) -> Tensor<2> {
    let width = features.len() / rows.max(1);
    let x = floats(features.to_vec(), [rows, width], device).autodiff();
    normalize(x.matmul(weight.clone().transpose()) + bias.clone().unsqueeze::<2>())
}
