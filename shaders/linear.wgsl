// y[m, n] = act(sum_k x[m, k] w[n, k] + bias[n]) + residual[m, n]
//
// x [M, K] f32; w [N, K] as in shared/weights.wgsl; y [M, N] f32.
// One invocation owns ROWS rows and COLS columns in registers and uses no workgroup memory.

const ROWS: u32 = $ROWS;
const COLS: u32 = $COLS;
const WORKGROUP: u32 = $WORKGROUP;

@group(0) @binding(0) var<storage, read_write> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

#include weights
#include finish

@compute @workgroup_size($WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let tile = (group.x + group.y * groups.x) * WORKGROUP + local;
    let tiles_n = (p.n + COLS - 1u) / COLS;
    let m0 = (tile / tiles_n) * ROWS;
    let n0 = (tile % tiles_n) * COLS;
    if (m0 >= p.m) {
        return;
    }
    // Rows and columns past the edge repeat the last one; they are computed and not stored.
    let x_stride = p.x4;
#for r ROWS
    let x$r = min(m0 + ${r}u, p.m - 1u) * x_stride;
#end
#for c COLS
    let c$c = min(n0 + ${c}u, p.n - 1u);
#end
#for r ROWS
#for c COLS
    var a${r}_$c = 0.0;
#end
#end
#if PACKED
    for (var block = 0u; block < p.k4 / 8u; block++) {
#for c COLS
        let s$c = scale_of(c$c, block);
#end
#if Q8
        for (var i = 0u; i < min(8u, x_stride - block * 8u); i++) {
            let k = block * 8u + i;
#for c COLS
            let w$c = four(w[c$c * p.k4 + k]) * s$c;
#end
#for r ROWS
            let v$r = x[x$r + k];
#for c COLS
            a${r}_$c += dot(v$r, w$c);
#end
#end
        }
#end
#if Q4
        for (var i = 0u; i < min(4u, x_stride / 2u - block * 4u); i++) {
            let k = block * 8u + i * 2u;
#for c COLS
            let word$c = w[c$c * (p.k4 / 2u) + block * 4u + i];
            let lo$c = four(word$c) * s$c;
            let hi$c = four(word$c >> 16u) * s$c;
#end
#for r ROWS
            let v$r = x[x$r + k];
            let u$r = x[x$r + k + 1u];
#for c COLS
            a${r}_$c += dot(v$r, lo$c) + dot(u$r, hi$c);
#end
#end
        }
#end
    }
#else
    for (var k = 0u; k < p.k4; k++) {
#for c COLS
        let w$c = w[c$c * p.k4 + k];
#end
#for r ROWS
        let v$r = x[x$r + k];
#for c COLS
        a${r}_$c += dot(v$r, w$c);
#end
#end
    }
#end
#for c COLS
    if (n0 + ${c}u < p.n) {
        let b$c = bias_of(n0 + ${c}u);
#for r ROWS
        if (m0 + ${r}u < p.m) {
            let at = (m0 + ${r}u) * p.n + n0 + ${c}u;
            y[at] = finished(a${r}_$c, b$c, at);
        }
#end
    }
#end
}
