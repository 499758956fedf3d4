// QuickGELU: v sigmoid(1.702 v), the activation of OpenAI's CLIP.
fn activate(v: f32) -> f32 {
    return v / (1.0 + exp(-1.702 * v));
}

fn derivative(v: f32) -> f32 {
    let s = 1.0 / (1.0 + exp(-1.702 * v));
    return s * (1.0 + 1.702 * v * (1.0 - s));
}
