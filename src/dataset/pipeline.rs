//! Files in, results out in the same order, with the work on every core.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;

use crate::error::{Error, Kind, Result};
use crate::model::Model;

/// Bytes of files after which a batch is closed early.
const BATCH_BYTES: usize = 64 << 20;

/// Gives a file to a [`pipeline`].
pub type Feed<'a, K> = dyn FnMut(K, Result<Vec<u8>>) -> Result<()> + 'a;

/// Files with their keys.
pub type Files<K> = Vec<(K, Result<Vec<u8>>)>;

/// A batch with its number.
type Batch<K> = (usize, Files<K>);

/// What became of them.
pub type Done<K, T> = Result<Vec<(K, T)>>;

/// Threads that may compute with `model` side by side: a GPU has one queue, and of Burn's CPU backend
/// only the largest operations spread over the cores by themselves.
pub fn workers(model: &Model) -> usize {
    match model.processor.kind {
        "cpu" => thread::available_parallelism().map_or(1, |n| n.get()),
        _ => 1,
    }
}

/// Runs `feed`, which hands over files, does `work` on batches of `size` of them on `workers` threads,
/// and gives the results to `take` in the order of the files (on another thread).
///
/// Batches are cut by the order alone, so the result does not depend on the number of threads.
///
/// # Errors
/// Those of `feed`, `work` and `take`.
pub fn pipeline<K: Send, T: Send>(
    (workers, size): (usize, usize),
    feed: impl FnOnce(&mut Feed<'_, K>) -> Result<()>,
    work: &(dyn Fn(Files<K>) -> Done<K, T> + Sync),
    take: &mut (dyn FnMut(K, T) -> Result<()> + Send),
) -> Result<()> {
    let (to_workers, from_feed) = sync_channel(1);
    let (to_collector, from_workers) = sync_channel(workers);
    let from_feed = Mutex::new(Some(from_feed));
    thread::scope(|scope| {
        for _ in 0..workers {
            let (from_feed, results) = (&from_feed, to_collector.clone());
            scope.spawn(move || each(from_feed, work, &results));
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
        let fed = feed_batches(feed, size, to_workers);
        match collector.join() {
            Ok(Ok(())) => fed,
            Ok(Err(error)) => Err(error),
            Err(_) => Err(stopped()),
        }
    })
}

fn feed_batches<K>(
    feed: impl FnOnce(&mut Feed<'_, K>) -> Result<()>,
    size: usize,
    to_workers: SyncSender<Batch<K>>,
) -> Result<()> {
    let (mut number, mut bytes, mut files) = (0, 0, Vec::new());
    let mut send = |files: &mut Vec<_>| {
        let batch = (number, std::mem::take(files));
        number += 1;
        to_workers.send(batch).map_err(|_| stopped())
    };
    feed(&mut |key, file| {
        bytes += file.as_ref().map_or(0, Vec::len);
        files.push((key, file));
        if files.len() == size || bytes >= BATCH_BYTES {
            bytes = 0;
            send(&mut files)?;
        }
        Ok(())
    })?;
    if files.is_empty() {
        Ok(())
    } else {
        send(&mut files)
    }
}

fn each<K, T>(
    batches: &Mutex<Option<Receiver<Batch<K>>>>,
    work: &dyn Fn(Files<K>) -> Done<K, T>,
    results: &SyncSender<(usize, Done<K, T>)>,
) {
    loop {
        let next = match &*lock(batches) {
            Some(receiver) => receiver.recv(),
            None => return,
        };
        let Ok((number, files)) = next else { return };
        if results.send((number, work(files))).is_err() {
            return;
        }
    }
}

/// Puts the batches back into order.
fn collect<K, T>(
    results: &Receiver<(usize, Done<K, T>)>,
    take: &mut (dyn FnMut(K, T) -> Result<()> + Send),
) -> Result<()> {
    let mut early = BTreeMap::new();
    let mut next = 0;
    for (number, done) in results {
        early.insert(number, done?);
        while let Some(done) = early.remove(&next) {
            next += 1;
            for (key, result) in done {
                take(key, result)?;
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
