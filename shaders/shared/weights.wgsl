// What every product with a frozen matrix w [N, K] starts with: its sizes, and w as f32, or as Q8/Q4
// words with one f16 scale per 32 inputs, dequantised on reading. K is padded to groups of four, and
// to whole blocks if w is packed.

struct Params {
    m: u32,            // rows of x and y
    n: u32,            // N
    k4: u32,           // K / 4
    scale_stride: u32, // u32 words of scales per output row
    k: u32,            // K before padding
    x4: u32,           // vectors of a row of x: K / 4, or as many as of w if x is padded too
    relu6: u32         // 1 if ReLU6 is the activation
}

@group(0) @binding($PARAMS) var<uniform> p: Params;

#if PACKED
@group(0) @binding(1) var<storage, read_write> w: array<u32>;
@group(0) @binding($SCALES) var<storage, read_write> scales: array<u32>;

// What an integer from `four` is times the weight's own: a power of two, so that nothing is rounded.
#if Q8
const LIFTED: f32 = 16777216.0; // 2^24
#end
#if Q4
const LIFTED: f32 = 268435456.0; // 2^28
#end

// What the integers of `block` in output row `n` are multiplied with; two scales per word.
fn scale_of(n: u32, block: u32) -> f32 {
    let pair = unpack2x16float(scales[n * p.scale_stride + block / 2u]);
    return select(pair.x, pair.y, (block & 1u) == 1u) / LIFTED;
}
#else
@group(0) @binding(1) var<storage, read_write> w: array<vec4<f32>>;
#end

// Four integers: the bytes of `bits`, or its low four half-bytes, each lifted to the top of an i32,
// where its sign is; a software adapter has no cheap shift that brings them down again.
#if Q8
fn four(bits: u32) -> vec4<f32> {
    return vec4<f32>(vec4<i32>(vec4<u32>(bits << 24u, bits << 16u, bits << 8u, bits) & vec4<u32>(0xff000000u)));
}
#end
#if Q4
fn four(bits: u32) -> vec4<f32> {
    return vec4<f32>(vec4<i32>(vec4<u32>(bits << 28u, bits << 24u, bits << 20u, bits << 16u) & vec4<u32>(0xf0000000u)));
}
#end

// Inputs 4 k .. 4 k + 3 of output row `n`.
fn weights(n: u32, k: u32) -> vec4<f32> {
#if Q8
    return four(w[n * p.k4 + k]) * scale_of(n, k / 8u);
#end
#if Q4
    return four(w[n * (p.k4 / 2u) + k / 2u] >> ((k & 1u) * 16u)) * scale_of(n, k / 8u);
#end
#if PACKED
#else
    return w[n * p.k4 + k];
#end
}
