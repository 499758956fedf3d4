//! Out-of-distribution scoring against stored reference values, brute force and hand-made examples.

mod lapt;
mod lapt_epochs;
mod mersenne;
mod metrics;
mod negatives;
mod published;
mod scores;
mod threshold;
mod uniform;
mod words;
