//! The learning rate of every step.

/// How the rate falls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decay {
    /// It stays.
    Constant,
    /// Half a cosine, from the full rate to zero.
    Cosine,
    /// It stays for the first half; so many half cosines from the full rate to zero, one after the
    /// other, fill the second. The parameters at the end of each can be ensembled (Huang et al. 2017,
    /// Snapshot Ensembles).
    Cycles(usize),
}

/// When the rate changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pace {
    /// Between epochs, as CoOp.
    Epoch,
    /// After every step.
    Step,
}

/// How the rate rises at first.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum WarmUp {
    /// It does not.
    None,
    /// This rate for so many units of the pace. The decay begins behind them, and is cut short by as
    /// many at its end, as in Dassl.
    Constant(f64, usize),
    /// In equal parts to the full rate over so many units of the pace.
    Linear(usize),
}

/// The course of a learning rate over time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Schedule {
    /// How it falls.
    pub decay: Decay,
    /// When it changes.
    pub pace: Pace,
    /// How it starts.
    pub warm_up: WarmUp,
}

impl Schedule {
    /// The full rate throughout.
    pub const CONSTANT: Self = Self {
        decay: Decay::Constant,
        pace: Pace::Step,
        warm_up: WarmUp::None,
    };

    /// A cosine to zero over all steps.
    pub const COSINE: Self = Self {
        decay: Decay::Cosine,
        ..Self::CONSTANT
    };

    /// CoOp's: one epoch at 1e-5, then a cosine over all epochs, stepped between epochs.
    pub const COOP: Self = Self::dassl(1);

    /// Dassl's: so many epochs at 1e-5, then a cosine over all epochs, stepped between epochs.
    pub const fn dassl(warm_up: usize) -> Self {
        Self {
            decay: Decay::Cosine,
            pace: Pace::Epoch,
            warm_up: WarmUp::Constant(1e-5, warm_up),
        }
    }

    /// The full rate over the first half of the steps, then so many cosines from it to zero.
    pub const fn cycles(cycles: usize) -> Self {
        Self {
            decay: Decay::Cycles(cycles),
            ..Self::CONSTANT
        }
    }

    /// The rate of step `step` of `steps` in epoch `epoch` of `epochs`, all from 0, if `lr` is the
    /// full rate. A run of one unit is not all warm-up: it takes the full rate.
    pub fn rate(&self, lr: f64, epoch: usize, epochs: usize, step: usize, steps: usize) -> f64 {
        let (mut at, of) = self.place(epoch, epochs, step, steps);
        match self.warm_up {
            WarmUp::Constant(rate, units) if units < of => match at.checked_sub(units) {
                Some(behind) => at = behind,
                None => return rate.min(lr),
            },
            WarmUp::Linear(units) if at < units && units < of => {
                return lr * (at + 1) as f64 / (units + 1) as f64;
            }
            _ => {}
        }
        match self.decay {
            Decay::Constant => lr,
            Decay::Cosine => lr * fallen(at, of),
            Decay::Cycles(count) => match cycle(count, at, of) {
                Some((start, end)) => lr * fallen(at - start, end - start),
                None => lr,
            },
        }
    }

    /// Whether a cycle ends with this step.
    pub fn closes(&self, epoch: usize, epochs: usize, step: usize, steps: usize) -> bool {
        let (at, of) = self.place(epoch, epochs, step, steps);
        let last = self.pace == Pace::Step || step + 1 == steps;
        match self.decay {
            Decay::Cycles(count) => {
                last && cycle(count, at, of).is_some_and(|(_, end)| at + 1 == end)
            }
            Decay::Constant | Decay::Cosine => false,
        }
    }

    fn place(&self, epoch: usize, epochs: usize, step: usize, steps: usize) -> (usize, usize) {
        match self.pace {
            Pace::Epoch => (epoch, epochs),
            Pace::Step => (epoch * steps + step, epochs * steps),
        }
    }
}

/// How much of the rate half a cosine leaves after `at` of `of` units.
fn fallen(at: usize, of: usize) -> f64 {
    let share = at as f64 / of.max(1) as f64;
    0.5 * (1.0 + (std::f64::consts::PI * share).cos())
}

/// Start and end of the cycle around unit `at` of `of`; `None` in the first half, before `count`
/// cycles share the second. There are fewer cycles if that half has fewer units.
fn cycle(count: usize, at: usize, of: usize) -> Option<(usize, usize)> {
    let half = of / 2;
    let into = at.checked_sub(half)?;
    let length = of - half;
    let count = count.clamp(1, length.max(1));
    // The cycle that starts at length * i / count, rounded down, and is not over yet.
    let number = ((into + 1) * count - 1) / length.max(1);
    let border = |i: usize| half + length * i / count;
    Some((border(number), border(number + 1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coop_warms_up_for_an_epoch_and_follows_the_cosine() {
        let rate = |epoch, epochs, step| Schedule::COOP.rate(0.002, epoch, epochs, step, 5);
        assert_eq!(rate(0, 50, 3), 1e-5);
        assert_eq!(rate(1, 50, 0), 0.002);
        let expected = 0.001 * (1.0 + (std::f64::consts::PI / 50.0).cos());
        assert!((rate(2, 50, 0) - expected).abs() < 1e-15);
        assert_eq!(rate(2, 50, 0), rate(2, 50, 4));
        assert!(rate(49, 50, 4) < 1e-5);
        assert_eq!(rate(0, 1, 0), 0.002);
    }

    #[test]
    fn cycles_fill_the_second_half_and_each_ends_once() {
        for (epochs, steps, count) in [(10, 2, 5), (7, 3, 4), (1, 1, 5), (1, 5, 5), (3, 1, 1)] {
            let schedule = Schedule::cycles(count);
            let all = (0..epochs).flat_map(|e| (0..steps).map(move |s| (e, s)));
            let rates: Vec<f64> = all
                .clone()
                .map(|(e, s)| schedule.rate(1.0, e, epochs, s, steps))
                .collect();
            let ends: Vec<bool> = all
                .map(|(e, s)| schedule.closes(e, epochs, s, steps))
                .collect();
            let (total, half) = (rates.len(), rates.len() / 2);
            assert!(rates[..half].iter().all(|r| *r == 1.0) && !ends[..half].contains(&true));
            assert_eq!(
                ends.iter().filter(|end| **end).count(),
                count.min(total - half)
            );
            assert!(ends[total - 1]);
            // The rate is full again exactly when a cycle begins, and falls within it.
            for i in half..total {
                let begins = i == half || ends[i - 1];
                assert_eq!(
                    rates[i] == 1.0,
                    begins,
                    "{epochs} {steps} {count}: {rates:?}"
                );
                assert!(begins || rates[i] < rates[i - 1]);
            }
        }
        assert!(!Schedule::COSINE.closes(0, 1, 0, 1));
    }

    #[test]
    fn a_step_pace_moves_within_the_epoch() {
        let schedule = Schedule {
            pace: Pace::Step,
            warm_up: WarmUp::Linear(4),
            ..Schedule::COOP
        };
        assert_eq!(schedule.rate(1.0, 0, 2, 0, 10), 0.2);
        assert_eq!(schedule.rate(1.0, 0, 2, 3, 10), 0.8);
        assert!((schedule.rate(1.0, 1, 2, 0, 10) - 0.5).abs() < 1e-12);
        assert_eq!(Schedule::CONSTANT.rate(0.3, 7, 9, 1, 2), 0.3);
    }
}
