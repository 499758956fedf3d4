//! PyTorch's state dictionaries (`.bin`, `.pt`) as a stream: the pickle comes first and says what
//! is in each storage, then the storages come one after the other. Nothing but the pickle is kept.

mod archive;
mod pickle;
mod value;

use std::collections::{BTreeMap, VecDeque};

use sha2::{Digest, Sha256};

use self::archive::{Member, Next};
use self::pickle::{Step, Unpickler};
use self::value::{Storage, Tensor};
use super::artifact::WeightSink;
use super::header::{Entry, Header, shown};
use super::load::hex;
use crate::error::{Error, Kind, Result};

/// The largest storage that is held as a whole, for tensors that do not lie in it row by row.
const MAX_HELD: usize = 1 << 29;
/// Bytes gathered at a time from such a storage.
const GATHERED: usize = 1 << 16;

/// Whether a file of this name is PyTorch's.
pub fn is_torch(name: &str) -> bool {
    name.ends_with(".bin") || name.ends_with(".pt") || name.ends_with(".pth")
}

/// The parser.
#[derive(Default)]
pub struct TorchStream {
    state: State,
    /// Bytes that wait for the rest of what they belong to.
    pending: Vec<u8>,
    hash: Sha256,
    taken: u64,
    /// Each storage that has not come yet, with the names and places of its tensors.
    storages: BTreeMap<String, Contents>,
    /// Whether the pickle has been read.
    described: bool,
}

#[derive(Default)]
enum State {
    /// Before the first member.
    #[default]
    Start,
    /// Before another one.
    Between,
    Pickle(Box<Unpickler>, u64, Option<u64>),
    Small(String, Option<u64>),
    Storage(Box<Reading>, Option<u64>),
    /// Before the record behind a member of so many bytes.
    Behind(u64),
    /// In the list of members at the end.
    Directory,
    Failed,
}

/// A storage and the tensors in it.
struct Contents {
    storage: Storage,
    tensors: Vec<(String, Tensor)>,
}

/// A storage on its way in.
struct Reading {
    contents: Contents,
    at: u64,
    bytes: u64,
    way: Way,
}

/// How the tensors of a storage are found in it.
enum Way {
    /// They lie one after the other: the first byte and the end of each that is still to come.
    InOrder(VecDeque<(u64, u64)>),
    /// They do not, so all of it is held.
    Held(Vec<u8>),
}

impl TorchStream {
    /// A stream before its first byte.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads the next bytes of the file, any number of them, and gives the tensors in them to `feed`.
    ///
    /// # Errors
    /// `weights/unsupported-format` for a file of another kind or one that holds other things than
    /// tensors, `weights/invalid` for a damaged one, and those of the feed.
    pub fn push(&mut self, bytes: &[u8], feed: &mut WeightSink<'_>) -> Result<()> {
        self.hash.update(bytes);
        self.taken += bytes.len() as u64;
        let mut pending = std::mem::take(&mut self.pending);
        let result = if pending.is_empty() {
            self.advance(bytes, feed)
        } else {
            pending.extend_from_slice(bytes);
            self.advance(&pending, feed)
        };
        if result.is_err() {
            self.state = State::Failed;
        }
        result
    }

    /// Ends the file.
    ///
    /// # Errors
    /// `weights/invalid` if it ended early, or lacks a storage.
    pub fn finish(self, feed: &mut WeightSink<'_>) -> Result<()> {
        match self.state {
            State::Directory => {}
            State::Failed => return Err(damaged("reading it failed before")),
            _ => return Err(damaged("it ends early")),
        }
        if let Some((key, _)) = self.storages.iter().find(|(_, c)| !c.tensors.is_empty()) {
            return Err(damaged(&format!("its archive lacks data/{}", shown(key))));
        }
        feed.seal(hex(&self.hash.finalize()), self.taken);
        Ok(())
    }

    fn advance(&mut self, bytes: &[u8], feed: &mut WeightSink<'_>) -> Result<()> {
        let mut rest = bytes;
        while let Some(used) = self.step(rest, feed)? {
            rest = &rest[used..];
        }
        self.pending = rest.to_vec();
        Ok(())
    }

    /// Reads one part at the front of `bytes` and says how long it is; `None` where more must come.
    fn step(&mut self, bytes: &[u8], feed: &mut WeightSink<'_>) -> Result<Option<usize>> {
        if bytes.is_empty() {
            return Ok(None);
        }
        match &mut self.state {
            State::Start | State::Between => {
                let first = matches!(self.state, State::Start);
                let Some((used, next)) = archive::next(bytes, first)? else {
                    return Ok(None);
                };
                self.state = match next {
                    Next::Directory => State::Directory,
                    Next::Member(local) => match local.member {
                        Member::Pickle if self.described => {
                            return Err(damaged("its archive has two pickles"));
                        }
                        Member::Pickle => State::Pickle(Box::default(), 0, local.size),
                        Member::Storage(key) => self.storage(&key, local.size, feed)?,
                        Member::Small(name) => State::Small(name, local.size),
                    },
                };
                Ok(Some(used))
            }
            State::Pickle(unpickler, read, size) => {
                let (used, root) = match unpickler.read(bytes)? {
                    Step::More(0) => return Ok(None),
                    Step::More(used) => (used, None),
                    Step::Done(used, root) => (used, Some(root)),
                };
                *read += used as u64;
                if let Some(root) = root {
                    let (read, size) = (*read, *size);
                    let unpickler = std::mem::take(unpickler);
                    self.describe(*unpickler, root, feed)?;
                    self.state = after(read, size)?;
                }
                Ok(Some(used))
            }
            State::Small(name, size) => {
                let Some((used, content)) = archive::small(bytes, *size)? else {
                    return Ok(None);
                };
                if name == "byteorder" && content != b"little" {
                    return Err(unsupported("its numbers are big-endian"));
                }
                self.state = State::Between;
                Ok(Some(used))
            }
            State::Storage(reading, size) => {
                let used = reading.push(bytes, feed)?;
                if reading.at == reading.bytes {
                    let (read, size) = (reading.bytes, *size);
                    reading.end(feed)?;
                    self.state = after(read, size)?;
                }
                Ok(Some(used))
            }
            State::Behind(size) => {
                let used = archive::behind(bytes, *size)?;
                if used.is_some() {
                    self.state = State::Between;
                }
                Ok(used)
            }
            State::Directory => Ok(Some(bytes.len())),
            State::Failed => Err(damaged("reading it failed before")),
        }
    }

    /// Tells `feed` what the pickle describes.
    fn describe(
        &mut self,
        unpickler: Unpickler,
        root: value::Id,
        feed: &mut WeightSink<'_>,
    ) -> Result<()> {
        let arena = unpickler.into_arena();
        for (key, storage) in arena.storages() {
            let contents = Contents {
                storage: storage.clone(),
                tensors: Vec::new(),
            };
            self.storages.insert(key.clone(), contents);
        }
        let tensors = arena.tensors(root)?;
        let entries = tensors
            .iter()
            .map(|(name, tensor)| entry(name, tensor))
            .collect();
        feed.expect(&header(entries))?;
        for (name, tensor) in tensors {
            if let Some(contents) = self.storages.get_mut(&tensor.storage.key) {
                contents.tensors.push((name, tensor));
            }
        }
        self.described = true;
        Ok(())
    }

    /// Starts on the storage `key`.
    fn storage(
        &mut self,
        key: &str,
        size: Option<u64>,
        feed: &mut WeightSink<'_>,
    ) -> Result<State> {
        if !self.described {
            return Err(unsupported("its tensors stand before their names"));
        }
        let contents = self
            .storages
            .remove(key)
            .ok_or_else(|| damaged(&format!("its archive has a data/{} too many", shown(key))))?;
        let mut reading = Reading::new(contents)?;
        if size.is_some_and(|size| size != reading.bytes) {
            return Err(damaged(
                "a member of its archive has another size than its pickle says",
            ));
        }
        reading.begin(feed)?;
        if reading.bytes > 0 {
            return Ok(State::Storage(Box::new(reading), size));
        }
        reading.end(feed)?;
        after(0, size)
    }
}

/// What follows a member of `read` bytes whose header told `size`.
fn after(read: u64, size: Option<u64>) -> Result<State> {
    match size {
        None => Ok(State::Behind(read)),
        Some(size) if size == read => Ok(State::Between),
        Some(_) => Err(damaged("its pickle ends before its file does")),
    }
}

impl Reading {
    fn new(mut contents: Contents) -> Result<Self> {
        let storage = &contents.storage;
        let size = storage.dtype.bitsize() / 8;
        let bytes = storage.count.checked_mul(size);
        let bytes = bytes.ok_or_else(|| damaged("a storage in it is too large"))?;
        contents.tensors.sort_by_key(|(_, tensor)| tensor.offset);
        let mut end = 0;
        let in_order = contents.tensors.iter().all(|(_, tensor)| {
            let fits = tensor.is_contiguous() && tensor.offset >= end;
            end = tensor.offset + tensor.elements();
            fits
        });
        let way = match in_order {
            true => Way::InOrder(
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
            false => Way::Held(Vec::new()),
        };
        Ok(Self {
            contents,
            at: 0,
            bytes: bytes as u64,
            way,
        })
    }

    fn begin(&self, feed: &mut WeightSink<'_>) -> Result<()> {
        let tensors = self.contents.tensors.iter();
        let entries: Vec<Entry> = tensors.map(|(name, tensor)| entry(name, tensor)).collect();
        match entries.is_empty() {
            true => Ok(()),
            false => feed.begin(header(entries), None),
        }
    }

    /// Takes what belongs to this storage, and says how much that is.
    fn push(&mut self, bytes: &[u8], feed: &mut WeightSink<'_>) -> Result<usize> {
        let left = usize::try_from(self.bytes - self.at).unwrap_or(usize::MAX);
        let count = left.min(bytes.len());
        let mut rest = &bytes[..count];
        match &mut self.way {
            Way::Held(all) => {
                all.extend_from_slice(rest);
                self.at += count as u64;
            }
            Way::InOrder(ranges) => {
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

    fn end(&mut self, feed: &mut WeightSink<'_>) -> Result<()> {
        if let Way::Held(all) = &self.way {
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

fn entry(name: &str, tensor: &Tensor) -> Entry {
    Entry {
        name: name.to_owned(),
        dtype: tensor.storage.dtype,
        shape: tensor.shape.clone(),
        bytes: (tensor.elements() * (tensor.storage.dtype.bitsize() / 8)) as u64,
    }
}

fn header(entries: Vec<Entry>) -> Header {
    Header {
        data_bytes: entries.iter().map(|entry| entry.bytes).sum(),
        entries,
        metadata: BTreeMap::new(),
    }
}

fn damaged(why: &str) -> Error {
    Error::new(
        Kind::WeightsInvalid,
        format!("The PyTorch checkpoint cannot be read ({why}); download or copy it again."),
    )
}

fn unsupported(why: &str) -> Error {
    Error::new(
        Kind::WeightsUnsupportedFormat,
        format!(
            "The PyTorch file is not a plain state dictionary ({why}); load a copy with safetensors, or save one in Python: torch.save(model.state_dict(), \"pytorch_model.bin\")."
        ),
    )
}

/// The refusal of compiled models, OpenAI's own downloads among them.
pub(super) fn torchscript() -> Error {
    Error::new(
        Kind::WeightsUnsupportedFormat,
        "The file is a TorchScript archive, which cannot be read; in Python, save its state dictionary: torch.save(torch.jit.load(path).state_dict(), \"model.pt\").",
    )
}
