//! Launching a WGSL file on tensors of Burn's own wgpu device.

use std::sync::atomic::{AtomicU64, Ordering};

use burn::backend::wgpu::{
    CubeTensor, KernelSource, SourceKernel, SourceTemplate, into_contiguous,
};
use burn::tensor::{DType, Shape};
use cubecl::prelude::{CubeCount, CubeDim, KernelId};
use cubecl::server::{KernelArguments, MetadataBindingInfo};

use super::source::{Constants, expand};

/// Bytes of one buffer that every WebGPU adapter binds.
pub const BINDING_BYTES: usize = 128 << 20;

/// Largest row count (1..=`most`) of `columns` f32 values whose buffer fits the smallest WebGPU binding
/// limit.
pub fn rows_that_bind(columns: usize, most: usize) -> usize {
    (BINDING_BYTES / 4 / columns.max(1)).clamp(1, most)
}

/// A count for reports: nothing is decided by it, so it may belong to the process.
static DISPATCHES: AtomicU64 = AtomicU64::new(0);

/// How many of this crate's kernels were launched on a GPU since the program started.
pub fn dispatches() -> u64 {
    DISPATCHES.load(Ordering::Relaxed)
}

/// What was launched: for programs that look at kernels without running them.
#[cfg(not(target_arch = "wasm32"))]
#[derive(Debug, Clone)]
pub struct Launched {
    /// The kernel's name.
    pub name: &'static str,
    /// Its WGSL.
    pub source: String,
    /// Invocations per workgroup.
    pub workgroup: [u32; 3],
    /// Workgroups.
    pub groups: [u32; 3],
    /// The uniform block.
    pub params: Vec<Param>,
}

#[cfg(not(target_arch = "wasm32"))]
thread_local! {
    static NOTED: std::cell::RefCell<Option<Vec<Launched>>> = const { std::cell::RefCell::new(None) };
}

/// Everything that `work` launches on this thread.
#[cfg(not(target_arch = "wasm32"))]
pub fn launched_by(work: impl FnOnce()) -> Vec<Launched> {
    NOTED.set(Some(Vec::new()));
    work();
    NOTED.take().unwrap_or_default()
}

/// One shader file with the values of its constants.
pub struct Kernel {
    /// The file's name, which with the constants is the compilation cache key.
    pub name: &'static str,
    /// The file's text before expansion.
    pub source: &'static str,
    /// Values for its `$NAME`s.
    pub constants: Constants,
    /// Invocations per workgroup; the shader's `@workgroup_size` must agree.
    pub workgroup: [u32; 3],
}

impl KernelSource for Kernel {
    fn source(&self) -> SourceTemplate {
        SourceTemplate::new(expand(self.source, &self.constants))
    }

    fn id(&self) -> KernelId {
        let [x, y, z] = self.workgroup;
        KernelId::new::<Self>()
            .info((self.name, self.constants.clone()))
            .cube_dim(CubeDim::new_3d(x, y, z).0)
    }

    fn lang(&self) -> &'static str {
        "wgsl"
    }
}

/// A number for a shader's parameter block.
#[derive(Debug, Clone, Copy)]
pub enum Param {
    /// An unsigned integer.
    U(u32),
    /// A float.
    F(f32),
}

impl From<usize> for Param {
    fn from(value: usize) -> Self {
        Param::U(u32::try_from(value).expect("tensor dimensions fit in 32 bits"))
    }
}

impl From<f32> for Param {
    fn from(value: f32) -> Self {
        Param::F(value)
    }
}

/// Runs `kernel` over `groups` workgroups. `buffers` bind at 0, 1, ..; `params` is the uniform
/// block behind them. All buffers must be contiguous and distinct.
pub fn launch(kernel: Kernel, groups: [u32; 3], buffers: &[&CubeTensor], params: &[Param]) {
    debug_assert!(
        groups.iter().all(|g| *g <= 65_535),
        "{}: too many workgroups {groups:?}",
        kernel.name
    );
    DISPATCHES.fetch_add(1, Ordering::Relaxed);
    #[cfg(not(target_arch = "wasm32"))]
    NOTED.with_borrow_mut(|noted| {
        if let Some(noted) = noted {
            noted.push(Launched {
                name: kernel.name,
                source: expand(kernel.source, &kernel.constants),
                workgroup: kernel.workgroup,
                groups,
                params: params.to_vec(),
            });
        }
    });
    let [x, y, z] = kernel.workgroup;
    let client = buffers[0].client.clone();
    let bindings = buffers.iter().map(|t| t.handle.clone().binding()).collect();
    let arguments = KernelArguments::new()
        .with_buffers(bindings)
        .with_info(MetadataBindingInfo::custom(pack(params)));
    let task = SourceKernel::new(kernel, CubeDim::new_3d(x, y, z));
    client.launch(
        Box::new(task),
        CubeCount::Static(groups[0], groups[1], groups[2]),
        arguments,
    );
}

/// The parameter block as the words the runtime takes, padded to the 16 bytes a uniform needs.
fn pack(params: &[Param]) -> Vec<u64> {
    let mut words: Vec<u32> = params
        .iter()
        .map(|p| match p {
            Param::U(v) => *v,
            Param::F(v) => v.to_bits(),
        })
        .collect();
    words.resize(words.len().next_multiple_of(4), 0);
    words
        .chunks(2)
        .map(|w| u64::from(w[0]) | (u64::from(w[1]) << 32))
        .collect()
}

/// An uninitialized f32 tensor beside `like`.
pub fn empty(like: &CubeTensor, shape: impl Into<Shape>) -> CubeTensor {
    let shape = shape.into();
    let handle = like.client.empty(shape.num_elements() * 4);
    CubeTensor::new_contiguous(
        like.client.clone(),
        like.device.clone(),
        shape,
        handle,
        DType::F32,
    )
}

/// `tensor` with its rows one after the other in memory.
pub fn contiguous(tensor: CubeTensor) -> CubeTensor {
    into_contiguous(tensor)
}

/// Workgroups to cover `items` with `each` per group, split over two dimensions if one is not
/// enough. The shader computes its index as `group.x + group.y * groups.x`.
pub fn dispatch_grid(items: usize, each: usize) -> [u32; 3] {
    let groups = items.div_ceil(each).max(1);
    let x = groups.min(32_768);
    [x as u32, groups.div_ceil(x) as u32, 1]
}
