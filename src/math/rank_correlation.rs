//! How well one list of numbers keeps the order of another.

/// The ranks of `values` from 1; equal values share the mean of theirs.
fn ranks(values: &[f64]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..values.len()).collect();
    order.sort_by(|a, b| values[*a].total_cmp(&values[*b]));
    let mut ranks = vec![0.0; values.len()];
    let mut start = 0;
    for same in order.chunk_by(|a, b| values[*a] == values[*b]) {
        // The mean of start + 1 ..= start + n.
        let rank = start as f64 + (same.len() + 1) as f64 / 2.0;
        same.iter().for_each(|i| ranks[*i] = rank);
        start += same.len();
    }
    ranks
}

/// Spearman's correlation of finite `a` and `b`, of equal length: that of their ranks, from -1 to 1; 0
/// if all of one are equal.
pub fn spearman(a: &[f64], b: &[f64]) -> f64 {
    let (a, b) = (ranks(a), ranks(b));
    let middle = (a.len() + 1) as f64 / 2.0;
    let product = |a: &[f64], b: &[f64]| -> f64 {
        let pairs = a.iter().zip(b);
        pairs.map(|(a, b)| (a - middle) * (b - middle)).sum()
    };
    let square = product(&a, &a) * product(&b, &b);
    if square == 0.0 {
        return 0.0;
    }
    product(&a, &b) / square.sqrt()
}

/// Share of the pairs with different `values` that `scores` puts in the same order, from 0 to 1; equal
/// scores count as half. `None` without such a pair.
pub fn pair_accuracy(scores: &[f64], values: &[f64]) -> Option<f64> {
    let (mut right, mut pairs) = (0.0, 0usize);
    for (i, (score, value)) in scores.iter().zip(values).enumerate() {
        for (other, than) in scores[..i].iter().zip(&values[..i]) {
            if value == than {
                continue;
            }
            pairs += 1;
            right += match (score > other, score < other) {
                (false, false) => 0.5,
                (above, _) => f64::from(u8::from(above == (value > than))),
            };
        }
    }
    (pairs > 0).then(|| right / pairs as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_orders_correlate_fully_and_ties_share_their_rank() {
        assert_eq!(ranks(&[3.0, 1.0, 3.0, 2.0]), [3.5, 1.0, 3.5, 2.0]);
        let up = [1.0, 2.0, 3.0, 4.0];
        assert_eq!(spearman(&up, &[1.0, 10.0, 11.0, 500.0]), 1.0);
        assert_eq!(spearman(&up, &[4.0, 3.0, 2.0, 1.0]), -1.0);
        assert_eq!(spearman(&up, &[7.0; 4]), 0.0);
        // By hand: the ranks are 2, 1, 4, 3, so 1 - 6 * 4 / (4 * 15).
        assert!((spearman(&up, &[5.0, 4.0, 9.0, 7.0]) - 0.6).abs() < 1e-12);
    }

    #[test]
    fn pairs_of_equal_values_do_not_count_and_equal_scores_count_half() {
        assert_eq!(pair_accuracy(&[0.1, 0.2, 0.3], &[1.0, 1.0, 2.0]), Some(1.0));
        assert_eq!(
            pair_accuracy(&[0.3, 0.2, 0.3], &[1.0, 1.0, 2.0]),
            Some(0.75)
        );
        assert_eq!(pair_accuracy(&[0.3, 0.2], &[1.0, 2.0]), Some(0.0));
        assert_eq!(pair_accuracy(&[0.3, 0.2], &[1.0, 1.0]), None);
    }
}
