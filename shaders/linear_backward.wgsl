// dx[m, k] = sum_n dy[m, n] w[n, k]
//
// dy [M, N] f32; w as in shared/weights.wgsl; dx [M, K] f32. The weights are frozen, so this is the
// whole backward of the product. One invocation owns ROWS rows and COLS groups of four inputs in
// registers.

const ROWS: u32 = $ROWS;
const COLS: u32 = $COLS;
const WORKGROUP: u32 = $WORKGROUP;

@group(0) @binding(0) var<storage, read_write> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;

#include weights

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
