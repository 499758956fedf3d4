//! MVLPT's joint stage, and contexts that begin at another (after the idea of PVP).

use promptlens::prompt_learning::losses::{OtherTasks, OwnTask, cross_entropy};
use promptlens::prompt_learning::recipes::mvlpt::tasks;

use super::toy::{Extras, images, names, teach_with};

#[test]
fn tasks_are_read_from_names_between_commas_and_bars() {
    let all = ["cat", "dog", "rose", "tulip"].map(str::to_owned);
    assert_eq!(tasks(&all, "cat,dog|rose,tulip").unwrap(), [1, 1, 2, 2]);
    assert_eq!(tasks(&all, " tulip | cat ").unwrap(), [2, 0, 0, 1]);
    assert_eq!(tasks(&all, "").unwrap(), [0; 4]);
    for bad in ["cat,cow", "cat|cat"] {
        assert_eq!(tasks(&all, bad).unwrap_err().code(), "options/invalid");
    }
}

#[test]
fn the_loss_is_the_mean_of_photos_whatever_their_tasks() {
    // Three photos of a task of two classes, and one of a task of two others.
    let z = [
        [2.0, 1.0, 3.0, 0.5],
        [0.1, 0.4, -2.0, 1.0],
        [1.0, -1.0, 0.0, 0.0],
        [5.0, 4.0, 0.3, 0.9],
    ];
    let labels = [0, 1, 0, 3];
    let at = |others| {
        OwnTask {
            tasks: vec![1, 1, 2, 2],
            others,
        }
        .on(&z.concat(), &labels)
    };
    let by_hand = |change: &dyn Fn(usize, usize, f64) -> f64| {
        let photos = z.iter().enumerate().map(|(b, row)| {
            let seen: Vec<f64> = (0..4).map(|k| change(b, k, row[k])).collect();
            cross_entropy(&seen, labels[b])
        });
        photos.sum::<f64>() / 4.0
    };
    let own = |b: usize, k: usize| (b < 3) == (k < 2);
    let expected = [
        (OtherTasks::Joint, by_hand(&|_, _, z| z)),
        (
            OtherTasks::Zero,
            by_hand(&|b, k, z| if own(b, k) { z } else { 0.0 }),
        ),
        (
            OtherTasks::Apart,
            by_hand(&|b, k, z| if own(b, k) { z } else { -1e9 }),
        ),
    ];
    for (others, expected) in expected {
        let (value, slopes) = at(others);
        assert!(
            (value - expected).abs() < 1e-12,
            "{others:?} {value} {expected}"
        );
        for (place, slope) in slopes.iter().enumerate() {
            let moved = |by: f64| {
                let mut z = z.concat();
                z[place] += by;
                OwnTask {
                    tasks: vec![1, 1, 2, 2],
                    others,
                }
                .on(&z, &labels)
                .0
            };
            let difference = (moved(1e-6) - moved(-1e-6)) / 2e-6;
            assert!((difference - slope).abs() < 1e-8, "{others:?} {place}");
        }
    }
}

fn learn(
    recipe: &str,
    set: &[(&str, &str)],
    extras: Extras<'_>,
) -> promptlens::prompt_learning::job::TrainedPrompt {
    let set = [&[("epochs", "3")], set].concat();
    teach_with(recipe, &names(4), Some(&images(4, 3, 2, 9)), &set, extras).unwrap()
}

#[test]
fn with_one_task_it_is_coop_and_with_two_it_is_not() {
    let coop = learn("coop", &[], Extras::default());
    for one in ["", "class 0,class 1,class 2,class 3"] {
        let own = learn("mvlpt", &[("tasks", one)], Extras::default());
        assert_eq!(own.prompt.tensors, coop.prompt.tensors);
        assert_eq!(own.losses, coop.losses);
    }
    let two = [("tasks", "class 0,class 1|class 2,class 3")];
    let own = learn("mvlpt", &two, Extras::default());
    assert_ne!(own.prompt.tensors, coop.prompt.tensors);
}

#[test]
fn a_context_goes_on_where_another_ended() {
    let joint = learn("mvlpt", &[("vectors", "3")], Extras::default());
    let extras = Extras {
        start: Some(&joint.prompt),
        ..Extras::default()
    };
    // With steps too small to move anything the start is what is found.
    let still = [("lr", "0.000000000001")];
    for recipe in ["coop", "pvp", "kgcoop"] {
        let own = learn(recipe, &still, extras);
        let (a, b) = (
            &own.prompt.tensors["context"],
            &joint.prompt.tensors["context"],
        );
        assert_eq!(a.shape, b.shape, "{recipe}");
        for (a, b) in a.data.iter().zip(&b.data) {
            assert!((a - b).abs() < 1e-6, "{recipe}");
        }
    }
    // Without a prompt to begin at, pvp is CoOp to the last bit.
    let alone = learn("pvp", &[], Extras::default());
    let coop = learn("coop", &[], Extras::default());
    assert_eq!(alone.prompt.tensors, coop.prompt.tensors);
    // What is no single context is refused, as are recipes that do not go on.
    let texts = teach_with("templates", &names(4), None, &[], Extras::default()).unwrap();
    let wrong = Extras {
        start: Some(&texts.prompt),
        ..Extras::default()
    };
    let examples = images(4, 3, 2, 9);
    let refused = |recipe: &str, extras: Extras<'_>| {
        let found = teach_with(recipe, &names(4), Some(&examples), &[], extras);
        found.unwrap_err().code()
    };
    assert_eq!(refused("pvp", wrong), "prompt/invalid");
    assert_eq!(refused("taskres", extras), "options/invalid");
}
