//! A small seeded generator whose state is passed explicitly: same seed, same numbers.
//!
//! xoshiro256++ seeded by SplitMix64 (Blackman and Vigna, "Scrambled linear pseudorandom number
//! generators", 2021), and the few distributions that augmentation and initialization draw from.

/// The generator. Cloning it repeats its future.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rng {
    state: [u64; 4],
}

fn split_mix(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

impl Rng {
    /// A generator for `seed`.
    pub fn new(seed: u64) -> Self {
        let mut mixer = seed;
        Self {
            state: std::array::from_fn(|_| split_mix(&mut mixer)),
        }
    }

    /// A generator for item `index` of what `seed` stands for. Items are independent of each
    /// other and of the order in which they are made.
    pub fn derive(seed: u64, index: u64) -> Self {
        let mut outer = seed;
        let mut inner = split_mix(&mut outer) ^ index.wrapping_mul(0xd134_2543_de82_ef95);
        Self::new(split_mix(&mut inner))
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        let [a, b, c, d] = self.state;
        let out = a.wrapping_add(d).rotate_left(23).wrapping_add(a);
        let mut next = [a, b, c ^ a, d ^ b];
        next[1] ^= next[2];
        next[0] ^= next[3];
        next[2] ^= b << 17;
        next[3] = next[3].rotate_left(45);
        self.state = next;
        out
    }

    /// Uniform in `[0, 1)`.
    pub fn unit(&mut self) -> f64 {
        (self.bits() >> 11) as f64 / (1u64 << 53) as f64
    }

    /// Uniform in `[low, high)`.
    pub fn uniform(&mut self, low: f64, high: f64) -> f64 {
        low + (high - low) * self.unit()
    }

    /// True with probability `p`.
    pub fn chance(&mut self, p: f64) -> bool {
        self.unit() < p
    }

    /// Uniform in `0..n` without bias. `n` must be at least 1.
    pub fn below(&mut self, n: u64) -> u64 {
        assert!(n > 0, "there is nothing to choose from");
        // Values from the incomplete last stretch of the 64-bit range are drawn again.
        let excess = (u64::MAX % n + 1) % n;
        loop {
            let bits = self.bits();
            if bits <= u64::MAX - excess {
                return bits % n;
            }
        }
    }

    /// Standard normal (polar method of Marsaglia and Bray).
    pub fn normal(&mut self) -> f64 {
        loop {
            let x = self.uniform(-1.0, 1.0);
            let y = self.uniform(-1.0, 1.0);
            let square = x * x + y * y;
            if square > 0.0 && square < 1.0 {
                return x * (-2.0 * square.ln() / square).sqrt();
            }
        }
    }

    /// Gamma with `shape > 0` and scale 1 (Marsaglia and Tsang, 2000).
    pub fn gamma(&mut self, shape: f64) -> f64 {
        assert!(shape > 0.0, "a gamma distribution needs a positive shape");
        if shape < 1.0 {
            let boost = (1.0 - self.unit()).powf(1.0 / shape);
            return self.gamma(shape + 1.0) * boost;
        }
        let d = shape - 1.0 / 3.0;
        let c = 1.0 / (9.0 * d).sqrt();
        loop {
            let x = self.normal();
            let v = (1.0 + c * x).powi(3);
            let u = 1.0 - self.unit();
            if v > 0.0 && u.ln() < 0.5 * x * x + d - d * v + d * v.ln() {
                return d * v;
            }
        }
    }

    /// Beta with both parameters above 0.
    pub fn beta(&mut self, a: f64, b: f64) -> f64 {
        let x = self.gamma(a);
        let y = self.gamma(b);
        // Both underflow only for tiny parameters, where the mass sits at the two ends.
        if x + y > 0.0 {
            x / (x + y)
        } else {
            f64::from(u8::from(self.chance(a / (a + b))))
        }
    }

    /// A point of the simplex: Dirichlet with the given concentrations, all above 0.
    pub fn dirichlet(&mut self, concentrations: &[f64]) -> Vec<f64> {
        let draws: Vec<f64> = concentrations.iter().map(|&a| self.gamma(a)).collect();
        let sum: f64 = draws.iter().sum();
        if sum > 0.0 {
            draws.iter().map(|draw| draw / sum).collect()
        } else {
            let chosen = self.below(draws.len() as u64) as usize;
            (0..draws.len())
                .map(|i| f64::from(u8::from(i == chosen)))
                .collect()
        }
    }

    /// The numbers `0..n` in random order (Fisher and Yates).
    pub fn permutation(&mut self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        for last in (1..n).rev() {
            order.swap(last, self.below(last as u64 + 1) as usize);
        }
        order
    }
}

#[cfg(test)]
mod tests {
    use super::Rng;

    const N: usize = 40_000;

    fn moments(draw: impl FnMut() -> f64) -> (f64, f64) {
        let draws: Vec<f64> = std::iter::repeat_with(draw).take(N).collect();
        let mean = draws.iter().sum::<f64>() / N as f64;
        let variance = draws.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / N as f64;
        (mean, variance)
    }

    fn near(got: f64, wanted: f64, tolerance: f64) {
        assert!(
            (got - wanted).abs() < tolerance,
            "{got} is not near {wanted}"
        );
    }

    #[test]
    fn the_generator_gives_the_published_sequence() {
        // Reference output of xoshiro256++ for the state 1, 2, 3, 4.
        let mut rng = Rng {
            state: [1, 2, 3, 4],
        };
        let drawn: Vec<u64> = (0..4).map(|_| rng.bits()).collect();
        assert_eq!(
            drawn,
            [
                41_943_041,
                58_720_359,
                3_588_806_011_781_223,
                3_591_011_842_654_386
            ]
        );
        // Reference output of SplitMix64 for the seed 1234567.
        let mut state = 1_234_567;
        assert_eq!(super::split_mix(&mut state), 6_457_827_717_110_365_317);
        assert_eq!(super::split_mix(&mut state), 3_203_168_211_198_807_973);
    }

    #[test]
    fn distributions_have_their_moments() {
        let mut rng = Rng::new(1);
        let (mean, variance) = moments(|| rng.uniform(2.0, 4.0));
        near(mean, 3.0, 0.02);
        near(variance, 1.0 / 3.0, 0.01);
        let (mean, variance) = moments(|| rng.normal());
        near(mean, 0.0, 0.02);
        near(variance, 1.0, 0.03);
        for shape in [0.3, 1.0, 4.5] {
            let (mean, variance) = moments(|| rng.gamma(shape));
            near(mean, shape, 0.05 * shape.max(1.0));
            near(variance, shape, 0.1 * shape.max(1.0));
        }
        let (mean, variance) = moments(|| rng.beta(0.3, 0.3));
        near(mean, 0.5, 0.01);
        near(variance, 0.25 / 1.6, 0.01);
        let (mean, variance) = moments(|| rng.dirichlet(&[1.0, 1.0, 1.0])[1]);
        near(mean, 1.0 / 3.0, 0.01);
        near(variance, 1.0 / 18.0, 0.005);
    }

    #[test]
    fn below_is_even_and_in_range() {
        let mut rng = Rng::new(2);
        let mut counts = [0usize; 7];
        for _ in 0..N {
            counts[rng.below(7) as usize] += 1;
        }
        for count in counts {
            near(count as f64, N as f64 / 7.0, 300.0);
        }
        assert_eq!(rng.below(1), 0);
    }

    #[test]
    fn a_permutation_holds_every_number_once() {
        let mut rng = Rng::new(3);
        let mut order = rng.permutation(100);
        assert_ne!(order, (0..100).collect::<Vec<_>>());
        order.sort_unstable();
        assert_eq!(order, (0..100).collect::<Vec<_>>());
        assert!(rng.permutation(0).is_empty());
    }

    #[test]
    fn derived_streams_repeat_and_differ() {
        assert_eq!(Rng::derive(5, 3), Rng::derive(5, 3));
        assert_ne!(Rng::derive(5, 3), Rng::derive(5, 4));
        assert_ne!(Rng::derive(5, 3), Rng::derive(6, 3));
        assert_ne!(Rng::derive(0, 0), Rng::derive(0, 1));
    }
}
