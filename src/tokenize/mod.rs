//! Text to token ids, and class lists.

mod clip_bpe;
pub mod known_words;
mod label_file;
mod labels;
mod same_name;
mod tokenizer_file;
mod vocab_merges;

pub use clip_bpe::{ClipTokenizer, Tokens};
pub use known_words::KnownWords;
pub use label_file::parse_label_file;
pub use labels::{clean_label, parse_labels, parse_typed_labels, validate, validate_stored};
pub use same_name::{NameIndex, name_key, same_names};
pub use vocab_merges::tokenizer_json;
