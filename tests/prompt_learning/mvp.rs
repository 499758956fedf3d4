//! MVP: its loss against the authors' code, and classes that come later.

use promptlens::prompt::heads;
use promptlens::prompt_learning::examples::Examples;
use promptlens::prompt_learning::linear::{LinearInput, StreamLoss, Weighing};

use super::toy::{D, Extras, Toy, images, names, teach_with};
use crate::fixtures::Fixture;

fn loss(alpha: f64, margin: Option<f64>, seen: Vec<bool>) -> StreamLoss {
    StreamLoss {
        alpha,
        gamma: 2.0,
        margin,
        weighing: Weighing::Means,
        seen,
    }
}

#[test]
fn the_loss_and_its_gradient_are_those_of_the_authors() {
    let Some(file) = Fixture::open("authors/methods2/mvp.safetensors") else {
        return;
    };
    let labels = file.places("labels");
    let input = LinearInput {
        weight: file.numbers("head.weight"),
        bias: file.numbers("head.bias"),
        factors: file.numbers("mask"),
        images: file.numbers("feature"),
        labels: &labels,
    };
    // The first four of six classes were seen.
    let seen: Vec<bool> = (0..6).map(|class| class < 4).collect();
    for (scaled, margin) in [(0, None), (1, Some(0.5))] {
        for (weighed, alpha) in [(0, 0.0), (1, 0.5)] {
            let found = loss(alpha, margin, seen.clone()).on(&input);
            let flags = format!("afs{scaled}_gsf{weighed}");
            file.check(&format!("loss_{flags}"), &[found.value], 1e-9);
            file.check(&format!("grad_weight_{flags}"), &found.weight, 1e-9);
            file.check("ignore", &found.difference, 1e-9);
            if margin.is_some() {
                file.check("compensation", &found.compensation, 1e-9);
            }
            // Classes that were not seen have probability 0.
            assert!(found.weight[4 * 8..].iter().all(|g| *g == 0.0));
            assert!(
                found
                    .logits
                    .chunks_exact(6)
                    .all(|z| z[4] == f64::NEG_INFINITY)
            );
        }
    }
}

/// Two photos of two classes among three, d = 2.
const TWO: LinearInput<'_> = LinearInput {
    weight: &[1.0, 0.0, 0.0, 2.0, 0.5, 0.5],
    bias: &[0.1, -0.2, 0.0],
    factors: &[],
    images: &[0.6, 0.8, 0.8, -0.6],
    labels: &[0, 1],
};

#[test]
fn a_photo_alone_differs_from_nothing_and_the_margin_is_added_to_the_distance() {
    let one = LinearInput {
        images: &[1.0, 0.0],
        labels: &[0],
        ..TWO
    };
    let found = loss(0.5, Some(0.5), vec![true; 3]).on(&one);
    assert!(found.difference[0].abs() < 1e-12);
    let plain = loss(0.0, Some(0.5), vec![true; 3]).on(&one);
    assert!((found.value - 0.5 * plain.value).abs() < 1e-12);
    // w is along f, then across it.
    assert!((found.compensation[0] - 0.5).abs() < 1e-12);
    let across = LinearInput {
        labels: &[1],
        ..one
    };
    let found = loss(0.5, Some(0.5), vec![true; 3]).on(&across);
    assert!((found.compensation[0] - 1.5).abs() < 1e-12);
}

#[test]
fn its_gradient_agrees_with_differences() {
    // Weights and compensation have no gradient, so they are switched off.
    let loss = loss(0.0, None, vec![true; 3]);
    let found = loss.on(&TWO);
    let at = |place: usize, by: f64| {
        let (mut weight, mut bias) = (TWO.weight.to_vec(), TWO.bias.to_vec());
        match place.checked_sub(weight.len()) {
            None => weight[place] += by,
            Some(place) => bias[place] += by,
        }
        let moved = LinearInput {
            weight: &weight,
            bias: &bias,
            ..TWO
        };
        loss.on(&moved).value
    };
    for (place, slope) in found.weight.iter().chain(&found.bias).enumerate() {
        let difference = (at(place, 1e-6) - at(place, -1e-6)) / 2e-6;
        assert!(
            (difference - slope).abs() < 1e-8,
            "{place}: {difference} {slope}"
        );
    }
    // The two ways to weigh are equal for equal weights, and differ else.
    let each = |alpha: f64, weighing: Weighing| {
        let loss = StreamLoss {
            alpha,
            weighing,
            ..loss.clone()
        };
        loss.on(&TWO).value
    };
    assert_eq!(each(0.0, Weighing::PerPhoto), each(0.0, Weighing::Means));
    assert_ne!(each(1.0, Weighing::PerPhoto), each(1.0, Weighing::Means));
}

/// Photos of classes `from..to` of four.
fn some(from: usize, to: usize) -> Examples {
    let all = images(4, 4, 2, 5);
    let own: Vec<usize> = (0..all.len())
        .filter(|i| (from..to).contains(&all.labels()[*i]))
        .collect();
    all.subset(&own).unwrap()
}

#[test]
fn classes_that_come_later_leave_the_earlier_ones_as_they_are() {
    let all = names(4);
    let first = teach_with("mvp", &all[..2], Some(&some(0, 2)), &[], Extras::default()).unwrap();
    let extras = Extras {
        start: Some(&first.prompt),
        ..Extras::default()
    };
    let second = teach_with("mvp", &all, Some(&some(2, 4)), &[], extras).unwrap();
    let rows = |prompt: &promptlens::prompt::file::Prompt| {
        (
            prompt.tensors["linear.weight"].data.clone(),
            prompt.tensors["linear.bias"].data.clone(),
        )
    };
    let ((weight, bias), (later, later_bias)) = (rows(&first.prompt), rows(&second.prompt));
    assert_eq!(weight, later[..2 * D]);
    assert_eq!(bias, later_bias[..2]);
    assert_eq!(second.trained_parameters, 2 * (D + 1));
    // The new rows did move from their texts.
    let fresh = pollster::block_on(async {
        let zero = teach_with("templates", &all, None, &[], Extras::default()).unwrap();
        heads::open(&zero.prompt, &Toy, &all)
            .await
            .unwrap()
            .centers(&Toy)
            .await
            .unwrap()
    });
    let unit = promptlens::math::UnitRows::new(&later, D).values;
    let along =
        |class: usize| promptlens::math::dot(&unit[class * D..][..D], &fresh[class * D..][..D]);
    assert!(along(3) < 0.999_99 && along(3) > 0.0, "{}", along(3));
    // A prompt of something else is refused.
    let other = teach_with(
        "coop",
        &all,
        Some(&some(0, 4)),
        &[("epochs", "1")],
        Extras::default(),
    );
    let extras = Extras {
        start: Some(&other.unwrap().prompt),
        ..Extras::default()
    };
    let refused = teach_with("mvp", &all, Some(&some(0, 4)), &[], extras).unwrap_err();
    assert_eq!(refused.code(), "prompt/invalid");
}

#[test]
fn names_without_photos_and_new_names_are_answered_by_their_texts() {
    let all = names(4);
    let learned = teach_with("mvp", &all[..3], Some(&some(0, 2)), &[], Extras::default()).unwrap();
    let logits = |prompt: &promptlens::prompt::file::Prompt| {
        let head = pollster::block_on(heads::open(prompt, &Toy, &all)).unwrap();
        pollster::block_on(head.logits(&Toy, &images(4, 1, 1, 8).plain()[..D])).unwrap()
    };
    let texts = teach_with("templates", &all, None, &[], Extras::default()).unwrap();
    let (own, zero) = (logits(&learned.prompt), logits(&texts.prompt));
    // The third has no photo, the fourth is no name of the prompt; its bias is the mean of the others.
    let bias = &learned.prompt.tensors["linear.bias"].data;
    assert_eq!(bias[2], 0.0);
    let mean = f64::from(bias.iter().sum::<f32>() / 3.0);
    assert!((own[2] - zero[2]).abs() < 1e-4, "{own:?} {zero:?}");
    assert!((own[3] - mean - zero[3]).abs() < 1e-4, "{own:?} {zero:?}");
    assert_ne!(own[0], zero[0]);
}
