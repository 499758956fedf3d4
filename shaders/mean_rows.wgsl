// y[g, c] = sum_i x[g EACH + i, c] / EACH
//
// x [groups EACH, C], y [groups, C]. One invocation owns one value of y.

const WORKGROUP: u32 = $WORKGROUP;

struct Params {
    items: u32, // values of y
    width: u32, // C
    each: u32   // EACH
}

@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
@group(0) @binding($PARAMS) var<uniform> p: Params;

@compute @workgroup_size($WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let item = (group.x + group.y * groups.x) * WORKGROUP + local;
    if (item >= p.items) {
        return;
    }
    let start = item / p.width * p.each * p.width + item % p.width;
    var sum = 0.0;
    for (var i = 0u; i < p.each; i++) {
        sum += x[start + i * p.width];
    }
    y[item] = sum / f32(p.each);
}
