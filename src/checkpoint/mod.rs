//! Bytes to tensors: finds out what a checkpoint is, reads it as a stream, quantizes, and hands over
//! one tensor at a time, so that neither a file nor its floats are ever whole in memory. The same
//! stream can be written as a packed model on the way.

mod artifact;
mod batch_norm;
mod convert;
mod description;
mod fill;
mod former;
mod header;
mod load;
mod manifest;
mod names;
mod pack;
mod plan;
mod quantized_file;
mod reader;
mod shapes;
mod torch_stream;

#[cfg(not(target_arch = "wasm32"))]
mod backbone;
#[cfg(not(target_arch = "wasm32"))]
mod convert_dir;
#[cfg(not(target_arch = "wasm32"))]
mod native;
#[cfg(not(target_arch = "wasm32"))]
mod torch;

pub use artifact::{ModelFiles, ModelFolder, WeightSink, Weights};
#[cfg(not(target_arch = "wasm32"))]
pub use backbone::{Backbone, Model};
#[cfg(not(target_arch = "wasm32"))]
pub use convert_dir::{Converted, Format, convert_dir};
#[cfg(not(target_arch = "wasm32"))]
pub use fill::TensorBuilder;
pub use former::{FORMER, Former, former};
pub use header::{Entry, Header};
pub use load::{DataHash, LoadReport, LoadTimes, Loader, Sink};
pub use manifest::{MANIFEST_FILE, Manifest, PackedFile, PackedTensor, Source, Storage};
#[cfg(not(target_arch = "wasm32"))]
pub use native::{Directory, WEIGHTS_FILE, digest, load_file, read_file, read_header, stream_file};
pub use pack::{CHUNK_BYTES, Keep, PackWriter};
pub use quantized_file::{Stored, write_model};
pub use reader::{Limits, Piece, Receive, SafetensorsStream};
pub use shapes::{Shapes, TowerShapes};
pub use torch_stream::{TorchStream, is_torch};
