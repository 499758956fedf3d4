//! How the matrices of a model are stored, and what becomes of each tensor by its role.

use serde::{Deserialize, Serialize};

use super::role::Role;

named_enum! {
    /// How the matrices of a model are stored.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
    #[serde(rename_all = "lowercase")]
    pub enum Quantization: "quantisation", OptionInvalid {
        /// 32-bit floats.
        None = "none",
        /// 16-bit floats in a pack; 32-bit floats of these values in memory.
        F16 = "f16",
        /// 8 bits, one scale per 32 columns; embedding tables one scale per row.
        Q8 = "q8",
        /// 4 bits, one scale per 32 columns; embedding tables as in `Q8`.
        Q4 = "q4",
        /// `Q4` for each matrix whose measured error is small, else `Q8`.
        Mixed = "mixed",
    }
}

impl Quantization {
    /// Whether a tensor of `role` becomes 16-bit floats.
    pub const fn halves(self, role: Role) -> bool {
        match (self, role) {
            (Self::None, _) | (_, Role::Float) => false,
            (Self::F16, _) | (_, Role::Kernel) => true,
            (_, Role::Linear | Role::Embedding) => false,
        }
    }

    /// How a tensor of `role` may be packed: not at all, in one way, or in the better of two.
    pub const fn schemes(self, role: Role) -> &'static [Scheme] {
        match (self, role) {
            (Self::None | Self::F16, _) | (_, Role::Float | Role::Kernel) => &[],
            (_, Role::Embedding) => &[Scheme::Rows8],
            (Self::Q8, Role::Linear) => &[Scheme::Blocks8],
            (Self::Q4, Role::Linear) => &[Scheme::Blocks4],
            (Self::Mixed, Role::Linear) => &[Scheme::Blocks4, Scheme::Blocks8],
        }
    }
}

/// Bits and block length of a packed matrix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheme {
    /// 8 bits, 32 columns per scale.
    Blocks8,
    /// 4 bits, 32 columns per scale.
    Blocks4,
    /// 8 bits, one scale per row.
    Rows8,
}

impl Scheme {
    pub(super) const fn bits(self) -> u8 {
        match self {
            Self::Blocks8 | Self::Rows8 => 8,
            Self::Blocks4 => 4,
        }
    }
}
