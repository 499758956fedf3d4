//! Which processor? Opens Burn's CPU backend or a wgpu device and says which it was and why.

pub mod health;
pub mod self_test;

use burn::tensor::Device;
use serde::{Deserialize, Serialize};

use crate::error::{Error, Kind, Result};
use crate::kernels::{Placement, Tiling};

named_enum! {
    /// What the caller asked for.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
    #[serde(rename_all = "lowercase")]
    pub enum Choice: "device", OptionInvalid {
        /// The better of what is there: natively the CPU, in a browser a real GPU or else the CPU.
        #[default]
        Auto = "auto",
        /// wgpu, also on a software adapter.
        WebGpu = "webgpu" | "gpu",
        /// Burn's CPU backend.
        Cpu = "cpu",
    }
}

/// What is known of an adapter before Burn opens it. In a browser the page asks for it, because
/// the runtime cannot start on an adapter without `timestamp-query`.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Probe {
    /// Whether an adapter was given.
    pub available: bool,
    /// Why not.
    pub reason: Option<String>,
    /// Whether it is a software adapter.
    pub fallback: bool,
    /// The adapter's vendor.
    pub vendor: String,
    /// The adapter's architecture.
    pub architecture: String,
    /// Whether it can measure time, which the runtime needs in a browser.
    pub timestamp_query: bool,
}

/// Where an engine runs, and why there.
#[derive(Debug, Clone, Serialize)]
pub struct DeviceInfo {
    /// `webgpu` or `cpu`.
    pub kind: &'static str,
    /// The adapter's vendor, empty for the CPU.
    pub vendor: String,
    /// The adapter's architecture or name, empty for the CPU.
    pub architecture: String,
    /// Whether the adapter is a software one.
    pub fallback: bool,
    /// Why this device.
    pub reason: String,
}

/// An opened device.
#[derive(Debug, Clone)]
pub struct Processor {
    /// Burn's device, and how kernels divide their work on it.
    pub placement: Placement,
    /// What it is.
    pub info: DeviceInfo,
}

/// Burn's CPU backend.
pub fn cpu(reason: impl Into<String>) -> Processor {
    Processor {
        placement: Placement::cpu(),
        info: DeviceInfo {
            kind: "cpu",
            vendor: String::new(),
            architecture: String::new(),
            fallback: false,
            reason: reason.into(),
        },
    }
}

/// Opens what `choice` asks for. `probe` is what the page found out, natively none.
///
/// # Errors
/// `gpu/unavailable` if a GPU was asked for and there is none that can be used.
pub async fn open(choice: Choice, probe: Option<&Probe>) -> Result<Processor> {
    match choice {
        Choice::Cpu => Ok(cpu("the CPU was asked for")),
        Choice::WebGpu => {
            if let Some(refusal) = probe.and_then(refusal) {
                return Err(unavailable(&refusal));
            }
            gpu(probe, "WebGPU was asked for").await
        }
        Choice::Auto => {
            let Some(probe) = probe else {
                return Ok(cpu(
                    "the command line uses the CPU unless a GPU is asked for",
                ));
            };
            if let Some(refusal) = refusal(probe) {
                return Ok(cpu(refusal));
            }
            if probe.fallback {
                return Ok(cpu(
                    "the WebGPU adapter is a software one, which is slower than the CPU",
                ));
            }
            match gpu(Some(probe), "a WebGPU adapter is there").await {
                Ok(processor) => Ok(processor),
                Err(error) => Ok(cpu(error.message())),
            }
        }
    }
}

/// Why the probed adapter cannot be used, if so.
fn refusal(probe: &Probe) -> Option<String> {
    if !probe.available {
        let why = probe
            .reason
            .as_deref()
            .unwrap_or("the browser gives no WebGPU adapter");
        return Some(why.to_string());
    }
    (!probe.timestamp_query).then(|| "the WebGPU adapter lacks timestamp-query".to_string())
}

fn unavailable(why: &str) -> Error {
    Error::new(
        Kind::GpuUnavailable,
        format!("WebGPU cannot be used here: {why}. Choose the device \"auto\" or \"cpu\"."),
    )
}

/// Opens the wgpu device of this process once and hands out clones afterwards: the runtime keeps
/// one device for each selector.
async fn gpu(probe: Option<&Probe>, reason: &str) -> Result<Processor> {
    use std::sync::Mutex;
    static OPENED: Mutex<Option<Processor>> = Mutex::new(None);
    #[cfg(target_arch = "wasm32")]
    if let Some(processor) = OPENED.lock().unwrap_or_else(|e| e.into_inner()).clone() {
        return Ok(processor);
    }
    // Natively the lock is held while the device opens, because threads race for it; a browser's
    // engine is one thread, in which waiting under a lock would only be in the way.
    #[cfg(not(target_arch = "wasm32"))]
    let mut opened = OPENED.lock().unwrap_or_else(|e| e.into_inner());
    #[cfg(not(target_arch = "wasm32"))]
    if let Some(processor) = opened.clone() {
        return Ok(processor);
    }
    #[cfg(not(target_arch = "wasm32"))]
    let outcome = Device::wgpu_options().init_with_setup();
    #[cfg(target_arch = "wasm32")]
    let outcome = Device::wgpu_options().init_with_setup_async().await;
    let (device, setup) = outcome.map_err(|error| unavailable(&error.to_string()))?;
    let adapter = setup.adapter.get_info();
    let software = adapter.device_type == burn::tensor::wgpu::wgpu::DeviceType::Cpu;
    let tiling = if software {
        Tiling::Registers
    } else {
        Tiling::Workgroup
    };
    let info = DeviceInfo {
        kind: "webgpu",
        vendor: probe.map_or_else(|| adapter.driver.clone(), |p| p.vendor.clone()),
        architecture: probe.map_or_else(|| adapter.name.clone(), |p| p.architecture.clone()),
        fallback: software,
        reason: reason.to_string(),
    };
    let processor = Processor {
        placement: Placement { device, tiling },
        info,
    };
    #[cfg(target_arch = "wasm32")]
    let mut opened = OPENED.lock().unwrap_or_else(|e| e.into_inner());
    *opened = Some(processor.clone());
    Ok(processor)
}
