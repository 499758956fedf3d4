//! One error type for the whole crate. Every variant has a stable code that scripts and pages see.
//!
//! `node tests/browser/reference.mjs` writes docs/reference/errors.md from the table in this file: the
//! first paragraph of a row says what the code means, the second what helps.

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

            /// The stable code, `"area/problem"`.
            pub const fn code(self) -> &'static str {
                match self { $(Kind::$variant => $code,)* }
            }
        }
    };
}

kinds! {
    /// The file has no bytes.
    ///
    /// Choose it again; a copy from a phone or a cloud folder may not have arrived yet.
    ImageEmpty => "image/empty",
    /// The first bytes are those of no JPEG, PNG, WebP, GIF or BMP, whatever the file's name says;
    /// or the file is AVIF or HEIC, and it was given to the command line or to a browser that
    /// cannot decode it.
    ///
    /// Save it as one of these. The message names what it is (HEIC, AVIF, JPEG XL, JPEG 2000, TIFF,
    /// camera raw, PSD, ICO, PDF, SVG) and how to convert it. HEIC photos: let the phone export
    /// JPEG, or use Safari.
    ImageUnknownFormat => "image/unknown-format",
    /// The file ends before its pixel data does.
    ///
    /// Copy or download it again.
    ImageTruncated => "image/truncated",
    /// The file has more than 64 MB, or its header declares more than 50 million pixels. A JPEG may
    /// have 200 million: beyond 50 it is decoded at half its size (`reducedBy` in the result).
    ///
    /// Make it smaller; the model looks at a few hundred pixels.
    ImageTooLarge => "image/too-large",
    /// The file is damaged, or uses a feature of its format that is not decoded.
    ///
    /// Open it in a picture program and save it again.
    ImageInvalid => "image/invalid",
    /// The data set has no image that can be used for what was asked.
    ///
    /// Compare the folder names with the class names.
    DataEmpty => "data/empty",
    /// The archive is damaged, or the file is no archive.
    ///
    /// Make it again.
    DataInvalid => "data/invalid",
    /// The archive or folder exceeds the limits.
    ///
    /// Split it.
    DataTooLarge => "data/too-large",
    /// The data set has no split of that name.
    ///
    /// Use one that the message names.
    DataUnknownSplit => "data/unknown-split",
    /// The archive holds a name that points outside of it.
    ///
    /// Do not unpack it by other means either.
    DataUnsafePath => "data/unsafe-path",
    /// No class name was given.
    ///
    /// Add at least one.
    LabelsEmpty => "labels/empty",
    /// Class names occur twice, or the model reads them alike (`Ship` and `ship`, two Unicode forms
    /// of `café`); their probability would be split.
    ///
    /// The message lists them all: keep one of each, or give them other words.
    LabelsDuplicate => "labels/duplicate",
    /// A file of class names is no valid JSON, or holds no list of names.
    ///
    /// Use one name per line, CSV with the names in the first column, or JSON: an array, an
    /// `id2label`, a class index.
    LabelsFile => "labels/file",
    /// A class name, or the list, exceeds the limits.
    ///
    /// Shorten it. CLIP reads 77 tokens at most, some 50 words.
    LabelsTooLong => "labels/too-long",
    /// A template has no `{}`.
    ///
    /// Put `{}` where the class name goes.
    TemplateInvalid => "prompt/invalid-template",
    /// The prompt file is damaged, or the file is no prompt file.
    ///
    /// Make it again, or get it again.
    PromptInvalid => "prompt/invalid",
    /// The prompt was learned on another model.
    ///
    /// Load that model.
    PromptWrongModel => "prompt/wrong-model",
    /// The calibration file is damaged.
    ///
    /// Calibrate again.
    CalibrationInvalid => "calibration/invalid",
    /// The threshold was fitted for another model, prompt, class list, score or tuning setting.
    ///
    /// Calibrate again for these settings.
    CalibrationMismatch => "calibration/mismatch",
    /// There are fewer than 19 usable photos: no threshold accepts 95 % of photos like them.
    ///
    /// Add photos.
    CalibrationTooFew => "calibration/too-few",
    /// No negative label is left, or none was given.
    ///
    /// Strike out fewer words.
    NegativesEmpty => "negatives/empty",
    /// A word list for negative labels is damaged or too large.
    ///
    /// Use one word per line.
    NegativesInvalid => "negatives/invalid",
    /// The folder has no `tokenizer.json`, nor a file that can replace it.
    ///
    /// Check the address. If a host answers unknown paths with a page of its own, that page is read
    /// as a damaged file.
    TokenizerMissing => "tokenizer/missing",
    /// `tokenizer.json` is damaged, or not that of a CLIP.
    ///
    /// Get it again from where the model comes from.
    TokenizerInvalid => "tokenizer/invalid",
    /// The folder has no `config.json`, nor a file that can replace it. The message says if the
    /// folder holds only ONNX files, or a CLIP in a subfolder.
    ///
    /// Check the address. If a host answers unknown paths with a page of its own, that page is read
    /// as a damaged file.
    ConfigMissing => "config/missing",
    /// A configuration is damaged, or describes a model of another family, which the message names:
    /// SigLIP, MobileCLIP, Chinese-CLIP, a ResNet.
    ///
    /// Load the model that the message proposes.
    ConfigInvalid => "config/invalid",
    /// What was asked for works on a vision transformer only, and the model's image tower is another.
    ///
    /// Choose a model with a ViT.
    NeedsVit => "model/needs-vit",
    /// The folder has no `model.safetensors`, nor a file that can replace it. The message says if
    /// the folder holds only ONNX files, or a CLIP in a subfolder. A repository of the hub that
    /// does not exist, is private or is gated has this code too.
    ///
    /// Check the address. If a host answers unknown paths with a page of its own, that page is read
    /// as a damaged file.
    WeightsMissing => "weights/missing",
    /// The weights are damaged.
    ///
    /// Download them again.
    WeightsInvalid => "weights/invalid",
    /// A tensor that `config.json` calls for is absent: the weights do not belong to it.
    ///
    /// Take both files from one source.
    WeightsMissingTensor => "weights/missing-tensor",
    /// A tower has weights that CLIP does not have, for example LayerScale, so answers without them
    /// would be wrong.
    ///
    /// Use the weights that belong to this configuration; a model of that structure cannot be read.
    WeightsUnexpected => "weights/unexpected",
    /// A tensor has other dimensions than `config.json` calls for: the weights do not belong to it.
    ///
    /// Take both files from one source.
    WeightsWrongShape => "weights/wrong-shape",
    /// A weight is NaN or infinite.
    ///
    /// Download them again; if the error stays, the checkpoint itself is broken.
    WeightsNotFinite => "weights/not-finite",
    /// A tensor is stored in a number format that is not read.
    ///
    /// Convert the checkpoint to F32, F16 or BF16.
    WeightsUnsupportedType => "weights/unsupported-type",
    /// The weights file is of a kind that is not read: a TorchScript archive, or in a browser a
    /// PyTorch file that is no plain state dictionary of PyTorch 1.6 or later.
    ///
    /// Take the model's safetensors files, save its state dictionary as the message says, or
    /// convert it with `promptlens convert`; docs/reference/checkpoints.md has the details.
    WeightsUnsupportedFormat => "weights/unsupported-format",
    /// `webgpu` was asked for, and there is no usable adapter.
    ///
    /// Use `auto` or `cpu`: the answers are the same, slower. In a browser WebGPU needs HTTPS or
    /// localhost and a recent version; on Linux it may need to be switched on.
    GpuUnavailable => "gpu/unavailable",
    /// The adapter computes wrong values for a known answer.
    ///
    /// `auto` takes the CPU by itself. A driver update may help.
    GpuSelfTestFailed => "gpu/self-test-failed",
    /// The GPU device was lost: the browser or the driver took it away, after a driver reset,
    /// sleep, or for lack of memory.
    ///
    /// Load again; take a smaller model if it comes back.
    GpuLost => "gpu/lost",
    /// The result is NaN or infinite.
    ///
    /// Try another device; report it with the model and the kind of photo.
    NotFinite => "engine/not-finite",
    /// There was not enough memory for the model.
    ///
    /// Close other tabs, or take a smaller model or `q8` or `q4`.
    OutOfMemory => "engine/out-of-memory",
    /// The caller stopped the call: its `AbortSignal`, or the person who uses the page.
    ///
    /// Nothing is wrong.
    Cancelled => "engine/cancelled",
    /// An option is unknown, misspelled or outside its range.
    ///
    /// The message names it; docs/reference/api.md and the command line's `--help` list them.
    OptionInvalid => "options/invalid",
    /// A file could not be read or written.
    ///
    /// It may have been moved, or the disk may be full.
    Io => "io/failed",
    /// A download failed, or a host refused it.
    ///
    /// Check the connection. If the host counts requests (429), wait as long as the message says. A
    /// host of another origin must send `Access-Control-Allow-Origin`; see docs/guide/hosting.md.
    NetworkFailed => "network/failed",
    /// A stored model or partial download is outdated, or the model changed on its host while it
    /// was being read.
    ///
    /// Load it again.
    StoreStale => "store/stale",
    /// Something that should not happen did; in a browser the worker has ended.
    ///
    /// Load again, and please report it.
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
