//! The automatic learning rate.

use super::method::Method;

/// The part of their norm by which a full step of AdamW moves the parameters if the learning rate is
/// auto; all its steps are about as long.
const STEP: f64 = 0.1;
/// The same for the first step of SGD, which momentum and a growing gradient make longer.
const FIRST_STEP: f64 = 0.001;
/// The part of the first loss that a full step takes at most, to first order. A model that tells the
/// classes apart already has little to learn, and steps of a tenth learn the photos by heart.
const LOSS_PART: f64 = 0.003;
/// The automatic rate if the first gradient is zero: CoOp's own.
const USUAL_RATE: f64 = 0.002;
/// The steps for which the automatic rate was chosen. Steps in all directions travel as far as the
/// root of their number, so N times as many are taken at 1 / sqrt(N) of the rate.
pub const MEASURED_STEPS: usize = 500;

/// The part of the automatic rate that `total` steps take.
pub(super) fn share_of_rate(total: usize) -> f64 {
    (MEASURED_STEPS as f64 / total.max(1) as f64)
        .sqrt()
        .min(1.0)
}

/// A learning rate that suits the model's scale: models differ in the length of their embeddings and
/// of the gradient by orders of magnitude, and so do the parts of what is learned.
pub(super) fn fitting_rate(method: Method, loss: f64, parameters: &[f32], gradient: &[f32]) -> f64 {
    let pushed = length(gradient);
    if pushed == 0.0 {
        return USUAL_RATE;
    }
    // The way of a step and its fall in loss, both at rate 1.
    let (part, step, fall) = match method {
        Method::Sgd { .. } => (FIRST_STEP, pushed, pushed * pushed),
        // Every number moves by about 1, whatever its gradient is.
        Method::AdamW { .. } => {
            let fall = gradient.iter().map(|g| f64::from(g.abs())).sum();
            (STEP, (parameters.len() as f64).sqrt(), fall)
        }
    };
    let by_way = part * length(parameters) / step;
    let by_loss = LOSS_PART * loss / fall;
    match (by_way > 0.0, by_loss > 0.0) {
        (true, true) => by_way.min(by_loss),
        (false, true) => by_loss,
        (true, false) => by_way,
        (false, false) => USUAL_RATE,
    }
}

pub(super) fn length(values: &[f32]) -> f64 {
    let squares = values.iter().map(|v| f64::from(*v).powi(2));
    squares.sum::<f64>().sqrt()
}
