//! Is it none of these? Out-of-distribution scores, negative labels, their training, metrics and
//! calibrated thresholds.
//!
//! Everything here is host arithmetic on features that the towers already produced. Two conventions
//! hold throughout: a **higher score means more in-distribution**, and every temperature τ applies
//! to **cosines** (a paper's softmax of 100·cos at temperature 1 is τ = 0.01 here).

pub mod lapt;
pub mod metrics;
pub mod negatives;
pub mod score;
pub mod threshold;
