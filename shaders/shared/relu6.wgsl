// ReLU6: v cut to 0..6, the activation of EfficientNet-Lite.
fn activate(v: f32) -> f32 {
    return clamp(v, 0.0, 6.0);
}

fn derivative(v: f32) -> f32 {
    return select(0.0, 1.0, v > 0.0 && v < 6.0);
}
