//! PyTorch's state dictionaries (`.bin`, `.pt`) as a stream: the pickle comes first and says what
//! is in each storage, then the storages come one after the other. Nothing but the pickle is kept.

mod archive;
mod pickle;
mod pickle_input;
mod reading;
mod value;

use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

use self::archive::{Member, Next};
use self::pickle::{Step, Unpickler};
use self::reading::{Contents, Reading, entry, header};
use super::header::shown;
use super::hex::hex;
use super::model_folder::WeightSink;
use crate::error::{Error, Kind, Result};

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

    /// Reads one part at the front of `bytes` and says how long it is; `None` if more must come.
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
