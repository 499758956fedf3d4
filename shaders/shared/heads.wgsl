// What every attention kernel starts with. T_ is vec4<f32> if the head dimension D divides by
// four, else f32; N = D / width of T_.

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

@group(0) @binding($PARAMS) var<uniform> p: Params;

fn product(a: T_, b: T_) -> f32 {
#if VECTOR
    return dot(a, b);
#else
    return a * b;
#end
}
