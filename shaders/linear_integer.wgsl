// y[m, n] = act(s_m sum_b t[n, b] sum_(k in b) q[m, k] w[n, k] + bias[n]) + residual[m, n]
//
// The product of linear.wgsl in whole numbers: q [M, K] and row scales s as round_rows.wgsl makes
// them, w in 8 bits with scales t per block b of 32 inputs. A block sums in i32, blocks in f32. One
// invocation owns ROWS rows and COLS columns in registers.

const ROWS: u32 = $ROWS;
const COLS: u32 = $COLS;
const WORKGROUP: u32 = $WORKGROUP;

@group(0) @binding(0) var<storage, read_write> q: array<u32>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;
@group(0) @binding($ROW_SCALES) var<storage, read_write> row_scales: array<f32>;

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
#for r ROWS
    let x$r = min(m0 + ${r}u, p.m - 1u) * p.k4;
#end
#for c COLS
    let c$c = min(n0 + ${c}u, p.n - 1u);
#end
#for r ROWS
#for c COLS
    var a${r}_$c = 0.0;
#end
#end
    for (var block = 0u; block < p.k4 / 8u; block++) {
#for r ROWS
#for c COLS
        var i${r}_$c = 0i;
#end
#end
        for (var i = 0u; i < 8u; i++) {
            let k = block * 8u + i;
#for c COLS
            let w$c = w[c$c * p.k4 + k];
#end
#for r ROWS
            let v$r = q[x$r + k];
#for c COLS
            i${r}_$c += dot4I8Packed(v$r, w$c);
#end
#end
        }
#for c COLS
        let s$c = scale_of(c$c, block);
#for r ROWS
        a${r}_$c += f32(i${r}_$c) * s$c;
#end
#end
    }
#for c COLS
    if (n0 + ${c}u < p.n) {
        let b$c = bias_of(n0 + ${c}u);
#for r ROWS
        if (m0 + ${r}u < p.m) {
            let at = (m0 + ${r}u) * p.n + n0 + ${c}u;
            y[at] = finished(a${r}_$c * row_scales[m0 + ${r}u], b$c, at);
        }
#end
    }
#end
}
