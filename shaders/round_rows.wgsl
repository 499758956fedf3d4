// q[r, i] = round(x[r, i] / s_r), s_r = max_i |x[r, i]| / 127
//
// x [R, W] f32; q [R, W] as bytes, four to a word; row_scales [R]. One invocation owns one row.

const WORKGROUP: u32 = $WORKGROUP;

struct Params {
    rows: u32,
    k4: u32 // W / 4
}

@group(0) @binding(0) var<storage, read_write> x: array<vec4<f32>>;
@group(0) @binding(1) var<storage, read_write> q: array<u32>;
@group(0) @binding(2) var<storage, read_write> row_scales: array<f32>;
@group(0) @binding(3) var<uniform> p: Params;

@compute @workgroup_size($WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let row = (group.x + group.y * groups.x) * WORKGROUP + local;
    if (row >= p.rows) {
        return;
    }
    let base = row * p.k4;
    var tops = vec4<f32>(0.0);
    for (var k = 0u; k < p.k4; k++) {
        tops = max(tops, abs(x[base + k]));
    }
    let top = max(max(tops.x, tops.y), max(tops.z, tops.w));
    row_scales[row] = top / 127.0;
    var steps = 0.0;
    if (top > 0.0) {
        steps = 127.0 / top;
    }
    for (var k = 0u; k < p.k4; k++) {
        q[base + k] = pack4xI8(vec4<i32>(round(x[base + k] * steps)));
    }
}
