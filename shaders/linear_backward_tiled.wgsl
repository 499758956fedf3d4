// dx[m, k] = sum_n dy[m, n] w[n, k]
//
// The same product as linear_backward.wgsl for real GPUs: a workgroup of SIDE x SIDE invocations
// computes TILE x TILE values of dx, staging 32 outputs n of its rows of dy and of its (dequantised)
// columns of w in workgroup memory at a time. Each invocation sums four rows of four inputs: of dy it
// reads its four rows as one vec4. What invocations write in step is spread over the banks of workgroup
// memory by shuffling the groups of four rows by n.

const SIDE: u32 = $SIDE;
const TILE: u32 = 4u * SIDE;
const STEP: u32 = 32u;

@group(0) @binding(0) var<storage, read_write> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;

#include weights

var<workgroup> ds: array<vec4<f32>, $STAGED>; // STEP * SIDE
var<workgroup> ws: array<vec4<f32>, $STAGED>; // STEP * SIDE

// Where dy of output n and rows 4 four .. 4 four + 3 lies.
fn staged(n: u32, four: u32) -> u32 {
    return n * SIDE + (four ^ (n % SIDE));
}

@compute @workgroup_size($SIDE, $SIDE, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let tile = group.x + group.y * groups.x;
    let tiles_k = (p.k4 + SIDE - 1u) / SIDE;
    let m0 = (tile / tiles_k) * TILE;
    let k0 = (tile % tiles_k) * SIDE;
#for r 4
    var a$r = vec4<f32>(0.0);
#end
    for (var n0 = 0u; n0 < p.n; n0 += STEP) {
#for i LOADS
        {
            let at = local + ${i}u * SIDE * SIDE;
            let n = n0 + at % STEP;
            let row = m0 + at / STEP * 4u;
            var v = vec4<f32>(0.0);
#for j 4
            if (row + ${j}u < p.m && n < p.n) {
                v[$j] = dy[(row + ${j}u) * p.n + n];
            }
#end
            ds[staged(at % STEP, at / STEP)] = v;
        }
#end
#for i LOADS
        {
            let at = local + ${i}u * SIDE * SIDE;
            let n = n0 + at / SIDE;
            let k = k0 + at % SIDE;
            var v = vec4<f32>(0.0);
            if (n < p.n && k < p.k4) {
                v = weights(n, k);
            }
            ws[at] = v;
        }
#end
        workgroupBarrier();
        for (var n = 0u; n < STEP; n++) {
            let weight = ws[n * SIDE + id.x];
            let rows = ds[staged(n, id.y)];
#for r 4
            a$r += rows[$r] * weight;
#end
        }
        workgroupBarrier();
    }
    let k = (k0 + id.x) * 4u;
#for r 4
    {
        let m = m0 + id.y * 4u + ${r}u;
#for j 4
        if (m < p.m && k + ${j}u < p.k) {
            dx[m * p.k + k + ${j}u] = a$r[$j];
        }
#end
    }
#end
}
