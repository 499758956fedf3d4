//! Percentile bootstrap (Efron 1979): ID and OOD images are redrawn independently, with
//! replacement.

use serde::Serialize;

use super::{OodMetrics, sorted};
use crate::error::{Error, Kind, Result};
use crate::rng::Rng;

/// The range that holds the middle 95 % of the bootstrap's values.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Interval {
    /// The 2.5 % quantile.
    pub low: f64,
    /// The 97.5 % quantile.
    pub high: f64,
}

/// A 95 % interval for each metric that does not depend on the classifier.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Intervals {
    /// For [`OodMetrics::fpr95`].
    pub fpr95: Interval,
    /// For [`OodMetrics::auroc`].
    pub auroc: Interval,
    /// For [`OodMetrics::aupr_in`].
    pub aupr_in: Interval,
    /// For [`OodMetrics::aupr_out`].
    pub aupr_out: Interval,
    /// For [`OodMetrics::fpr95_ood_positive`].
    pub fpr95_ood_positive: Interval,
}

/// The most redraws that are accepted.
const MAX_REDRAWS: usize = 100_000;

/// 95 % intervals of the metrics from `redraws` seeded redraws (1,000 is usual).
///
/// # Errors
/// As [`OodMetrics::of`]; `options/invalid` if `redraws` is 0 or above 100,000.
pub fn intervals(id: &[f64], ood: &[f64], redraws: usize, seed: u64) -> Result<Intervals> {
    if !(1..=MAX_REDRAWS).contains(&redraws) {
        return Err(Error::new(
            Kind::OptionInvalid,
            format!("Ask for 1 to {MAX_REDRAWS} bootstrap redraws, not {redraws}."),
        ));
    }
    let (id, ood) = (sorted(id, "in-distribution")?, sorted(ood, "other")?);
    let mut rng = Rng::new(seed);
    let mut draws: [Vec<f64>; 5] = std::array::from_fn(|_| Vec::with_capacity(redraws));
    for _ in 0..redraws {
        let m = OodMetrics::of_sorted(&redraw(&id, &mut rng), &redraw(&ood, &mut rng));
        let values = [
            m.fpr95,
            m.auroc,
            m.aupr_in,
            m.aupr_out,
            m.fpr95_ood_positive,
        ];
        for (kept, value) in draws.iter_mut().zip(values) {
            kept.push(value);
        }
    }
    let [fpr95, auroc, aupr_in, aupr_out, fpr95_ood_positive] = draws.map(middle);
    Ok(Intervals {
        fpr95,
        auroc,
        aupr_in,
        aupr_out,
        fpr95_ood_positive,
    })
}

/// As many values of the ascending `from`, with replacement, ascending again: counting how often
/// each was drawn avoids a sort.
fn redraw(from: &[f64], rng: &mut Rng) -> Vec<f64> {
    let mut times = vec![0u32; from.len()];
    for _ in from {
        times[rng.below(from.len() as u64) as usize] += 1;
    }
    from.iter()
        .zip(times)
        .flat_map(|(v, n)| std::iter::repeat_n(*v, n as usize))
        .collect()
}

fn middle(mut values: Vec<f64>) -> Interval {
    values.sort_by(f64::total_cmp);
    Interval {
        low: quantile(&values, 0.025),
        high: quantile(&values, 0.975),
    }
}

/// Linear interpolation between order statistics of an ascending, non-empty slice.
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let at = q * (sorted.len() - 1) as f64;
    let below = at.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (sorted[above] - sorted[below]) * (at - below as f64)
}
