// heads_out[b, i, h] = sum_j softmax_j(q[b, i, h] . k[j, h] / sqrt(D)) v[j, h]
//
// qkv [B, T, 3 W] holds q, k, v side by side, W = H D; prefix [P, 3 W] holds keys and values that
// every b sees before its own; out [B, T, W]; lse [B, H, T] = log sum exp of the scaled scores.
// CAUSAL: row i sees the prefix and rows 0..i. One invocation owns QUERIES queries of one head, so
// that a key is read once for all of them, and walks the keys once, rescaling a running sum when a
// larger score appears, so that no T x T matrix exists.

#include heads
const QUERIES: u32 = $QUERIES;

@group(0) @binding(0) var<storage, read_write> qkv: array<T_>;
@group(0) @binding(1) var<storage, read_write> heads_out: array<T_>;
@group(0) @binding(2) var<storage, read_write> lse: array<f32>;
#if PREFIX
@group(0) @binding(3) var<storage, read_write> shared_qkv: array<T_>;
#end

@compute @workgroup_size($WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let index = (group.x + group.y * groups.x) * WORKGROUP + local;
    let tiles = (p.rows + QUERIES - 1u) / QUERIES;
    if (index >= p.batch * tiles * p.heads) {
        return;
    }
    let first = (index % tiles) * QUERIES;
    let h = (index / tiles) % p.heads;
    let b = index / (tiles * p.heads);
    let width = p.heads * N;
    let own = b * p.rows * 3u * width + h * N;
    // Queries past the end repeat the last one; they are computed and not stored.
#for t QUERIES
    let i$t = min(first + ${t}u, p.rows - 1u);
#include start_query
#end
#if PREFIX
    for (var j = 0u; j < p.prefix; j++) {
        let k = (j * 3u + 1u) * width + h * N;
#for d N
        let k$d = shared_qkv[k + ${d}u];
        let v$d = shared_qkv[k + width + ${d}u];
#end
#for t QUERIES
#include fold_key
#end
    }
#end
#if CAUSAL
    let last = min(first + QUERIES, p.rows);
#else
    let last = p.rows;
#end
    for (var j = 0u; j < last; j++) {
        let k = own + (j * 3u + 1u) * width;
#for d N
        let k$d = qkv[k + ${d}u];
        let v$d = qkv[k + width + ${d}u];
#end
#for t QUERIES
#if CAUSAL
        if (j <= i$t)
#end
#include fold_key
#end
    }
#for t QUERIES
    if (first + ${t}u < p.rows) {
#include store_query
    }
#end
}
