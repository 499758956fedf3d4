//! Models that came with promptlens before, which prompts, thresholds and links may have been made with.

/// A model that came with promptlens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Former {
    /// SHA-256 of its source weights, lower-case hexadecimal.
    pub sha256: &'static str,
    /// The folder that holds it today.
    pub folder: &'static str,
}

/// Those that still come along.
pub const FORMER: &[Former] = &[Former {
    sha256: "ffdde8d94391109d5dc2af81a059bd5e133b6447d76ce609a87c57eba4a6d4a2",
    folder: "models/mini-vit",
}];

/// The former model whose source weights have this hash.
pub fn former(sha256: &str) -> Option<&'static Former> {
    let same = |model: &&Former| model.sha256.eq_ignore_ascii_case(sha256);
    FORMER.iter().find(same)
}
