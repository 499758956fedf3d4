// What both LayerNorm kernels start with: x, y, dy [R, W]; gamma, beta [W].

const WORKGROUP: u32 = $WORKGROUP;

struct Params {
    rows: u32,
    width: u32,
    eps: f32
}

@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> gamma: array<f32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
#if BACKWARD
@group(0) @binding(3) var<storage, read_write> dy: array<f32>;
#else
@group(0) @binding(3) var<storage, read_write> beta: array<f32>;
#end
@group(0) @binding(4) var<uniform> p: Params;
