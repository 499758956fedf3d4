//! Few images of each class.

use promptlens::prompt_learning::examples::sample_shots;

#[test]
fn every_class_gives_its_share() {
    let labels: Vec<usize> = (0..60).map(|i| if i < 3 { 9 } else { i % 3 }).collect();
    let kept = sample_shots(&labels, 4, 1);
    let count = |class| kept.iter().filter(|i| labels[**i] == class).count();
    assert_eq!([count(0), count(1), count(2), count(9)], [4, 4, 4, 3]);
    assert!(kept.windows(2).all(|w| w[0] < w[1]));
    assert_eq!(kept, sample_shots(&labels, 4, 1));
    assert_ne!(kept, sample_shots(&labels, 4, 2));
    assert_eq!(sample_shots(&labels, 100, 1).len(), 60);
    assert!(sample_shots(&labels, 0, 1).is_empty() && sample_shots(&[], 4, 1).is_empty());
}
