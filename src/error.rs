//! One error type for the whole crate. Every variant has a stable code that scripts and pages see.

use std::fmt;

use serde::Serialize;

/// Result with the crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What can go wrong, said so that a person can act on it.
///
/// [`Error::code`] is stable across releases; the message is not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    kind: Kind,
    message: String,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $variant:ident => $code:literal,)*) => {
        /// The stable classification of an [`Error`].
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Kind { $($(#[$doc])* $variant,)* }

        impl Kind {
            /// Every kind, for documentation and tests.
            pub const ALL: &[Kind] = &[$(Kind::$variant,)*];

            /// The stable code, `"room/problem"`.
            pub const fn code(self) -> &'static str {
                match self { $(Kind::$variant => $code,)* }
            }
        }
    };
}

kinds! {
    /// The image file has no bytes.
    ImageEmpty => "image/empty",
    /// The bytes are none of the accepted image formats.
    ImageUnknownFormat => "image/unknown-format",
    /// The image ends before its pixel data does.
    ImageTruncated => "image/truncated",
    /// The file or its declared dimensions exceed the limits.
    ImageTooLarge => "image/too-large",
    /// The image is damaged or uses a feature that cannot be decoded.
    ImageInvalid => "image/invalid",
    /// A data set has no image that the question is about.
    DataEmpty => "data/empty",
    /// An archive is damaged, or is none.
    DataInvalid => "data/invalid",
    /// An archive or folder exceeds the limits.
    DataTooLarge => "data/too-large",
    /// A data set has no such split.
    DataUnknownSplit => "data/unknown-split",
    /// An archive holds a name that points outside of it.
    DataUnsafePath => "data/unsafe-path",
    /// No class name was given.
    LabelsEmpty => "labels/empty",
    /// The same class name was given twice.
    LabelsDuplicate => "labels/duplicate",
    /// A file of class names holds no list of them.
    LabelsFile => "labels/file",
    /// A class name, or the list, is longer than the limits.
    LabelsTooLong => "labels/too-long",
    /// A prompt template lacks its `{}` placeholder.
    TemplateInvalid => "prompt/invalid-template",
    /// A prompt file is damaged.
    PromptInvalid => "prompt/invalid",
    /// A prompt file was made for another model.
    PromptWrongModel => "prompt/wrong-model",
    /// A calibration file is damaged.
    CalibrationInvalid => "calibration/invalid",
    /// The threshold was fitted for another model, prompt, class list, score or tuning setting.
    CalibrationMismatch => "calibration/mismatch",
    /// There are too few images to fit a threshold.
    CalibrationTooFew => "calibration/too-few",
    /// No negative label is left, or none was given.
    NegativesEmpty => "negatives/empty",
    /// A word list for negative labels is damaged or too large.
    NegativesInvalid => "negatives/invalid",
    /// `tokenizer.json` is missing.
    TokenizerMissing => "tokenizer/missing",
    /// `tokenizer.json` is damaged or not a CLIP tokenizer.
    TokenizerInvalid => "tokenizer/invalid",
    /// `config.json` is missing.
    ConfigMissing => "config/missing",
    /// `config.json` or `preprocessor_config.json` is damaged or describes no CLIP.
    ConfigInvalid => "config/invalid",
    /// What was asked for needs a vision transformer, and the model's image tower is another.
    NeedsVit => "model/needs-vit",
    /// No weights file where one was expected.
    WeightsMissing => "weights/missing",
    /// The weights file is damaged.
    WeightsInvalid => "weights/invalid",
    /// A tensor that the configuration calls for is absent.
    WeightsMissingTensor => "weights/missing-tensor",
    /// A tower has weights that the configuration does not call for.
    WeightsUnexpected => "weights/unexpected",
    /// A tensor has other dimensions than the configuration calls for.
    WeightsWrongShape => "weights/wrong-shape",
    /// A tensor holds NaN or infinity.
    WeightsNotFinite => "weights/not-finite",
    /// A tensor is stored in a number format that is not read.
    WeightsUnsupportedType => "weights/unsupported-type",
    /// The weights file is of a kind that is not read.
    WeightsUnsupportedFormat => "weights/unsupported-format",
    /// There is no usable WebGPU adapter.
    GpuUnavailable => "gpu/unavailable",
    /// The device computes wrong values for the known answer.
    GpuSelfTestFailed => "gpu/self-test-failed",
    /// The GPU device was lost.
    GpuLost => "gpu/lost",
    /// The result contains NaN or infinity.
    NotFinite => "engine/not-finite",
    /// Memory for the model could not be had.
    OutOfMemory => "engine/out-of-memory",
    /// The caller asked to stop.
    Cancelled => "engine/cancelled",
    /// An option has a value outside its range.
    OptionInvalid => "options/invalid",
    /// A file could not be read or written.
    Io => "io/failed",
    /// A download failed.
    NetworkFailed => "network/failed",
    /// What was kept of a model, or begun of its download, is of no use any more; loading starts over.
    StoreStale => "store/stale",
    /// Something that should not happen did.
    Internal => "engine/internal",
}

impl Error {
    /// An error of `kind` with a sentence that says what to do.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
        }
    }

    /// What kind of error this is.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The stable code, for example `"image/truncated"`.
    pub fn code(&self) -> &'static str {
        self.kind.code()
    }

    /// The sentence for people.
    pub fn message(&self) -> &str {
        &self.message
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Error {}

/// One of many items that could not be used while the others went on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// Which one; serialized as `index` or `file`.
    #[serde(flatten)]
    pub item: FailedItem,
    /// The stable code.
    pub code: &'static str,
    /// The sentence for people.
    pub message: String,
}

/// Which of many items a [`Failure`] is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum FailedItem {
    /// Its position in the list given, from 0.
    Index(usize),
    /// Its path inside the data set.
    File(String),
}

impl Failure {
    /// `error` of `item`.
    pub fn new(item: FailedItem, error: &Error) -> Self {
        Self {
            item,
            code: error.code(),
            message: error.message().to_owned(),
        }
    }
}

impl From<(usize, &Error)> for Failure {
    fn from((index, error): (usize, &Error)) -> Self {
        Self::new(FailedItem::Index(index), error)
    }
}

impl From<(&str, &Error)> for Failure {
    fn from((file, error): (&str, &Error)) -> Self {
        Self::new(FailedItem::File(file.to_owned()), error)
    }
}

impl fmt::Display for FailedItem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Index(index) => write!(f, "item {index}"),
            Self::File(file) => f.write_str(file),
        }
    }
}

/// The file, what is wrong with it, and the code.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {} [{}]", self.item, self.message, self.code)
    }
}
