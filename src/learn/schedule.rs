//! The learning rate of every step.

/// How the rate falls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decay {
    /// It stays.
    Constant,
    /// Half a cosine, from the full rate to zero.
    Cosine,
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
    /// This rate for so many units of the pace.
    Constant(f64, usize),
    /// In equal parts to the full rate over so many units of the pace.
    Linear(usize),
}

/// A learning rate over time.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Schedule {
    /// The full rate; 0 leaves it to the trainer, which reads it from the first gradient.
    pub lr: f64,
    /// How it falls.
    pub decay: Decay,
    /// When it changes.
    pub pace: Pace,
    /// How it starts.
    pub warm_up: WarmUp,
}

impl Schedule {
    /// `lr` throughout.
    pub fn constant(lr: f64) -> Self {
        Self {
            lr,
            decay: Decay::Constant,
            pace: Pace::Step,
            warm_up: WarmUp::None,
        }
    }

    /// A cosine from `lr` to zero over all steps.
    pub fn cosine(lr: f64) -> Self {
        Self {
            decay: Decay::Cosine,
            ..Self::constant(lr)
        }
    }

    /// CoOp's: one epoch at 1e-5, then a cosine over all epochs, stepped between epochs.
    pub fn coop(lr: f64) -> Self {
        Self {
            lr,
            decay: Decay::Cosine,
            pace: Pace::Epoch,
            warm_up: WarmUp::Constant(1e-5, 1),
        }
    }

    /// The rate of step `step` of `steps` in epoch `epoch` of `epochs`, all from 0. A run of one
    /// unit is not all warm-up: it takes the full rate.
    pub fn rate(&self, epoch: usize, epochs: usize, step: usize, steps: usize) -> f64 {
        let (at, of) = match self.pace {
            Pace::Epoch => (epoch, epochs),
            Pace::Step => (epoch * steps + step, epochs * steps),
        };
        match self.warm_up {
            WarmUp::Constant(rate, units) if at < units && units < of => return rate.min(self.lr),
            WarmUp::Linear(units) if at < units && units < of => {
                return self.lr * (at + 1) as f64 / (units + 1) as f64;
            }
            _ => {}
        }
        match self.decay {
            Decay::Constant => self.lr,
            Decay::Cosine => {
                let share = at as f64 / of.max(1) as f64;
                0.5 * self.lr * (1.0 + (std::f64::consts::PI * share).cos())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn coop_warms_up_for_an_epoch_and_follows_the_cosine() {
        let schedule = Schedule::coop(0.002);
        assert_eq!(schedule.rate(0, 50, 3, 5), 1e-5);
        let expected = 0.001 * (1.0 + (std::f64::consts::PI / 50.0).cos());
        assert!((schedule.rate(1, 50, 0, 5) - expected).abs() < 1e-15);
        assert_eq!(schedule.rate(1, 50, 0, 5), schedule.rate(1, 50, 4, 5));
        assert!(schedule.rate(49, 50, 4, 5) < 1e-5);
        assert_eq!(schedule.rate(0, 1, 0, 5), 0.002);
    }

    #[test]
    fn a_step_pace_moves_within_the_epoch() {
        let schedule = Schedule {
            pace: Pace::Step,
            warm_up: WarmUp::Linear(4),
            ..Schedule::coop(1.0)
        };
        assert_eq!(schedule.rate(0, 2, 0, 10), 0.2);
        assert_eq!(schedule.rate(0, 2, 3, 10), 0.8);
        assert!((schedule.rate(1, 2, 0, 10) - 0.5).abs() < 1e-12);
        assert_eq!(Schedule::constant(0.3).rate(7, 9, 1, 2), 0.3);
    }
}
