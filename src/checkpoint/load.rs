//! Loads a checkpoint from the bytes of its files, one after the other.

use std::cell::Cell;
use std::rc::Rc;

use sha2::{Digest, Sha256};

use super::header::Header;
use super::hex::hex;
use super::load_report::{LoadReport, LoadTimes};
use super::loader_state::{LoaderState, Sink};
use super::names::meaning;
use super::plan::{actions, check_placed};
use super::quantized_file::Stored;
use super::reader::{Limits, SafetensorsStream};
use crate::clip::config::ClipConfig;
use crate::clock::now;
use crate::error::Result;
use crate::quant::Quantization;

/// Streams checkpoint files in order and emits tensors.
pub struct Loader {
    stream: SafetensorsStream,
    work: LoaderState,
    /// Whether several files follow, whose tensors an index lists.
    several: bool,
    /// Tensors of the model.
    tensors: usize,
    digests: Vec<String>,
    header: Header,
    bytes: u64,
    /// Bytes of the files that came as parts.
    sealed: u64,
    times: Rc<Cell<LoadTimes>>,
}

/// How data without a header of its own is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataHash {
    /// By its own SHA-256.
    Own,
    /// By that of the file which it is a part of, told at its end.
    OfFile,
}

impl Loader {
    /// A loader for the model of `config` that quantizes to `quantization`, or leaves matrices as
    /// they are stored if that is `None`.
    pub fn new(config: &ClipConfig, quantization: Option<Quantization>) -> Self {
        let work = LoaderState::new(config, quantization);
        Self {
            stream: SafetensorsStream::new(Limits::default()),
            tensors: work.specs.len(),
            work,
            several: false,
            digests: Vec::new(),
            header: Header::default(),
            bytes: 0,
            sealed: 0,
            times: Rc::default(),
        }
    }

    /// A view of where the time goes.
    pub fn times(&self) -> Rc<Cell<LoadTimes>> {
        self.times.clone()
    }

    /// Says that several files follow, which together hold the tensors `names`.
    ///
    /// # Errors
    /// `weights/missing-tensor` if that is not the whole model.
    pub fn expect<'a>(&mut self, names: impl Iterator<Item = &'a str>) -> Result<()> {
        let names: Vec<&str> = names.collect();
        self.work.choose(names.iter().copied());
        let mut found = vec![false; self.work.specs.len()];
        for name in names {
            for target in meaning(name).0 {
                if let Some(place) = self.work.place(&target) {
                    found[place] = true;
                }
            }
        }
        self.several = true;
        self.work.complete = false;
        self.work.check_complete(&found)
    }

    /// Whether several files follow.
    pub(super) fn expects(&self) -> bool {
        self.several
    }

    /// Checks the headers of all files that follow, before any of them is read.
    ///
    /// # Errors
    /// `weights/...`, as [`push`](Self::push) for the header of a file, and `weights/missing-tensor`
    /// if they are not the whole model together.
    pub fn check(&self, headers: &[Header]) -> Result<()> {
        let mut found = vec![false; self.work.specs.len()];
        for header in headers {
            Stored::read(header)?;
            let actions = actions(&self.work.specs, header, &mut found)?;
            check_placed(header, &actions)?;
        }
        self.work.check_complete(&found)
    }

    /// Starts a file that holds nothing but the data of `header` and is known as `hash` says.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn begin(&mut self, header: Header, hash: DataHash) -> Result<()> {
        let work = &mut self.work;
        let hashed = hash == DataHash::Own;
        self.stream = SafetensorsStream::of_data(header, hashed, &mut |piece| {
            work.take(piece, &mut |_, _| Ok(()))
        })?;
        Ok(())
    }

    /// Reads the next bytes of the file, any number of them, and hands `sink` each tensor that
    /// they complete.
    ///
    /// # Errors
    /// `weights/invalid`, `weights/missing-tensor`, `weights/unexpected`, `weights/wrong-shape`,
    /// `weights/unsupported-type`, `weights/not-finite`, or whatever `sink` returns. Discard the
    /// loader afterwards.
    pub fn push(&mut self, bytes: &[u8], sink: &mut Sink<'_>) -> Result<()> {
        let (work, start, hashed) = (&mut self.work, now(), self.stream.hashing());
        let mut sinking = 0.0;
        let mut timed = |name: &str, tensor| {
            let start = now();
            let outcome = sink(name, tensor);
            sinking += now() - start;
            outcome
        };
        let outcome = self
            .stream
            .push(bytes, &mut |piece| work.take(piece, &mut timed));
        let (total, hash) = (now() - start, self.stream.hashing() - hashed);
        let mut times = self.times.get();
        times.hash += hash;
        times.sink += sinking;
        times.quantize += total - hash - sinking;
        self.times.set(times);
        outcome
    }

    /// Bytes read so far.
    pub fn taken(&self) -> u64 {
        self.bytes + self.stream.taken()
    }

    /// Bytes of the file at hand, once its header has been read.
    pub fn total(&self) -> Option<u64> {
        self.stream.total()
    }

    /// Ends a file after which another one comes.
    ///
    /// # Errors
    /// `weights/invalid` if it ended early.
    pub fn end_file(&mut self) -> Result<()> {
        let fresh = SafetensorsStream::new(Limits::default());
        let stream = std::mem::replace(&mut self.stream, fresh);
        self.bytes += stream.taken();
        if let Some(header) = stream.header() {
            self.header.entries.extend_from_slice(&header.entries);
            self.header.metadata.extend(header.metadata.clone());
            self.header.data_bytes += header.data_bytes;
        }
        let own = stream.finish()?;
        self.digests.extend(own.map(|hash| hex(&hash)));
        Ok(())
    }

    /// Says that the parts since the last file were one of `bytes` bytes, known by its SHA-256.
    pub(super) fn seal(&mut self, sha256: String, bytes: u64) {
        self.digests.push(sha256);
        self.sealed += bytes;
        self.bytes = self.sealed;
    }

    /// Ends the last file.
    ///
    /// # Errors
    /// `weights/invalid` if it ended early, `weights/missing-tensor` if no file had a tensor.
    pub fn finish(mut self) -> Result<LoadReport> {
        if !self.several {
            self.end_file()?;
        }
        self.work.check_complete(&self.work.found)?;
        // One file is known by its own hash; several by that of the list of theirs.
        let file_sha256 = match self.digests.as_slice() {
            [one] => one.clone(),
            many => hex(&Sha256::digest(many.join("\n"))),
        };
        let (stored, origin) = match self.work.stored {
            Some(stored) => (stored.quantization, Some(stored.source_sha256)),
            None => (Quantization::None, None),
        };
        Ok(LoadReport {
            tensors: self.tensors,
            ignored: self.work.ignored,
            bytes: self.bytes,
            model_sha256: origin.unwrap_or_else(|| file_sha256.clone()),
            file_sha256,
            quantization: self.work.target.unwrap_or(stored),
            header: self.header,
        })
    }
}
