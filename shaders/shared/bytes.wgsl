// Sums of bytes in 22-bit fixed point.
const HALF: i32 = 2097152; // one half

fn channels(pixel: u32) -> vec3<i32> {
    return vec3<i32>((vec3<u32>(pixel) >> vec3<u32>(0u, 8u, 16u)) & vec3<u32>(255u));
}

fn rounded(sums: vec3<i32>) -> vec3<i32> {
    return clamp(sums >> vec3<u32>(22u), vec3<i32>(0), vec3<i32>(255));
}
