//! Random numbers for tests.

/// Uniform numbers in [0, 1) for tests, from a linear congruential generator (Knuth's MMIX).
pub struct Uniform(pub u64);

impl Uniform {
    /// The next number.
    pub fn next(&mut self) -> f64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1u64 << 53) as f64
    }

    /// `n` numbers in [low, high).
    pub fn many(&mut self, n: usize, low: f64, high: f64) -> Vec<f64> {
        (0..n).map(|_| low + (high - low) * self.next()).collect()
    }
}
