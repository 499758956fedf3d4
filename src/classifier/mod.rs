//! Class lists and answers: composes a model, a prompt and the options of one answer.

mod answer;
mod answerer;
mod calibrate;
mod class_set;
mod detector;
mod heatmap;
mod negatives;
mod plain_view;
mod tuning;

pub use answer::{Classification, ClassifyOptions, KeptView, Prediction, Timings, TuningReport};
pub(crate) use answerer::PhotoAnswer;
pub use answerer::{Answerer, Ranked, named, rank};
pub use calibrate::{Calibrated, Calibrator, calibrate};
pub use class_set::ClassSet;
pub use detector::{DEFAULT_SCORE, Detector, OodOptions, Seen, Verdict};
pub use negatives::Negatives;
pub use plain_view::PlainView;
