// The same attention as attention.wgsl for real GPUs and long rows: a workgroup owns WORKGROUP
// queries of one head, stages KEYS keys and values at a time in workgroup memory, and each
// invocation folds them into its one query.

#include heads
const KEYS: u32 = $KEYS;

@group(0) @binding(0) var<storage, read_write> qkv: array<T_>;
@group(0) @binding(1) var<storage, read_write> heads_out: array<T_>;
@group(0) @binding(2) var<storage, read_write> lse: array<f32>;
#if PREFIX
@group(0) @binding(3) var<storage, read_write> shared_qkv: array<T_>;
#end

var<workgroup> keys: array<T_, $STAGED>; // KEYS * N
var<workgroup> values: array<T_, $STAGED>;

@compute @workgroup_size($WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let index = group.x + group.y * groups.x;
    let tiles = (p.rows + WORKGROUP - 1u) / WORKGROUP;
    if (index >= p.batch * tiles * p.heads) {
        return;
    }
    let first = (index % tiles) * WORKGROUP;
    let h = (index / tiles) % p.heads;
    let b = index / (tiles * p.heads);
    let width = p.heads * N;
    let own = b * p.rows * 3u * width + h * N;
    // Every invocation stays for the barriers; queries past the end repeat the last one unwritten.
#for t 1
    let i$t = min(first + local, p.rows - 1u);
#include start_query
#if CAUSAL
    let total = p.prefix + min(first + WORKGROUP, p.rows);
    let seen = p.prefix + i$t + 1u;
#else
    let total = p.prefix + p.rows;
    let seen = total;
#end
    for (var from_key = 0u; from_key < total; from_key += KEYS) {
        for (var at = local; at < KEYS * N; at += WORKGROUP) {
            let j = from_key + at / N;
            if (j < total) {
#if PREFIX
                if (j < p.prefix) {
                    let k = (j * 3u + 1u) * width + h * N + at % N;
                    keys[at] = shared_qkv[k];
                    values[at] = shared_qkv[k + width];
                } else
#end
                {
                    let k = own + ((j - p.prefix) * 3u + 1u) * width + at % N;
                    keys[at] = qkv[k];
                    values[at] = qkv[k + width];
                }
            }
        }
        workgroupBarrier();
        let many = min(KEYS, max(seen, from_key) - from_key);
        for (var j = 0u; j < many; j++) {
#for d N
            let k$d = keys[j * N + ${d}u];
            let v$d = values[j * N + ${d}u];
#end
#include fold_key
        }
        workgroupBarrier();
    }
    if (first + local < p.rows) {
#include store_query
    }
#end
}
