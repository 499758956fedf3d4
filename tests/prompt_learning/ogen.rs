//! OGEN: its generator and losses against the authors' code, and what stays of them.

use promptlens::math::{UnitRows, dot};
use promptlens::prompt::heads;
use promptlens::prompt_learning::class_looks::ClassLooks;
use promptlens::prompt_learning::examples::Batch;
use promptlens::prompt_learning::generator::Generator;
use promptlens::prompt_learning::job::TrainedPrompt;
use promptlens::prompt_learning::losses::cross_entropy;
use promptlens::prompt_learning::unseen::{Generated, Shares};
use promptlens::rng::Rng;

use super::toy::{D, Extras, Toy, UNSEEN, images, names, teach_with};
use crate::fixtures::Fixture;

const WIDTH: usize = 16;

fn reference() -> Option<(Fixture, Vec<f64>)> {
    let file = Fixture::open("authors/methods2/ogen.safetensors")?;
    let parameters = [
        "mha.in_proj_weight",
        "mha.in_proj_bias",
        "mha.out_proj.weight",
        "mha.out_proj.bias",
        "ffn.layers.0.weight",
        "ffn.layers.0.bias",
        "ffn.layers.1.weight",
        "ffn.layers.1.bias",
    ];
    let parameters = parameters.iter().flat_map(|name| file.numbers(name));
    let parameters = parameters.copied().collect();
    Some((file, parameters))
}

#[test]
fn the_generator_is_that_of_the_authors() {
    let Some((file, parameters)) = reference() else {
        return;
    };
    let generator = Generator::new(WIDTH);
    assert_eq!(generator.count(), parameters.len());
    let of = |name: &str, i: usize, rows: usize| {
        file.numbers(name)[i * rows * WIDTH..][..rows * WIDTH].to_vec()
    };
    let mut many = Vec::new();
    let mut one = Vec::new();
    for i in 0..3 {
        let (q, k, v) = (of("q", i, 1), of("k", i, 3), of("v", i, 3));
        let made = generator.forward(&parameters, &q, &k, &v, None);
        one.extend_from_slice(made.feature());
        for query in k.chunks_exact(WIDTH) {
            let made = generator.forward(&parameters, query, &q, &v[..WIDTH], None);
            many.extend_from_slice(made.feature());
        }
    }
    file.check("one_from_many", &one, 1e-9);
    file.check("many_from_one", &many, 1e-9);
}

#[test]
fn the_gradient_of_the_generator_agrees_with_differences() {
    let generator = Generator::new(D);
    let mut rng = Rng::new(2);
    let mut drawn = |count: usize| -> Vec<f64> { (0..count).map(|_| rng.normal()).collect() };
    let (mut p, mut q) = (drawn(generator.count()), drawn(D));
    let (keys, values, dy) = (drawn(3 * D), drawn(3 * D), drawn(D));
    let value =
        |p: &[f64], q: &[f64]| dot(generator.forward(p, q, &keys, &values, None).feature(), &dy);
    let made = generator.forward(&p, &q, &keys, &values, None);
    let mut gradient = vec![0.0; p.len()];
    let dq = generator.backward(&p, &made, &dy, &mut gradient);
    for (i, dq) in dq.iter().enumerate() {
        let kept = q[i];
        let mut at = |by: f64| {
            q[i] = kept + by;
            value(&p, &q)
        };
        let slope = (at(1e-6) - at(-1e-6)) / 2e-6;
        q[i] = kept;
        assert!((slope - dq).abs() < 1e-6, "{i}: {slope} {dq}");
    }
    for (i, g) in gradient.iter().enumerate() {
        let kept = p[i];
        let mut at = |by: f64| {
            p[i] = kept + by;
            value(&p, &q)
        };
        let slope = (at(1e-6) - at(-1e-6)) / 2e-6;
        p[i] = kept;
        assert!((slope - g).abs() < 1e-6, "parameter {i}: {slope} {g}");
    }
}

#[test]
fn the_weights_of_the_loss_are_those_of_the_authors() {
    let Some((file, _)) = reference() else { return };
    let mean = |logits: &str, labels: &str| {
        let labels = file.places(labels);
        let logits = file.numbers(logits);
        let rows = logits.chunks_exact(logits.len() / labels.len());
        let sum: f64 = rows.zip(&labels).map(|(z, y)| cross_entropy(z, *y)).sum();
        sum / labels.len() as f64
    };
    // Theirs is 512 times the mean over all numbers; there are 512 in their features.
    let distance = |a: &str, b: &str| {
        let (a, b) = (file.numbers(a), file.numbers(b));
        let squares = a.iter().zip(b).map(|(a, b)| (a - b).powi(2));
        512.0 * squares.sum::<f64>() / a.len() as f64
    };
    let shares = Shares::of(0.75);
    let far = distance("loss.ip", "loss.i1") + distance("loss.ip2", "loss.i2");
    file.check("loss_epoch0_of_10", &[shares.distance * far], 1e-9);
    let all = shares.distance * far
        + shares.images * mean("loss.o", "loss.l")
        + shares.own * mean("loss.o1", "loss.l1")
        + shares.neighbors * mean("loss.o2", "loss.l2")
        + shares.new * mean("loss.o3", "loss.l3");
    file.check("loss_epoch5_of_10", &[all], 1e-9);
}

#[test]
fn without_attention_the_generator_is_its_network() {
    let generator = Generator::new(D);
    let mut rng = Rng::new(1);
    let mut p: Vec<f64> = (0..generator.count()).map(|_| rng.normal()).collect();
    let attention = 4 * D * (D + 1);
    p[..attention].iter_mut().for_each(|v| *v = 0.0);
    let x: Vec<f64> = (0..D).map(|_| rng.normal()).collect();
    let made = generator.forward(&p, &x, &x.repeat(2), &x.repeat(2), None);
    let (w1, rest) = p[attention..].split_at(D * D);
    let (b1, rest) = rest.split_at(D);
    let (w2, b2) = rest.split_at(D * D);
    let hidden: Vec<f64> = (0..D)
        .map(|i| (dot(&w1[i * D..][..D], &x) + b1[i]).max(0.0))
        .collect();
    let y: Vec<f64> = (0..D)
        .map(|i| dot(&w2[i * D..][..D], &hidden) + b2[i])
        .collect();
    let expected = UnitRows::new(&y, D).values;
    for (a, b) in made.feature().iter().zip(&expected) {
        assert!((a - b).abs() < 1e-12, "{a} {b}");
    }
    assert!((dot(made.feature(), made.feature()) - 1.0).abs() < 1e-12);
}

#[test]
fn looks_are_means_and_deviations_of_plain_photos() {
    let examples = images(5, 3, 2, 4);
    // Class 1 has one photo, class 4 none.
    let some = examples.subset(&[0, 1, 2, 3, 6, 7, 8, 9, 10, 11]).unwrap();
    let looks = ClassLooks::new(&some, 5, 3);
    for class in [0, 1, 2, 3, 4] {
        let own: Vec<usize> = (0..some.len())
            .filter(|i| some.labels()[*i] == class)
            .collect();
        for column in 0..D {
            let at = class * D + column;
            let v: Vec<f64> = own
                .iter()
                .map(|i| f64::from(some.view(*i, 0)[column]))
                .collect();
            let n = v.len().max(1) as f64;
            let mean = v.iter().sum::<f64>() / n;
            let square = v.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / n;
            assert!((looks.means[at] - mean).abs() < 1e-12);
            assert!((looks.deviations[at] - square.sqrt()).abs() < 1e-12);
        }
        let near = |c: usize| dot(&looks.means[class * D..][..D], &looks.means[c * D..][..D]);
        let mut order: Vec<usize> = (0..4).filter(|c| *c != class).collect();
        order.sort_by(|a, b| near(*b).total_cmp(&near(*a)));
        order.truncate(3);
        assert_eq!(looks.neighbors[class], order, "class {class}");
    }
    assert!(
        looks.deviations[D..2 * D].iter().all(|v| *v == 0.0),
        "one photo"
    );
}

#[test]
fn its_gradients_agree_with_differences() {
    const K: usize = 3;
    let mut rng = Rng::new(3);
    let examples = images(K, 2, 1, 5);
    let generated = Generated {
        generator: Generator::new(D),
        looks: ClassLooks::new(&examples, K, 2),
        most: 2,
        scale: 5.0,
    };
    let picks: Vec<(usize, usize)> = [0, 3, 5].map(|i| (i, 0)).into();
    let batch = Batch::gather(&examples, &picks);
    let mut p: Vec<f64> = (0..generated.generator.count())
        .map(|_| 0.4 * rng.normal())
        .collect();
    let texts: Vec<f64> = (0..(K + 3) * D).map(|_| rng.normal()).collect();
    let mut texts = UnitRows::new(&texts, D).values;
    let fixed = texts[..K * D].to_vec();
    const STEP: f64 = 1e-6;
    for shares in [Shares::of(0.75), Shares::of(0.75).before(0.0)] {
        // The same noise and the same dropout every time.
        let loss = |p: &[f64], texts: &[f64]| {
            generated.loss(p, &batch, texts, &fixed, &shares, &mut Rng::new(8))
        };
        let found = loss(&p, &texts);
        assert!(found.value > 0.0);
        for place in 0..p.len() {
            let kept = p[place];
            let mut at = |by: f64| {
                p[place] = kept + by;
                loss(&p, &texts).value
            };
            let slope = (at(STEP) - at(-STEP)) / (2.0 * STEP);
            p[place] = kept;
            let error = (slope - found.generator[place]).abs();
            assert!(error < 1e-5, "{place}: {slope} {}", found.generator[place]);
        }
        for place in 0..texts.len() {
            let kept = texts[place];
            let mut at = |by: f64| {
                texts[place] = kept + by;
                loss(&p, &texts).value
            };
            let slope = (at(STEP) - at(-STEP)) / (2.0 * STEP);
            texts[place] = kept;
            let error = (slope - found.texts[place]).abs();
            assert!(error < 1e-5, "text {place}: {slope} {}", found.texts[place]);
        }
        let counts = found.texts.iter().any(|g| *g != 0.0);
        assert_eq!(counts, shares.own > 0.0, "made features count later");
    }
}

fn learn(recipe: &str, set: &[(&str, &str)]) -> TrainedPrompt {
    let examples = images(4, 3, 2, 9);
    let set = [&[("epochs", "5")], set].concat();
    teach_with(recipe, &names(4), Some(&examples), &set, Extras::default()).unwrap()
}

#[test]
fn without_made_features_it_is_coop() {
    let coop = learn("coop", &[]);
    let neutral = learn("ogen", &[UNSEEN, ("generated", "0")]);
    assert_eq!(neutral.prompt.tensors, coop.prompt.tensors);
    assert_eq!(neutral.losses, coop.losses);
    let usual = learn("ogen", &[UNSEEN]);
    assert_ne!(usual.prompt.tensors, coop.prompt.tensors);
    // The generator is gone, and other names are served as by any context.
    assert_eq!(heads::kind(&usual.prompt).unwrap().name, "context");
    assert_eq!(usual.prompt.tensors.keys().collect::<Vec<_>>(), ["context"]);
    assert!(usual.trained_parameters > coop.trained_parameters);
    let other = ["fox".to_owned(), "class 1".to_owned()];
    assert!(pollster::block_on(heads::open(&usual.prompt, &Toy, &other)).is_ok());
    assert_ne!(learn("ogen", &[("unseen", "fox")]).losses, usual.losses);
}

#[test]
fn the_rate_of_the_context_is_that_of_coop() {
    let rate = |learned: &TrainedPrompt, name: &str| {
        let note = learned.notes.iter().find(|note| note.name == name);
        note.expect("a rate").value
    };
    let coop = rate(&learn("coop", &[]), "learning rate");
    let own = rate(&learn("ogen", &[UNSEEN]), "learning rate of the contexts");
    assert!((own / coop - 1.0).abs() < 1e-4, "{own} {coop}");
}

#[test]
fn the_context_can_stand_still_while_the_generator_begins() {
    let start = learn("coop", &[("lr", "1e-30")]).prompt;
    let still = [
        UNSEEN,
        ("still", "yes"),
        ("first", "1"),
        ("optimizer", "sgd"),
    ];
    let learned = learn("ogen", &still).prompt;
    let (a, b) = (
        &start.tensors["context"].data,
        &learned.tensors["context"].data,
    );
    // Nothing but the weight decay has moved it.
    let ratio = b[0] / a[0];
    assert!((ratio - 1.0).abs() < 0.01, "{ratio}");
    assert!(a.iter().zip(b).all(|(a, b)| (b - ratio * a).abs() < 1e-6));
    let moves = learn("ogen", &[UNSEEN, ("first", "1"), ("optimizer", "sgd")]).prompt;
    let ratio = moves.tensors["context"].data[0] / a[0];
    let moved = a.iter().zip(&moves.tensors["context"].data);
    assert!(moved.into_iter().any(|(a, b)| (b - ratio * a).abs() > 1e-6));
}

#[test]
fn what_it_cannot_make_is_refused() {
    let refused = |count: usize, photos: &[usize], unseen: &str| {
        let examples = images(count, 4, 1, 1).subset(photos).unwrap();
        let set = [("unseen", unseen)];
        let found = teach_with(
            "ogen",
            &names(count),
            Some(&examples),
            &set,
            Extras::default(),
        );
        found.unwrap_err().code()
    };
    assert_eq!(refused(3, &[0, 4, 8], " , "), "options/invalid");
    assert_eq!(refused(1, &[0, 1], "fox"), "options/invalid");
    assert_eq!(
        refused(3, &[4, 5, 6], "fox"),
        "options/invalid",
        "photos of one class"
    );
    assert_eq!(refused(3, &[0, 4], "fox, class 1"), "labels/duplicate");
    assert_eq!(refused(3, &[0, 4], "fox, Fox"), "labels/duplicate");
    let many: Vec<String> = (0..201).map(|i| format!("kind {i}")).collect();
    assert_eq!(refused(3, &[0, 4], &many.join(",")), "options/invalid");
}
