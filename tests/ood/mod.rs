//! Out-of-distribution scoring against stored reference values, brute force and hand-made examples.

mod fixture;
mod lapt;
mod metrics;
mod negatives;
mod scores;
mod threshold;
mod words;
