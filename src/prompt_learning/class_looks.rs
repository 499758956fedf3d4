//! What the images of every class look like, and which classes look alike.

use super::examples::Examples;
use crate::math::dot;

/// What the images of every class look like.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassLooks {
    /// Means of the unit features of the plain images, [K, d]; zeros for a class without images.
    pub means: Vec<f64>,
    /// Standard deviations of every column, [K, d].
    pub deviations: Vec<f64>,
    /// For every class the classes whose means are most like its own, the likest first.
    pub neighbors: Vec<Vec<usize>>,
}

impl ClassLooks {
    /// Of `examples` of `classes` classes, with at most `most` neighbors among those that have images.
    pub fn new(examples: &Examples, classes: usize, most: usize) -> Self {
        let d = examples.dim();
        let counts = examples.counts(classes);
        let mut means = vec![0.0; classes * d];
        let mut deviations = vec![0.0; classes * d];
        let over = |out: &mut [f64], term: &dyn Fn(usize, f64) -> f64| {
            for (i, label) in examples.labels().iter().enumerate() {
                for (column, v) in examples.view(i, 0).iter().enumerate() {
                    let at = label * d + column;
                    out[at] += term(at, f64::from(*v)) / counts[*label] as f64;
                }
            }
        };
        over(&mut means, &|_, v| v);
        over(&mut deviations, &|at, v| (v - means[at]).powi(2));
        deviations.iter_mut().for_each(|v| *v = v.sqrt());
        let neighbors = (0..classes)
            .map(|own| {
                let others = (0..classes).filter(|c| *c != own && counts[*c] > 0);
                likest(&means[own * d..][..d], &means, others.collect(), most)
            })
            .collect();
        Self {
            means,
            deviations,
            neighbors,
        }
    }
}

/// The `most` of `candidates` whose `rows` [., d] have the largest products with `own` [d]; of equal
/// ones the earlier first.
pub fn likest(own: &[f64], rows: &[f64], candidates: Vec<usize>, most: usize) -> Vec<usize> {
    let product = |c: usize| dot(own, &rows[c * own.len()..][..own.len()]);
    let mut order: Vec<(f64, usize)> = candidates.into_iter().map(|c| (product(c), c)).collect();
    order.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
    order.into_iter().take(most).map(|(_, c)| c).collect()
}

/// Rows of [., d] in the order of `places`.
pub fn gathered(rows: &[f64], places: &[usize], d: usize) -> Vec<f64> {
    let rows = places.iter().flat_map(|place| &rows[place * d..][..d]);
    rows.copied().collect()
}
