//! The loop: batches made ahead on another thread, steps, checkpoints, progress.

use std::path::PathBuf;
use std::sync::mpsc::sync_channel;

use super::batch::{Batch, Source};
use super::captions::Captions;
use super::checkpoint::{self, About, Point};
use super::model::Start;
use super::photos::Photos;
use super::step::State;
use super::teacher::Teacher;
use super::validate::validate;
use crate::clock::now;
use crate::error::Result;
use crate::kernels::Placement;

/// Points of a curve.
const POINTS: usize = 200;

/// Batches that are made ahead.
const AHEAD: usize = 2;

/// What a run works on.
pub struct Run<'a> {
    /// The model that it starts from.
    pub start: &'a Start,
    /// Photos.
    pub photos: &'a Photos,
    /// Sentences.
    pub captions: &'a Captions<'a>,
    /// Text embeddings of another model.
    pub teacher: Option<&'a Teacher>,
    /// Settings, data and start, which a checkpoint must share.
    pub about: &'a About,
    /// Where to compute.
    pub placement: &'a Placement,
    /// Threads that change photos.
    pub threads: usize,
    /// Where the run is kept, and read from where it exists.
    pub checkpoint: Option<PathBuf>,
    /// Milliseconds between checkpoints.
    pub every: f64,
    /// Ends after the step of this number.
    pub stop_after: Option<usize>,
    /// Ends after so many milliseconds.
    pub stop_at: Option<f64>,
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct RunProgress {
    /// Steps taken.
    pub step: usize,
    /// Steps of the whole run.
    pub steps: usize,
    /// Loss of the last step.
    pub loss: f64,
    /// Share of the last step's photos nearest to their name.
    pub accuracy: f64,
    /// Photos in a second, since this process started.
    pub rate: f64,
    /// Seconds that are left at this rate.
    pub left: f64,
    /// What was measured on validation photos, in the step after which it was.
    pub validation: Option<f64>,
}

/// Where a run ended.
pub struct Outcome {
    /// The weights.
    pub state: State,
    /// The curve.
    pub curve: Vec<Point>,
    /// Photos in a second of this process.
    pub rate: f64,
}

/// Sums since the last point of the curve.
#[derive(Default)]
struct Sums {
    loss: f64,
    right: usize,
    steps: usize,
}

impl Run<'_> {
    /// Trains from the checkpoint, or the start, to the last step or where it is told to stop.
    ///
    /// # Errors
    /// Those of the steps and of the checkpoint, and whatever `tell` returns; the checkpoint on disk
    /// then is the last that was written.
    pub async fn go(&self, tell: &mut dyn FnMut(&RunProgress) -> Result<()>) -> Result<Outcome> {
        let settings = &self.about.settings;
        settings.check()?;
        let (mut state, mut curve) = match &self.checkpoint {
            Some(path) if path.exists() => checkpoint::read(path, self.about, &self.start.layout)?,
            _ => (
                State::new(&self.start.layout, self.start.values.clone(), settings),
                Vec::new(),
            ),
        };
        let last = settings.steps.min(self.stop_after.unwrap_or(usize::MAX));
        let source = Source::new(
            self.photos,
            self.captions,
            self.teacher,
            self.start.preprocess(),
            settings,
            self.start.config().vision.vit("pretrain")?.tokens() - 1,
            self.threads,
        );
        let first = state.step;
        let began = now();
        let rate = |step: usize| {
            let seconds = ((now() - began) / 1e3).max(1e-9);
            ((step - first) * settings.batch) as f64 / seconds
        };
        std::thread::scope(|scope| {
            let (send, receive) = sync_channel::<Result<Batch>>(AHEAD);
            scope.spawn(move || {
                for step in first..last {
                    // A run that ended early no longer listens.
                    if send.send(source.batch(step)).is_err() {
                        return;
                    }
                }
            });
            pollster::block_on(self.train(&mut state, &mut curve, last, rate, receive.iter(), tell))
        })?;
        Ok(Outcome {
            rate: rate(state.step),
            state,
            curve,
        })
    }

    async fn train(
        &self,
        state: &mut State,
        curve: &mut Vec<Point>,
        last: usize,
        rate: impl Fn(usize) -> f64,
        batches: impl Iterator<Item = Result<Batch>>,
        tell: &mut dyn FnMut(&RunProgress) -> Result<()>,
    ) -> Result<()> {
        let settings = &self.about.settings;
        let (config, layout) = (self.start.config(), &self.start.layout);
        let per_point = (settings.steps / POINTS).max(1);
        let mut sums = Sums::default();
        let mut written = now();
        for batch in batches {
            let found = state
                .advance(config, layout, self.placement, &batch?, settings)
                .await?;
            sums.loss += f64::from(found.loss);
            sums.right += found.right;
            sums.steps += 1;
            let end = state.step == last || self.stop_at.is_some_and(|at| now() >= at);
            let due = end || now() - written >= self.every;
            if state.step.is_multiple_of(per_point) || end {
                curve.push(Point {
                    step: state.step,
                    loss: sums.loss / sums.steps as f64,
                    accuracy: sums.right as f64 / (sums.steps * settings.batch) as f64,
                    validation: None,
                });
                sums = Sums::default();
            }
            let mut validation = None;
            if due {
                validation = validate(
                    config,
                    layout,
                    &state.average,
                    self.placement,
                    self.photos,
                    self.captions,
                    self.start.preprocess(),
                )
                .await?;
                if let Some(point) = curve.last_mut() {
                    point.validation = validation;
                }
                if let Some(path) = &self.checkpoint {
                    checkpoint::write(path, self.about, state, curve)?;
                }
                written = now();
            }
            let speed = rate(state.step);
            tell(&RunProgress {
                step: state.step,
                steps: settings.steps,
                loss: f64::from(found.loss),
                accuracy: found.right as f64 / settings.batch as f64,
                rate: speed,
                left: ((settings.steps - state.step) * settings.batch) as f64 / speed,
                validation,
            })?;
            if end {
                break;
            }
        }
        Ok(())
    }
}
