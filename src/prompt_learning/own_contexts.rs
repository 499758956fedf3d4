//! A context of its own for every class, in use on names that may be others.

use std::collections::BTreeMap;

/// The contexts [C, M, W] that `names` stand behind, and which of them each name does, [names].
///
/// A name among `known` has its own of `contexts` [known, M, W]. Any other stands behind their mean:
/// CoOp's class-specific contexts (Zhou et al., 2022) know no other names, and what all of them have
/// in common is the context that no class has pulled its own way.
pub fn class_contexts_or_mean(
    known: &[String],
    names: &[String],
    contexts: &[f32],
) -> (Vec<f32>, Vec<usize>) {
    let places: BTreeMap<&str, usize> = known
        .iter()
        .enumerate()
        .map(|(i, name)| (name.as_str(), i))
        .collect();
    let place = |name: &String| places.get(name.as_str()).copied();
    let assigned: Vec<usize> = names
        .iter()
        .map(|name| place(name).unwrap_or(known.len()))
        .collect();
    let mut all = contexts.to_vec();
    if assigned.contains(&known.len()) {
        all.extend(mean(contexts, known.len()));
    }
    (all, assigned)
}

/// The mean of `count` contexts.
fn mean(contexts: &[f32], count: usize) -> Vec<f32> {
    let size = contexts.len() / count;
    let column = |i: usize| contexts[i..].iter().step_by(size);
    let sum = |i| column(i).map(|v| f64::from(*v)).sum::<f64>();
    (0..size).map(|i| (sum(i) / count as f64) as f32).collect()
}
