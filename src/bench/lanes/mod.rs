//! What the tiled kernels would reach on real GPUs, predicted from their index expressions: the WGSL of
//! a launch is read, the first 32 invocations of one workgroup are followed address by address, and
//! conflicts in workgroup memory, bytes moved and operations are counted. Nothing runs on a GPU, so
//! this is a bound and no measurement.

mod arithmetic;
mod invocation;
mod launches;
mod memory;
mod place;
mod traffic;
mod value;

use serde::Serialize;

use place::Place;
use value::Value;

use crate::error::{Error, Kind, Result};
use crate::kernels::launch::Param;
pub use launches::{Wanted, wanted};
pub use traffic::{LANES, Traffic};

/// A class of GPUs. All have 128 lanes per core, each of which multiplies and adds once a cycle, and
/// workgroup memory that serves 32 words a cycle.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct Gpu {
    /// What stands for the class.
    pub name: &'static str,
    /// Cores of 128 lanes.
    pub cores: u32,
    /// Cycles a second.
    pub hertz: f64,
    /// Bytes of global memory a second.
    pub bandwidth: f64,
    /// Bytes a second of the cache that all cores share, roughly.
    pub cached: f64,
}

/// An integrated GPU of a notebook, Apple's smallest desktop chip, and a discrete card of the middle.
pub const GPUS: [Gpu; 3] = [
    Gpu {
        name: "integrated, 96 units",
        cores: 6,
        hertz: 1.3e9,
        bandwidth: 68e9,
        cached: 400e9,
    },
    Gpu {
        name: "Apple-like, 8 cores",
        cores: 8,
        hertz: 1.28e9,
        bandwidth: 68e9,
        cached: 400e9,
    },
    Gpu {
        name: "discrete, 28 cores",
        cores: 28,
        hertz: 1.78e9,
        bandwidth: 360e9,
        cached: 1100e9,
    },
];

/// Lanes of a core.
const CORE_LANES: f64 = 128.0;

/// What one launch would do.
#[derive(Debug, Clone, Serialize)]
pub struct Predicted {
    /// What is computed.
    pub what: String,
    /// The kernel's file.
    pub kernel: &'static str,
    /// How many workgroups there are.
    pub workgroups: u32,
    /// The worst conflict in workgroup memory: 1 is none.
    pub conflict: f64,
    /// Bytes wanted of each byte moved.
    pub used_bytes: f64,
    /// Float operations for each byte moved.
    pub flops_per_byte: f64,
    /// The share of the peak of every class, in the order of [`GPUS`].
    pub shares: [f64; 3],
}

/// Follows one launch.
///
/// # Errors
/// `engine/internal` if the kernel uses what is not known here.
pub fn predict(wanted: &Wanted) -> Result<Predicted> {
    let Wanted {
        what,
        useful,
        bytes,
        launched,
    } = wanted;
    let lost = |why: String| Error::new(Kind::Internal, format!("{}: {why}", launched.name));
    let module = naga::front::wgsl::parse_str(&launched.source).map_err(|e| lost(e.to_string()))?;
    let uniform: Vec<Value> = launched
        .params
        .iter()
        .map(|param| match param {
            Param::U(value) => Value::Int(*value),
            Param::F(_) => Value::Float,
        })
        .collect();
    let place = Place {
        group: [0; 3],
        groups: launched.groups,
        size: launched.workgroup,
        local: 0,
    };
    let traffic = traffic::traffic(&module, place, &uniform).map_err(lost)?;
    let workgroups: u32 = launched.groups.iter().product();
    let invocations: u32 = launched.workgroup.iter().product();
    let groups_of_lanes = f64::from(invocations.div_ceil(LANES));
    let share = |gpu: Gpu| {
        let arithmetic = traffic.flops as f64 / 2.0 / CORE_LANES * groups_of_lanes;
        let workgroup_memory = traffic.cycles as f64 * groups_of_lanes;
        let bytes_per_cycle = gpu.cached / gpu.hertz / f64::from(gpu.cores);
        let cache = traffic.moved_bytes as f64 * groups_of_lanes / bytes_per_cycle;
        let one = arithmetic.max(workgroup_memory).max(cache);
        // Cores that have nothing left to do wait for the others.
        let rounds = f64::from(workgroups.div_ceil(gpu.cores));
        let memory = bytes / gpu.bandwidth * gpu.hertz;
        let peak = 2.0 * CORE_LANES * f64::from(gpu.cores);
        (useful / memory.max(rounds * one) / peak).min(1.0)
    };
    Ok(Predicted {
        what: what.clone(),
        kernel: launched.name,
        workgroups,
        conflict: traffic.worst_conflict.max(1.0),
        used_bytes: traffic.wanted_bytes as f64 / traffic.moved_bytes.max(1) as f64,
        flops_per_byte: traffic.flops as f64 / traffic.moved_bytes.max(1) as f64,
        shares: GPUS.map(share),
    })
}

/// Predicts every launch of [`wanted`].
///
/// # Errors
/// `gpu/unavailable` without a wgpu device: one is needed to prepare the launches, which are not
/// waited for; `engine/internal`.
pub async fn predict_all() -> Result<Vec<Predicted>> {
    wanted().await?.iter().map(predict).collect()
}
