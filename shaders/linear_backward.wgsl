// dx[m, k] = sum_n dy[m, n] w[n, k]
//
// dy [M, N] f32; w as in linear.wgsl; dx [M, K] f32. The weights are frozen, so this is the whole
// backward of the product. One invocation owns ROWS rows and COLS groups of four inputs in
// registers.

const ROWS: u32 = $ROWS;
const COLS: u32 = $COLS;
const WORKGROUP: u32 = $WORKGROUP;

struct Params {
    m: u32,
    n: u32,
    k4: u32,           // K / 4 of w
    scale_stride: u32, // u32 words of scales per output row
    k: u32             // columns of dx
}

@group(0) @binding(0) var<storage, read_write> dy: array<f32>;
#if PACKED
@group(0) @binding(1) var<storage, read_write> w: array<u32>;
#else
@group(0) @binding(1) var<storage, read_write> w: array<vec4<f32>>;
#end
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;
#if PACKED
@group(0) @binding(3) var<storage, read_write> scales: array<u32>;
#end
@group(0) @binding($PARAMS) var<uniform> p: Params;

// The four weights of output row `n` at inputs 4 k4 .. 4 k4 + 3.
fn weights(n: u32, k4: u32) -> vec4<f32> {
#if PACKED
    let block = k4 / 8u;
    let pair = unpack2x16float(scales[n * p.scale_stride + block / 2u]);
    let scale = select(pair.x, pair.y, (block & 1u) == 1u);
#if Q8
    let word = w[n * p.k4 + k4];
    let v = vec4<i32>(vec4<u32>(word << 24u, word << 16u, word << 8u, word)) >> vec4<u32>(24u);
#end
#if Q4
    let word = w[n * (p.k4 / 2u) + k4 / 2u] >> ((k4 & 1u) * 16u);
    let v = vec4<i32>(vec4<u32>(word << 28u, word << 24u, word << 20u, word << 16u)) >> vec4<u32>(28u);
#end
    return vec4<f32>(v) * scale;
#else
    return w[n * p.k4 + k4];
#end
}

@compute @workgroup_size($WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let tile = (group.x + group.y * groups.x) * WORKGROUP + local;
    let tiles_k = (p.k4 + COLS - 1u) / COLS;
    let m0 = (tile / tiles_k) * ROWS;
    let first = (tile % tiles_k) * COLS;
    if (m0 >= p.m) {
        return;
    }
    // Rows and inputs past the edge repeat the last one; they are computed and not stored.
#for r ROWS
    let d$r = min(m0 + ${r}u, p.m - 1u) * p.n;
#for c COLS
    var a${r}_$c = vec4<f32>(0.0);
#end
#end
#for c COLS
    let k$c = min(first + ${c}u, p.k4 - 1u);
#end
    for (var n = 0u; n < p.n; n++) {
#for c COLS
        let w$c = weights(n, k$c);
#end
#for r ROWS
        let g$r = dy[d$r + n];
#for c COLS
        a${r}_$c += g$r * w$c;
#end
#end
    }
#for r ROWS
    if (m0 + ${r}u < p.m) {
        let at = (m0 + ${r}u) * p.k;
#for c COLS
        if (first + ${c}u < p.k4) {
#for j 4
            if ((first + ${c}u) * 4u + ${j}u < p.k) {
                dx[at + (first + ${c}u) * 4u + ${j}u] = a${r}_$c[$j];
            }
#end
        }
#end
    }
#end
}
