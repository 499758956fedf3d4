//! Text to token ids, and class lists.

mod clip_bpe;
mod label_file;
mod labels;
mod same_name;

pub use clip_bpe::{ClipTokenizer, Tokens};
pub use label_file::parse_label_file;
pub use labels::{clean_label, parse_labels, validate, validate_stored};
pub use same_name::{NameIndex, name_key, same_names};
