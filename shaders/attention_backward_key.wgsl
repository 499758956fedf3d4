// dv[j, h] = sum_i p[i, j] do_i, dk[j, h] = sum_i ds[i, j] q_i / sqrt(D)
//
// Shapes and p, ds, delta as in attention_backward_query.wgsl. One invocation owns one key of one
// head. For own keys it sums over the queries of its b that see it; for prefix keys (SHARED) it
// sums over the queries of every b, and dprefix [P, 3 W] receives zeros in its q third.

#include heads

@group(0) @binding(0) var<storage, read_write> qkv: array<T_>;
@group(0) @binding(1) var<storage, read_write> lse: array<f32>;
@group(0) @binding(2) var<storage, read_write> dout: array<T_>;
@group(0) @binding(3) var<storage, read_write> delta: array<f32>;
@group(0) @binding(4) var<storage, read_write> dkeys: array<T_>;
#if SHARED
@group(0) @binding(5) var<storage, read_write> shared_qkv: array<T_>;
#end

@compute @workgroup_size($WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let index = (group.x + group.y * groups.x) * WORKGROUP + local;
    let width = p.heads * N;
#if SHARED
    if (index >= p.prefix * p.heads) {
        return;
    }
    let j = index % p.prefix;
    let h = index / p.prefix;
    let first_b = 0u;
    let end_b = p.batch;
    let first_i = 0u;
    let k = (j * 3u + 1u) * width + h * N;
#for d N
    let k$d = shared_qkv[k + ${d}u];
    let v$d = shared_qkv[k + width + ${d}u];
#end
#else
    if (index >= p.batch * p.rows * p.heads) {
        return;
    }
    let j = index % p.rows;
    let h = (index / p.rows) % p.heads;
    let first_b = index / (p.rows * p.heads);
    let end_b = first_b + 1u;
#if CAUSAL
    let first_i = j;
#else
    let first_i = 0u;
#end
    let k = ((first_b * p.rows + j) * 3u + 1u) * width + h * N;
#for d N
    let k$d = qkv[k + ${d}u];
    let v$d = qkv[k + width + ${d}u];
#end
#end
#for d N
    var dk$d = T_(0.0);
    var dv$d = T_(0.0);
#end
    for (var b = first_b; b < end_b; b++) {
        for (var i = first_i; i < p.rows; i++) {
            let q = (b * p.rows + i) * 3u * width + h * N;
            let o = (b * p.rows + i) * width + h * N;
            let at = (b * p.heads + h) * p.rows + i;
            var score = 0.0;
            var gain = 0.0;
#for d N
            score += product(qkv[q + ${d}u], k$d);
            gain += product(dout[o + ${d}u], v$d);
#end
            let weight = exp(score * p.scale - lse[at]);
            let ds = weight * (gain - delta[at]) * p.scale;
#for d N
            dk$d += ds * qkv[q + ${d}u];
            dv$d += weight * dout[o + ${d}u];
#end
        }
    }
#for d N
#if SHARED
    dkeys[k - width + ${d}u] = T_(0.0);
#end
    dkeys[k + ${d}u] = dk$d;
    dkeys[k + width + ${d}u] = dv$d;
#end
}
