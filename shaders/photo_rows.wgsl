// narrow[r, i] = sum_j weights[i, j] photo[top + r, left + start_i + j], per channel, as a byte
//
// The horizontal half of a crop scaled as Pillow scales: 22-bit fixed-point weights, rounded to
// bytes. Pixels are words with red in the lowest byte. taps holds (start, first weight, weights)
// for every output column, then the weights; a mirrored crop has its columns' taps in reverse.

const WORKGROUP: u32 = $WORKGROUP;

struct Params {
    width: u32,   // of the photo
    left: u32,
    top: u32,
    rows: u32,    // of narrow
    columns: u32  // of narrow
}

@group(0) @binding(0) var<storage, read_write> photo: array<u32>;
@group(0) @binding(1) var<storage, read_write> taps: array<i32>;
@group(0) @binding(2) var<storage, read_write> narrow: array<u32>;
@group(0) @binding($PARAMS) var<uniform> p: Params;

#include bytes

@compute @workgroup_size($WORKGROUP)
fn main(@builtin(workgroup_id) group: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>, @builtin(local_invocation_index) local: u32) {
    let index = (group.x + group.y * groups.x) * WORKGROUP + local;
    if (index >= p.rows * p.columns) {
        return;
    }
    let tap = (index % p.columns) * 3u;
    let first = (p.top + index / p.columns) * p.width + p.left + u32(taps[tap]);
    let weight = u32(taps[tap + 1u]);
    var sums = vec3<i32>(HALF);
    for (var j = 0u; j < u32(taps[tap + 2u]); j++) {
        sums += channels(photo[first + j]) * taps[weight + j];
    }
    let bytes = vec3<u32>(rounded(sums));
    narrow[index] = bytes.x | (bytes.y << 8u) | (bytes.z << 16u);
}
