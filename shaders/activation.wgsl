// forward:  y[i] = act(x[i])
// backward: dx[i] = dy[i] act'(x[i]), x the input of the activation

const WORKGROUP: u32 = $WORKGROUP;

struct Params {
    count: u32
}

@group(0) @binding(0) var<storage, read_write> x: array<f32>;
@group(0) @binding(1) var<storage, read_write> y: array<f32>;
#if BACKWARD
@group(0) @binding(2) var<storage, read_write> dy: array<f32>;
#end
@group(0) @binding($PARAMS) var<uniform> p: Params;

#include $ACTIVATION

@compute @workgroup_size($WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let i = (group.x + group.y * groups.x) * WORKGROUP + local;
    if (i >= p.count) {
        return;
    }
#if BACKWARD
    y[i] = dy[i] * derivative(x[i]);
#else
    y[i] = activate(x[i]);
#end
}
