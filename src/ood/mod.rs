//! Is it none of these? Out-of-distribution scores, negative labels, their training, metrics and
//! calibrated thresholds.
//!
//! Everything here is host arithmetic on features that the towers already produced. Two conventions
//! hold throughout: a **higher score means more in-distribution**, and every temperature τ applies
//! to **cosines** (a paper's softmax of 100·cos at temperature 1 is τ = 0.01 here). The letters in
//! formulas and shapes are those of docs/design/notation.md.
//!
//! ```
//! use promptlens::ood::score::{ScoreInput, by_name};
//!
//! # fn main() -> promptlens::Result<()> {
//! let mcm = by_name("mcm")?;
//! let parameters = mcm.defaults(100.0);            // for a model with this exp(logit_scale)
//! let score = |classes: &[f64]| {
//!     let input = ScoreInput { classes, ..ScoreInput::default() };
//!     mcm.score(&input, &parameters)
//! };
//! let one_name_fits = score(&[0.31, 0.18, 0.17])?; // cosines to three class names
//! let none_fits = score(&[0.19, 0.18, 0.17])?;
//! assert!(one_name_fits > none_fits);
//! # Ok(())
//! # }
//! ```
//!
//! A threshold is fitted to the scores of images of the classes, and holds for what it was fitted with:
//!
//! ```
//! use promptlens::ood::score::by_name;
//! use promptlens::ood::threshold::{Calibration, CalibrationKey, class_list_sha256};
//!
//! # fn main() -> promptlens::Result<()> {
//! let key = CalibrationKey {
//!     model_sha256: "0".repeat(64),
//!     quantization: "q8".into(),
//!     prompt_sha256: "1".repeat(64),
//!     classes_sha256: class_list_sha256(&["cat".to_owned(), "dog".to_owned()]),
//!     negatives_sha256: None,
//!     score: "mcm".into(),
//!     parameters: by_name("mcm")?.defaults(100.0),
//!     tuning: "none".into(),
//! };
//! let scores: Vec<f64> = (0..40).map(|i| 0.5 + f64::from(i) / 100.0).collect();
//! let calibration = Calibration::fit(key.clone(), &scores)?;
//! assert_eq!((calibration.n, calibration.m), (40, 2));
//! assert!(calibration.is_outlier(0.3)? && !calibration.is_outlier(0.7)?);
//!
//! let tuned = CalibrationKey { tuning: "tpt views=64 steps=1 rho=0.1 seed=0".into(), ..key };
//! assert_eq!(calibration.matches(&tuned).unwrap_err().code(), "calibration/mismatch");
//! # Ok(())
//! # }
//! ```

pub mod lapt;
pub mod metrics;
pub mod negatives;
pub mod score;
pub mod threshold;
