// z[r] = log softmax(z[r]), h[r] = -sum_k exp(z[r, k]) z[r, k]: one invocation owns a row of logits.

struct Params {
    rows: u32,
    k: u32
}

@group(0) @binding(0) var<storage, read_write> z: array<f32>;
@group(0) @binding(1) var<storage, read_write> h: array<f32>;
@group(0) @binding(2) var<uniform> p: Params;

@compute @workgroup_size(16)
fn main(@builtin(global_invocation_id) id: vec3<u32>) {
    if (id.x >= p.rows) {
        return;
    }
    let base = id.x * p.k;
    var top = -3.0e38;
    for (var i = 0u; i < p.k; i++) {
        top = max(top, z[base + i]);
    }
    var sum = 0.0;
    for (var i = 0u; i < p.k; i++) {
        sum += exp(z[base + i] - top);
    }
    let whole = top + log(sum);
    var entropy = 0.0;
    for (var i = 0u; i < p.k; i++) {
        let l = z[base + i] - whole;
        entropy -= exp(l) * l;
        z[base + i] = l;
    }
    h[id.x] = entropy;
}
