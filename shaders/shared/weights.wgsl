// What every product with a frozen matrix w [N, K] starts with: its sizes, and w as f32, or as Q8/Q4
// words with one f16 scale per 32 inputs, dequantised on reading. K is padded to groups of four, and
// to whole blocks where w is packed.

struct Params {
    m: u32,            // rows of x and y
    n: u32,            // N
    k4: u32,           // K / 4
    scale_stride: u32, // u32 words of scales per output row
    k: u32             // K before padding
}

@group(0) @binding($PARAMS) var<uniform> p: Params;

#if PACKED
@group(0) @binding(1) var<storage, read_write> w: array<u32>;
@group(0) @binding($SCALES) var<storage, read_write> scales: array<u32>;

// The scale of `block` in output row `n`, two per word.
fn scale_of(n: u32, block: u32) -> f32 {
    let pair = unpack2x16float(scales[n * p.scale_stride + block / 2u]);
    return select(pair.x, pair.y, (block & 1u) == 1u);
}
#else
@group(0) @binding(1) var<storage, read_write> w: array<vec4<f32>>;
#end

// Four integers: the bytes of `bits`, or its low four half-bytes.
#if Q8
fn four(bits: u32) -> vec4<f32> {
    let v = vec4<i32>(vec4<u32>(bits << 24u, bits << 16u, bits << 8u, bits)) >> vec4<u32>(24u);
    return vec4<f32>(v);
}
#end
#if Q4
fn four(bits: u32) -> vec4<f32> {
    let v = vec4<i32>(vec4<u32>(bits << 28u, bits << 24u, bits << 20u, bits << 16u)) >> vec4<u32>(28u);
    return vec4<f32>(v);
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
