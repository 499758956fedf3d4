// y[b, r, c, ch] = relu6(sum_ij x[b, r S + i - B, c S + j - B, ch] w[i, j, ch] + bias[ch])
//
// A depthwise convolution: x [batch, side, side, C], y [batch, out, out, C], w [K, K, C], bias [C],
// four channels to a vector. B rows of padding lie before the first; what lies outside of x is zero.
// One invocation owns PIXELS neighbors in a row of y, of four channels, so that a weight is read once
// for all of them.

const PIXELS: u32 = $PIXELS;
const WORKGROUP: u32 = $WORKGROUP;

struct Params {
    items: u32,  // invocations: batch, rows of y, groups of PIXELS, groups of channels
    side: u32,
    out: u32,
    c4: u32,     // C / 4
    kernel: u32, // K
    stride: u32, // S
    before: u32  // B
}

@group(0) @binding(0) var<storage, read_write> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> w: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> bias: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;
@group(0) @binding($PARAMS) var<uniform> p: Params;

@compute @workgroup_size($WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let item = (group.x + group.y * groups.x) * WORKGROUP + local;
    if (item >= p.items) {
        return;
    }
    let channel = item % p.c4;
    let across = (p.out + PIXELS - 1u) / PIXELS;
    let column = item / p.c4 % across * PIXELS;
    let line = item / p.c4 / across;
    let image = line / p.out;
    let row = line % p.out;
#for i PIXELS
    var sum$i = bias[channel];
#end
    for (var ky = 0u; ky < p.kernel; ky++) {
        // Above the first row this wraps around and is no row either.
        let top = row * p.stride + ky - p.before;
        if (top >= p.side) {
            continue;
        }
        let start = (image * p.side + top) * p.side;
        for (var kx = 0u; kx < p.kernel; kx++) {
            let weight = w[(ky * p.kernel + kx) * p.c4 + channel];
#for i PIXELS
            let at$i = (column + ${i}u) * p.stride + kx - p.before;
            let x$i = x[(start + min(at$i, p.side - 1u)) * p.c4 + channel];
            sum$i += select(vec4<f32>(0.0), x$i, at$i < p.side) * weight;
#end
        }
    }
    let to = (line * p.out + column) * p.c4 + channel;
#for i PIXELS
    if (column + ${i}u < p.out) {
        y[to + ${i}u * p.c4] = clamp(sum$i, vec4<f32>(0.0), vec4<f32>(6.0));
    }
#end
}
