// dq[b, i, h] = sum_j ds[i, j] k[j, h] / sqrt(D), ds = p (do_i . v_j - delta_i),
// p = exp(q_i . k_j / sqrt(D) - lse_i), delta_i = do_i . out_i
//
// Shapes as in attention.wgsl; dqkv [B, T, 3 W] receives its q third; delta [B, H, T] is kept for
// attention_backward_key.wgsl. One invocation owns one query of one head.

#include heads

@group(0) @binding(0) var<storage, read_write> qkv: array<T_>;
@group(0) @binding(1) var<storage, read_write> heads_out: array<T_>;
@group(0) @binding(2) var<storage, read_write> lse: array<f32>;
@group(0) @binding(3) var<storage, read_write> dout: array<T_>;
@group(0) @binding(4) var<storage, read_write> dqkv: array<T_>;
@group(0) @binding(5) var<storage, read_write> delta: array<f32>;
#if PREFIX
@group(0) @binding(6) var<storage, read_write> shared_qkv: array<T_>;
#end

@compute @workgroup_size($WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let index = (group.x + group.y * groups.x) * WORKGROUP + local;
    if (index >= p.batch * p.rows * p.heads) {
        return;
    }
    let i = index % p.rows;
    let h = (index / p.rows) % p.heads;
    let b = index / (p.rows * p.heads);
    let width = p.heads * N;
    let own = b * p.rows * 3u * width + h * N;
    let q = own + i * 3u * width;
    let o = (b * p.rows + i) * width + h * N;
    var d_i = 0.0;
#for d N
    let q$d = qkv[q + ${d}u] * p.scale;
    let g$d = dout[o + ${d}u];
    d_i += product(g$d, heads_out[o + ${d}u]);
    var a$d = T_(0.0);
#end
    let l = lse[index];
    delta[index] = d_i;
#if PREFIX
    for (var j = 0u; j < p.prefix; j++) {
        let k = (j * 3u + 1u) * width + h * N;
        var score = 0.0;
        var gain = 0.0;
#for d N
        score += product(q$d, shared_qkv[k + ${d}u]);
        gain += product(g$d, shared_qkv[k + width + ${d}u]);
#end
        let ds = exp(score - l) * (gain - d_i) * p.scale;
#for d N
        a$d += ds * shared_qkv[k + ${d}u];
#end
    }
#end
#if CAUSAL
    let last = i + 1u;
#else
    let last = p.rows;
#end
    for (var j = 0u; j < last; j++) {
        let k = own + (j * 3u + 1u) * width;
        var score = 0.0;
        var gain = 0.0;
#for d N
        score += product(q$d, qkv[k + ${d}u]);
        gain += product(g$d, qkv[k + width + ${d}u]);
#end
        let ds = exp(score - l) * (gain - d_i) * p.scale;
#for d N
        a$d += ds * qkv[k + ${d}u];
#end
    }
#for d N
    dqkv[q + ${d}u] = a$d;
#end
}
