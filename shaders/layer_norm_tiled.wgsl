// forward:  y[r, i] = (x[r, i] - mean_r) / sqrt(var_r + eps) * gamma[i] + beta[i]
// backward: dx = rstd (g - mean(g) - xhat mean(g xhat)), g = dy gamma, xhat = (x - mean) rstd
//
// As layer_norm.wgsl for real GPUs: a workgroup owns one row and reduces in workgroup memory.

#include norm

var<workgroup> partial: array<vec2<f32>, $WORKGROUP>;

// The sum of `value` over the workgroup, in a fixed order.
fn total(value: vec2<f32>, local: u32) -> vec2<f32> {
    partial[local] = value;
    workgroupBarrier();
    for (var half_way = WORKGROUP / 2u; half_way > 0u; half_way /= 2u) {
        if (local < half_way) {
            partial[local] += partial[local + half_way];
        }
        workgroupBarrier();
    }
    let sum = partial[0];
    workgroupBarrier();
    return sum;
}

@compute @workgroup_size($WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    // Every invocation stays for the barriers; rows past the end repeat the last one unwritten.
    let wanted = group.x + group.y * groups.x;
    let row = min(wanted, p.rows - 1u);
    let base = row * p.width;
    let width = f32(p.width);
    var sum = 0.0;
    for (var i = local; i < p.width; i += WORKGROUP) {
        sum += x[base + i];
    }
    let mean = total(vec2<f32>(sum, 0.0), local).x / width;
    var squares = 0.0;
    for (var i = local; i < p.width; i += WORKGROUP) {
        let d = x[base + i] - mean;
        squares += d * d;
    }
    let rstd = 1.0 / sqrt(total(vec2<f32>(squares, 0.0), local).x / width + p.eps);
#if BACKWARD
    var sums = vec2<f32>(0.0);
    for (var i = local; i < p.width; i += WORKGROUP) {
        let g = dy[base + i] * gamma[i];
        sums += vec2<f32>(g, g * (x[base + i] - mean) * rstd);
    }
    let means = total(sums, local) / width;
    if (wanted < p.rows) {
        for (var i = local; i < p.width; i += WORKGROUP) {
            let g = dy[base + i] * gamma[i];
            y[base + i] = rstd * (g - means.x - (x[base + i] - mean) * rstd * means.y);
        }
    }
#else
    if (wanted < p.rows) {
        for (var i = local; i < p.width; i += WORKGROUP) {
            y[base + i] = (x[base + i] - mean) * rstd * gamma[i] + beta[i];
        }
    }
#end
}
