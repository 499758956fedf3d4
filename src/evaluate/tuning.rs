//! What test-time tuning does to a data set, image by image.

use serde::Serialize;

use crate::classifier::Prediction;
use crate::dataset::TunedAnswer;
use crate::tpt::Tuning;

/// A change below this is rounding.
const LEAST: f64 = 1e-6;

/// What tuning did to the images of a data set.
#[derive(Debug, Clone, Serialize)]
pub struct TuningEvaluation {
    /// How.
    #[serde(flatten)]
    pub settings: Tuning,
    /// Fraction of the images whose most probable class was the true one before the first step.
    pub accuracy_before: f64,
    /// Images that tuning turned from wrong to right.
    pub gained: usize,
    /// Images that tuning turned from right to wrong.
    pub lost: usize,
    /// Images with another most probable class than before.
    pub answers_changed: usize,
    /// Fraction of the images of which a probability moved by more than 1e-6.
    pub probabilities_changed: f64,
    /// Fraction of the images whose marginal entropy of the kept views fell by more than 1e-6,
    /// guarded ones not counted as such.
    pub entropy_fell: f64,
    /// Mean of that entropy before the first step, in nats.
    pub entropy_before: f64,
    /// The same after the last.
    pub entropy_after: f64,
    /// Images for which tuning produced NaN or infinity and was discarded.
    pub guarded: usize,
}

/// Counts what tuning did.
#[derive(Debug, Clone)]
pub struct TuningTally {
    settings: Tuning,
    seen: usize,
    right_before: usize,
    gained: usize,
    lost: usize,
    answers: usize,
    probabilities: usize,
    fell: usize,
    before: f64,
    after: f64,
    guarded: usize,
}

impl TuningTally {
    /// Nothing counted yet.
    pub fn new(settings: &Tuning) -> Self {
        Self {
            settings: settings.clone(),
            seen: 0,
            right_before: 0,
            gained: 0,
            lost: 0,
            answers: 0,
            probabilities: 0,
            fell: 0,
            before: 0.0,
            after: 0.0,
            guarded: 0,
        }
    }

    /// Counts an image of class `truth`.
    pub fn add(&mut self, truth: &str, answer: &TunedAnswer) {
        let tuning = &answer.tuning;
        let best = |of: &[Prediction]| of.first().map(|p| p.label.clone());
        let (was, is) = (best(&tuning.predictions_before), best(&answer.predictions));
        let right = |label: &Option<String>| label.as_deref() == Some(truth);
        self.seen += 1;
        self.right_before += usize::from(right(&was));
        self.gained += usize::from(right(&is) && !right(&was));
        self.lost += usize::from(right(&was) && !right(&is));
        self.answers += usize::from(was != is);
        self.probabilities +=
            usize::from(largest_move(&tuning.predictions_before, &answer.predictions) > LEAST);
        self.guarded += usize::from(tuning.guarded);
        let (before, after) = (tuning.entropy_before, tuning.entropy_after);
        self.fell += usize::from(!tuning.guarded && before - after > LEAST);
        // A guarded image may have an entropy that is no number; it would hide all others.
        if !tuning.guarded {
            self.before += before;
            self.after += after;
        }
    }

    /// The measurement.
    pub fn finish(self) -> TuningEvaluation {
        let of = |count: usize| count as f64 / self.seen.max(1) as f64;
        let unguarded = (self.seen - self.guarded).max(1) as f64;
        TuningEvaluation {
            settings: self.settings,
            accuracy_before: of(self.right_before),
            gained: self.gained,
            lost: self.lost,
            answers_changed: self.answers,
            probabilities_changed: of(self.probabilities),
            entropy_fell: of(self.fell),
            entropy_before: self.before / unguarded,
            entropy_after: self.after / unguarded,
            guarded: self.guarded,
        }
    }
}

/// The largest difference of a class's probability between two answers over the same classes.
fn largest_move(before: &[Prediction], after: &[Prediction]) -> f64 {
    let sorted = |of: &[Prediction]| {
        let mut pairs: Vec<(String, f64)> = of
            .iter()
            .map(|p| (p.label.clone(), p.probability))
            .collect();
        pairs.sort_by(|a, b| a.0.cmp(&b.0));
        pairs
    };
    let pairs = sorted(before).into_iter().zip(sorted(after));
    pairs.fold(0.0, |most, (a, b)| (a.1 - b.1).abs().max(most))
}
