//! Pairs of samples for cross-distribution mixing.

/// For every sample of `labels` a random one of the other kind (`label < classes` is ID), or `None`
/// if the batch holds one kind only and L_cd is skipped. `below(n)` draws uniformly from `0..n`.
pub fn partners(
    labels: &[usize],
    classes: usize,
    mut below: impl FnMut(usize) -> usize,
) -> Option<Vec<usize>> {
    let (id, other): (Vec<usize>, Vec<usize>) =
        (0..labels.len()).partition(|i| labels[*i] < classes);
    if id.is_empty() || other.is_empty() {
        return None;
    }
    let choose = |label: &usize| {
        let side = if *label < classes { &other } else { &id };
        side[below(side.len()).min(side.len() - 1)]
    };
    Some(labels.iter().map(choose).collect())
}
