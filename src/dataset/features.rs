//! Features of many images: decoded on the fly and encoded in batches on every core.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use crate::classifier::{Classes, Classifier, Seen};
use crate::error::{Error, Kind, Result};

/// Images per forward pass.
const BATCH: usize = 16;
/// Bytes of image files after which a batch is closed early.
const BATCH_BYTES: usize = 64 << 20;

/// An image's L2-normalised features.
#[derive(Debug, Clone, PartialEq)]
pub struct Features {
    /// Of the whole image, [d].
    pub image: Vec<f32>,
    /// Of its patches, [N, d]; empty where they were not asked for.
    pub patches: Vec<f32>,
}

impl Features {
    /// What a score reads, with the class texts as they are.
    pub fn seen<'a>(&'a self, classes: &'a Classes) -> Seen<'a> {
        Seen {
            feature: &self.image,
            patches: &self.patches,
            texts: &classes.features,
        }
    }
}

/// An image's features, or why there are none.
pub type Embedded = Result<Features>;

/// Gives an image file to [`embed_all`].
pub type Feed<'a, K> = dyn FnMut(K, Result<Vec<u8>>) -> Result<()> + 'a;

struct Batch<K> {
    number: usize,
    images: Vec<(K, Result<Vec<u8>>)>,
}

type Done<K> = Result<(usize, Vec<(K, Embedded)>)>;

/// Runs `feed`, which hands over image files, and gives their features, with those of their patches
/// where `patches` is set, to `take` in the same order (on another thread). A file that is an error, or cannot be decoded, arrives as its error.
///
/// Batches are cut by the order alone, so the result does not depend on the number of cores.
///
/// # Errors
/// Those of `feed` and `take`, `engine/not-finite`, `gpu/lost`.
pub fn embed_all<K: Send>(
    model: &Classifier,
    patches: bool,
    feed: impl FnOnce(&mut Feed<'_, K>) -> Result<()>,
    take: &mut (dyn FnMut(K, Embedded) -> Result<()> + Send),
) -> Result<()> {
    // A GPU has one queue; Burn's CPU backend computes on the calling thread.
    let workers = match model.processor.kind {
        "cpu" => thread::available_parallelism().map_or(1, |n| n.get()),
        _ => 1,
    };
    let (to_workers, from_feed) = sync_channel::<Batch<K>>(1);
    let (to_collector, from_workers) = sync_channel::<Done<K>>(workers);
    let from_feed = Mutex::new(Some(from_feed));
    thread::scope(|scope| {
        for _ in 0..workers {
            let (from_feed, results) = (&from_feed, to_collector.clone());
            scope.spawn(move || work(model, patches, from_feed, &results));
        }
        drop(to_collector);
        let from_feed = &from_feed;
        let collector = scope.spawn(move || {
            let outcome = collect(&from_workers, take);
            // Without receivers the workers end, and then the feed's next send fails.
            drop(from_workers);
            if outcome.is_err() {
                drop(lock(from_feed).take());
            }
            outcome
        });
        let fed = feed_batches(feed, to_workers);
        match collector.join() {
            Ok(Ok(())) => fed,
            Ok(Err(error)) => Err(error),
            Err(_) => Err(stopped()),
        }
    })
}

fn feed_batches<K>(
    feed: impl FnOnce(&mut Feed<'_, K>) -> Result<()>,
    to_workers: SyncSender<Batch<K>>,
) -> Result<()> {
    let (mut number, mut bytes, mut images) = (0, 0, Vec::new());
    let mut send = |images: &mut Vec<_>| {
        let batch = Batch {
            number,
            images: std::mem::take(images),
        };
        number += 1;
        to_workers.send(batch).map_err(|_| stopped())
    };
    feed(&mut |key, file| {
        bytes += file.as_ref().map_or(0, Vec::len);
        images.push((key, file));
        if images.len() == BATCH || bytes >= BATCH_BYTES {
            bytes = 0;
            send(&mut images)?;
        }
        Ok(())
    })?;
    if images.is_empty() {
        Ok(())
    } else {
        send(&mut images)
    }
}

fn work<K>(
    model: &Classifier,
    patches: bool,
    batches: &Mutex<Option<Receiver<Batch<K>>>>,
    results: &SyncSender<Done<K>>,
) {
    loop {
        let next = match &*lock(batches) {
            Some(receiver) => receiver.recv(),
            None => return,
        };
        let Ok(batch) = next else { return };
        if results.send(encode(model, patches, batch)).is_err() {
            return;
        }
    }
}

fn encode<K>(model: &Classifier, patches: bool, batch: Batch<K>) -> Done<K> {
    let mut pixels = Vec::new();
    let mut waiting = Vec::with_capacity(batch.images.len());
    for (key, file) in batch.images {
        let decoded = file.and_then(|bytes| model.pixels(&bytes));
        waiting.push((key, decoded.map(|(values, ..)| pixels.extend(values))));
    }
    let decoded = waiting
        .iter()
        .filter(|(_, outcome)| outcome.is_ok())
        .count();
    let (images, local) = if pixels.is_empty() {
        (Vec::new(), Vec::new())
    } else if patches {
        pollster::block_on(model.embed_patches(&pixels))?
    } else {
        (pollster::block_on(model.embed_pixels(&pixels))?, Vec::new())
    };
    let mut images = images.chunks_exact(model.clip.config.projection_dim);
    let mut local = local.chunks_exact((local.len() / decoded.max(1)).max(1));
    let mut done = Vec::with_capacity(waiting.len());
    for (key, decoded) in waiting {
        let features = decoded.and_then(|()| {
            let image = images
                .next()
                .ok_or_else(|| Error::new(Kind::Internal, "An image has no features."))?;
            Ok(Features {
                image: image.to_vec(),
                patches: local.next().map(<[f32]>::to_vec).unwrap_or_default(),
            })
        });
        done.push((key, features));
    }
    Ok((batch.number, done))
}

/// Puts the batches back into order.
fn collect<K>(
    results: &Receiver<Done<K>>,
    take: &mut (dyn FnMut(K, Embedded) -> Result<()> + Send),
) -> Result<()> {
    let mut early = BTreeMap::new();
    let mut next = 0;
    for result in results {
        let (number, done) = result?;
        early.insert(number, done);
        while let Some(done) = early.remove(&next) {
            next += 1;
            for (key, embedded) in done {
                take(key, embedded)?;
            }
        }
    }
    Ok(())
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn stopped() -> Error {
    Error::new(Kind::Internal, "The encoding of images stopped early.")
}
