//! Features scaled to length one, and the backward pass of the scaling.

/// Unit rows with the lengths that they had.
#[derive(Debug, Clone)]
pub struct UnitRows {
    /// Rows of length one, [R, d].
    pub values: Vec<f64>,
    lengths: Vec<f64>,
    d: usize,
}

impl UnitRows {
    /// Scales rows of `d` columns. A row of zeros stays one.
    pub fn new<T: Copy + Into<f64>>(features: &[T], d: usize) -> Self {
        let mut values: Vec<f64> = features.iter().map(|v| (*v).into()).collect();
        let lengths = values
            .chunks_exact_mut(d)
            .map(|row| {
                let length = row.iter().map(|v| v * v).sum::<f64>().sqrt();
                let length = length.max(f64::MIN_POSITIVE);
                row.iter_mut().for_each(|v| *v /= length);
                length
            })
            .collect();
        Self { values, lengths, d }
    }

    /// The rows in f32.
    pub fn rounded(&self) -> Vec<f32> {
        self.values.iter().map(|v| *v as f32).collect()
    }

    /// The gradient with respect to the rows before scaling from that with respect to the unit rows
    /// [R, d]: (g - t (t . g)) / |r|.
    pub fn backward(&self, gradient: &[f64]) -> Vec<f64> {
        let rows = self.values.chunks_exact(self.d).zip(&self.lengths);
        gradient
            .chunks_exact(self.d)
            .zip(rows)
            .flat_map(|(g, (t, length))| {
                let along: f64 = g.iter().zip(t).map(|(g, t)| g * t).sum();
                g.iter()
                    .zip(t)
                    .map(move |(g, t)| (g - along * t) / length)
                    .collect::<Vec<_>>()
            })
            .collect()
    }
}

/// Scales every row of `values` [rows, width] to length one.
pub fn normalize_rows(values: &mut [f32], width: usize) {
    for row in values.chunks_mut(width) {
        let norm = row
            .iter()
            .map(|v| f64::from(*v) * f64::from(*v))
            .sum::<f64>()
            .sqrt()
            .max(f64::MIN_POSITIVE);
        for v in row {
            *v = (f64::from(*v) / norm) as f32;
        }
    }
}
