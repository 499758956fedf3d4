//! The grouped ratio that NegLabel and LAPT share.

use super::ScoreParameters;
use crate::math::log_sum_exp;
use crate::rng::Rng;

/// How many of `negatives` in their order take part: as many as fill `groups` equal groups. Those at
/// the end that do not divide are left out, as NegLabel's authors do. More groups than negatives mean
/// one negative per group.
pub fn dealt(negatives: usize, groups: usize) -> usize {
    let groups = groups.min(negatives);
    negatives
        .checked_div(groups)
        .map_or(0, |size| size * groups)
}

/// The indices of the negatives that take part, by group: in the order of the seed (their own order
/// without one), in consecutive runs of equal length.
///
/// The order is frozen, as stored thresholds rely on it: a test holds it for one seed.
pub(super) fn deal(negatives: usize, groups: usize, seed: Option<u64>) -> Vec<Vec<usize>> {
    let count = dealt(negatives, groups);
    let order = match seed {
        Some(seed) => Rng::new(seed).permutation(count),
        None => (0..count).collect(),
    };
    let size = count.checked_div(groups.min(negatives)).unwrap_or(0);
    order
        .chunks_exact(size.max(1))
        .map(<[usize]>::to_vec)
        .collect()
}

/// Mean over groups of Σ_ID e^{cos/τ} / (Σ_ID e^{cos/τ} + Σ_group e^{cos/τ}), between 0 and 1.
///
/// Each ratio is the logistic function of a difference of log-sum-exps, so that no τ makes it 0/0.
pub(super) fn ratio(classes: &[f64], negatives: &[f64], parameters: &ScoreParameters) -> f64 {
    let id = log_sum_exp(classes, parameters.tau);
    // One group holds every negative, so its order cannot matter: keep the result independent of
    // the seed to the last bit.
    if parameters.groups == 1 {
        return share(id, log_sum_exp(negatives, parameters.tau));
    }
    let groups = deal(negatives.len(), parameters.groups, parameters.shuffle_seed);
    let sum: f64 = groups
        .iter()
        .map(|group| {
            let members: Vec<f64> = group.iter().map(|i| negatives[*i]).collect();
            share(id, log_sum_exp(&members, parameters.tau))
        })
        .sum();
    sum / groups.len() as f64
}

fn share(id: f64, negative: f64) -> f64 {
    1.0 / (1.0 + (negative - id).exp())
}
