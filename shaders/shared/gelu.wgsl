// GELU: v Phi(v). WGSL has no erf. Below 2.5 its Maclaurin-like series in x exp(-x^2) converges
// fast; above, the continued fraction of erfc does. Both stay within f32 rounding of the truth.
fn erf(v: f32) -> f32 {
    let x = abs(v);
    let e = exp(-x * x);
    var result = 1.0;
    if (x < 2.5) {
        var term = x;
        var sum = x;
        for (var n = 1u; n < 30u; n++) {
            term *= 2.0 * x * x / f32(2u * n + 1u);
            sum += term;
        }
        result = 1.1283791671 * e * sum;
    } else if (x < 4.5) {
        var f = x;
        for (var n = 24u; n > 0u; n--) {
            f = x + 0.5 * f32(n) / f;
        }
        result = 1.0 - e / (1.7724538509 * f);
    }
    return select(result, -result, v < 0.0);
}

fn activate(v: f32) -> f32 {
    return 0.5 * v * (1.0 + erf(v * 0.7071067812));
}

fn derivative(v: f32) -> f32 {
    return 0.5 * (1.0 + erf(v * 0.7071067812)) + v * 0.3989422804 * exp(-0.5 * v * v);
}
