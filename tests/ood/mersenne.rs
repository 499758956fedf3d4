//! The Mersenne Twister MT19937, and how PyTorch and NumPy draw from it.

const N: usize = 624;

pub struct Mersenne {
    state: [u32; N],
    at: usize,
}

impl Mersenne {
    pub fn new(seed: u32) -> Self {
        let mut state = [seed; N];
        for i in 1..N {
            let last = state[i - 1] ^ (state[i - 1] >> 30);
            state[i] = last.wrapping_mul(1_812_433_253).wrapping_add(i as u32);
        }
        Self { state, at: N }
    }

    pub fn next(&mut self) -> u32 {
        if self.at == N {
            for i in 0..N {
                let y = self.state[i] & 0x8000_0000 | self.state[(i + 1) % N] & 0x7fff_ffff;
                let odd = if y % 2 == 1 { 0x9908_b0df } else { 0 };
                self.state[i] = self.state[(i + 397) % N] ^ (y >> 1) ^ odd;
            }
            self.at = 0;
        }
        let mut y = self.state[self.at];
        self.at += 1;
        y ^= y >> 11;
        y ^= y << 7 & 0x9d2c_5680;
        y ^= y << 15 & 0xefc6_0000;
        y ^ y >> 18
    }

    /// `torch.randn` of so many f64, a multiple of 16: Box and Muller on sixteen at a time.
    pub fn torch_normal(&mut self, count: usize) -> Vec<f64> {
        let mut values: Vec<f64> = (0..count)
            .map(|_| {
                let bits = u64::from(self.next()) << 32 | u64::from(self.next());
                (bits & ((1 << 53) - 1)) as f64 / (1u64 << 53) as f64
            })
            .collect();
        for sixteen in values.chunks_exact_mut(16) {
            for i in 0..8 {
                let radius = (-2.0 * (1.0 - sixteen[i]).ln()).sqrt();
                let angle = std::f64::consts::TAU * sixteen[i + 8];
                sixteen[i] = radius * angle.cos();
                sixteen[i + 8] = radius * angle.sin();
            }
        }
        values
    }

    /// `numpy.random.beta(1, 1)`.
    pub fn numpy_beta_1_1(&mut self) -> f64 {
        let mut uniform = || {
            let (high, low) = (self.next() >> 5, self.next() >> 6);
            (f64::from(high) * f64::from(1u32 << 26) + f64::from(low)) / (1u64 << 53) as f64
        };
        loop {
            let (x, y) = (uniform(), uniform());
            if x + y <= 1.0 {
                return x / (x + y);
            }
        }
    }
}
