//! What a caller may choose about test-time tuning. Nonsense does not get past the constructors.

use std::fmt;
use std::sync::Arc;

use serde::ser::SerializeStruct;
use serde::{Serialize, Serializer};

use super::Config;
use super::extra_images::ExtraImages;
use crate::error::{Error, Kind, Result};
use crate::image::Rgb8;
use crate::image::views::ViewPlan;
use crate::named::parse_or_none;

/// Views unless the caller names another number, as in TPT and DiffTPT.
const DEFAULT_VIEWS: usize = 64;

/// The most gradient steps.
pub const MAX_STEPS: usize = 100;

named_enum! {
    /// A published method.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum Method: "tuning method", OptionInvalid {
        /// TPT (Shu et al., 2022).
        Tpt = "tpt",
        /// DiffTPT's filters and steps over strong views; no diffusion model.
        DiffTptLite = "difftpt-lite",
    }
}

impl Method {
    /// The method of this name; `None` for `none`.
    ///
    /// # Errors
    /// `options/invalid`.
    pub fn parse_or_none(name: &str) -> Result<Option<Self>> {
        parse_or_none(name, "tuning method", Self::NAMES, Self::parse)
    }
}

/// What a caller names; the rest is the method's own.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Overrides {
    /// Views in all, the plain one among them; else 64.
    pub views: Option<usize>,
    /// Gradient steps; else 1 for TPT and 4 for DiffTPT-lite.
    pub steps: Option<usize>,
    /// Share of the views that the entropy filter keeps; else the method's own.
    pub rho: Option<f64>,
    /// Decides every random view.
    pub seed: u64,
}

/// How the prompt is tuned on one photo.
#[derive(Debug, Clone)]
pub struct Tuning {
    kind: TuningKind,
    /// Views in all, the plain one among them, without given variants.
    views: usize,
    seed: u64,
    config: Config,
}

/// The method with what only that method has.
#[derive(Debug, Clone)]
pub enum TuningKind {
    /// Random crops, AugMixed if `augmix`, as TPT does on fine-grained sets.
    Tpt {
        /// Whether views are AugMixed.
        augmix: bool,
    },
    /// Strong views in place of the pictures of a diffusion model.
    DiffTptLite(StrongViews),
}

/// What DiffTPT-lite looks at besides random crops.
#[derive(Debug, Clone)]
pub enum StrongViews {
    /// Strong changes of the photo itself.
    Drawn,
    /// The same, some of them in the style of these other photos.
    InStyleOf(Arc<ExtraImages>),
    /// Pictures made from this very photo, on top of the views.
    Given(Arc<ExtraImages>),
}

impl StrongViews {
    /// From what a caller gave; variants count before a gallery.
    pub fn of(variants: Option<Arc<ExtraImages>>, gallery: Option<Arc<ExtraImages>>) -> Self {
        match (variants, gallery) {
            (Some(variants), _) => Self::Given(variants),
            (None, Some(gallery)) => Self::InStyleOf(gallery),
            (None, None) => Self::Drawn,
        }
    }
}

impl Tuning {
    /// `kind` with the caller's values in place of its own.
    ///
    /// # Errors
    /// `options/invalid` for no view, for steps outside 1 to [`MAX_STEPS`] and for a rho outside
    /// (0, 1].
    pub fn new(kind: TuningKind, overrides: &Overrides) -> Result<Self> {
        let views = overrides.views.unwrap_or(DEFAULT_VIEWS);
        let own = match kind {
            TuningKind::Tpt { .. } => Config::tpt(views),
            TuningKind::DiffTptLite(_) => Config::difftpt_lite(),
        };
        let config = Config {
            steps: overrides.steps.unwrap_or(own.steps),
            rho: overrides.rho.unwrap_or(own.rho),
            ..own
        };
        if views == 0
            || !(1..=MAX_STEPS).contains(&config.steps)
            || !(config.rho > 0.0 && config.rho <= 1.0)
        {
            return Err(Error::new(
                Kind::OptionInvalid,
                format!(
                    "Tuning takes at least one view, 1 to {MAX_STEPS} steps and a rho above 0 and at most 1."
                ),
            ));
        }
        Ok(Self {
            kind,
            views,
            seed: overrides.seed,
            config,
        })
    }

    /// TPT without AugMix.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn tpt(overrides: &Overrides) -> Result<Self> {
        Self::new(TuningKind::Tpt { augmix: false }, overrides)
    }

    /// DiffTPT-lite on drawn views.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn difftpt_lite(overrides: &Overrides) -> Result<Self> {
        Self::new(TuningKind::DiffTptLite(StrongViews::Drawn), overrides)
    }

    /// The same tuning with other strong views.
    ///
    /// # Errors
    /// `options/invalid` if the method has none.
    pub fn with_strong_views(self, strong: StrongViews) -> Result<Self> {
        match (&self.kind, &strong) {
            (TuningKind::DiffTptLite(_), _) => Ok(Self {
                kind: TuningKind::DiffTptLite(strong),
                ..self
            }),
            (TuningKind::Tpt { .. }, StrongViews::Drawn) => Ok(self),
            (TuningKind::Tpt { .. }, _) => Err(extra_images_unused()),
        }
    }

    /// The method.
    pub fn method(&self) -> Method {
        match self.kind {
            TuningKind::Tpt { .. } => Method::Tpt,
            TuningKind::DiffTptLite(_) => Method::DiffTptLite,
        }
    }

    /// Decides every random view.
    pub fn seed(&self) -> u64 {
        self.seed
    }

    /// The descent and the filters.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The pictures given for this very photo.
    pub fn variants(&self) -> Option<&Arc<ExtraImages>> {
        match &self.kind {
            TuningKind::DiffTptLite(StrongViews::Given(variants)) => Some(variants),
            _ => None,
        }
    }

    /// Whether pictures of one photo or of one user take part, which no threshold can hold for.
    pub fn has_extra_images(&self) -> bool {
        matches!(
            self.kind,
            TuningKind::DiffTptLite(StrongViews::Given(_) | StrongViews::InStyleOf(_))
        )
    }

    /// How the views are made.
    pub fn view_plan(&self) -> ViewPlan<'_> {
        let views = self.views;
        match &self.kind {
            TuningKind::Tpt { augmix } => ViewPlan::tpt(views, *augmix),
            TuningKind::DiffTptLite(StrongViews::Drawn) => ViewPlan::difftpt_lite(views, &[]),
            TuningKind::DiffTptLite(StrongViews::InStyleOf(gallery)) => {
                ViewPlan::difftpt_lite(views, gallery.pictures())
            }
            TuningKind::DiffTptLite(StrongViews::Given(variants)) => {
                ViewPlan::difftpt(views, variants.pictures())
            }
        }
    }

    fn augmix(&self) -> bool {
        matches!(self.kind, TuningKind::Tpt { augmix: true })
    }
}

/// The error for extra images beside a method that reads none.
pub fn extra_images_unused() -> Error {
    Error::new(
        Kind::OptionInvalid,
        "Variants and a gallery are for difftpt-lite; choose it, or leave them out.",
    )
}

/// Everything that changes what tuning does, in one line, for people and for the key of a threshold.
impl fmt::Display for Tuning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} views={} steps={} rho={} seed={} augmix={}",
            self.method().name(),
            self.views,
            self.config.steps,
            self.config.rho,
            self.seed,
            self.augmix()
        )?;
        match &self.kind {
            TuningKind::DiffTptLite(StrongViews::Given(pictures)) => {
                write!(f, " variants={}", pictures.len())
            }
            TuningKind::DiffTptLite(StrongViews::InStyleOf(pictures)) => {
                write!(f, " gallery={}", pictures.len())
            }
            TuningKind::DiffTptLite(StrongViews::Drawn) | TuningKind::Tpt { .. } => Ok(()),
        }
    }
}

impl Serialize for Tuning {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut fields = serializer.serialize_struct("Tuning", 6)?;
        fields.serialize_field("method", self.method().name())?;
        fields.serialize_field("views", &self.views)?;
        fields.serialize_field("steps", &self.config.steps)?;
        fields.serialize_field("rho", &self.config.rho)?;
        fields.serialize_field("seed", &self.seed)?;
        fields.serialize_field("augmix", &self.augmix())?;
        fields.end()
    }
}

impl ExtraImages {
    fn pictures(&self) -> &[Rgb8] {
        &self.pictures
    }
}
