//! One storage on its way in: its tensors are handed on as their bytes come, or gathered at its end.

use std::collections::{BTreeMap, VecDeque};

use super::value::{Storage, Tensor};
use super::{damaged, unsupported};
use crate::checkpoint::header::{Entry, Header};
use crate::checkpoint::load::DataHash;
use crate::checkpoint::model_folder::WeightSink;
use crate::error::Result;

/// The largest storage that is held as a whole, for tensors that do not lie in it row by row.
const MAX_HELD: usize = 1 << 29;
/// How many tensors may use the same values: weights that are tied have two names, or a few.
const MAX_SHARED: usize = 4;
/// Bytes gathered at a time from such a storage.
const GATHERED: usize = 1 << 16;

/// A storage and the tensors in it.
pub(super) struct Contents {
    pub(super) storage: Storage,
    pub(super) tensors: Vec<(String, Tensor)>,
}

/// A storage on its way in.
pub(super) struct Reading {
    contents: Contents,
    pub(super) at: u64,
    pub(super) bytes: u64,
    access: TensorAccess,
}

/// How the tensors of a storage are found in it.
enum TensorAccess {
    /// They lie one after the other: the first byte and the end of each that is still to come.
    InOrder(VecDeque<(u64, u64)>),
    /// They do not, so all of it is held.
    Whole(Vec<u8>),
}

impl Reading {
    pub(super) fn new(mut contents: Contents) -> Result<Self> {
        let storage = &contents.storage;
        let size = storage.dtype.bitsize() / 8;
        let bytes = storage.count.checked_mul(size);
        let bytes = bytes.ok_or_else(|| damaged("a storage in it is too large"))?;
        let used: usize = contents
            .tensors
            .iter()
            .map(|(_, t)| t.elements())
            .fold(0, usize::saturating_add);
        if used > storage.count.saturating_mul(MAX_SHARED) {
            return Err(unsupported(
                "too many of its tensors are views of one storage",
            ));
        }
        contents.tensors.sort_by_key(|(_, tensor)| tensor.offset);
        let mut end = 0;
        let in_order = contents.tensors.iter().all(|(_, tensor)| {
            let fits = tensor.is_contiguous() && tensor.offset >= end;
            end = tensor.offset + tensor.elements();
            fits
        });
        let access = match in_order {
            true => TensorAccess::InOrder(
                contents
                    .tensors
                    .iter()
                    .filter(|(_, tensor)| tensor.elements() > 0)
                    .map(|(_, tensor)| {
                        let from = tensor.offset * size;
                        (from as u64, (from + tensor.elements() * size) as u64)
                    })
                    .collect(),
            ),
            false if bytes > MAX_HELD => {
                return Err(unsupported(
                    "its tensors are views of one storage of more than 512 MiB; in Python, make them contiguous",
                ));
            }
            false => TensorAccess::Whole(Vec::new()),
        };
        Ok(Self {
            contents,
            at: 0,
            bytes: bytes as u64,
            access,
        })
    }

    pub(super) fn begin(&self, feed: &mut WeightSink<'_>) -> Result<()> {
        let tensors = self.contents.tensors.iter();
        let entries: Vec<Entry> = tensors.map(|(name, tensor)| entry(name, tensor)).collect();
        match entries.is_empty() {
            true => Ok(()),
            false => feed.begin(header(entries), DataHash::OfFile),
        }
    }

    /// Takes what belongs to this storage, and says how much that is.
    pub(super) fn push(&mut self, bytes: &[u8], feed: &mut WeightSink<'_>) -> Result<usize> {
        let left = usize::try_from(self.bytes - self.at).unwrap_or(usize::MAX);
        let count = left.min(bytes.len());
        let mut rest = &bytes[..count];
        match &mut self.access {
            TensorAccess::Whole(all) => {
                all.extend_from_slice(rest);
                self.at += count as u64;
            }
            TensorAccess::InOrder(ranges) => {
                while !rest.is_empty() {
                    let (from, to) = ranges.front().copied().unwrap_or((self.bytes, self.bytes));
                    let end = if self.at < from { from } else { to };
                    let length = usize::try_from(end - self.at).unwrap_or(usize::MAX);
                    let (now, later) = rest.split_at(length.min(rest.len()));
                    if self.at >= from {
                        feed.push(now)?;
                    }
                    self.at += now.len() as u64;
                    rest = later;
                    if self.at == to {
                        ranges.pop_front();
                    }
                }
            }
        }
        Ok(count)
    }

    pub(super) fn end(&mut self, feed: &mut WeightSink<'_>) -> Result<()> {
        if let TensorAccess::Whole(all) = &self.access {
            let size = self.contents.storage.dtype.bitsize() / 8;
            for (_, tensor) in &self.contents.tensors {
                gather(tensor, all, size, feed)?;
            }
        }
        match self.contents.tensors.is_empty() {
            true => Ok(()),
            false => feed.end_part(),
        }
    }
}

/// Gives the values of `tensor` in `all`, of `size` bytes each, to `feed` row by row.
fn gather(tensor: &Tensor, all: &[u8], size: usize, feed: &mut WeightSink<'_>) -> Result<()> {
    let mut place = vec![0; tensor.shape.len()];
    let mut out = Vec::with_capacity(GATHERED + size);
    for _ in 0..tensor.elements() {
        let steps = place.iter().zip(&tensor.strides);
        let at = tensor.offset + steps.map(|(place, stride)| place * stride).sum::<usize>();
        // Every place was checked against the storage.
        out.extend_from_slice(&all[at * size..(at + 1) * size]);
        if out.len() >= GATHERED {
            feed.push(&out)?;
            out.clear();
        }
        for (place, side) in place.iter_mut().zip(&tensor.shape).rev() {
            *place += 1;
            if *place < *side {
                break;
            }
            *place = 0;
        }
    }
    feed.push(&out)
}

pub(super) fn entry(name: &str, tensor: &Tensor) -> Entry {
    Entry {
        name: name.to_owned(),
        dtype: tensor.storage.dtype,
        shape: tensor.shape.clone(),
        // What no storage holds is refused when the storage comes.
        bytes: (tensor.elements() as u64).saturating_mul(tensor.storage.dtype.bitsize() as u64 / 8),
    }
}

pub(super) fn header(entries: Vec<Entry>) -> Header {
    Header {
        data_bytes: entries
            .iter()
            .fold(0, |sum, entry| entry.bytes.saturating_add(sum)),
        entries,
        metadata: BTreeMap::new(),
    }
}
