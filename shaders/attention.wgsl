// heads_out[b, i, h] = sum_j softmax_j(q[b, i, h] . k[j, h] / sqrt(D)) v[j, h]
//
// qkv [B, T, 3 W] holds q, k, v side by side, W = H D; prefix [P, 3 W] holds keys and values that
// every b sees before its own; out [B, T, W]; lse [B, H, T] = log sum exp of the scaled scores.
// CAUSAL: row i sees the prefix and rows 0..i. One invocation owns QUERIES queries of one head, so
// that a key is read once for all of them, and walks the keys once, rescaling a running sum when a
// larger score appears, so that no T x T matrix exists. T_ is vec4<f32> where D divides by four,
// else f32; N = D / width of T_.

alias T_ = $TYPE;
const WORKGROUP: u32 = $WORKGROUP;
const N: u32 = $N;
const QUERIES: u32 = $QUERIES;

struct Params {
    batch: u32,
    rows: u32,
    heads: u32,
    prefix: u32,
    scale: f32
}

@group(0) @binding(0) var<storage, read_write> qkv: array<T_>;
@group(0) @binding(1) var<storage, read_write> heads_out: array<T_>;
@group(0) @binding(2) var<storage, read_write> lse: array<f32>;
#if PREFIX
@group(0) @binding(3) var<storage, read_write> shared_qkv: array<T_>;
#end
@group(0) @binding($PARAMS) var<uniform> p: Params;

fn product(a: T_, b: T_) -> f32 {
#if VECTOR
    return dot(a, b);
#else
    return a * b;
#end
}

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
#for d N
    let q${t}_$d = qkv[own + i$t * 3u * width + ${d}u] * p.scale;
    var o${t}_$d = T_(0.0);
#end
    var top$t = -3.0e38;
    var sum$t = 0.0;
#end
#if PREFIX
    for (var j = 0u; j < p.prefix; j++) {
        let k = (j * 3u + 1u) * width + h * N;
#for d N
        let k$d = shared_qkv[k + ${d}u];
        let v$d = shared_qkv[k + width + ${d}u];
#end
#for t QUERIES
        {
            var score = 0.0;
#for d N
            score += product(q${t}_$d, k$d);
#end
            if (score > top$t) {
                let shrink = exp(top$t - score);
                sum$t *= shrink;
#for d N
                o${t}_$d *= shrink;
#end
                top$t = score;
            }
            let weight = exp(score - top$t);
            sum$t += weight;
#for d N
            o${t}_$d += weight * v$d;
#end
        }
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
        if (j <= i$t) {
#else
        {
#end
            var score = 0.0;
#for d N
            score += product(q${t}_$d, k$d);
#end
            if (score > top$t) {
                let shrink = exp(top$t - score);
                sum$t *= shrink;
#for d N
                o${t}_$d *= shrink;
#end
                top$t = score;
            }
            let weight = exp(score - top$t);
            sum$t += weight;
#for d N
            o${t}_$d += weight * v$d;
#end
        }
#end
    }
#for t QUERIES
    if (first + ${t}u < p.rows) {
        let to = (b * p.rows + i$t) * width + h * N;
#for d N
        heads_out[to + ${d}u] = o${t}_$d / sum$t;
#end
        lse[(b * p.heads + h) * p.rows + i$t] = top$t + log(sum$t);
    }
#end
}
