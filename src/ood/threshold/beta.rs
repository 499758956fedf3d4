//! Quantiles of Beta(m, n + 1 − m), the law of the m-th lowest of n uniform numbers.

use super::super::metrics::Interval;

/// The middle 95 % of Beta(m, n + 1 − m), `1 <= m <= n`: where the true rejection rate of a
/// threshold at the m-th lowest of n scores lies.
pub fn rejection_interval(n: usize, m: usize) -> Interval {
    Interval {
        low: quantile(n, m, 0.025),
        high: quantile(n, m, 0.975),
    }
}

/// Bisection on the distribution function, which increases from 0 to 1.
fn quantile(n: usize, m: usize, q: f64) -> f64 {
    let (mut low, mut high) = (0.0, 1.0);
    // Every step halves the range; 60 reach the spacing of f64 near 1.
    for _ in 0..60 {
        let middle = 0.5 * (low + high);
        if below(n, m, middle) < q {
            low = middle;
        } else {
            high = middle;
        }
    }
    0.5 * (low + high)
}

/// P(Beta(m, n + 1 − m) <= x) = P(Binomial(n, x) >= m) = 1 − Σ_{j<m} C(n, j) x^j (1 − x)^{n−j}.
/// The terms are kept as logarithms, since (1 − x)^n underflows for many images.
fn below(n: usize, m: usize, x: f64) -> f64 {
    let odds = (x / (1.0 - x)).ln();
    let mut term = n as f64 * (-x).ln_1p();
    let mut sum = 0.0;
    for j in 0..m {
        sum += term.exp();
        term += ((n - j) as f64 / (j + 1) as f64).ln() + odds;
    }
    1.0 - sum
}
