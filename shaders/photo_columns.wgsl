// patches[view, y / P, x / P, c, y % P, x % P] = tones[c, sum_j weights[y, j] narrow[start_y + j, x]]
//
// The vertical half of a crop, normalised, and laid out as the image tower's patches of P x P take
// it. tones [3, 256] is what each byte of each channel becomes. Taps as in photo_rows.wgsl.

const WORKGROUP: u32 = $WORKGROUP;

struct Params {
    size: u32,  // rows and columns of the crop
    edge: u32,  // P
    view: u32
}

@group(0) @binding(0) var<storage, read_write> narrow: array<u32>;
@group(0) @binding(1) var<storage, read_write> taps: array<i32>;
@group(0) @binding(2) var<storage, read_write> tones: array<f32>;
@group(0) @binding(3) var<storage, read_write> patches: array<f32>;
@group(0) @binding($PARAMS) var<uniform> p: Params;

#include bytes

@compute @workgroup_size($WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let index = (group.x + group.y * groups.x) * WORKGROUP + local;
    if (index >= p.size * p.size) {
        return;
    }
    let y = index / p.size;
    let x = index % p.size;
    let tap = y * 3u;
    let first = u32(taps[tap]);
    let weight = u32(taps[tap + 1u]);
    var sums = vec3<i32>(HALF);
    for (var j = 0u; j < u32(taps[tap + 2u]); j++) {
        sums += channels(narrow[(first + j) * p.size + x]) * taps[weight + j];
    }
    let bytes = vec3<u32>(rounded(sums));
    let area = p.edge * p.edge;
    let side = p.size / p.edge;
    let cell = p.view * side * side + (y / p.edge) * side + x / p.edge;
    let to = cell * 3u * area + (y % p.edge) * p.edge + x % p.edge;
    patches[to] = tones[bytes.x];
    patches[to + area] = tones[256u + bytes.y];
    patches[to + 2u * area] = tones[512u + bytes.z];
}
