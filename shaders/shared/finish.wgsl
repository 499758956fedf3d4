// What a layer does with the product: bias, activation and residual, if it has them.

#if BIAS
@group(0) @binding($BIAS_AT) var<storage, read_write> bias: array<f32>;
#end
#if RESIDUAL
@group(0) @binding($RESIDUAL_AT) var<storage, read_write> residual: array<f32>;
#end
#if ACTIVATE
#include $ACTIVATION
#end

fn bias_of(n: u32) -> f32 {
#if BIAS
    return bias[n];
#else
    return 0.0;
#end
}

// y[at] from the sum of its products and its column's bias.
fn finished(sum: f32, b: f32, at: u32) -> f32 {
    var value = sum + b;
#if ACTIVATE
    value = activate(value);
#else
    // ReLU6 is so short that a kernel of its own, which takes long to compile, would not pay.
    value = select(value, clamp(value, 0.0, 6.0), p.relu6 == 1u);
#end
#if RESIDUAL
    value += residual[at];
#end
    return value;
}
