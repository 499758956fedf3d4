//! A step in parts of about equal work, one on each thread.

/// Texts of up to so many tokens more share a pass.
const ALIKE: usize = 2;

/// Texts whose lengths share a bucket share a pass.
pub(super) fn bucket(length: usize) -> usize {
    length / ALIKE
}

/// The groups in `count` runs of about equally many tokens, in their order.
pub(super) fn divided(groups: &[Vec<Vec<u32>>], count: usize) -> Vec<Vec<&[Vec<u32>]>> {
    let all: usize = groups.iter().flatten().map(Vec::len).sum();
    let count = count.clamp(1, groups.iter().map(Vec::len).sum::<usize>().max(1));
    let mut parts: Vec<Vec<&[Vec<u32>]>> = vec![Vec::new(); count];
    let mut seen = 0;
    for group in groups {
        let part = |before: usize| (before * count / all.max(1)).min(count - 1);
        let places: Vec<usize> = group
            .iter()
            .map(|ids| {
                seen += ids.len();
                part(seen - ids.len())
            })
            .collect();
        let mut start = 0;
        for alike in places.chunk_by(|a, b| a == b) {
            parts[alike[0]].push(&group[start..start + alike.len()]);
            start += alike.len();
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

/// What `run` makes of each part, in their order.
pub(super) fn on_threads<T: Sync, R: Send>(parts: &[T], run: &(dyn Fn(&T) -> R + Sync)) -> Vec<R> {
    if parts.len() < 2 {
        return parts.iter().map(run).collect();
    }
    std::thread::scope(|scope| {
        let running: Vec<_> = parts
            .iter()
            .map(|part| scope.spawn(move || run(part)))
            .collect();
        running
            .into_iter()
            .map(|thread| thread.join().expect("a part of a step ends"))
            .collect()
    })
}
