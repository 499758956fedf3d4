//! Bytes to tensors: finds out what a checkpoint is, reads it as a stream, quantizes, and hands over
//! one tensor at a time, so that neither a file nor its floats are ever whole in memory. The same
//! stream can be written as a packed model on the way.
//!
//! ```
//! use promptlens::checkpoint::{Directory, ModelFiles, read_header};
//!
//! # fn main() -> promptlens::Result<()> {
//! let folder = std::path::Path::new("www/models/mini");
//! let files = pollster::block_on(ModelFiles::read(&Directory::open(folder)?, None))?;
//! assert_eq!(files.config.projection_dim, 512);
//!
//! let header = read_header(&folder.join("model.safetensors"))?;
//! assert!(header.entries.iter().any(|tensor| tensor.name == "logit_scale"));
//! # Ok(())
//! # }
//! ```

mod batch_norm;
mod convert;
mod description;
mod fill;
mod former;
mod header;
mod hex;
mod load;
mod load_report;
mod loader_state;
mod manifest;
mod model_files;
mod model_folder;
mod names;
mod pack;
mod plan;
mod quantized_file;
mod reader;
mod shapes;
mod torch_stream;
mod weight_files;

#[cfg(all(feature = "engine", not(target_arch = "wasm32")))]
mod backbone;
#[cfg(not(target_arch = "wasm32"))]
mod convert_dir;
#[cfg(not(target_arch = "wasm32"))]
mod native;
#[cfg(not(target_arch = "wasm32"))]
mod torch;

#[cfg(all(feature = "engine", not(target_arch = "wasm32")))]
pub use backbone::{Backbone, Model};
#[cfg(not(target_arch = "wasm32"))]
pub use convert_dir::{Converted, Format, convert_dir};
#[cfg(not(target_arch = "wasm32"))]
pub use fill::TensorBuilder;
pub use former::{FORMER, Former, former};
pub use header::{Entry, Header};
pub use load::{DataHash, Loader};
pub use load_report::{LoadReport, LoadTimes};
pub use loader_state::Sink;
pub use manifest::{MANIFEST_FILE, Manifest, PackedFile, PackedTensor, Source, Storage};
pub use model_files::{ModelFiles, Weights};
pub use model_folder::{ModelFolder, WeightSink};
#[cfg(not(target_arch = "wasm32"))]
pub use native::{Directory, WEIGHTS_FILE, digest, load_file, read_file, read_header, stream_file};
pub use pack::{CHUNK_BYTES, Keep, PackWriter};
pub use quantized_file::{Stored, write_model};
pub use reader::{Limits, Piece, Receive, SafetensorsStream};
pub use shapes::{Shapes, TowerShapes};
pub use torch_stream::{TorchStream, is_torch};
