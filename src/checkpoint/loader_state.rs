//! The tensors of a checkpoint as its pieces arrive: names and shapes are checked against the
//! configuration before the first value is read, then each tensor is decoded and quantized row by
//! row, and handed on when it is complete.

use super::batch_norm::Folding;
use super::convert::Decoder;
use super::fill::TensorBuilder;
use super::header::{Entry, Header};
use super::names::{FileLayout, is_weight, meaning};
use super::plan::{TensorAction, actions, check_placed};
use super::quantized_file::{Stored, missing, unpack};
use super::reader::Piece;
use crate::clip::config::ClipConfig;
use crate::clip::tensor_spec::TensorSpec;
use crate::error::Result;
use crate::quant::HostTensor;
use crate::quant::{Packed, Quantization, Scheme, reserve};

/// Receives each tensor by its Hugging Face name.
pub type Sink<'a> = dyn FnMut(&str, HostTensor) -> Result<()> + 'a;

/// Bytes decoded at a time, which bounds the scratch space.
const DECODE_BYTES: usize = 1 << 18;

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
    builder: TensorBuilder,
    /// Those whose rows follow it.
    rest: Vec<usize>,
}

pub(super) struct LoaderState {
    pub(super) specs: Vec<TensorSpec>,
    /// What stands in place of `specs` if the files have batch norms.
    unfolded: Option<(Vec<TensorSpec>, Folding)>,
    /// Set if they have.
    folding: Option<Folding>,
    pub(super) target: Option<Quantization>,
    pub(super) stored: Option<Stored>,
    /// One per tensor of the model.
    pub(super) found: Vec<bool>,
    /// One per tensor of the file.
    actions: Vec<TensorAction>,
    /// The action of the tensor that starts next.
    next: usize,
    pub(super) ignored: usize,
    /// Bytes of the scales whose words come next.
    scales: Vec<u8>,
    scratch: Vec<f32>,
    current: Current,
    /// Whether the file at hand is all there is.
    pub(super) complete: bool,
}

impl LoaderState {
    pub(super) fn new(config: &ClipConfig, target: Option<Quantization>) -> Self {
        let specs = config.tensors();
        Self {
            found: vec![false; specs.len()],
            specs,
            unfolded: config.unfolded().zip(Folding::new(config)),
            folding: None,
            target,
            stored: None,
            actions: Vec::new(),
            next: 0,
            ignored: 0,
            scales: Vec::new(),
            scratch: Vec::new(),
            current: Current::Skip,
            complete: true,
        }
    }

    pub(super) fn take(&mut self, piece: Piece<'_>, sink: &mut Sink<'_>) -> Result<()> {
        match piece {
            Piece::Header(header) => self.plan(header),
            Piece::Start(entry) => self.start(entry),
            Piece::Bytes(bytes) => self.bytes(bytes, sink),
            Piece::End(_) => self.end(sink),
        }
    }

    /// Reads the tensors of the unfolded model if one of `names` is in no other.
    pub(super) fn choose<'a>(&mut self, mut names: impl Iterator<Item = &'a str>) {
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
            let mut builder = TensorBuilder::new(&spec, self.target, false)?;
            builder.push(&values)?;
            sink(&spec.name, builder.finish()?)?;
        }
        Ok(())
    }

    pub(super) fn place(&self, name: &str) -> Option<usize> {
        self.specs.iter().position(|spec| spec.name == name)
    }

    /// Decides what becomes of each tensor of the file, and that none is lacking.
    fn plan(&mut self, header: &Header) -> Result<()> {
        self.stored = Stored::read(header)?;
        if self.complete {
            self.choose(header.entries.iter().map(|entry| entry.name.as_str()));
        }
        let mut found = std::mem::take(&mut self.found);
        let actions = actions(&self.specs, header, &mut found);
        self.found = found;
        self.actions = actions?;
        self.next = 0;
        self.ignored += header
            .entries
            .iter()
            .zip(&self.actions)
            .filter(|(entry, action)| {
                matches!(action, TensorAction::Skip) && is_weight(&entry.name)
            })
            .count();
        if self.complete {
            self.check_complete(&self.found)?;
        }
        check_placed(header, &self.actions)
    }

    pub(super) fn check_complete(&self, found: &[bool]) -> Result<()> {
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
        self.current = match &self.actions[self.next] {
            TensorAction::Skip => Current::Skip,
            // `check_packed` has bounded the scales of each pair; others are never used.
            TensorAction::Scales => match self.actions.get(self.next + 1) {
                Some(TensorAction::Words(..)) => Current::Bytes(Vec::new()),
                _ => Current::Skip,
            },
            TensorAction::Words(..) => Current::Bytes(Vec::new()),
            TensorAction::Plain(places, layout) => {
                let decoder = Decoder::new(&entry.name, entry.dtype)?;
                let transposed = *layout == FileLayout::Transposed;
                let builder = TensorBuilder::new(&self.specs[places[0]], self.target, transposed)?;
                Current::Values(Box::new(Values {
                    decoder,
                    place: places[0],
                    builder,
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
                    builder,
                    rest,
                } = entry.as_mut();
                for chunk in bytes.chunks(DECODE_BYTES) {
                    self.scratch.clear();
                    decoder.push(chunk, &mut self.scratch)?;
                    let mut values = self.scratch.as_slice();
                    while !values.is_empty() {
                        if builder.room() == 0 {
                            // The shapes were checked, so if values are left, there is one more.
                            let next = rest.remove(0);
                            let fresh = TensorBuilder::new(&self.specs[next], self.target, false)?;
                            let full = std::mem::replace(builder, fresh);
                            let done = std::mem::replace(place, next);
                            sink(&self.specs[done].name, full.finish()?)?;
                        }
                        let (now, later) = values.split_at(builder.room().min(values.len()));
                        builder.push(now)?;
                        values = later;
                    }
                }
            }
        }
        Ok(())
    }

    fn end(&mut self, sink: &mut Sink<'_>) -> Result<()> {
        let action = self.actions[self.next].clone();
        self.next += 1;
        let (place, tensor) = match (action, std::mem::replace(&mut self.current, Current::Skip)) {
            (TensorAction::Plain(..), Current::Values(entry)) => {
                (entry.place, entry.builder.finish()?)
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
        let mut builder = TensorBuilder::new(spec, self.target, false)?;
        let mut row = vec![0.0; packed.cols];
        for index in 0..packed.rows {
            packed.dequantize_row(index, &mut row);
            builder.push(&row)?;
        }
        builder.finish()
    }
}
