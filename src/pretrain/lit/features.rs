//! The stage `features`: the frozen encoder's features of all training pictures, once.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use pollster::block_on;

use super::descent::{StageProgress, Tell};
use super::names::Vocabulary;
use super::pictures::{About, Change, Picture, Pictures};
use crate::clip::efficientnet::{FEATURES, Trunk};
use crate::clock::now;
use crate::dataset::{DataSet, Item, Limits};
use crate::error::{Error, Kind, Result};
use crate::image::views::{brightness, gaussian_blur, grayscale};
use crate::image::{self, Filter, Preprocess, Rect, Rgb8, decode, resize, resize_crop, to_chw};
use crate::kernels::read;
use crate::pretrain::photos::TRAIN_SPLIT;
use crate::rng::Rng;

/// Pictures of one file.
const PART: usize = 2048;
/// Pictures that run between two reports.
const CHUNK: usize = 64;
/// Pictures of each name and data set that are also run changed: two in each way.
const CHANGED: usize = 2 * Change::ALL.len();
/// Pictures with a shorter side of this are too small to be changed visibly.
const TINY: u32 = 32;

/// The encoder's preprocessing: the shorter side to `size` by bicubic, the middle, (x - 127) / 128.
pub fn preprocess(size: u32) -> Preprocess {
    Preprocess {
        mean: [127.0 / 255.0; 3],
        std: [128.0 / 255.0; 3],
        ..Preprocess::clip(size)
    }
}

/// Inputs of the stage.
pub struct FeatureStage<'a> {
    /// The encoder.
    pub trunk: &'a Trunk,
    /// Data sets of `<split>/<class>/<file>`.
    pub data: &'a [PathBuf],
    /// A data set of `<split>/<file>` whose pictures have captions.
    pub captioned: Option<&'a Path>,
    /// Names; pictures of withheld ones and of strange labels are left out.
    pub vocabulary: &'a Vocabulary,
    /// What the files were made from.
    pub about: &'a About,
    /// The most pictures of a label from one data set.
    pub per_name: usize,
    /// The folder of the files.
    pub folder: &'a Path,
    /// Threads.
    pub threads: usize,
}

/// A picture to be run, and whether it is one of those that are also changed.
struct PictureJob<'a> {
    item: &'a Item,
    change: Option<Change>,
}

/// A data set's name: its file's up to the first dot.
pub fn set_name(path: &Path) -> String {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    name.split('.').next().unwrap_or_default().to_owned()
}

impl FeatureStage<'_> {
    /// Runs what the folder does not hold yet; returns files that could not be used, and why.
    ///
    /// # Errors
    /// Those of the data sets and the encoder, and whatever `tell` returns: finished parts stay.
    pub fn run(&self, tell: &mut Tell<'_>) -> Result<Vec<(String, Error)>> {
        let failed = |error: std::io::Error| {
            Error::new(Kind::Io, format!("{}: {error}.", self.folder.display()))
        };
        std::fs::create_dir_all(self.folder).map_err(failed)?;
        let mut sets = Vec::new();
        for path in self.data.iter().map(PathBuf::as_path) {
            sets.push((path, DataSet::open(path, &Limits::default())?, true));
        }
        if let Some(path) = self.captioned {
            sets.push((path, DataSet::open(path, &Limits::default())?, false));
        }
        let jobs = sets
            .iter()
            .map(|(_, data, labeled)| self.jobs(data, *labeled))
            .collect::<Result<Vec<_>>>()?;
        let total = jobs.iter().map(Vec::len).sum();
        let mut progress = Progress {
            began: now(),
            ran: 0,
            done: 0,
            total,
        };
        let mut failures = Vec::new();
        for ((path, data, labeled), jobs) in sets.iter().zip(&jobs) {
            let set = set_name(path);
            for (number, part) in jobs.chunks(PART).enumerate() {
                let file = self.folder.join(format!("{set}.{number:04}.safetensors"));
                if file.exists() {
                    Pictures::read(&file, Some(self.about))?;
                    progress.done += part.len();
                    continue;
                }
                let mut pictures = Pictures::new(FEATURES);
                let named = if *labeled { Some(set.as_str()) } else { None };
                self.part(
                    data,
                    (&set, named),
                    part,
                    &mut pictures,
                    &mut failures,
                    &mut |ran| tell(&progress.after(ran)),
                )?;
                pictures.write(&file, self.about)?;
            }
        }
        Ok(failures)
    }

    /// What is run of a data set, in its order: of each label at most so many, drawn by the seed.
    fn jobs<'d>(&self, data: &'d DataSet, labeled: bool) -> Result<Vec<PictureJob<'d>>> {
        if !labeled {
            let items = data.items().iter();
            return Ok(items
                .filter(|item| item.class == TRAIN_SPLIT)
                .map(|item| PictureJob { item, change: None })
                .collect());
        }
        let mut by_label: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
        let items = data.select(Some(TRAIN_SPLIT))?;
        for (index, item) in items.iter().enumerate() {
            let known = self.vocabulary.find(&item.class);
            if known.is_some_and(|name| !self.vocabulary.is_withheld(name)) {
                by_label.entry(&item.class).or_default().push(index);
            }
        }
        let mut chosen: BTreeMap<usize, Option<Change>> = BTreeMap::new();
        for (label, of_label) in by_label.values().enumerate() {
            let mut rng = Rng::derive(self.about.seed, label as u64);
            let order = rng.permutation(of_label.len());
            for (place, at) in order.into_iter().take(self.per_name).enumerate() {
                let change = (place < CHANGED).then(|| Change::ALL[place % Change::ALL.len()]);
                chosen.insert(of_label[at], change);
            }
        }
        Ok(chosen
            .into_iter()
            .map(|(index, change)| PictureJob {
                item: items[index],
                change,
            })
            .collect())
    }

    /// Runs the pictures of one file.
    fn part(
        &self,
        data: &DataSet,
        (set, labeled): (&str, Option<&str>),
        jobs: &[PictureJob<'_>],
        out: &mut Pictures,
        failures: &mut Vec<(String, Error)>,
        told: &mut dyn FnMut(usize) -> Result<()>,
    ) -> Result<()> {
        let mut waiting: Vec<(&PictureJob<'_>, Vec<u8>)> = Vec::new();
        let mut by_path: BTreeMap<&str, &PictureJob<'_>> = BTreeMap::new();
        for job in jobs {
            by_path.insert(&job.item.path, job);
        }
        let items: Vec<&Item> = jobs.iter().map(|job| job.item).collect();
        let mut flush = |waiting: &mut Vec<(&PictureJob<'_>, Vec<u8>)>,
                         failures: &mut Vec<(String, Error)>|
         -> Result<()> {
            let count = waiting.len();
            for (job, outcome) in self.encode(waiting)? {
                let picture = |change| Picture {
                    set: set.to_owned(),
                    label: labeled.map(|_| job.item.class.clone()).unwrap_or_default(),
                    path: job.item.path.clone(),
                    change,
                };
                match outcome {
                    Ok(rows) => {
                        for (change, row) in rows {
                            out.push(picture(change), &row);
                        }
                    }
                    Err(error) => failures.push((job.item.path.clone(), error)),
                }
            }
            waiting.clear();
            told(count)
        };
        data.read(&items, &mut |item, bytes| {
            match (bytes, by_path.get(item.path.as_str())) {
                (Ok(bytes), Some(job)) => waiting.push((job, bytes)),
                (Err(error), _) => failures.push((item.path.clone(), error)),
                (Ok(_), None) => {}
            }
            if waiting.len() == CHUNK {
                flush(&mut waiting, failures)?;
            }
            Ok(())
        })?;
        flush(&mut waiting, failures)
    }

    /// Features of files on all threads, one picture at a time, in their order.
    fn encode<'j>(&self, files: &[(&'j PictureJob<'j>, Vec<u8>)]) -> Result<Vec<JobRows<'j>>> {
        let per_thread = files.len().div_ceil(self.threads.max(1)).max(1);
        let one = |(job, bytes): &(&'j PictureJob<'j>, Vec<u8>)| -> Result<JobRows<'j>> {
            let image = match decode(bytes, &image::Limits::default()) {
                Ok(image) => image,
                Err(error) => return Ok((*job, Err(error))),
            };
            let mut rows = vec![(None, self.feature(&image)?)];
            let large = image.width.min(image.height) > TINY;
            if let Some(change) = job.change.filter(|_| large) {
                let mut rng = Rng::derive(self.about.seed, bytes.len() as u64);
                rows.push((
                    Some(change),
                    self.feature(&changed(&image, change, &mut rng)?)?,
                ));
            }
            Ok((*job, Ok(rows)))
        };
        std::thread::scope(|scope| {
            let running: Vec<_> = files
                .chunks(per_thread)
                .map(|part| scope.spawn(move || part.iter().map(one).collect::<Result<Vec<_>>>()))
                .collect();
            let mut all = Vec::with_capacity(files.len());
            for thread in running {
                all.extend(
                    thread
                        .join()
                        .expect("a thread that encodes pictures ends")?,
                );
            }
            Ok(all)
        })
    }

    fn feature(&self, image: &Rgb8) -> Result<Vec<f32>> {
        let preprocess = preprocess(self.about.size);
        let pixels = to_chw(&resize_crop(image, &preprocess)?, &preprocess);
        block_on(read(self.trunk.pooled(&pixels)))
    }
}

/// A picture with its features as it is and changed, or why there are none.
type JobRows<'j> = (&'j PictureJob<'j>, Result<Vec<(Option<Change>, Vec<f32>)>>);

struct Progress {
    began: f64,
    ran: usize,
    done: usize,
    total: usize,
}

impl Progress {
    fn after(&mut self, ran: usize) -> StageProgress {
        self.ran += ran;
        self.done += ran;
        let seconds = (now() - self.began) / 1e3;
        StageProgress {
            stage: "features",
            done: self.done,
            total: self.total,
            loss: None,
            left: seconds / self.ran.max(1) as f64 * (self.total - self.done) as f64,
        }
    }
}

/// `image` changed in this way.
///
/// # Errors
/// Those of resizing.
pub fn changed(image: &Rgb8, change: Change, rng: &mut Rng) -> Result<Rgb8> {
    let (width, height) = (image.width, image.height);
    let shorter = width.min(height);
    let whole = |(width, height): (u32, u32)| Rect {
        x: 0,
        y: 0,
        width,
        height,
    };
    Ok(match change {
        Change::Blurry => gaussian_blur(
            image,
            (f64::from(shorter) * rng.uniform(0.025, 0.06)) as f32,
        ),
        Change::Dark => brightness(image, rng.uniform(0.15, 0.35) as f32),
        Change::BlackAndWhite => grayscale(image),
        Change::Pixelated => {
            let squares = 10 + rng.below(9) as u32;
            let small = |side: u32| (side * squares / shorter).max(1);
            let size = (small(width), small(height));
            let coarse = resize(image, image.bounds(), size, whole(size), Filter::Box)?;
            let full = (width, height);
            resize(&coarse, coarse.bounds(), full, whole(full), Filter::Box)?
        }
        Change::CloseUp => {
            let share = rng.uniform(0.4, 0.55);
            let part = |side: u32| ((f64::from(side) * share) as u32).max(1);
            let size = (part(width), part(height));
            let middle = Rect {
                x: (width - size.0) / 2,
                y: (height - size.1) / 2,
                width: size.0,
                height: size.1,
            };
            resize(image, middle, size, whole(size), Filter::Box)?
        }
        Change::Bright => {
            let left = rng.uniform(0.25, 0.45);
            let mut image = image.clone();
            for value in &mut image.data {
                *value = 255 - (f64::from(255 - *value) * left) as u8;
            }
            image
        }
    })
}
