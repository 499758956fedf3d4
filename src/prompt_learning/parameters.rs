//! Typed parameters of recipes. One declaration gives a struct with its defaults, its parser, and the
//! table of names, defaults, values and meanings that command line, package and docs show:
//!
//! ```text
//! parameters! {
//!     /// Parameters of KgCoOp.
//!     pub struct Params {
//!         /// strength of the pull
//!         lambda: f64 = 8.0, in 0.0..=1e4,
//!         ..descent: Descent { steps.batch = Auto::Set(128) }
//!     }
//! }
//! ```
//!
//! The doc comment of a field is its meaning in the table. `in` gives the range of a number. `as`
//! gives a public name that is no Rust identifier, followed by aliases that are accepted but not
//! shown. `..` embeds parameters that related recipes share, after which their defaults can be
//! changed. Behind the struct, `paper(p) { .. }` says what is set if the paper says something else
//! than the defaults, after the same of the parameters that are embedded, and `crops(p) { .. }` which
//! crops the photos are looked at in.

use serde::Serialize;

use super::values::{Value, words};
use crate::error::{Error, Kind, Result};
use crate::image::Filter;

/// A row of the table of parameters.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Parameter {
    /// The name on the command line, in the package and in links.
    pub name: &'static str,
    /// Other names that are accepted.
    #[serde(skip)]
    pub aliases: &'static [&'static str],
    /// The value if nobody sets one, as people write it.
    pub default: String,
    /// The values it takes, as in "a whole number from 1 to 64".
    #[serde(skip)]
    pub values: String,
    /// What it does.
    pub meaning: &'static str,
}

impl Parameter {
    /// A row from public names (aliases after the first), a default, its range, and a doc comment.
    pub fn new<V: Value>(
        names: &'static [&'static str],
        default: &V,
        range: &V::Range,
        meaning: &'static str,
    ) -> Self {
        Self {
            name: names[0],
            aliases: &names[1..],
            default: default.to_text(),
            values: V::expected(range),
            meaning: meaning.trim_start(),
        }
    }

    /// Whether `name` is its name or an alias.
    pub fn is_called(&self, name: &str) -> bool {
        self.name == name || self.aliases.contains(&name)
    }
}

/// A struct declared by [`parameters!`].
pub trait Parameters: Default + Send + Sync + 'static {
    /// Sets the parameter called `name`; `false` if there is none.
    ///
    /// # Errors
    /// `options/invalid` for a value outside the parameter's range.
    fn set(&mut self, name: &str, text: &str) -> Result<bool>;

    /// A row for every parameter, own ones first, with the present values as defaults.
    fn table(&self) -> Vec<Parameter>;

    /// Sets everything as it was published.
    fn publish(&mut self);

    /// The crops that photos are looked at in, if it has parameters for that.
    fn crops(&self) -> Option<Crops>;
}

/// Random crops of photos to learn from.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Crops {
    /// The smallest share of a photo's area in one.
    pub area: f64,
    /// Whether every epoch has crops of its own: so many at most. `None`: a few crops serve all.
    pub epochs: Option<usize>,
    /// The kernel that they are scaled with.
    pub filter: Filter,
}

words! {
    /// Where the values come from that nobody sets.
    pub enum Origin {
        /// Fitted to small models and few photos.
        Fitted = "fitted",
        /// The paper and its authors' code.
        Paper = "paper",
    }
}

/// The name of the parameter that every recipe has.
const SETTINGS: &str = "settings";

/// The row of `settings`.
pub fn settings() -> Parameter {
    Parameter::new(
        &[SETTINGS],
        &Origin::Fitted,
        &(),
        "the defaults that are shown, or optimizer, rate, epochs, crops, start and strengths as published",
    )
}

/// The defaults of `P` with `set` over them; the last of equal names wins.
///
/// # Errors
/// `options/invalid` for an unknown name or a value outside its range.
pub fn parse<P: Parameters, S: AsRef<str>>(set: &[(S, S)]) -> Result<P> {
    let mut parameters = P::default();
    let named = |name: &&(S, S)| name.0.as_ref().trim() == SETTINGS;
    let mut origin = Origin::Fitted;
    for (name, text) in set.iter().filter(named) {
        assign(&mut origin, name.as_ref().trim(), text.as_ref().trim(), &())?;
    }
    if origin == Origin::Paper {
        parameters.publish();
    }
    for (name, text) in set.iter().filter(|pair| !named(pair)) {
        let name = name.as_ref().trim();
        if !parameters.set(name, text.as_ref().trim())? {
            let mut known: Vec<_> = P::default().table().iter().map(|p| p.name).collect();
            known.push(SETTINGS);
            return Err(Error::new(
                Kind::OptionInvalid,
                format!(
                    "This recipe has no parameter {name:?}; it has {}.",
                    known.join(", ")
                ),
            ));
        }
    }
    Ok(parameters)
}

/// Assigns `text` to the parameter `name`.
///
/// # Errors
/// `options/invalid`.
pub fn assign<V: Value>(to: &mut V, name: &str, text: &str, range: &V::Range) -> Result<()> {
    *to = V::from_text(text, range).ok_or_else(|| {
        Error::new(
            Kind::OptionInvalid,
            format!("{name} must be {}.", V::expected(range)),
        )
    })?;
    Ok(())
}

/// Declares a struct of typed parameters; see the [module](self).
macro_rules! parameters {
    (
        $(#[doc = $about:literal])+
        pub struct $name:ident {
            $(
                $(#[doc = $meaning:literal])+
                $field:ident $(as $public:literal $(| $alias:literal)*)? : $type:ty = $default:expr,
                $(in $range:expr,)?
            )*
            $(..$group:ident : $inner:ty { $($($path:ident).+ = $value:expr),* $(,)? } $(,)?)*
        }
        $(paper($paper:ident) $published:block)?
        $(crops($crops:ident) $looked:block)?
    ) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone, PartialEq)]
        pub struct $name {
            $($(#[doc = $meaning])+ pub $field: $type,)*
            $(#[doc = concat!("Shared: ", stringify!($inner), ".")] pub $group: $inner,)*
        }

        impl Default for $name {
            fn default() -> Self {
                #[allow(unused_mut)]
                let mut parameters = Self {
                    $($field: $default,)*
                    $($group: Default::default(),)*
                };
                $($(parameters.$group.$($path).+ = $value;)*)*
                parameters
            }
        }

        impl $crate::prompt_learning::parameters::Parameters for $name {
            fn set(&mut self, name: &str, text: &str) -> $crate::error::Result<bool> {
                #[allow(unused_imports)]
                use $crate::prompt_learning::parameters::{assign, parameters};
                $({
                    const NAMES: &[&str] = parameters!(@names $field $($public $($alias)*)?);
                    if NAMES.contains(&name) {
                        let range = parameters!(@range $($range)?);
                        assign(&mut self.$field, NAMES[0], text, &range)?;
                        return Ok(true);
                    }
                })*
                $(if $crate::prompt_learning::parameters::Parameters::set(
                    &mut self.$group, name, text,
                )? {
                    return Ok(true);
                })*
                Ok(false)
            }

            fn table(&self) -> Vec<$crate::prompt_learning::parameters::Parameter> {
                #[allow(unused_imports)]
                use $crate::prompt_learning::parameters::{Parameter, parameters};
                #[allow(unused_mut)]
                let mut rows = vec![$(Parameter::new(
                    parameters!(@names $field $($public $($alias)*)?),
                    &self.$field,
                    &parameters!(@range $($range)?),
                    concat!($($meaning),+),
                )),*];
                $(rows.extend(
                    $crate::prompt_learning::parameters::Parameters::table(&self.$group),
                );)*
                rows
            }

            fn publish(&mut self) {
                $($crate::prompt_learning::parameters::Parameters::publish(&mut self.$group);)*
                $(let $paper = self; $published)?
            }

            #[allow(unreachable_code)]
            fn crops(&self) -> Option<$crate::prompt_learning::parameters::Crops> {
                $(let $crops = self; return Some($looked);)?
                None$(.or_else(|| {
                    $crate::prompt_learning::parameters::Parameters::crops(&self.$group)
                }))*
            }
        }
    };
    (@names $field:ident) => { &[stringify!($field)] };
    (@names $field:ident $($name:literal)+) => { &[$($name),+] };
    (@range) => { () };
    (@range $range:expr) => { $range };
}
pub(crate) use parameters;
