//! Softmax and log-sum-exp over cosines, in f64 and free of overflow for every temperature allowed.

use crate::error::{Error, Kind, Result};

/// The temperatures that are accepted, on cosines. Wide enough for every CLIP (`logit_scale` is
/// between 1 and 100) and narrow enough that no intermediate leaves f64.
pub const TAU_RANGE: std::ops::RangeInclusive<f64> = 1e-6..=1e6;

/// Refuses a temperature outside [`TAU_RANGE`].
///
/// # Errors
/// `options/invalid`.
pub fn check_tau(tau: f64) -> Result<()> {
    if TAU_RANGE.contains(&tau) {
        return Ok(());
    }
    Err(Error::new(
        Kind::OptionInvalid,
        format!("The temperature tau must lie between 0.000001 and 1000000, but it is {tau}."),
    ))
}

/// Refuses NaN and infinities, naming `what` holds them.
///
/// # Errors
/// `engine/not-finite`.
pub fn check_finite(values: &[f64], what: &str) -> Result<()> {
    match values.iter().position(|v| !v.is_finite()) {
        None => Ok(()),
        Some(at) => Err(Error::new(
            Kind::NotFinite,
            format!("The {what} are not usable: value {at} is {}.", values[at]),
        )),
    }
}

/// The largest of `values`; negative infinity if there are none.
pub fn maximum(values: &[f64]) -> f64 {
    values.iter().copied().fold(f64::NEG_INFINITY, f64::max)
}

/// ln Σ exp(x / τ) over finite `values`; negative infinity if there are none.
pub fn log_sum_exp(values: &[f64], tau: f64) -> f64 {
    let top = maximum(values);
    if top == f64::NEG_INFINITY {
        return top;
    }
    let sum: f64 = values.iter().map(|v| ((v - top) / tau).exp()).sum();
    top / tau + sum.ln()
}

/// softmax(x / τ) of finite `values`: probabilities in the same order.
pub fn softmax(values: &[f64], tau: f64) -> Vec<f64> {
    let top = maximum(values);
    let mut p: Vec<f64> = values.iter().map(|v| ((v - top) / tau).exp()).collect();
    let sum: f64 = p.iter().sum();
    for v in &mut p {
        *v /= sum;
    }
    p
}

/// How logits become probabilities.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Probabilities {
    /// One of the classes is right: all probabilities sum to 1.
    #[default]
    Softmax,
    /// Every class is there or not, whatever the others are: σ(z).
    Sigmoid,
}

impl Probabilities {
    /// The probabilities of `logits` divided by `temperature`.
    pub fn of(self, logits: &[f64], temperature: f64) -> Vec<f64> {
        match self {
            Self::Softmax => softmax(logits, temperature),
            Self::Sigmoid => logits.iter().map(|z| sigmoid(z / temperature)).collect(),
        }
    }
}

/// σ(x) = 1 / (1 + e^−x).
pub fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// The largest probability of softmax(x / τ): 1 / Σ exp((x − max) / τ).
pub fn softmax_peak(values: &[f64], tau: f64) -> f64 {
    let top = maximum(values);
    1.0 / values.iter().map(|v| ((v - top) / tau).exp()).sum::<f64>()
}
