//! The scores: one file each, one line here.

mod grouped;

pub use grouped::dealt;

use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result};
use crate::math::{check_finite, check_tau};

macro_rules! scores {
    ($($name:ident),* $(,)?) => {
        $(mod $name;)*

        /// Every score, in the order in which they are offered.
        pub static REGISTRY: &[Score] = &[$($name::SCORE),*];
    };
}

scores! {
    mcm,
    max_logit,
    energy,
    entropy,
    variance,
    gl_mcm,
    neglabel,
    lapt,
}

/// What one image is scored on. All values are cosines of L2-normalized features.
#[derive(Debug, Clone, Copy, Default)]
pub struct ScoreInput<'a> {
    /// Image to the K class names, `[K]`.
    pub classes: &'a [f64],
    /// Image to the negative labels, `[N]`, with those at the end that are left out if the groups do
    /// not divide them; empty if the score needs none.
    pub negatives: &'a [f64],
    /// Every local (patch) feature to the K class names, `[patches, K]` row-major; empty if the
    /// score needs none.
    pub patches: &'a [f64],
}

/// Which cosines a score reads besides those to the class names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// [`ScoreInput::negatives`].
    pub negatives: bool,
    /// [`ScoreInput::patches`].
    pub patches: bool,
    /// The texts were encoded with contexts that LAPT learned.
    pub learned_contexts: bool,
}

impl Needs {
    /// The class names alone.
    pub const NONE: Self = Self {
        negatives: false,
        patches: false,
        learned_contexts: false,
    };
}

/// The knobs of all scores. Each score reads those that its [`Score::parameters`] lists.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct ScoreParameters {
    /// Softmax temperature on cosines.
    pub tau: f64,
    /// Weight of the local term of GL-MCM.
    pub local_weight: f64,
    /// Number of groups that the negatives are split into.
    pub groups: usize,
    /// Seed of the order in which the negatives are dealt into groups; `None` keeps their order.
    pub shuffle_seed: Option<u64>,
}

impl ScoreParameters {
    /// The value that a parameter has in a score that does not read it.
    const UNUSED: Self = Self {
        tau: 1.0,
        local_weight: 0.0,
        groups: 1,
        shuffle_seed: None,
    };
}

/// Names of the fields of [`ScoreParameters`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Parameter {
    /// [`ScoreParameters::tau`].
    Tau,
    /// [`ScoreParameters::local_weight`].
    LocalWeight,
    /// [`ScoreParameters::groups`].
    Groups,
    /// [`ScoreParameters::shuffle_seed`].
    ShuffleSeed,
}

/// The groups that NegLabel and LAPT use (papers' default).
pub const DEFAULT_GROUPS: usize = 100;
/// The seed that deals negatives into groups unless the caller names another.
pub const DEFAULT_SHUFFLE_SEED: u64 = 0;
/// The weight of the local term in GL-MCM's ImageNet script.
pub const DEFAULT_LOCAL_WEIGHT: f64 = 0.5;

/// The temperature on cosines that a score has unless the caller names another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DefaultTau {
    /// 1, as MCM was published.
    One,
    /// 1 / logit_scale of the model: the papers write 0.01, as the scale of their model is 100.
    Model,
}

/// An out-of-distribution score. **Higher means more in-distribution.**
#[derive(Debug, Clone, Copy)]
pub struct Score {
    /// The stable name: lower case, words joined by `-`.
    pub name: &'static str,
    /// Formula and source in one line.
    pub summary: &'static str,
    /// Which cosines it reads besides those to the class names.
    pub needs: Needs,
    /// Which parameters change its value.
    pub parameters: &'static [Parameter],
    /// Its default temperature.
    pub default_tau: DefaultTau,
    /// The formula, on input and parameters that [`Score::score`] has checked.
    pub formula: fn(&ScoreInput<'_>, &ScoreParameters) -> f64,
}

impl Score {
    /// Its defaults for a model with this `logit_scale` (already exponentiated); parameters that it
    /// does not read are unused.
    pub fn defaults(&self, logit_scale: f64) -> ScoreParameters {
        self.canonical(&ScoreParameters {
            tau: match self.default_tau {
                DefaultTau::One => 1.0,
                DefaultTau::Model => 1.0 / logit_scale,
            },
            local_weight: DEFAULT_LOCAL_WEIGHT,
            groups: DEFAULT_GROUPS,
            shuffle_seed: Some(DEFAULT_SHUFFLE_SEED),
        })
    }

    /// `parameters` with everything that this score does not read set to its unused value, so that
    /// two settings are equal exactly when they give the same score.
    pub fn canonical(&self, parameters: &ScoreParameters) -> ScoreParameters {
        let mut kept = ScoreParameters::UNUSED;
        for parameter in self.parameters {
            match parameter {
                Parameter::Tau => kept.tau = parameters.tau,
                Parameter::LocalWeight => kept.local_weight = parameters.local_weight,
                Parameter::Groups => kept.groups = parameters.groups,
                Parameter::ShuffleSeed => kept.shuffle_seed = parameters.shuffle_seed,
            }
        }
        kept
    }

    /// The score of one image.
    ///
    /// # Errors
    /// `labels/empty` without class names, `negatives/empty` if it needs negatives and has none,
    /// `options/invalid` for a parameter outside its range or for missing patch cosines,
    /// `engine/not-finite` for NaN or infinite cosines.
    pub fn score(&self, input: &ScoreInput<'_>, parameters: &ScoreParameters) -> Result<f64> {
        check(self.name, self.needs, input, &self.canonical(parameters))?;
        let value = (self.formula)(input, parameters);
        check_finite(
            &[value],
            "similarities (not cosines: their score overflows)",
        )?;
        Ok(value)
    }
}

/// The score called `name`; `_` and `-` are the same, upper case is allowed.
///
/// # Errors
/// `options/invalid`, listing the names that exist.
pub fn by_name(name: &str) -> Result<&'static Score> {
    let wanted = name.replace('_', "-").to_ascii_lowercase();
    REGISTRY.iter().find(|s| s.name == wanted).ok_or_else(|| {
        let names: Vec<_> = REGISTRY.iter().map(|s| s.name).collect();
        let said: String = name.chars().take(40).collect();
        Error::new(
            Kind::OptionInvalid,
            format!(
                "There is no score called '{said}'. Choose one of {}.",
                names.join(", ")
            ),
        )
    })
}

/// Refuses parameters that no score can work with.
///
/// # Errors
/// `options/invalid`.
pub fn check_parameters(parameters: &ScoreParameters) -> Result<()> {
    check_tau(parameters.tau)?;
    if !(0.0..=1e6).contains(&parameters.local_weight) {
        return Err(Error::new(
            Kind::OptionInvalid,
            "The weight of the local term must lie between 0 and 1000000.",
        ));
    }
    if parameters.groups == 0 {
        return Err(Error::new(
            Kind::OptionInvalid,
            "There must be at least one group.",
        ));
    }
    Ok(())
}

fn check(
    name: &str,
    needs: Needs,
    input: &ScoreInput<'_>,
    parameters: &ScoreParameters,
) -> Result<()> {
    check_parameters(parameters)?;
    if input.classes.is_empty() {
        return Err(Error::new(
            Kind::LabelsEmpty,
            "Give at least one class name.",
        ));
    }
    check_finite(input.classes, "similarities to the class names")?;
    if needs.negatives {
        if input.negatives.is_empty() {
            return Err(Error::new(
                Kind::NegativesEmpty,
                format!("The score {name} needs negative labels: add some, or choose mcm."),
            ));
        }
        check_finite(input.negatives, "similarities to the negative labels")?;
    }
    if needs.patches {
        if input.patches.is_empty() || !input.patches.len().is_multiple_of(input.classes.len()) {
            return Err(Error::new(
                Kind::OptionInvalid,
                format!(
                    "The score {name} needs the similarity of every patch to each of the {} \
                     classes, but it got {} numbers.",
                    input.classes.len(),
                    input.patches.len()
                ),
            ));
        }
        check_finite(input.patches, "patch similarities")?;
    }
    Ok(())
}
