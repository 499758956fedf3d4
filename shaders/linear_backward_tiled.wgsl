// dx[m, k] = sum_n dy[m, n] w[n, k]
//
// The same product as linear_backward.wgsl for real GPUs: a workgroup of 16 x 16 invocations
// computes TILE x TILE values of dx, staging 32 outputs n of its rows of dy and of its (dequantised)
// columns of w in workgroup memory at a time. Each invocation sums four rows of four inputs.

const TILE: u32 = 64u;
const STEP: u32 = 32u;

@group(0) @binding(0) var<storage, read_write> dy: array<f32>;
@group(0) @binding(2) var<storage, read_write> dx: array<f32>;

#include weights

var<workgroup> ds: array<f32, 2048>;      // TILE * STEP
var<workgroup> ws: array<vec4<f32>, 512>; // STEP * TILE / 4

@compute @workgroup_size(16, 16, 1)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_id) id: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let tile = group.x + group.y * groups.x;
    let tiles_k = (p.k4 + 15u) / 16u;
    let m0 = (tile / tiles_k) * TILE;
    let k0 = (tile % tiles_k) * 16u;
#for r 4
    var a$r = vec4<f32>(0.0);
#end
    for (var n0 = 0u; n0 < p.n; n0 += STEP) {
#for i 8
        {
            let at = local + ${i}u * 256u;
            let row = m0 + at / STEP;
            let n = n0 + at % STEP;
            var v = 0.0;
            if (row < p.m && n < p.n) {
                v = dy[row * p.n + n];
            }
            ds[at] = v;
        }
#end
#for i 2
        {
            let at = local + ${i}u * 256u;
            let n = n0 + at / 16u;
            let k = k0 + at % 16u;
            var v = vec4<f32>(0.0);
            if (n < p.n && k < p.k4) {
                v = weights(n, k);
            }
            ws[at] = v;
        }
#end
        workgroupBarrier();
        for (var n = 0u; n < STEP; n++) {
            let weight = ws[n * 16u + id.x];
#for r 4
            a$r += ds[(id.y * 4u + ${r}u) * STEP + n] * weight;
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
