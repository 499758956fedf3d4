//! A checkpoint stream to model tensors: names and shapes are checked against the configuration
//! before the first value is read, then each tensor is decoded and quantized row by row as its
//! bytes arrive, and handed on when it is complete.

use std::cell::Cell;
use std::rc::Rc;

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::batch_norm::Folding;
use super::convert::Decoder;
use super::fill::TensorBuilder;
use super::header::{Entry, Header};
use super::names::{FileLayout, is_weight, meaning};
use super::plan::{TensorAction, check_placed, jobs};
use super::quantized_file::{Stored, missing, unpack};
use super::reader::{Limits, Piece, SafetensorsStream};
use crate::clip::config::{ClipConfig, TensorSpec};
use crate::clock::now;
use crate::error::Result;
use crate::quant::HostTensor;
use crate::quant::{Packed, Quantization, Scheme, reserve};

/// Receives each tensor by its Hugging Face name.
pub type Sink<'a> = dyn FnMut(&str, HostTensor) -> Result<()> + 'a;

/// Bytes decoded at a time, which bounds the scratch space.
const DECODE_BYTES: usize = 1 << 18;

/// What was loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoadReport {
    /// Tensors of the model.
    pub tensors: usize,
    /// Tensors outside of the towers that the model does not have (`position_ids` not counted).
    pub ignored: usize,
    /// Bytes of the file.
    pub bytes: u64,
    /// SHA-256 of the file, lower-case hexadecimal.
    pub file_sha256: String,
    /// SHA-256 of the source weights, whatever the quantization: of this file, or of the one that
    /// it was made from.
    pub model_sha256: String,
    /// How the matrices were handed over.
    pub quantization: Quantization,
    /// What the files list, one after the other.
    pub header: Header,
}

/// Feeds on the files of a checkpoint, one after the other, and gives tensors.
pub struct Loader {
    stream: SafetensorsStream,
    work: LoaderState,
    /// Names in all files, where there are several and an index lists them.
    several: bool,
    /// Tensors of the model.
    tensors: usize,
    digests: Vec<String>,
    header: Header,
    bytes: u64,
    /// Bytes of the files that came as parts.
    sealed: u64,
    spent: Rc<Cell<LoadTimes>>,
}

/// How data without a header of its own is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DataHash {
    /// By its own SHA-256.
    Own,
    /// By that of the file which it is a part of, told at its end.
    OfFile,
}

/// Where the time of loading went, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize)]
pub struct LoadTimes {
    /// SHA-256.
    pub hash: f64,
    /// From bytes to values and to packed values.
    pub quantize: f64,
    /// Into a pack, the hash of its chunks included.
    pub pack: f64,
    /// In the sink: to the device.
    pub sink: f64,
}

impl Loader {
    /// A loader for the model of `config` that quantizes to `quantization`, or leaves matrices as
    /// they are stored where that is `None`.
    pub fn new(config: &ClipConfig, quantization: Option<Quantization>) -> Self {
        let specs = config.tensors();
        let tensors = specs.len();
        let unfolded = config.unfolded().zip(Folding::new(config));
        Self {
            stream: SafetensorsStream::new(Limits::default()),
            work: LoaderState {
                found: vec![false; specs.len()],
                specs,
                unfolded,
                folding: None,
                target: quantization,
                stored: None,
                jobs: Vec::new(),
                next: 0,
                ignored: 0,
                scales: Vec::new(),
                scratch: Vec::new(),
                current: Current::Skip,
                complete: true,
            },
            several: false,
            tensors,
            digests: Vec::new(),
            header: Header::default(),
            bytes: 0,
            sealed: 0,
            spent: Rc::default(),
        }
    }

    /// A view of where the time goes.
    pub fn spent(&self) -> Rc<Cell<LoadTimes>> {
        self.spent.clone()
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
            let jobs = jobs(&self.work.specs, header, &mut found)?;
            check_placed(header, &jobs)?;
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
    /// `weights/unsupported-type`, `weights/not-finite`, or whatever `sink` returns. The loader is
    /// of no use afterwards.
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
        let mut spent = self.spent.get();
        spent.hash += hash;
        spent.sink += sinking;
        spent.quantize += total - hash - sinking;
        self.spent.set(spent);
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

/// The tensor being read.
enum Current {
    Skip,
    Values(Box<Values>),
    Bytes(Vec<u8>),
}

/// An entry of values, of one or more tensors.
struct Values {
    decoder: Decoder,
    /// The tensor at hand.
    place: usize,
    filling: TensorBuilder,
    /// Those whose rows follow it.
    rest: Vec<usize>,
}

struct LoaderState {
    specs: Vec<TensorSpec>,
    /// What stands in place of `specs` where the files have batch norms.
    unfolded: Option<(Vec<TensorSpec>, Folding)>,
    /// Where they have.
    folding: Option<Folding>,
    target: Option<Quantization>,
    stored: Option<Stored>,
    /// One per tensor of the model.
    found: Vec<bool>,
    /// One per tensor of the file.
    jobs: Vec<TensorAction>,
    /// The job of the tensor that starts next.
    next: usize,
    ignored: usize,
    /// Bytes of the scales whose words come next.
    scales: Vec<u8>,
    scratch: Vec<f32>,
    current: Current,
    /// Whether the file at hand is all there is.
    complete: bool,
}

impl LoaderState {
    fn take(&mut self, piece: Piece<'_>, sink: &mut Sink<'_>) -> Result<()> {
        match piece {
            Piece::Header(header) => self.plan(header),
            Piece::Start(entry) => self.start(entry),
            Piece::Bytes(bytes) => self.bytes(bytes, sink),
            Piece::End(_) => self.end(sink),
        }
    }

    /// Reads the tensors of the unfolded model where one of `names` is in no other.
    fn choose<'a>(&mut self, mut names: impl Iterator<Item = &'a str>) {
        let has_norm = |(specs, _): &(Vec<TensorSpec>, Folding)| {
            names.any(|name| {
                let known = |specs: &[TensorSpec], name: &str| specs.iter().any(|s| s.name == name);
                let targets = meaning(name).0;
                let mut targets = targets.iter();
                targets.any(|name| known(specs, name) && !known(&self.specs, name))
            })
        };
        if self.unfolded.as_ref().is_some_and(has_norm)
            && let Some((specs, folding)) = self.unfolded.take()
        {
            self.found = vec![false; specs.len()];
            self.specs = specs;
            self.folding = Some(folding);
        }
    }

    /// Gives a finished tensor to `sink`; one that has a batch norm behind it, once that is here.
    fn deliver(&mut self, place: usize, tensor: HostTensor, sink: &mut Sink<'_>) -> Result<()> {
        let name = &self.specs[place].name;
        let Some(folding) = self.folding.as_mut().filter(|f| f.takes(name)) else {
            return sink(name, tensor);
        };
        for (spec, values) in folding.put(name, tensor.into_floats())? {
            let mut filling = TensorBuilder::new(&spec, self.target, false)?;
            filling.push(&values)?;
            sink(&spec.name, filling.finish()?)?;
        }
        Ok(())
    }

    fn place(&self, name: &str) -> Option<usize> {
        self.specs.iter().position(|spec| spec.name == name)
    }

    /// Decides what becomes of each tensor of the file, and that none is lacking.
    fn plan(&mut self, header: &Header) -> Result<()> {
        self.stored = Stored::read(header)?;
        if self.complete {
            self.choose(header.entries.iter().map(|entry| entry.name.as_str()));
        }
        let mut found = std::mem::take(&mut self.found);
        let jobs = jobs(&self.specs, header, &mut found);
        self.found = found;
        self.jobs = jobs?;
        self.next = 0;
        self.ignored += header
            .entries
            .iter()
            .zip(&self.jobs)
            .filter(|(entry, job)| matches!(job, TensorAction::Skip) && is_weight(&entry.name))
            .count();
        if self.complete {
            self.check_complete(&self.found)?;
        }
        check_placed(header, &self.jobs)
    }

    fn check_complete(&self, found: &[bool]) -> Result<()> {
        let lacking: Vec<&str> = self
            .specs
            .iter()
            .zip(found)
            .filter(|(_, found)| !**found)
            .map(|(spec, _)| spec.name.as_str())
            .collect();
        if lacking.is_empty() {
            Ok(())
        } else {
            Err(missing(&lacking))
        }
    }

    fn start(&mut self, entry: &Entry) -> Result<()> {
        self.current = match &self.jobs[self.next] {
            TensorAction::Skip => Current::Skip,
            // `check_packed` has bounded the scales of each pair; others are never used.
            TensorAction::Scales => match self.jobs.get(self.next + 1) {
                Some(TensorAction::Words(..)) => Current::Bytes(Vec::new()),
                _ => Current::Skip,
            },
            TensorAction::Words(..) => Current::Bytes(Vec::new()),
            TensorAction::Plain(places, stands) => {
                let decoder = Decoder::new(&entry.name, entry.dtype)?;
                let turned = *stands == FileLayout::Transposed;
                let filling = TensorBuilder::new(&self.specs[places[0]], self.target, turned)?;
                Current::Values(Box::new(Values {
                    decoder,
                    place: places[0],
                    filling,
                    rest: places[1..].to_vec(),
                }))
            }
        };
        if let Current::Bytes(have) = &mut self.current {
            reserve(have, usize::try_from(entry.bytes).unwrap_or(usize::MAX))?;
        }
        Ok(())
    }

    fn bytes(&mut self, bytes: &[u8], sink: &mut Sink<'_>) -> Result<()> {
        match &mut self.current {
            Current::Skip => {}
            Current::Bytes(have) => have.extend_from_slice(bytes),
            Current::Values(entry) => {
                let Values {
                    decoder,
                    place,
                    filling,
                    rest,
                } = entry.as_mut();
                for chunk in bytes.chunks(DECODE_BYTES) {
                    self.scratch.clear();
                    decoder.push(chunk, &mut self.scratch)?;
                    let mut values = self.scratch.as_slice();
                    while !values.is_empty() {
                        if filling.room() == 0 {
                            // The shapes were checked, so there is one more wherever values are.
                            let next = rest.remove(0);
                            let fresh = TensorBuilder::new(&self.specs[next], self.target, false)?;
                            let full = std::mem::replace(filling, fresh);
                            let done = std::mem::replace(place, next);
                            sink(&self.specs[done].name, full.finish()?)?;
                        }
                        let (now, later) = values.split_at(filling.room().min(values.len()));
                        filling.push(now)?;
                        values = later;
                    }
                }
            }
        }
        Ok(())
    }

    fn end(&mut self, sink: &mut Sink<'_>) -> Result<()> {
        let job = self.jobs[self.next].clone();
        self.next += 1;
        let (place, tensor) = match (job, std::mem::replace(&mut self.current, Current::Skip)) {
            (TensorAction::Plain(..), Current::Values(entry)) => {
                (entry.place, entry.filling.finish()?)
            }
            (TensorAction::Scales, Current::Bytes(bytes)) => {
                self.scales = bytes;
                return Ok(());
            }
            (TensorAction::Words(place, scheme), Current::Bytes(words)) => {
                let scales = std::mem::take(&mut self.scales);
                let packed = unpack(&self.specs[place], scheme, &scales, &words)?;
                (place, self.restore(place, scheme, packed)?)
            }
            _ => return Ok(()),
        };
        self.deliver(place, tensor, sink)
    }

    /// A stored matrix in the form that was asked for.
    fn restore(&self, place: usize, stored: Scheme, packed: Packed) -> Result<HostTensor> {
        let spec = &self.specs[place];
        let keep = self
            .target
            .is_none_or(|target| target.schemes(spec.role).contains(&stored));
        if keep {
            let shape = spec.shape.clone();
            return Ok(HostTensor::Packed { shape, packed });
        }
        let mut filling = TensorBuilder::new(spec, self.target, false)?;
        let mut row = vec![0.0; packed.cols];
        for index in 0..packed.rows {
            packed.dequantize_row(index, &mut row);
            filling.push(&row)?;
        }
        filling.finish()
    }
}

/// Lower-case hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
