//! A push parser for single-file safetensors: a file and a download feed it alike, in pieces of
//! any size, and it keeps nothing but the header.

use sha2::{Digest, Sha256};

use super::header::{Entry, Header, invalid, shown};
use crate::clock::now;
use crate::error::Result;

/// What a stream may ask for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of the JSON header.
    pub header_bytes: usize,
    /// Tensors in one file.
    pub tensors: usize,
}

impl Default for Limits {
    /// The header limit of the safetensors crate, and 100,000 tensors.
    fn default() -> Self {
        Self {
            header_bytes: 100_000_000,
            tensors: 100_000,
        }
    }
}

/// Receives what a stream finds.
pub type Receive<'a> = dyn FnMut(Piece<'_>) -> Result<()> + 'a;

/// What a stream finds, in this order: the header, then for each tensor in the order of the data
/// its start, its bytes in pieces, and its end.
#[derive(Debug)]
pub enum Piece<'a> {
    /// The checked header.
    Header(&'a Header),
    /// A tensor starts.
    Start(&'a Entry),
    /// More bytes of that tensor.
    Bytes(&'a [u8]),
    /// That tensor is complete.
    End(&'a Entry),
}

enum State {
    /// Collecting the 8 bytes of the header's length.
    Length(Vec<u8>),
    /// Collecting the header of this length.
    Header(usize, Vec<u8>),
    /// Inside tensor `index`, `left` bytes before its end.
    Data { index: usize, left: u64 },
    /// After the last tensor.
    Done,
    /// An error was returned; nothing more is read.
    Failed,
}

/// The parser.
pub struct SafetensorsStream {
    limits: Limits,
    state: State,
    header: Option<Header>,
    /// None if the bytes are a part of something whose hash is taken elsewhere.
    hash: Option<Sha256>,
    hashing: f64,
    taken: u64,
    header_len: u64,
}

impl SafetensorsStream {
    /// A stream before its first byte.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            state: State::Length(Vec::new()),
            header: None,
            hash: Some(Sha256::new()),
            hashing: 0.0,
            taken: 0,
            header_len: 0,
        }
    }

    /// A stream of the data alone, for a file that says elsewhere what `header` says; `hashed` says
    /// whether its bytes are hashed here.
    ///
    /// # Errors
    /// Whatever `sink` returns for the header.
    pub fn of_data(header: Header, hashed: bool, sink: &mut Receive<'_>) -> Result<Self> {
        let mut stream = Self::new(Limits::default());
        stream.hash = hashed.then(Sha256::new);
        sink(Piece::Header(&header))?;
        stream.header = Some(header);
        stream.enter(0, sink)?;
        Ok(stream)
    }

    /// The header, once its bytes have been pushed.
    pub fn header(&self) -> Option<&Header> {
        self.header.as_ref()
    }

    /// Bytes pushed so far.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// Milliseconds spent on the hash.
    pub fn hashing(&self) -> f64 {
        self.hashing
    }

    /// Bytes of the whole file, once the header is known.
    pub fn total(&self) -> Option<u64> {
        let header = self.header.as_ref()?;
        (8 + self.header_len).checked_add(header.data_bytes)
    }

    /// Reads the next bytes of the file and tells `sink` what they contain.
    ///
    /// # Errors
    /// `weights/invalid` for a damaged file, or whatever `sink` returns. Every later call fails
    /// too.
    pub fn push(&mut self, bytes: &[u8], sink: &mut Receive<'_>) -> Result<()> {
        if let Some(hash) = &mut self.hash {
            let start = now();
            hash.update(bytes);
            self.hashing += now() - start;
        }
        self.taken += bytes.len() as u64;
        let result = self.advance(bytes, sink);
        if result.is_err() {
            self.state = State::Failed;
        }
        result
    }

    /// The SHA-256 of all bytes, after the end of the file; `None` for data that is not hashed here.
    ///
    /// # Errors
    /// `weights/invalid` if the file ended early.
    pub fn finish(self) -> Result<Option<[u8; 32]>> {
        match self.state {
            State::Done => Ok(self.hash.map(|hash| hash.finalize().into())),
            State::Failed => Err(invalid("reading it failed before")),
            State::Length(_) | State::Header(..) => Err(invalid("it ends inside its header")),
            State::Data { index, .. } => {
                let name = self
                    .header
                    .as_ref()
                    .and_then(|header| header.entries.get(index))
                    .map_or_else(String::new, |entry| shown(&entry.name));
                Err(invalid(format!("it ends inside {name}")))
            }
        }
    }

    fn advance(&mut self, mut bytes: &[u8], sink: &mut Receive<'_>) -> Result<()> {
        while !bytes.is_empty() {
            match &mut self.state {
                State::Length(have) => {
                    take(&mut bytes, have, 8);
                    if let Ok(length) = <[u8; 8]>::try_from(have.as_slice()) {
                        let length = self.header_length(u64::from_le_bytes(length))?;
                        self.header_len = length as u64;
                        self.state = State::Header(length, Vec::new());
                    }
                }
                State::Header(length, have) => {
                    take(&mut bytes, have, *length);
                    if have.len() == *length {
                        let header = Header::parse(have)?;
                        if header.entries.len() > self.limits.tensors {
                            return Err(invalid("it names too many tensors"));
                        }
                        sink(Piece::Header(&header))?;
                        self.header = Some(header);
                        self.enter(0, sink)?;
                    }
                }
                State::Data { index, left } => {
                    let index = *index;
                    let count = usize::try_from(*left).map_or(bytes.len(), |n| n.min(bytes.len()));
                    let (now, later) = bytes.split_at(count);
                    sink(Piece::Bytes(now))?;
                    bytes = later;
                    *left -= count as u64;
                    if *left == 0 {
                        if let Some(header) = &self.header {
                            sink(Piece::End(&header.entries[index]))?;
                        }
                        self.enter(index + 1, sink)?;
                    }
                }
                State::Done => return Err(invalid("there are bytes after the last tensor")),
                State::Failed => return Err(invalid("reading it failed before")),
            }
        }
        Ok(())
    }

    fn header_length(&self, length: u64) -> Result<usize> {
        usize::try_from(length)
            .ok()
            .filter(|length| (2..=self.limits.header_bytes).contains(length))
            .ok_or_else(|| invalid(format!("it claims a header of {length} bytes")))
    }

    /// Starts tensor `index`, passing over empty ones, which have no bytes to wait for.
    fn enter(&mut self, mut index: usize, sink: &mut Receive<'_>) -> Result<()> {
        let entries = self.header.as_ref().map_or(&[][..], |h| &h.entries);
        while let Some(entry) = entries.get(index) {
            sink(Piece::Start(entry))?;
            if entry.bytes > 0 {
                self.state = State::Data {
                    index,
                    left: entry.bytes,
                };
                return Ok(());
            }
            sink(Piece::End(entry))?;
            index += 1;
        }
        self.state = State::Done;
        Ok(())
    }
}

/// Moves bytes from the front of `from` to `to` until that holds `length`.
fn take(from: &mut &[u8], to: &mut Vec<u8>, length: usize) {
    let count = (length - to.len()).min(from.len());
    let (now, later) = from.split_at(count);
    to.extend_from_slice(now);
    *from = later;
}
