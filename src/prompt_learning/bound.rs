//! How wrong can a hard prompt be on new images? PAC-Bayes bounds for a prompt chosen among finitely
//! many (Akinwande et al., 2024).
//!
//! A published list of templates is one of few, whatever it says. A sentence of your own with L tokens
//! out of a vocabulary of V has the prior V^-L times that of its length. Soft prompts have no such
//! prior, and an image that helped to fit a continuous context tells nothing here.

use crate::error::{Error, Kind, Result};
use crate::prompt::file::Prompt;
use crate::prompt::heads::load;

/// Tokens of CLIP's vocabulary.
pub const VOCABULARY: f64 = 49_408.0;

/// The default δ: the bound holds with probability 1 − δ.
pub const DELTA: f64 = 0.05;

/// ln(1 / prior) of `tokens` free tokens, if their number is known before.
pub fn uniform_prior(tokens: usize) -> f64 {
    tokens as f64 * VOCABULARY.ln()
}

/// ln(1 / prior) of one of `lists` lists that were there before the images.
pub fn list_prior(lists: usize) -> f64 {
    (lists.max(1) as f64).ln()
}

/// ln(1 / prior) of sentences of so many tokens each: every length up to `longest` is as likely as any
/// other, and m sentences have the prior 1 / (m (m + 1)), which sums to 1 over all m.
pub fn sentence_prior(tokens: &[usize], longest: usize) -> f64 {
    let m = tokens.len() as f64;
    let lengths = m * list_prior(longest);
    let count = (m * (m + 1.0)).max(1.0).ln();
    uniform_prior(tokens.iter().sum()) + lengths + count
}

fn check(error: f64, images: usize, delta: f64) -> Result<f64> {
    if (0.0..=1.0).contains(&error) && images > 0 && delta > 0.0 && delta < 1.0 {
        return Ok(images as f64);
    }
    Err(Error::new(
        Kind::OptionInvalid,
        "A bound takes an error rate, at least one image and a delta between 0 and 1.",
    ))
}

/// McAllester's: err ≤ êrr + √((ln 1/P + ln(n/δ) + 2) / (2n − 1)), at most 1.
///
/// # Errors
/// `options/invalid`.
pub fn mcallester(error: f64, prior: f64, images: usize, delta: f64) -> Result<f64> {
    let n = check(error, images, delta)?;
    Ok((error + slack(prior, n, delta)).min(1.0))
}

/// What McAllester's bound adds to the measured error.
fn slack(prior: f64, n: f64, delta: f64) -> f64 {
    ((prior + (n / delta).ln() + 2.0) / (2.0 * n - 1.0)).sqrt()
}

/// The tighter one: the largest err with kl(êrr ‖ err) ≤ (ln 1/P + ln(2√n/δ)) / n.
///
/// # Errors
/// `options/invalid`.
pub fn kl_inverse(error: f64, prior: f64, images: usize, delta: f64) -> Result<f64> {
    let n = check(error, images, delta)?;
    let budget = (prior + (2.0 * n.sqrt() / delta).ln()) / n;
    let (mut low, mut high) = (error, 1.0);
    for _ in 0..200 {
        let middle = 0.5 * (low + high);
        if divergence(error, middle) > budget {
            high = middle;
        } else {
            low = middle;
        }
    }
    Ok(high)
}

/// kl(q ‖ p) of two coins.
fn divergence(q: f64, p: f64) -> f64 {
    let part = |q: f64, p: f64| if q == 0.0 { 0.0 } else { q * (q / p).ln() };
    part(q, p) + part(1.0 - q, 1.0 - p)
}

/// Refuses what no bound holds for.
///
/// # Errors
/// `options/invalid` for a prompt with learned vectors or fitted features, `prompt/invalid`.
pub fn only_hard(prompt: &Prompt) -> Result<()> {
    if load(prompt)?.is_words_only() {
        return Ok(());
    }
    Err(Error::new(
        Kind::OptionInvalid,
        "The bound holds for prompts of words only; this one has learned numbers.",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_slack_has_the_known_values() {
        for (tokens, images, expected) in [
            (4, 160, 0.409),
            (4, 1600, 0.132),
            (4, 16_000, 0.0425),
            (16, 1600, 0.241),
        ] {
            let found = slack(uniform_prior(tokens), images as f64, DELTA);
            assert!((found - expected).abs() < 5e-4, "{found} {expected}");
        }
    }

    #[test]
    fn a_published_list_costs_its_choice_alone() {
        let bound = |prior| kl_inverse(0.3, prior, 160, DELTA).unwrap();
        assert!((bound(list_prior(3)) - 0.448).abs() < 5e-4);
        // By its tokens the same list has no bound to speak of.
        assert!(bound(uniform_prior(500)) > 0.999);
        // A length that is chosen costs more than one that was known.
        let (own, known) = (sentence_prior(&[4], 75), uniform_prior(4));
        assert!((own - known - 75f64.ln() - 2f64.ln()).abs() < 1e-12);
        let two = sentence_prior(&[4, 3], 75);
        assert!((two - uniform_prior(7) - 2.0 * 75f64.ln() - 6f64.ln()).abs() < 1e-12);
        // The priors of one sentence sum to 1 over its lengths, and half of all belongs to one.
        let all: f64 = (1..=75).map(|_| (-list_prior(75)).exp()).sum();
        assert!((all - 1.0).abs() < 1e-12);
    }

    #[test]
    fn the_inverse_is_tighter_and_both_are_monotone() {
        let both = |tokens, images| {
            let prior = uniform_prior(tokens);
            (
                mcallester(0.1, prior, images, DELTA).unwrap(),
                kl_inverse(0.1, prior, images, DELTA).unwrap(),
            )
        };
        for images in [160, 1600, 16_000] {
            for tokens in [1, 4, 16] {
                let (loose, tight) = both(tokens, images);
                assert!(tight <= loose + 1e-12, "{tight} {loose}");
                let (longer, longer_tight) = both(tokens + 1, images);
                assert!(longer >= loose && longer_tight >= tight);
                let (more, more_tight) = both(tokens, images * 10);
                assert!(more <= loose && more_tight <= tight);
            }
        }
        let found = kl_inverse(0.1, uniform_prior(4), 1600, DELTA).unwrap();
        let budget = (uniform_prior(4) + (2.0 * 40.0 / DELTA).ln()) / 1600.0;
        assert!((divergence(0.1, found) - budget).abs() < 1e-9);
        assert!(mcallester(0.1, 1.0, 0, DELTA).is_err());
        assert!(kl_inverse(f64::NAN, 1.0, 9, DELTA).is_err());
    }
}
