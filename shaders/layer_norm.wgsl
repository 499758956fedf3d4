// forward:  y[r, i] = (x[r, i] - mean_r) / sqrt(var_r + eps) * gamma[i] + beta[i]
// backward: dx = rstd (g - mean(g) - xhat mean(g xhat)), g = dy gamma, xhat = (x - mean) rstd
//
// x, y, dy, dx [R, W]; gamma, beta [W]. One invocation owns one row.

#include norm

@compute @workgroup_size($WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let row = (group.x + group.y * groups.x) * WORKGROUP + local;
    if (row >= p.rows) {
        return;
    }
    let base = row * p.width;
    let width = f32(p.width);
    var sum = 0.0;
    for (var i = 0u; i < p.width; i++) {
        sum += x[base + i];
    }
    let mean = sum / width;
    var squares = 0.0;
    for (var i = 0u; i < p.width; i++) {
        let d = x[base + i] - mean;
        squares += d * d;
    }
    let rstd = 1.0 / sqrt(squares / width + p.eps);
#if BACKWARD
    var g_sum = 0.0;
    var gx_sum = 0.0;
    for (var i = 0u; i < p.width; i++) {
        let g = dy[base + i] * gamma[i];
        g_sum += g;
        gx_sum += g * (x[base + i] - mean) * rstd;
    }
    let g_mean = g_sum / width;
    let gx_mean = gx_sum / width;
    for (var i = 0u; i < p.width; i++) {
        let g = dy[base + i] * gamma[i];
        y[base + i] = rstd * (g - g_mean - (x[base + i] - mean) * rstd * gx_mean);
    }
#else
    for (var i = 0u; i < p.width; i++) {
        y[base + i] = (x[base + i] - mean) * rstd * gamma[i] + beta[i];
    }
#end
}
