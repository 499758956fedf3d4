//! Few images of each class.

use promptlens::learn::examples::few;

#[test]
fn every_class_gives_its_share() {
    let labels: Vec<usize> = (0..60).map(|i| if i < 3 { 9 } else { i % 3 }).collect();
    let kept = few(&labels, 4, 1);
    let count = |class| kept.iter().filter(|i| labels[**i] == class).count();
    assert_eq!([count(0), count(1), count(2), count(9)], [4, 4, 4, 3]);
    assert!(kept.windows(2).all(|w| w[0] < w[1]));
    assert_eq!(kept, few(&labels, 4, 1));
    assert_ne!(kept, few(&labels, 4, 2));
    assert_eq!(few(&labels, 100, 1).len(), 60);
    assert!(few(&labels, 0, 1).is_empty() && few(&[], 4, 1).is_empty());
}
