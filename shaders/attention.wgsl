// heads_out[b, i, h] = sum_j softmax_j(q[b, i, h] . k[j, h] / sqrt(D)) v[j, h]
//
// qkv [B, T, 3 W] holds q, k, v side by side, W = H D; prefix [P, 3 W] holds keys and values that
// every b sees before its own; out [B, T, W]; lse [B, H, T] = log sum exp of the scaled scores.
// CAUSAL: row i sees the prefix and rows 0..i. One invocation owns one query of one head and
// walks the keys once, rescaling its running sum when a larger score appears, so that no T x T
// matrix exists. T_ is vec4<f32> where D divides by four, else f32; N = D / width of T_.

alias T_ = $TYPE;
const WORKGROUP: u32 = $WORKGROUP;
const N: u32 = $N;

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
    if (index >= p.batch * p.rows * p.heads) {
        return;
    }
    let i = index % p.rows;
    let h = (index / p.rows) % p.heads;
    let b = index / (p.rows * p.heads);
    let width = p.heads * N;
    let own = b * p.rows * 3u * width + h * N;
    let q = own + i * 3u * width;
#for d N
    let q$d = qkv[q + ${d}u] * p.scale;
    var o$d = T_(0.0);
#end
    var top = -3.0e38;
    var sum = 0.0;
#if PREFIX
    for (var j = 0u; j < p.prefix; j++) {
        let k = (j * 3u + 1u) * width + h * N;
        var score = 0.0;
#for d N
        score += product(q$d, shared_qkv[k + ${d}u]);
#end
        if (score > top) {
            let shrink = exp(top - score);
            sum *= shrink;
#for d N
            o$d *= shrink;
#end
            top = score;
        }
        let weight = exp(score - top);
        sum += weight;
#for d N
        o$d += weight * shared_qkv[k + width + ${d}u];
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
#for d N
        score += product(q$d, qkv[k + ${d}u]);
#end
        if (score > top) {
            let shrink = exp(top - score);
            sum *= shrink;
#for d N
            o$d *= shrink;
#end
            top = score;
        }
        let weight = exp(score - top);
        sum += weight;
#for d N
        o$d += weight * qkv[k + width + ${d}u];
#end
    }
    let to = (b * p.rows + i) * width + h * N;
#for d N
    heads_out[to + ${d}u] = o$d / sum;
#end
    lse[index] = top + log(sum);
}
