//! Writes a packed model while its tensors arrive: chunks leave as soon as they are full, so that
//! one of them and the tensor at hand are all that is ever in memory.

use std::io::{self, Write};

use half::f16;
use sha2::{Digest, Sha256};

use super::hex::hex;
use super::manifest::{PackedFile, PackedTensor, Storage};
use super::quantized_file::write_values;
use crate::clip::tensor_spec::TensorSpec;
use crate::error::{Error, Kind, Result};
use crate::quant::HostTensor;
use crate::quant::Quantization;
use crate::quant::Role;

/// Length of a full chunk.
pub const CHUNK_BYTES: usize = 4 << 20;

/// Receives the name and the bytes of each finished chunk.
pub type Keep<'a> = dyn FnMut(&str, Vec<u8>) -> Result<()> + 'a;

/// The writer.
#[derive(Debug, Default)]
pub struct PackWriter {
    tensors: Vec<PackedTensor>,
    chunks: Vec<PackedFile>,
    open: Vec<u8>,
}

impl PackWriter {
    /// Adds a tensor of the model. A tensor that does not fit into the open chunk starts a new
    /// one, and fills as many as it needs.
    ///
    /// # Errors
    /// `weights/invalid` for a value too large for 16 bits, and those of `keep`.
    pub fn put(
        &mut self,
        spec: &TensorSpec,
        quantization: Quantization,
        tensor: &HostTensor,
        keep: &mut Keep<'_>,
    ) -> Result<()> {
        let stored = storage(spec, quantization, tensor);
        let bytes = match stored {
            Storage::F16 => tensor.byte_len() / 2,
            _ => tensor.byte_len(),
        };
        if self.open.len() + bytes > CHUNK_BYTES {
            self.close(keep)?;
        }
        self.tensors.push(PackedTensor {
            name: spec.name.clone(),
            shape: spec.shape.clone(),
            stored,
        });
        let mut sink = Sink {
            writer: self,
            keep,
            failed: None,
        };
        let written = match (stored, tensor) {
            (Storage::F16, HostTensor::Float { data, .. }) => write_halves(data, &mut sink),
            _ => write_values(tensor, &mut sink),
        };
        match (written, sink.failed) {
            (_, Some(error)) => Err(error),
            (Err(error), None) => Err(Error::new(Kind::WeightsInvalid, error.to_string())),
            (Ok(()), None) => Ok(()),
        }
    }

    /// Ends the data and gives what the manifest says about it.
    ///
    /// # Errors
    /// Those of `keep`.
    pub fn finish(mut self, keep: &mut Keep<'_>) -> Result<(Vec<PackedTensor>, Vec<PackedFile>)> {
        self.close(keep)?;
        Ok((self.tensors, self.chunks))
    }

    fn close(&mut self, keep: &mut Keep<'_>) -> Result<()> {
        if self.open.is_empty() {
            return Ok(());
        }
        let bytes = std::mem::take(&mut self.open);
        let file = described(format!("weights-{:05}.bin", self.chunks.len()), &bytes);
        keep(&file.file, bytes)?;
        self.chunks.push(file);
        Ok(())
    }
}

/// Name, length and hash of a file.
pub fn described(file: String, bytes: &[u8]) -> PackedFile {
    PackedFile {
        file,
        bytes: bytes.len() as u64,
        sha256: hex(&Sha256::digest(bytes)),
    }
}

fn storage(spec: &TensorSpec, quantization: Quantization, tensor: &HostTensor) -> Storage {
    match (tensor, spec.role) {
        (HostTensor::Packed { .. }, Role::Embedding) => Storage::Rows8,
        (HostTensor::Packed { packed, .. }, _) if packed.bits == 4 => Storage::Q4,
        (HostTensor::Packed { .. }, _) => Storage::Q8,
        (HostTensor::Float { .. }, role) if quantization.halves(role) => Storage::F16,
        (HostTensor::Float { .. }, _) => Storage::F32,
    }
}

fn write_halves(data: &[f32], out: &mut impl Write) -> io::Result<()> {
    for values in data.chunks(1 << 14) {
        let halves: Vec<f16> = values.iter().map(|v| f16::from_f32(*v)).collect();
        if !halves.iter().all(|half| half.is_finite()) {
            return Err(io::Error::other(
                "A weight is too large for 16 bits; convert with quantisation none.",
            ));
        }
        out.write_all(
            &halves
                .iter()
                .flat_map(|h| h.to_le_bytes())
                .collect::<Vec<_>>(),
        )?;
    }
    Ok(())
}

/// Cuts what is written into chunks.
struct Sink<'a, 'k> {
    writer: &'a mut PackWriter,
    keep: &'a mut Keep<'k>,
    failed: Option<Error>,
}

impl Write for Sink<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = (CHUNK_BYTES - self.writer.open.len()).min(bytes.len());
        self.writer.open.extend_from_slice(&bytes[..count]);
        if self.writer.open.len() == CHUNK_BYTES
            && let Err(error) = self.writer.close(self.keep)
        {
            self.failed = Some(error);
            return Err(io::Error::other("a chunk could not be kept"));
        }
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
