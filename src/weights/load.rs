//! A checkpoint stream to model tensors: names and shapes are checked against the configuration
//! before the first value is read, then each tensor is decoded and quantised row by row as its
//! bytes arrive, and handed on when it is complete.

use std::collections::BTreeMap;

use safetensors::Dtype;

use super::convert::{Decoder, unsupported};
use super::header::{Entry, Header, invalid, shown};
use super::host::HostTensor;
use super::quantise::{Packed, Quantisation, Scheme, reserve};
use super::quantised_file::{SCALES, Stored, WORDS, missing, scheme_of, unpack};
use super::reader::{Limits, Piece, SafetensorsStream};
use crate::clip::config::{ClipConfig, TensorSpec};
use crate::error::{Error, Kind, Result};

/// Receives each tensor by its Hugging Face name.
pub type Sink<'a> = dyn FnMut(&str, HostTensor) -> Result<()> + 'a;

/// Bytes decoded at a time, which bounds the scratch space.
const DECODE_BYTES: usize = 1 << 18;

/// What was loaded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// Tensors of the model.
    pub tensors: usize,
    /// Tensors of the file that the model does not have (`position_ids` not counted).
    pub ignored: usize,
    /// Bytes of the file.
    pub bytes: u64,
    /// SHA-256 of the file, lower-case hexadecimal.
    pub file_sha256: String,
    /// SHA-256 of the source weights, whatever the quantisation: of this file, or of the one that
    /// it was made from.
    pub model_sha256: String,
    /// How the matrices were handed over.
    pub quantisation: Quantisation,
}

/// Feeds on a weights file and gives tensors.
pub struct Loader {
    stream: SafetensorsStream,
    work: Work,
}

impl Loader {
    /// A loader for the model of `config` that quantises to `quantisation`, or leaves matrices as
    /// they are stored where that is `None`.
    pub fn new(config: &ClipConfig, quantisation: Option<Quantisation>) -> Self {
        Self {
            stream: SafetensorsStream::new(Limits::default()),
            work: Work {
                specs: config.tensors(),
                target: quantisation,
                stored: None,
                jobs: Vec::new(),
                next: 0,
                ignored: 0,
                scales: Vec::new(),
                current: Current::Skip,
            },
        }
    }

    /// Reads the next bytes of the file, any number of them, and hands `sink` each tensor that
    /// they complete.
    ///
    /// # Errors
    /// `weights/invalid`, `weights/missing-tensor`, `weights/wrong-shape`,
    /// `weights/unsupported-type`, `weights/not-finite`, or whatever `sink` returns. The loader is
    /// of no use afterwards.
    pub fn push(&mut self, bytes: &[u8], sink: &mut Sink<'_>) -> Result<()> {
        let work = &mut self.work;
        self.stream.push(bytes, &mut |piece| work.take(piece, sink))
    }

    /// Bytes read so far.
    pub fn taken(&self) -> u64 {
        self.stream.taken()
    }

    /// Bytes of the whole file, once its header has been read.
    pub fn total(&self) -> Option<u64> {
        self.stream.total()
    }

    /// Ends the file.
    ///
    /// # Errors
    /// `weights/invalid` if it ended early.
    pub fn finish(self) -> Result<Report> {
        let bytes = self.stream.taken();
        let file_sha256 = hex(&self.stream.finish()?);
        let (stored, source) = match self.work.stored {
            Some(stored) => (stored.quantisation, Some(stored.source_sha256)),
            None => (Quantisation::None, None),
        };
        Ok(Report {
            tensors: self.work.specs.len(),
            ignored: self.work.ignored,
            bytes,
            model_sha256: source.unwrap_or_else(|| file_sha256.clone()),
            file_sha256,
            quantisation: self.work.target.unwrap_or(stored),
        })
    }
}

/// What to do with one tensor of the file; the number is the place in the list of specs.
#[derive(Debug, Clone, Copy)]
enum Job {
    Skip,
    Plain(usize),
    Scales,
    Words(usize, Scheme),
}

/// The tensor being read.
enum Current {
    Skip,
    Floats(Decoder, Vec<f32>),
    /// Decoded values wait in the second field until they fill a row.
    Rows(Decoder, Vec<f32>, Packed),
    Bytes(Vec<u8>),
}

struct Work {
    specs: Vec<TensorSpec>,
    target: Option<Quantisation>,
    stored: Option<Stored>,
    /// One per tensor of the file.
    jobs: Vec<Job>,
    /// The job of the tensor that starts next.
    next: usize,
    ignored: usize,
    /// Bytes of the scales whose words come next.
    scales: Vec<u8>,
    current: Current,
}

impl Work {
    fn take(&mut self, piece: Piece<'_>, sink: &mut Sink<'_>) -> Result<()> {
        match piece {
            Piece::Header(header) => self.plan(header),
            Piece::Start(entry) => self.start(entry),
            Piece::Bytes(bytes) => self.bytes(bytes),
            Piece::End(_) => self.end(sink),
        }
    }

    /// Decides what becomes of each tensor of the file, and that none is lacking.
    fn plan(&mut self, header: &Header) -> Result<()> {
        self.stored = Stored::read(header)?;
        let by_name: BTreeMap<&str, usize> = self
            .specs
            .iter()
            .enumerate()
            .map(|(place, spec)| (spec.name.as_str(), place))
            .collect();
        let mut found = vec![false; self.specs.len()];
        let mut jobs = Vec::with_capacity(header.entries.len());
        let mut ignored = 0;
        for (index, entry) in header.entries.iter().enumerate() {
            let part = |suffix: &str| {
                let name = entry.name.strip_suffix(suffix)?;
                by_name.get(name).copied()
            };
            let (job, place) = if let Some(&place) = by_name.get(entry.name.as_str()) {
                check_plain(&self.specs[place], entry)?;
                (Job::Plain(place), Some(place))
            } else if let Some(place) = part(WORDS) {
                let scales = index.checked_sub(1).map(|before| &header.entries[before]);
                let scheme = check_packed(&self.specs[place], entry, scales)?;
                (Job::Words(place, scheme), Some(place))
            } else if part(SCALES).is_some() {
                (Job::Scales, None)
            } else {
                ignored += usize::from(!entry.name.ends_with("position_ids"));
                (Job::Skip, None)
            };
            if let Some(place) = place
                && std::mem::replace(&mut found[place], true)
            {
                return Err(invalid(format!(
                    "{} is there both plain and packed",
                    self.specs[place].name
                )));
            }
            jobs.push(job);
        }
        let lacking: Vec<&str> = self
            .specs
            .iter()
            .zip(found)
            .filter(|(_, found)| !found)
            .map(|(spec, _)| spec.name.as_str())
            .collect();
        if !lacking.is_empty() {
            return Err(missing(&lacking));
        }
        self.jobs = jobs;
        self.ignored = ignored;
        Ok(())
    }

    fn start(&mut self, entry: &Entry) -> Result<()> {
        self.current = match self.jobs[self.next] {
            Job::Skip => Current::Skip,
            // `check_packed` has bounded the scales of each pair; others are never used.
            Job::Scales => match self.jobs.get(self.next + 1) {
                Some(Job::Words(..)) => Current::Bytes(Vec::new()),
                _ => Current::Skip,
            },
            Job::Words(..) => Current::Bytes(Vec::new()),
            Job::Plain(place) => {
                let spec = &self.specs[place];
                let decoder = Decoder::new(&spec.name, entry.dtype)?;
                match self.target.and_then(|target| target.scheme(spec.role)) {
                    None => {
                        let mut values = Vec::new();
                        reserve(&mut values, spec.elements())?;
                        Current::Floats(decoder, values)
                    }
                    Some(scheme) => {
                        let (rows, cols) = spec.matrix();
                        let packed = Packed::with_capacity(scheme, rows, cols)?;
                        Current::Rows(decoder, Vec::new(), packed)
                    }
                }
            }
        };
        if let Current::Bytes(have) = &mut self.current {
            reserve(have, usize::try_from(entry.bytes).unwrap_or(usize::MAX))?;
        }
        Ok(())
    }

    fn bytes(&mut self, bytes: &[u8]) -> Result<()> {
        match &mut self.current {
            Current::Skip => {}
            Current::Bytes(have) => have.extend_from_slice(bytes),
            Current::Floats(decoder, values) => decoder.push(bytes, values)?,
            Current::Rows(decoder, waiting, packed) => {
                for chunk in bytes.chunks(DECODE_BYTES) {
                    decoder.push(chunk, waiting)?;
                    let rows = waiting.chunks_exact(packed.cols);
                    let rest = rows.remainder().len();
                    for row in rows {
                        packed.push_row(row)?;
                    }
                    waiting.drain(..waiting.len() - rest);
                }
            }
        }
        Ok(())
    }

    fn end(&mut self, sink: &mut Sink<'_>) -> Result<()> {
        let job = self.jobs[self.next];
        self.next += 1;
        let (place, tensor) = match (job, std::mem::replace(&mut self.current, Current::Skip)) {
            (Job::Plain(place), Current::Floats(_, data)) => {
                let shape = self.specs[place].shape.clone();
                (place, HostTensor::Float { shape, data })
            }
            (Job::Plain(place), Current::Rows(_, _, packed)) => {
                let shape = self.specs[place].shape.clone();
                (place, HostTensor::Packed { shape, packed })
            }
            (Job::Scales, Current::Bytes(bytes)) => {
                self.scales = bytes;
                return Ok(());
            }
            (Job::Words(place, scheme), Current::Bytes(words)) => {
                let scales = std::mem::take(&mut self.scales);
                let packed = unpack(&self.specs[place], scheme, &scales, &words)?;
                (place, self.restore(place, scheme, packed)?)
            }
            _ => return Ok(()),
        };
        sink(&self.specs[place].name, tensor)
    }

    /// A stored matrix in the form that was asked for.
    fn restore(&self, place: usize, stored: Scheme, packed: Packed) -> Result<HostTensor> {
        let spec = &self.specs[place];
        let shape = spec.shape.clone();
        let Some(target) = self.target else {
            return Ok(HostTensor::Packed { shape, packed });
        };
        Ok(match target.scheme(spec.role) {
            None => HostTensor::Float {
                shape,
                data: packed.dequantise(),
            },
            Some(scheme) if scheme == stored => HostTensor::Packed { shape, packed },
            Some(scheme) => {
                let mut again = Packed::with_capacity(scheme, packed.rows, packed.cols)?;
                let mut row = vec![0.0; packed.cols];
                for index in 0..packed.rows {
                    packed.dequantise_row(index, &mut row);
                    again.push_row(&row)?;
                }
                HostTensor::Packed {
                    shape,
                    packed: again,
                }
            }
        })
    }
}

fn check_plain(spec: &TensorSpec, entry: &Entry) -> Result<()> {
    if entry.shape != spec.shape {
        return Err(wrong_shape(entry, &format!("{:?}", spec.shape)));
    }
    Decoder::new(&entry.name, entry.dtype).map(|_| ())
}

/// The scheme of a packed matrix, from its words and the tensor before them.
fn check_packed(spec: &TensorSpec, words: &Entry, scales: Option<&Entry>) -> Result<Scheme> {
    let scales = scales
        .filter(|entry| entry.name.strip_suffix(SCALES) == Some(spec.name.as_str()))
        .ok_or_else(|| {
            invalid(format!(
                "the scales of {} do not stand before its words",
                shown(&spec.name)
            ))
        })?;
    if words.dtype != Dtype::U32 {
        return Err(unsupported(&words.name, words.dtype));
    }
    if scales.dtype != Dtype::F16 {
        return Err(unsupported(&scales.name, scales.dtype));
    }
    scheme_of(spec, &words.shape, &scales.shape).ok_or_else(|| {
        let want = format!(
            "a packed form of {:?} (its scales are {:?})",
            spec.shape, scales.shape
        );
        wrong_shape(words, &want)
    })
}

fn wrong_shape(entry: &Entry, want: &str) -> Error {
    Error::new(
        Kind::WeightsWrongShape,
        format!(
            "{} is {:?} in the weights file where config.json calls for {want}; use files that belong together.",
            shown(&entry.name),
            entry.shape
        ),
    )
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
