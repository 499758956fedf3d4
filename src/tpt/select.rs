//! Which views may speak: the cosine filter of DiffTPT, then the entropy filter of TPT.

use super::Config;

/// Where the cosine filter compares a view with the plain one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    /// Cosine of logits, as DiffTPT's code does.
    Logits,
    /// Cosine of image features, as its paper says.
    Features,
}

/// Indices of the views that pass the cosine filter (the plain view 0 first, then by descending
/// cosine) and, of those, the ones that pass the entropy filter (by ascending entropy). Ties keep
/// the order of the views. At least one view passes each filter.
pub fn keep(
    z: &[f64],
    images: &[f32],
    entropy: &[f64],
    k: usize,
    d: usize,
    config: &Config,
) -> (Vec<usize>, Vec<usize>) {
    let n = entropy.len();
    let passed = match config.cosine {
        None => (0..n).collect(),
        Some((share, space)) => {
            let similarity: Vec<f64> = match space {
                Filter::Logits => z.chunks_exact(k).map(|row| cosine(row, &z[..k])).collect(),
                Filter::Features => {
                    let wide: Vec<f64> = images.iter().map(|v| f64::from(*v)).collect();
                    wide.chunks_exact(d)
                        .map(|row| cosine(row, &wide[..d]))
                        .collect()
                }
            };
            let mut others: Vec<usize> = (1..n).collect();
            others.sort_by(|a, b| similarity[*b].total_cmp(&similarity[*a]));
            others.truncate((share * (n - 1) as f64) as usize);
            std::iter::once(0).chain(others).collect::<Vec<_>>()
        }
    };
    let mut selected = passed.clone();
    selected.sort_by(|a, b| entropy[*a].total_cmp(&entropy[*b]));
    selected.truncate(((config.rho * passed.len() as f64) as usize).max(1));
    (passed, selected)
}

fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let dot = |x: &[f64], y: &[f64]| -> f64 { x.iter().zip(y).map(|(p, q)| p * q).sum() };
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt().max(f64::MIN_POSITIVE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(n: usize, config: &Config) -> (usize, usize) {
        let z: Vec<f64> = (0..n * 2).map(|i| (i as f64 * 0.7).sin()).collect();
        let images = vec![1.0f32; n];
        let entropy: Vec<f64> = (0..n).map(|i| (i as f64 * 1.3).cos()).collect();
        let (passed, selected) = keep(&z, &images, &entropy, 2, 1, config);
        assert_eq!(
            passed[0], 0,
            "the plain view always passes the cosine filter"
        );
        (passed.len(), selected.len())
    }

    #[test]
    fn filters_keep_the_published_counts() {
        assert_eq!(counts(64, &Config::difftpt_lite()), (51, 15));
        assert_eq!(counts(128, &Config::difftpt_lite()), (102, 30));
        assert_eq!(counts(64, &Config::tpt(64)), (64, 6));
        assert_eq!(counts(1, &Config::tpt(1)), (1, 1));
        assert_eq!(counts(1, &Config::difftpt_lite()), (1, 1));
    }
}
