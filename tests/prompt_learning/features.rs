//! Recipes on cached features, against brute force.

use promptlens::math::UnitRows;
use promptlens::math::dot;
use promptlens::math::softmax;
use promptlens::prompt::heads;
use promptlens::prompt::heads::cache::{Cache, Likeness, Votes, divergence, likeness};
use promptlens::prompt_learning::bound::{kl_inverse, only_hard, uniform_prior};
use promptlens::prompt_learning::cache::CacheLearner;
use promptlens::prompt_learning::cache_search::Grid;
use promptlens::prompt_learning::descriptions::Descriptions;
use promptlens::prompt_learning::examples::{Batch, Examples};
use promptlens::prompt_learning::residual::{ResidualLearner, moved};
use promptlens::prompt_learning::search::{Fitness, Search};
use promptlens::prompt_learning::text::cross_entropy;
use promptlens::prompt_learning::trainer::Learner;
use promptlens::prompt_learning::unlabeled::{per_class, select};
use promptlens::rng::Rng;

use super::toy::{D, Extras, SCALE, Toy, drawn, images, names, teach, teach_with};

fn unit(count: usize, seed: u64) -> Vec<f64> {
    let mut rng = Rng::new(seed);
    let raw: Vec<f64> = (0..count * D).map(|_| rng.normal()).collect();
    UnitRows::new(&raw, D).values
}

fn whole(examples: &promptlens::prompt_learning::examples::Examples) -> Batch {
    let picks: Vec<_> = (0..examples.len()).map(|i| (i, 0)).collect();
    Batch::gather(examples, &picks)
}

/// Central differences of a learner's loss at some coordinates.
fn slopes_agree(learner: &mut dyn Learner, start: &[f32], batch: &Batch) {
    let mut at = |p: &[f32]| pollster::block_on(learner.step(p, batch)).unwrap();
    let found = at(start).gradient;
    let top = found.iter().fold(0f32, |m, g| m.max(g.abs()));
    assert!(top > 0.0);
    for i in (0..start.len()).step_by(3) {
        let mut moved = |h: f32| {
            let mut p = start.to_vec();
            p[i] += h;
            at(&p).loss
        };
        let slope = (moved(1e-2) - moved(-1e-2)) / 2e-2;
        let error = (slope - f64::from(found[i])).abs();
        assert!(error <= 5e-3 * f64::from(top), "{i}: {slope} {}", found[i]);
    }
}

#[test]
fn residuals_and_keys_have_the_gradient_of_their_loss() {
    let examples = images(4, 3, 1, 1);
    let (batch, texts) = (whole(&examples), unit(4, 2));
    let mut residual = ResidualLearner {
        base: &texts,
        strength: 0.8,
        losses: cross_entropy(),
        scale: 12.0,
    };
    let start: Vec<f32> = drawn("residual", 1, 4 * D)
        .iter()
        .map(|v| 0.1 * v)
        .collect();
    slopes_agree(&mut residual, &start, &batch);
    let mut keys = CacheLearner {
        cache: Cache {
            keys: Vec::new(),
            classes: examples.labels().to_vec(),
            alpha: 1.17,
            beta: 1.5,
            likeness: Likeness::Cosine,
            votes: Votes::Balanced,
        },
        texts: &texts,
        losses: cross_entropy(),
        scale: 12.0,
    };
    slopes_agree(&mut keys, &examples.plain(), &batch);
    assert_eq!(
        moved(&texts, &vec![0.0; texts.len()], 1.0, D).values.len(),
        texts.len()
    );
}

#[test]
fn a_cache_adds_what_its_formula_says() {
    let texts = unit(2, 1);
    let image = unit(1, 2);
    let cache = Cache {
        keys: unit(3, 3),
        classes: vec![1, 0, 1],
        alpha: 2.0,
        beta: 3.0,
        likeness: Likeness::Cosine,
        votes: Votes::Counted,
    };
    let a: Vec<f64> = cache
        .keys
        .chunks_exact(D)
        .map(|k| (-3.0 * (1.0 - dot(&image, k))).exp())
        .collect();
    let found = cache.logits(&image, &texts, 2);
    assert!((found[0] - 2.0 * a[1]).abs() < 1e-12);
    assert!((found[1] - 2.0 * (a[0] + a[2])).abs() < 1e-12);
}

#[test]
fn balanced_votes_do_not_count_keys_and_new_names_get_the_mean() {
    let image = unit(1, 2);
    // Three keys of class 0, one of class 2, none of class 1; one key serves a name that is not asked.
    let cache = |votes| Cache {
        keys: unit(5, 3),
        classes: vec![0, 2, 0, 0, 9],
        alpha: 2.0,
        beta: 3.0,
        likeness: Likeness::Cosine,
        votes,
    };
    let balanced = cache(Votes::Balanced).logits(&image, &unit(3, 1), 3);
    let counted = cache(Votes::Counted).logits(&image, &unit(3, 1), 3);
    assert_eq!(counted[1], 0.0);
    // Two keys in the mean: those of class 0 count two thirds, that of class 2 twice.
    assert!((balanced[0] - counted[0] * 2.0 / 3.0).abs() < 1e-12);
    assert!((balanced[2] - counted[2] * 2.0).abs() < 1e-12);
    assert!((balanced[1] - 0.5 * (balanced[0] + balanced[2])).abs() < 1e-12);

    // An image of a new name that is as near to it as to the old ones stays with its text.
    let examples = images(3, 4, 1, 4)
        .subset(&[0, 1, 2, 3, 4, 5, 6, 7])
        .unwrap();
    for recipe in ["tip-adapter", "tip-adapter-f", "tfup"] {
        let learned = teach_with(recipe, &names(2), Some(&examples), &[], Extras::default());
        let learned = learned.unwrap();
        let mut all = names(2);
        all.push("new".to_owned());
        let head = pollster::block_on(heads::open(&learned.prompt, &Toy, &all)).unwrap();
        let plain = teach("templates", &images(2, 1, 1, 1), &[]).prompt;
        let texts = pollster::block_on(heads::open(&plain, &Toy, &all)).unwrap();
        let image = examples.view(0, 0);
        let (with, without) = (
            pollster::block_on(head.logits(&Toy, image)).unwrap(),
            pollster::block_on(texts.logits(&Toy, image)).unwrap(),
        );
        let added: Vec<f64> = with.iter().zip(&without).map(|(a, b)| a - b).collect();
        assert!(
            (added[2] - 0.5 * (added[0] + added[1])).abs() < 1e-5,
            "{recipe}: {added:?}"
        );
        assert!(added[2] > 0.0, "{recipe}: {added:?}");
    }
}

#[test]
fn tip_adapter_remembers_and_its_training_helps() {
    let examples = images(6, 4, 3, 4);
    let all = names(6);
    let score = |recipe: &str, set: &[(&str, &str)]| {
        let learned = teach(recipe, &examples, set);
        let head = pollster::block_on(heads::open(&learned.prompt, &Toy, &all)).unwrap();
        let plain = examples.plain();
        let run = head.accuracy(&Toy, &plain, examples.labels());
        (pollster::block_on(run).unwrap(), learned)
    };
    let (zero, _) = score("templates", &[]);
    let (tip, _) = score(
        "tip-adapter",
        &[("alpha", "20"), ("beta", "5"), ("search", "no")],
    );
    assert!(tip > zero + 0.3, "{tip} {zero}");
    let (_, fine) = score("tip-adapter-f", &[("alpha", "3"), ("lr", "0.01")]);
    assert!(fine.losses.last() < fine.losses.first());
    let (taskres, learned) = score("taskres", &[("epochs", "200"), ("lr", "0.02")]);
    assert!(taskres > zero + 0.3, "{taskres} {zero}");
    assert_eq!(learned.trained_parameters, 6 * D);
}

/// Labels without a meaning cannot be told from photos that the keys were trained without, however well
/// trained keys answer the photos that they were trained with.
#[test]
fn trained_keys_are_weighed_on_photos_that_they_were_trained_without() {
    for seed in 0..6 {
        let sorted = images(4, 8, 1, seed);
        let mut rng = Rng::new(seed);
        let labels: Vec<usize> = rng.permutation(32).into_iter().map(|i| i % 4).collect();
        let examples = Examples::new(sorted.plain(), labels, 1, D, 4).unwrap();
        let set = [("lr", "0.05"), ("epochs", "100"), ("beta", "20")];
        let learned = teach("tip-adapter-f", &examples, &set);
        let note = |name: &str| learned.notes.iter().find(|n| n.name == name).unwrap().value;
        let left_out = note("accuracy, each image left out");
        // The best of 900 pairs by chance, on 32 photos of 4 classes.
        assert!(left_out <= 0.55, "{seed}: {left_out}");
    }
}

#[test]
fn the_unlabeled_cache_keeps_what_brute_force_keeps() {
    let (n, k, keep) = (30, 3, 4);
    let mut rng = Rng::new(5);
    let rows: Vec<Vec<f64>> = (0..n)
        .map(|_| softmax(&[rng.normal(), rng.normal(), rng.normal()], 0.7))
        .collect();
    let found = select(&rows.concat(), k, keep);
    for (class, kept) in found.iter().enumerate() {
        // The 2 S most certain are those that fewer than 2 S others exceed.
        let certain: Vec<usize> = (0..n)
            .filter(|i| (0..n).filter(|j| rows[*j][class] > rows[*i][class]).count() < 2 * keep)
            .collect();
        assert_eq!(certain.len(), 2 * keep);
        let spread = |j: usize| -> f64 {
            let to = |i: &usize| -> f64 {
                (0..k)
                    .map(|c| rows[j][c] * (rows[j][c] / rows[*i][c]).ln())
                    .sum()
            };
            certain.iter().map(to).sum()
        };
        let mut expected: Vec<usize> = certain
            .iter()
            .copied()
            .filter(|j| certain.iter().filter(|i| spread(**i) < spread(*j)).count() < keep)
            .collect();
        let mut kept = kept.clone();
        kept.sort_unstable();
        expected.sort_unstable();
        assert_eq!(kept, expected, "class {class}");
    }
    assert_eq!(
        (per_class(10, 10), per_class(400, 10), per_class(9000, 10)),
        (9, 12, 16)
    );
}

#[test]
fn likeness_does_not_depend_on_the_scale_of_the_divergence() {
    let own = softmax(&[0.1, 0.9, -0.3], 1.0);
    let keys: Vec<f64> = [[0.2, 0.1, 0.0], [1.0, -1.0, 0.4], [0.0, 2.0, 0.1]]
        .iter()
        .flat_map(|z| softmax(z, 1.0))
        .collect();
    let far: Vec<f64> = keys.chunks_exact(3).map(|q| divergence(&own, q)).collect();
    let scaled: Vec<f64> = far.iter().map(|d| 3.0 * d + 7.0).collect();
    let range = |v: &[f64]| {
        let low = v.iter().copied().fold(f64::INFINITY, f64::min);
        let high = v.iter().copied().fold(f64::NEG_INFINITY, f64::max);
        v.iter()
            .map(|d| 2.0 * (1.0 - (d - low) / (high - low)))
            .collect::<Vec<_>>()
    };
    for ((a, b), found) in range(&far)
        .iter()
        .zip(range(&scaled))
        .zip(likeness(&own, &keys))
    {
        assert!((a - b).abs() < 1e-9 && (a - found).abs() < 1e-12);
    }
    assert_eq!(likeness(&own, &keys[..3]), [2.0]);
}

#[test]
fn unlabeled_images_alone_make_a_cache() {
    let examples = images(4, 8, 1, 3);
    let plain = examples.plain();
    let extras = Extras {
        unlabeled: &plain,
        ..Extras::default()
    };
    let learned = teach_with("tfup", &names(4), None, &[], extras).unwrap();
    assert_eq!(learned.prompt.tensors["cache.keys"].shape, [4 * 9, D]);
    let head = pollster::block_on(heads::open(&learned.prompt, &Toy, &names(4))).unwrap();
    let z = pollster::block_on(head.logits(&Toy, &plain[..D])).unwrap();
    assert!(z.iter().all(|z| z.is_finite()));
    let none = teach_with("tfup", &names(4), None, &[], Extras::default());
    assert_eq!(none.unwrap_err().code(), "data/empty");
}

#[test]
fn the_search_never_gets_worse_and_finds_a_planted_sentence() {
    let examples = images(5, 3, 1, 6);
    let batch = whole(&examples);
    // One of forty sentences describes every class by its own mean image.
    let mut sentences = unit(40 * 5, 7);
    let mut centers = vec![0f64; 5 * D];
    for (row, label) in batch.rows().zip(&batch.labels) {
        let center = &mut centers[label * D..(label + 1) * D];
        center.iter_mut().zip(row).for_each(|(c, v)| *c += v);
    }
    let planted = 23;
    sentences[planted * 5 * D..(planted + 1) * 5 * D]
        .copy_from_slice(&UnitRows::new(&centers, D).values);
    let search = Search {
        sentences: &sentences,
        images: &batch,
        classes: 5,
        scale: 12.0,
        weights: Fitness::PUBLISHED,
    };
    let run = || {
        let mut rng = Rng::new(8);
        let mut best = search.start(&[0]).unwrap();
        let mut history = vec![best[0].fitness];
        for _ in 0..8 {
            best = search.round(best, &mut rng).unwrap();
            history.push(best[0].fitness);
        }
        (best, history)
    };
    let (best, history) = run();
    assert!(history.windows(2).all(|w| w[1] >= w[0]), "{history:?}");
    assert_eq!((best.clone(), history), run());
    assert!(best[0].set.contains(&planted));
    for scored in &best {
        // The fitness, from the definition.
        let texts = search.texts(&scored.set);
        let (mut first, mut fifth, mut loss) = (0.0, 0.0, 0.0);
        for (image, label) in batch.rows().zip(&batch.labels) {
            let z: Vec<f64> = texts
                .chunks_exact(D)
                .map(|t| 12.0 * dot(image, t))
                .collect();
            let above = z.iter().filter(|v| **v > z[*label]).count();
            first += f64::from(u8::from(above == 0));
            fifth += f64::from(u8::from(above < 5));
            loss -= softmax(&z, 1.0)[*label].ln();
        }
        let n = batch.len() as f64;
        let expected = 50.0 * first / n + 5.0 * fifth / n - 10.0 * loss / n;
        assert!((scored.fitness - expected).abs() < 1e-9);
    }
}

#[test]
fn descriptions_are_averaged_and_nothing_is_dropped_silently() {
    let json =
        br#"{"Class_0": ["one", "two"], "class 1": ["three", " ", "four"], "whale": ["five"]}"#;
    let descriptions = Descriptions::from_json(json).unwrap();
    let extras = Extras {
        descriptions: Some(&descriptions),
        ..Extras::default()
    };
    let learned = teach_with("cupl", &names(3), None, &[], extras).unwrap();
    let found = &learned.prompt.tensors["text_features"].data;
    for (class, sentences) in [["one", "two"], ["three", "four"]].iter().enumerate() {
        let mut mean = vec![0f64; D];
        for sentence in sentences {
            let feature = drawn(sentence, 3, D);
            let length = feature
                .iter()
                .map(|v| f64::from(*v).powi(2))
                .sum::<f64>()
                .sqrt();
            mean.iter_mut()
                .zip(feature)
                .for_each(|(m, v)| *m += f64::from(v) / length);
        }
        let length = mean.iter().map(|v| v * v).sum::<f64>().sqrt();
        for (a, b) in found[class * D..(class + 1) * D].iter().zip(mean) {
            assert!((f64::from(*a) - b / length).abs() < 1e-6);
        }
    }
    let note = |name: &str| learned.notes.iter().find(|n| n.name == name).unwrap().value;
    assert_eq!(note("classes without descriptions"), 1.0);
    assert_eq!(note("descriptions of no class"), 1.0);
    assert_eq!(note("descriptions cut to fit"), 0.0);
    let coverage = descriptions.coverage(&names(3));
    assert_eq!(
        (coverage.missing, coverage.unknown),
        (vec!["class 2".to_owned()], vec!["whale".to_owned()])
    );
    for bad in ["", "[]", "{\"a\": \"b\"}", "{\"a\": [1]}", "\u{0}"] {
        let error = Descriptions::from_json(bad.as_bytes()).unwrap_err();
        assert_eq!(error.code(), "prompt/invalid", "{bad}");
    }
    let long = vec!["word"; 80].join(" ");
    let json = serde_json::json!({ "class 0": [long] }).to_string();
    let descriptions = Descriptions::from_json(json.as_bytes()).unwrap();
    let extras = Extras {
        descriptions: Some(&descriptions),
        ..Extras::default()
    };
    let learned = teach_with("cupl", &names(3), None, &[], extras).unwrap();
    assert_eq!(learned.notes[2].value, 1.0);
}

#[test]
fn bounds_are_shown_for_words_and_refused_for_vectors() {
    let examples = images(4, 10, 1, 2);
    let learned = teach("templates", &examples, &[]);
    let error = learned.notes[0].value;
    // One of three published lists.
    let expected = kl_inverse(error, 3f64.ln(), 40, 0.05).unwrap();
    assert!((learned.notes[1].value - expected).abs() < 1e-12);
    // "a photo of a ." are five words for the toy's tokenizer, and "my ." two.
    let own = [("own", "a photo of a {}. | my {}.")];
    let learned = teach("templates", &examples, &own);
    let error = learned.notes[0].value;
    let prior = uniform_prior(7) + 2.0 * 75f64.ln() + 6f64.ln();
    let expected = kl_inverse(error, prior, 40, 0.05).unwrap();
    assert!((learned.notes[1].value - expected).abs() < 1e-12);
    assert!(only_hard(&learned.prompt).is_ok());
    for soft in ["coop", "taskres", "tip-adapter"] {
        let learned = teach(soft, &examples, &[]);
        assert_eq!(
            only_hard(&learned.prompt).unwrap_err().code(),
            "options/invalid",
            "{soft}"
        );
    }
}

#[test]
fn the_search_for_alpha_and_beta_is_that_of_brute_force() {
    let examples = images(3, 6, 1, 4);
    let learned = teach("tip-adapter", &examples, &[]);
    let note = |name: &str| {
        let found = learned.notes.iter().find(|n| n.name == name);
        found.unwrap_or_else(|| panic!("{name}")).value
    };
    // The same question asked of prompts that each lack one image.
    let left_out = |alpha: f64, beta: f64| {
        // What people set is for a logit scale of 100.
        let alpha = (alpha * 100.0 / f64::from(SCALE)).to_string();
        let set = [
            ("alpha", alpha),
            ("beta", beta.to_string()),
            ("search", "no".to_owned()),
        ];
        let set: Vec<(&str, &str)> = set.iter().map(|(k, v)| (*k, v.as_str())).collect();
        let hits = (0..examples.len()).filter(|i| {
            let others: Vec<usize> = (0..examples.len()).filter(|j| j != i).collect();
            let rest = examples.subset(&others).unwrap();
            let extras = Extras::default();
            let part = teach_with("tip-adapter", &names(3), Some(&rest), &set, extras).unwrap();
            let head = pollster::block_on(heads::open(&part.prompt, &Toy, &names(3))).unwrap();
            let label = [examples.labels()[*i]];
            pollster::block_on(head.accuracy(&Toy, examples.view(*i, 0), &label)).unwrap() == 1.0
        });
        hits.count() as f64 / examples.len() as f64
    };
    let best = note("accuracy, each image left out");
    assert!((left_out(note("alpha"), note("beta")) - best).abs() < 1e-9);
    let Grid { alphas, betas } = Grid::widest(f64::from(SCALE));
    for (alpha, beta) in [(0, 0), (29, 29), (10, 5), (29, 0), (0, 29), (20, 20)] {
        let (alpha, beta) = (alphas[alpha], betas[beta]);
        assert!(left_out(alpha, beta) <= best + 1e-9, "{alpha} {beta}");
    }
    let extra = &learned.prompt.extra;
    assert_eq!(extra["alpha"].parse::<f64>().unwrap(), note("alpha"));
}
