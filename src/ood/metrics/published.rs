//! The same quantities by the rules of published code, which differ in how they treat ties and small
//! samples.

use super::Counts;

/// Steps of a curve: positives and negatives taken so far at each distinct score.
struct Steps {
    taken: Vec<[usize; 2]>,
    positives: usize,
    negatives: usize,
}

impl Steps {
    fn new(groups: impl Iterator<Item = [usize; 2]>) -> Self {
        let (mut positives, mut negatives) = (0, 0);
        let taken = groups
            .map(|[positive, negative]| {
                positives += positive;
                negatives += negative;
                [positives, negatives]
            })
            .collect();
        Self {
            taken,
            positives,
            negatives,
        }
    }

    fn recall(&self, taken: &[usize; 2]) -> f64 {
        taken[0] as f64 / self.positives as f64
    }

    /// The share of negatives taken at the recall closest to 0.95; of equally close ones at the one
    /// that takes most, and beyond full recall none counts.
    fn fpr_at_closest_recall(&self) -> f64 {
        let full = self.taken.iter().position(|t| t[0] == self.positives);
        let mut best = (f64::INFINITY, 0);
        for taken in self.taken[..full.map_or(0, |at| at + 1)].iter().rev() {
            let distance = (self.recall(taken) - 0.95).abs();
            if distance < best.0 {
                best = (distance, taken[1]);
            }
        }
        best.1 as f64 / self.negatives as f64
    }

    /// The share of negatives taken at the first corner of the ROC curve with a recall of at least 0.95.
    /// Points on a straight line between equal steps are no corners.
    fn fpr_at_corner(&self) -> f64 {
        let corner = |at: usize| {
            if at == 0 || at + 1 == self.taken.len() {
                return true;
            }
            let [before, here, after] = [at - 1, at, at + 1].map(|i| self.taken[i]);
            (0..2).any(|side| before[side] + after[side] != 2 * here[side])
        };
        let found = (0..self.taken.len())
            .find(|at| corner(*at) && self.recall(&self.taken[*at]) >= 0.95)
            .map_or(self.negatives, |at| self.taken[at][1]);
        found as f64 / self.negatives as f64
    }

    /// The area below the precision-recall curve, its points joined by straight lines.
    fn trapezoid(&self) -> f64 {
        let mut last = (0.0, 1.0);
        let mut area = 0.0;
        for taken in &self.taken {
            let (recall, precision) = (
                self.recall(taken),
                taken[0] as f64 / (taken[0] + taken[1]) as f64,
            );
            area += (recall - last.0) * (precision + last.1) / 2.0;
            last = (recall, precision);
        }
        area
    }
}

/// The published values.
pub(super) struct Published {
    pub fpr95_neglabel: f64,
    pub fpr95_openood: f64,
    pub aupr_in_openood: f64,
    pub aupr_out_openood: f64,
}

impl Published {
    /// From how many images share each score, highest first.
    pub fn of(counts: &[Counts]) -> Self {
        let id_first = Steps::new(counts.iter().map(|c| [c.id, c.ood]));
        let ood_first = Steps::new(counts.iter().rev().map(|c| [c.ood, c.id]));
        Self {
            fpr95_neglabel: id_first.fpr_at_closest_recall(),
            fpr95_openood: ood_first.fpr_at_corner(),
            aupr_in_openood: id_first.trapezoid(),
            aupr_out_openood: ood_first.trapezoid(),
        }
    }
}
