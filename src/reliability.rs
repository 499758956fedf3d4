//! How good a classifier is on labeled images: its confusion matrix, whether its percentages say how
//! often it is right, and the temperature at which they do (Guo et al. 2017, On Calibration of Modern
//! Neural Networks, ICML).
//!
//! ```
//! use promptlens::reliability::{assess, tempered};
//!
//! // Two classes; sure of itself each of 12 times, and wrong once in four.
//! let probabilities = [0.99, 0.01].repeat(12);
//! let found = assess(&probabilities, &[0, 0, 0, 1].repeat(3), 2)?;
//! assert_eq!(found.confusion, [[9, 0], [3, 0]]);
//! assert!((found.reliability.ece - (0.99 - 0.75)).abs() < 1e-12);
//! // The temperature at which it says 75 %.
//! let honest = tempered(&[0.99, 0.01], found.temperature);
//! assert!((honest[0] - 0.75).abs() < 1e-6);
//! # Ok::<(), promptlens::Error>(())
//! ```

use serde::Serialize;

use crate::error::{Error, Kind, Result};
use crate::math::{argmax, softmax};

/// Bins of equal width that confidences are sorted into, as in the paper.
pub const BINS: usize = 15;

/// The temperatures that can be set, and between which one is fitted.
pub const TEMPERATURES: std::ops::RangeInclusive<f64> = 0.05..=20.0;

/// Parts of the images: each is measured at the temperature of the others.
const PARTS: usize = 5;

/// The fewest images that a temperature is fitted to.
pub const FEWEST: usize = 10;

/// ln of the smallest probability that is told from zero.
const SMALLEST_LN: f64 = -700.0;

/// Images whose confidence lies in one range.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Bin {
    /// Where the range begins; it ends at the next bin, which has the end itself only after the last.
    pub from: f64,
    /// Images in it.
    pub count: usize,
    /// Their mean confidence; 0 without images.
    pub confidence: f64,
    /// The share of them that were answered right; 0 without images.
    pub accuracy: f64,
}

/// Whether probabilities say how often answers are right.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Reliability {
    /// Expected calibration error: the mean over images of |accuracy - confidence| of their bin.
    pub ece: f64,
    /// Mean negative log-likelihood of the true class in nats.
    pub nll: f64,
    /// Mean probability of the answered class.
    pub confidence: f64,
    /// The reliability diagram, [`BINS`] bins from 0 to 1.
    pub bins: Vec<Bin>,
}

/// What was found on labeled images.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Assessment {
    /// Images.
    pub n: usize,
    /// The share whose most probable class is the true one.
    pub accuracy: f64,
    /// Images of each true class (rows) by the class answered (columns), [K, K].
    pub confusion: Vec<Vec<usize>>,
    /// At the probabilities as they are.
    pub reliability: Reliability,
    /// Divides the logits so that the likelihood of the true classes is largest; 1 below
    /// [`FEWEST`] images.
    pub temperature: f64,
    /// What that temperature changes, on images that it was not fitted to: each fifth is measured at the
    /// temperature of the other four. `None` below [`FEWEST`] images.
    pub at_temperature: Option<Reliability>,
}

/// Measures `probabilities` [N, K] of images whose true classes are `labels` [N].
///
/// # Errors
/// `data/empty` without images; `options/invalid` for shapes that do not fit, or values that are no
/// probabilities.
pub fn assess(probabilities: &[f64], labels: &[usize], classes: usize) -> Result<Assessment> {
    if labels.is_empty() {
        return Err(Error::new(
            Kind::DataEmpty,
            "Give at least one labeled image that can be read.",
        ));
    }
    let fits = probabilities.len() == labels.len() * classes;
    let valid = |p: &f64| (0.0..=1.0 + 1e-9).contains(p);
    if !fits || labels.iter().any(|y| *y >= classes) || !probabilities.iter().all(valid) {
        return Err(Error::new(
            Kind::OptionInvalid,
            "Give a probability for every class of every image, and a class of the list for every image.",
        ));
    }
    let mut confusion = vec![vec![0; classes]; classes];
    for (row, label) in probabilities.chunks_exact(classes).zip(labels) {
        confusion[*label][argmax(row)] += 1;
    }
    let right: usize = (0..classes).map(|k| confusion[k][k]).sum();
    let enough = labels.len() >= FEWEST;
    Ok(Assessment {
        n: labels.len(),
        accuracy: right as f64 / labels.len() as f64,
        confusion,
        reliability: measure(probabilities, labels, classes),
        temperature: match enough {
            true => fit(probabilities, labels, classes),
            false => 1.0,
        },
        at_temperature: enough.then(|| {
            let honest = cross_fitted(probabilities, labels, classes);
            measure(&honest, labels, classes)
        }),
    })
}

/// Probabilities [K] at `temperature`: those of the logits divided by it.
pub fn tempered(probabilities: &[f64], temperature: f64) -> Vec<f64> {
    softmax(&logs(probabilities), temperature)
}

/// Refuses a temperature outside [`TEMPERATURES`].
///
/// # Errors
/// `options/invalid`.
pub fn check_temperature(temperature: f64) -> Result<()> {
    if TEMPERATURES.contains(&temperature) {
        return Ok(());
    }
    Err(Error::new(
        Kind::OptionInvalid,
        format!("The temperature must lie between 0.05 and 20, but it is {temperature}."),
    ))
}

fn logs(probabilities: &[f64]) -> Vec<f64> {
    let log = |p: &f64| p.ln().max(SMALLEST_LN);
    probabilities.iter().map(log).collect()
}

fn measure(probabilities: &[f64], labels: &[usize], classes: usize) -> Reliability {
    // Count, confidences and right answers of each bin.
    let mut sums = [(0usize, 0.0, 0usize); BINS];
    let mut nll = 0.0;
    for (row, label) in probabilities.chunks_exact(classes).zip(labels) {
        let best = argmax(row);
        let bin = ((row[best] * BINS as f64) as usize).min(BINS - 1);
        sums[bin].0 += 1;
        sums[bin].1 += row[best];
        sums[bin].2 += usize::from(best == *label);
        nll -= row[*label].ln().max(SMALLEST_LN);
    }
    let n = labels.len() as f64;
    let mean = |sum: f64, count: usize| sum / count.max(1) as f64;
    let bins = sums.iter().enumerate().map(|(i, (count, sum, right))| Bin {
        from: i as f64 / BINS as f64,
        count: *count,
        confidence: mean(*sum, *count),
        accuracy: mean(*right as f64, *count),
    });
    let gap = |(_, sum, right): &(usize, f64, usize)| (*right as f64 - sum).abs() / n;
    Reliability {
        ece: sums.iter().map(gap).sum(),
        nll: nll / n,
        confidence: sums.iter().map(|(_, sum, _)| sum).sum::<f64>() / n,
        bins: bins.collect(),
    }
}

/// The temperature with the largest likelihood. The negative log-likelihood is convex in its inverse b,
/// and its slope there is the mean of E_b[l] - l_y over images with log-probabilities l.
fn fit(probabilities: &[f64], labels: &[usize], classes: usize) -> f64 {
    let logs = logs(probabilities);
    let rises_at = |temperature: f64| {
        let slope = |(row, label): (&[f64], &usize)| {
            let expected: f64 = softmax(row, temperature)
                .iter()
                .zip(row)
                .map(|(p, l)| p * l)
                .sum();
            expected - row[*label]
        };
        let rows = logs.chunks_exact(classes).zip(labels);
        rows.map(slope).sum::<f64>() > 0.0
    };
    let (mut low, mut high) = (*TEMPERATURES.start(), *TEMPERATURES.end());
    // The best inverse is smaller where the slope is positive: that temperature is too low.
    const HALVINGS: usize = 60;
    for _ in 0..HALVINGS {
        let middle = (low * high).sqrt();
        match rises_at(middle) {
            true => low = middle,
            false => high = middle,
        }
    }
    (low * high).sqrt()
}

/// The probabilities [N, K] of each part at the temperature of the other parts.
fn cross_fitted(probabilities: &[f64], labels: &[usize], classes: usize) -> Vec<f64> {
    let mut honest = probabilities.to_vec();
    for part in 0..PARTS {
        let others = |i: &usize| i % PARTS != part;
        let kept: Vec<usize> = (0..labels.len()).filter(others).collect();
        let rows = |i: &usize| &probabilities[i * classes..(i + 1) * classes];
        let fitted = fit(
            &kept.iter().flat_map(rows).copied().collect::<Vec<_>>(),
            &kept.iter().map(|i| labels[*i]).collect::<Vec<_>>(),
            classes,
        );
        for i in (part..labels.len()).step_by(PARTS) {
            let at = i * classes..(i + 1) * classes;
            let row = tempered(&probabilities[at.clone()], fitted);
            honest[at].copy_from_slice(&row);
        }
    }
    honest
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::Rng;

    const K: usize = 4;

    /// Images whose classes are drawn from softmax(logits), which are then scaled by `boast`.
    fn drawn(n: usize, boast: f64) -> (Vec<f64>, Vec<usize>) {
        let mut rng = Rng::new(7);
        let mut probabilities = Vec::new();
        let mut labels = Vec::new();
        for _ in 0..n {
            let logits: Vec<f64> = (0..K).map(|_| 1.5 * rng.normal()).collect();
            let mut left = rng.unit();
            let truth = softmax(&logits, 1.0);
            let label = truth.iter().position(|p| {
                left -= p;
                left < 0.0
            });
            labels.push(label.unwrap_or(K - 1));
            probabilities.extend(softmax(&logits, 1.0 / boast));
        }
        (probabilities, labels)
    }

    #[test]
    fn the_temperature_undoes_what_was_boasted() {
        for boast in [0.5, 1.0, 3.0] {
            let (probabilities, labels) = drawn(4000, boast);
            let found = assess(&probabilities, &labels, K).expect("an assessment");
            assert!((found.temperature / boast - 1.0).abs() < 0.1, "{found:?}");
            let honest = found.at_temperature.expect("enough images");
            assert!(honest.ece < 0.03, "{}", honest.ece);
            assert!(boast == 1.0 || honest.ece < 0.5 * found.reliability.ece);
            assert!(honest.nll <= found.reliability.nll + 0.01);
        }
    }

    #[test]
    fn the_fitted_temperature_has_the_smallest_loss() {
        let (probabilities, labels) = drawn(200, 2.0);
        let best = fit(&probabilities, &labels, K);
        let loss = |temperature: f64| {
            let rows = probabilities.chunks_exact(K);
            let at: Vec<f64> = rows.flat_map(|row| tempered(row, temperature)).collect();
            measure(&at, &labels, K).nll
        };
        for other in [0.9, 0.99, 1.01, 1.1] {
            assert!(loss(best) < loss(best * other), "{other}");
        }
        // Nothing but right answers asks for the lowest, nothing but wrong ones for the highest.
        let sure = [0.6, 0.4].repeat(12);
        assert!((fit(&sure, &[0; 12], 2) - 0.05).abs() < 1e-6);
        assert!((fit(&sure, &[1; 12], 2) - 20.0).abs() < 1e-6);
    }

    #[test]
    fn errors_are_counted_by_hand() {
        // Confidences 0.9 (right), 0.9 (wrong), 0.6 (right): bins 13 and 9.
        let found = assess(&[0.9, 0.1, 0.1, 0.9, 0.6, 0.4], &[0, 0, 0], 2).expect("an assessment");
        assert_eq!(found.confusion, [[2, 1], [0, 0]]);
        let Reliability {
            ece,
            nll,
            confidence,
            bins,
        } = found.reliability;
        assert!((ece - (0.8 + 0.4) / 3.0).abs() < 1e-12, "{ece}");
        assert!((nll + (0.9f64.ln() + 0.1f64.ln() + 0.6f64.ln()) / 3.0).abs() < 1e-12);
        assert!((confidence - 0.8).abs() < 1e-12);
        assert_eq!(bins.iter().map(|bin| bin.count).sum::<usize>(), 3);
        assert_eq!(
            (bins[13].count, bins[13].accuracy, bins[9].count),
            (2, 0.5, 1)
        );
        // Too few to fit anything.
        assert_eq!((found.temperature, found.at_temperature), (1.0, None));
    }

    #[test]
    fn one_is_the_probabilities_as_they_are() {
        let row = [0.7, 0.2, 0.1, 0.0];
        let same = tempered(&row, 1.0);
        assert!(row.iter().zip(&same).all(|(a, b)| (a - b).abs() < 1e-15));
        assert!(check_temperature(f64::NAN).is_err());
        assert!(check_temperature(0.01).is_err());
        assert!(check_temperature(2.0).is_ok());
    }

    #[test]
    fn what_does_not_fit_is_refused() {
        for (probabilities, labels, code) in [
            (&[][..], &[][..], "data/empty"),
            (&[0.5, 0.5], &[2], "options/invalid"),
            (&[0.5], &[0], "options/invalid"),
            (&[f64::NAN, 0.5], &[0], "options/invalid"),
            (&[-0.5, 1.0], &[0], "options/invalid"),
        ] {
            let error = assess(probabilities, labels, 2).expect_err("refused");
            assert_eq!(error.code(), code);
        }
    }
}
