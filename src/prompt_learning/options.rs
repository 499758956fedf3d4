//! What a recipe lets people set, and what they set.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::error::{Error, Kind, Result};

/// The values that a parameter may take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Domain {
    /// A number from the first to the second.
    Number(f64, f64),
    /// A whole number from the first to the second.
    Whole(usize, usize),
    /// One of these words.
    Word(&'static [&'static str]),
    /// Any short text.
    Text,
}

/// One parameter of a recipe.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Parameter {
    /// Its name.
    pub name: &'static str,
    /// What it is where nobody sets it.
    pub default: &'static str,
    /// What it does.
    pub meaning: &'static str,
    /// What it may be.
    #[serde(skip)]
    pub domain: Domain,
}

impl Parameter {
    /// A number.
    pub const fn number(
        name: &'static str,
        default: &'static str,
        range: (f64, f64),
        meaning: &'static str,
    ) -> Self {
        Self {
            name,
            default,
            meaning,
            domain: Domain::Number(range.0, range.1),
        }
    }

    /// A whole number.
    pub const fn whole(
        name: &'static str,
        default: &'static str,
        range: (usize, usize),
        meaning: &'static str,
    ) -> Self {
        Self {
            name,
            default,
            meaning,
            domain: Domain::Whole(range.0, range.1),
        }
    }

    /// One of a few words, the first of which is the default.
    pub const fn word(
        name: &'static str,
        among: &'static [&'static str],
        meaning: &'static str,
    ) -> Self {
        Self {
            name,
            default: among[0],
            meaning,
            domain: Domain::Word(among),
        }
    }

    /// A text.
    pub const fn text(name: &'static str, default: &'static str, meaning: &'static str) -> Self {
        Self {
            name,
            default,
            meaning,
            domain: Domain::Text,
        }
    }

    /// The same parameter with another default.
    pub const fn or(self, default: &'static str) -> Self {
        Self { default, ..self }
    }

    fn check(&self, value: &str) -> Result<()> {
        let (fits, expected) = match self.domain {
            Domain::Number(low, high) => (
                value
                    .parse::<f64>()
                    .is_ok_and(|v| (low..=high).contains(&v)),
                format!("a number from {low} to {high}"),
            ),
            Domain::Whole(low, high) => (
                value
                    .parse::<usize>()
                    .is_ok_and(|v| (low..=high).contains(&v)),
                format!("a whole number from {low} to {high}"),
            ),
            Domain::Word(among) => (
                among.contains(&value),
                format!("one of {}", among.join(", ")),
            ),
            Domain::Text => (
                value.len() <= MAX_TEXT,
                format!("at most {MAX_TEXT} bytes of text"),
            ),
        };
        if fits {
            return Ok(());
        }
        Err(Error::new(
            Kind::OptionInvalid,
            format!("{} must be {expected}.", self.name),
        ))
    }
}

/// The longest text value in bytes.
const MAX_TEXT: usize = 10_000;

/// A value for every parameter of a recipe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    values: BTreeMap<&'static str, String>,
}

impl Options {
    /// The defaults of `parameters` with `set` over them, the last of equal names winning.
    ///
    /// # Errors
    /// `options/invalid` for a name that is not there or a value outside its range.
    pub fn new<S: AsRef<str>>(parameters: &[Parameter], set: &[(S, S)]) -> Result<Self> {
        let mut values: BTreeMap<&'static str, String> = parameters
            .iter()
            .map(|p| (p.name, p.default.to_owned()))
            .collect();
        for (name, value) in set {
            let (name, value) = (name.as_ref().trim(), value.as_ref().trim());
            let Some(parameter) = parameters.iter().find(|p| p.name == name) else {
                let known: Vec<_> = parameters.iter().map(|p| p.name).collect();
                return Err(Error::new(
                    Kind::OptionInvalid,
                    format!(
                        "This recipe has no parameter {name:?}; it has {}.",
                        known.join(", ")
                    ),
                ));
            };
            parameter.check(value)?;
            values.insert(parameter.name, value.to_owned());
        }
        Ok(Self { values })
    }

    /// The value of `name`; panics where the recipe did not declare it.
    pub fn text(&self, name: &str) -> &str {
        self.values
            .get(name)
            .unwrap_or_else(|| panic!("the recipe declares no parameter {name}"))
    }

    /// Whether `name` is a parameter of the recipe and has this value.
    pub fn is(&self, name: &str, value: &str) -> bool {
        self.values.get(name).is_some_and(|own| own == value)
    }

    /// The number `name`; panics where it was declared as something else.
    pub fn number(&self, name: &str) -> f64 {
        self.text(name).parse().expect("checked when it was set")
    }

    /// The whole number `name`; panics where it was declared as something else.
    pub fn whole(&self, name: &str) -> usize {
        self.text(name).parse().expect("checked when it was set")
    }
}
