//! What a recipe declares about itself, and how its parameters reach it.

use std::fmt;
use std::sync::Arc;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use super::job::{TrainedPrompt, TrainingJob};
use super::parameters::{Crops, Parameter, Parameters, parse, settings};
use crate::error::{Error, Kind, Result};
use crate::progress::LocalBoxFuture;

/// What a recipe was written from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Evidence {
    /// The authors' code.
    Code,
    /// The description beside the authors' code, which does not hold the method itself.
    Readme,
    /// The paper's abstract: the rest is our reading of it, named "after the idea of".
    Abstract,
}

/// What a recipe works on, which decides what it costs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Cost {
    /// Steps through the text tower.
    Text,
    /// Arithmetic on cached features.
    Features,
    /// Text features once, no training.
    Hard,
}

/// What a recipe needs besides class names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Needs {
    /// Images of the classes.
    pub images: bool,
    /// The class of each image.
    pub labels: bool,
    /// Images without labels: all that it needs if [`labels`](Self::labels) is off, and of use beside the
    /// others if it is on.
    pub unlabeled: bool,
    /// Sentences about the classes.
    pub descriptions: bool,
    /// Negative labels, and images of none of the classes if there are any
    /// ([`OutlierData`](super::outliers::OutlierData)).
    pub outliers: bool,
    /// Features of the regions of every image.
    pub local_features: bool,
}

impl Needs {
    /// Class names are enough.
    pub const NOTHING: Self = Self {
        images: false,
        labels: false,
        unlabeled: false,
        descriptions: false,
        outliers: false,
        local_features: false,
    };

    /// Images, labeled or not.
    pub const IMAGES: Self = Self {
        images: true,
        unlabeled: true,
        ..Self::NOTHING
    };

    /// Images in class folders.
    pub const LABELED_IMAGES: Self = Self {
        labels: true,
        unlabeled: false,
        ..Self::IMAGES
    };

    /// The word for it in `promptlens recipes --json` and in the package; outliers have a field of
    /// their own there.
    fn name(self) -> &'static str {
        match self {
            Self {
                descriptions: true, ..
            } => "descriptions",
            Self { labels: true, .. } => "images",
            Self { images: true, .. } => "unlabelled",
            _ => "nothing",
        }
    }
}

/// A way to make a prompt.
#[derive(Clone, Copy)]
pub struct Recipe {
    /// Its name on the command line and in files.
    pub name: &'static str,
    /// Other names that are accepted.
    pub aliases: &'static [&'static str],
    /// Who published it.
    pub paper: &'static str,
    /// One line on what it does.
    pub summary: &'static str,
    /// What it was written from.
    pub evidence: Evidence,
    /// What is learned, and how many numbers that is.
    pub learns: &'static str,
    /// What it works on.
    pub kind: Cost,
    /// What it needs.
    pub needs: Needs,
    /// The fewest classes that it tells apart.
    pub least_classes: usize,
    /// The most classes, if there is a limit.
    pub most_classes: Option<usize>,
    /// Whether its prompt serves class names that it was not trained on.
    pub transfers: bool,
    /// Whether it can go on from a prompt that is given
    /// ([`Material::start`](super::material::Material::start)).
    pub continues: bool,
    /// Trains: a [`TypedRun`] of the recipe's own parameters.
    pub run: &'static dyn Run,
}

impl Recipe {
    /// Its parameters with their defaults.
    pub fn parameters(&self) -> Vec<Parameter> {
        self.run.parameters()
    }

    /// Whether `name` is its name or an alias.
    pub fn is_called(&self, name: &str) -> bool {
        self.name == name || self.aliases.contains(&name)
    }

    /// Refuses so many classes if it cannot tell them apart.
    ///
    /// # Errors
    /// `options/invalid`.
    pub fn check_classes(&self, count: usize) -> Result<()> {
        let least = self.least_classes;
        let takes = match self.most_classes {
            Some(most) if most == least => format!("exactly {most}"),
            Some(most) if count > most => format!("at most {most}"),
            _ => format!("at least {least}"),
        };
        if count >= least && self.most_classes.is_none_or(|most| count <= most) {
            return Ok(());
        }
        Err(Error::new(
            Kind::OptionInvalid,
            format!(
                "{} takes {takes} classes, and {count} were given.",
                self.name
            ),
        ))
    }

    /// The recipe with `set` over its defaults; the last of equal names wins.
    ///
    /// # Errors
    /// `options/invalid` for an unknown name or a value outside its range.
    pub fn configure<S: AsRef<str>>(&'static self, set: &[(S, S)]) -> Result<ConfiguredRecipe> {
        let set: Vec<_> = set.iter().map(|(k, v)| (k.as_ref(), v.as_ref())).collect();
        Ok(ConfiguredRecipe {
            info: self,
            run: self.run.configure(&set)?,
        })
    }
}

impl fmt::Debug for Recipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recipe({})", self.name)
    }
}

impl Serialize for Recipe {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Recipe", 13)?;
        fields.serialize_field("name", self.name)?;
        fields.serialize_field("paper", self.paper)?;
        fields.serialize_field("summary", self.summary)?;
        fields.serialize_field("evidence", &self.evidence)?;
        fields.serialize_field("learns", self.learns)?;
        fields.serialize_field("kind", &self.kind)?;
        fields.serialize_field("needs", self.needs.name())?;
        fields.serialize_field("least_classes", &self.least_classes)?;
        fields.serialize_field("most_classes", &self.most_classes)?;
        fields.serialize_field("transfers", &self.transfers)?;
        fields.serialize_field("continues", &self.continues)?;
        fields.serialize_field("others", &self.needs.outliers)?;
        fields.serialize_field("parameters", &self.parameters())?;
        fields.end()
    }
}

/// A recipe whose parameters are set.
#[derive(Clone)]
pub struct ConfiguredRecipe {
    /// The recipe.
    pub info: &'static Recipe,
    run: Arc<dyn ConfiguredRun>,
}

impl ConfiguredRecipe {
    /// The crops that it looks at photos in, if people may set that.
    pub fn crops(&self) -> Option<Crops> {
        self.run.crops()
    }

    pub(super) fn run<'a>(&'a self, job: &'a TrainingJob<'a>) -> LocalBoxFuture<'a, TrainedPrompt> {
        self.run.run(job)
    }
}

impl fmt::Debug for ConfiguredRecipe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ConfiguredRecipe({})", self.info.name)
    }
}

/// A [`TypedRun`] of any parameters, so that recipes fit into one table.
pub trait Run: Sync {
    /// The table of parameters.
    fn parameters(&self) -> Vec<Parameter>;

    /// Reads the parameters.
    ///
    /// # Errors
    /// `options/invalid`.
    fn configure(&self, set: &[(&str, &str)]) -> Result<Arc<dyn ConfiguredRun>>;
}

/// A run whose parameters are set.
pub trait ConfiguredRun: Send + Sync {
    /// The crops that photos are looked at in, if people may set that.
    fn crops(&self) -> Option<Crops>;

    /// Trains.
    fn run<'a>(&'a self, job: &'a TrainingJob<'a>) -> LocalBoxFuture<'a, TrainedPrompt>;
}

/// The function of a recipe.
pub type RunFn<P> = for<'a> fn(&'a TrainingJob<'a>, &'a P) -> LocalBoxFuture<'a, TrainedPrompt>;

/// The function of a recipe with parameters `P`.
pub struct TypedRun<P>(pub RunFn<P>);

struct Configured<P> {
    parameters: P,
    run: RunFn<P>,
}

impl<P: Parameters> Run for TypedRun<P> {
    fn parameters(&self) -> Vec<Parameter> {
        let mut rows = P::default().table();
        rows.push(settings());
        rows
    }

    fn configure(&self, set: &[(&str, &str)]) -> Result<Arc<dyn ConfiguredRun>> {
        Ok(Arc::new(Configured::<P> {
            parameters: parse(set)?,
            run: self.0,
        }))
    }
}

impl<P: Parameters> ConfiguredRun for Configured<P> {
    fn crops(&self) -> Option<Crops> {
        self.parameters.crops()
    }

    fn run<'a>(&'a self, job: &'a TrainingJob<'a>) -> LocalBoxFuture<'a, TrainedPrompt> {
        (self.run)(job, &self.parameters)
    }
}
