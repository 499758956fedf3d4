//! The device that a layer is built for, and how kernels divide their work on it.

use burn::tensor::Device;

/// How the heavy kernels divide their work. Both ways give the same values up to the order of f32 sums.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tiling {
    /// Everything in registers, no workgroup memory: software adapters, where barriers are slow.
    Registers,
    /// Tiles staged in workgroup memory: real GPUs.
    Workgroup,
}

impl Tiling {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Registers, Self::Workgroup];

    /// `registers` or `workgroup`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Registers => "registers",
            Self::Workgroup => "workgroup",
        }
    }
}

/// Where layers are built and run.
#[derive(Debug, Clone)]
pub struct Placement {
    /// Burn's device.
    pub device: Device,
    /// How this crate's kernels divide their work there; the CPU backend runs none of them.
    pub tiling: Tiling,
}

impl Placement {
    /// Burn's CPU backend.
    pub fn cpu() -> Self {
        Self {
            device: Device::flex(),
            tiling: Tiling::Registers,
        }
    }

    /// The same device with another tiling.
    pub fn with_tiling(&self, tiling: Tiling) -> Self {
        Self {
            tiling,
            ..self.clone()
        }
    }
}
