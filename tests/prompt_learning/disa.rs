//! After the idea of DiSa: its pull, and what it leaves as it is.

use promptlens::math::dot;
use promptlens::prompt_learning::examples::Batch;
use promptlens::prompt_learning::losses::{Anchor, LossInput, total};
use promptlens::prompt_learning::recipes::disa::prototypes;

use super::toy::{D, Extras, images, names, teach_with};

#[test]
fn a_prototype_is_the_unit_mean_of_a_class_and_a_class_without_photos_is_not_pulled() {
    let examples = images(3, 4, 2, 7);
    // A fourth class without photos.
    let means = prototypes(&examples, 4);
    for (class, mean) in means.chunks_exact(D).take(3).enumerate() {
        assert!((dot(mean, mean) - 1.0).abs() < 1e-12);
        let mut sum = vec![0.0; D];
        for (i, label) in examples.labels().iter().enumerate() {
            if *label == class {
                let pairs = sum.iter_mut().zip(examples.view(i, 0));
                pairs.for_each(|(s, v)| *s += f64::from(*v));
            }
        }
        let length = dot(&sum, &sum).sqrt();
        for (a, b) in mean.iter().zip(&sum) {
            assert!((a - b / length).abs() < 1e-12);
        }
    }
    assert_eq!(&means[3 * D..], &[0.0; D]);
    // Texts along the prototypes have no loss; the fourth class adds a constant without a gradient.
    let picks: Vec<_> = (0..examples.len()).map(|i| (i, 0)).collect();
    let batch = Batch::gather(&examples, &picks);
    let mut texts = means[..3 * D].to_vec();
    texts.extend(&means[..D]);
    let input = LossInput::new(&texts, 4, &batch, 10.0, None).unwrap();
    let mut pull = Anchor {
        strength: 1.0,
        fixed: means,
    };
    let found = total(&input, &mut pull).unwrap();
    assert!((found.value - 0.25).abs() < 1e-12, "{}", found.value);
    assert!(found.texts.iter().all(|g| g.abs() < 1e-12));
}

#[test]
fn without_its_strength_it_is_coop() {
    let examples = images(3, 3, 2, 9);
    let learn = |recipe: &str, more: &[(&str, &str)]| {
        let set = [&[("epochs", "4")], more].concat();
        teach_with(recipe, &names(3), Some(&examples), &set, Extras::default()).unwrap()
    };
    let coop = learn("coop", &[]);
    let neutral = learn("disa", &[("lambda", "0")]);
    assert_eq!(neutral.prompt.tensors, coop.prompt.tensors);
    let usual = learn("disa", &[("lambda", "100")]);
    assert_ne!(usual.prompt.tensors, coop.prompt.tensors);
}
