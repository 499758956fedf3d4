// y[m, n] = act(sum_k x[m, k] w[n, k] + bias[n]) + residual[m, n]
//
// The same product as linear.wgsl for real GPUs: a workgroup of SIDE x SIDE invocations computes a
// TILE x TILE piece of y, staging 32 inputs of its rows of x and of its (dequantised) columns of w
// in workgroup memory at a time. Each invocation sums 4 x 4 values.
//
// Invocations that run in step read the same inputs of neighbouring rows. Rows are eight vec4s long, so
// that their beginnings would all lie in one bank of workgroup memory; each row is shuffled by its number.

const SIDE: u32 = $SIDE;
const TILE: u32 = 4u * SIDE;
const STEP: u32 = 8u; // vec4s of k per stage: 32 inputs, one quantisation block

@group(0) @binding(0) var<storage, read_write> x: array<vec4<f32>>;
@group(0) @binding(2) var<storage, read_write> y: array<f32>;

#include weights
#include finish

var<workgroup> xs: array<vec4<f32>, $STAGED>; // TILE * STEP
var<workgroup> ws: array<vec4<f32>, $STAGED>;

// Where inputs 4 k .. 4 k + 3 of a staged row lie.
fn staged(row: u32, k: u32) -> u32 {
    return row * STEP + (k ^ (row % STEP));
}

@compute @workgroup_size($SIDE, $SIDE, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let tile = group.x + group.y * groups.x;
    let tiles_n = (p.n + TILE - 1u) / TILE;
    let m0 = (tile / tiles_n) * TILE;
    let n0 = (tile % tiles_n) * TILE;
#for r 4
#for c 4
    var a${r}_$c = 0.0;
#end
#end
    let x_stride = p.x4;
    for (var k0 = 0u; k0 < p.k4; k0 += STEP) {
#for i LOADS
        {
            let at = local + ${i}u * SIDE * SIDE;
            let row = at / STEP;
            let to = staged(row, at % STEP);
            let k = k0 + at % STEP;
            var xv = vec4<f32>(0.0);
            var wv = vec4<f32>(0.0);
            if (k < x_stride && m0 + row < p.m) {
                xv = x[(m0 + row) * x_stride + k];
            }
            if (k < p.k4 && n0 + row < p.n) {
                wv = weights(n0 + row, k);
            }
            xs[to] = xv;
            ws[to] = wv;
        }
#end
        workgroupBarrier();
        for (var k = 0u; k < STEP; k++) {
#for r 4
            let v$r = xs[staged(id.y + SIDE * ${r}u, k)];
#end
#for c 4
            let u$c = ws[staged(id.x + SIDE * ${c}u, k)];
#end
#for r 4
#for c 4
            a${r}_$c += dot(v$r, u$c);
#end
#end
        }
        workgroupBarrier();
    }
#for c 4
    {
        let n = n0 + id.x + SIDE * ${c}u;
        if (n < p.n) {
            let b = bias_of(n);
#for r 4
            {
                let m = m0 + id.y + SIDE * ${r}u;
                if (m < p.m) {
                    y[m * p.n + n] = finished(a${r}_$c, b, m * p.n + n);
                }
            }
#end
        }
    }
#end
}
