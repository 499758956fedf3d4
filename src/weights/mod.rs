//! Bytes to tensors: reads safetensors checkpoints as a stream, quantises, and hands over one
//! tensor at a time, so that neither a file nor its floats are ever whole in memory.

mod convert;
mod header;
mod host;
mod load;
mod quantise;
mod quantised_file;
mod reader;

#[cfg(not(target_arch = "wasm32"))]
mod convert_dir;
#[cfg(not(target_arch = "wasm32"))]
mod native;

#[cfg(not(target_arch = "wasm32"))]
pub use convert_dir::{Converted, convert_dir};
pub use header::{Entry, Header};
pub use host::HostTensor;
pub use load::{Loader, Report, Sink};
#[cfg(not(target_arch = "wasm32"))]
pub use native::{WEIGHTS_FILE, load_file, read_file, read_header, stream_file};
pub use quantise::{BLOCK, Packed, Quantisation, Scheme, padded};
pub use quantised_file::{Stored, write_model};
pub use reader::{Limits, Piece, SafetensorsStream};
