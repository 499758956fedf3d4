//! Text to token ids, and class lists.

mod clip_bpe;
mod labels;

pub use clip_bpe::{ClipTokenizer, Tokens};
pub use labels::{parse_labels, validate};
