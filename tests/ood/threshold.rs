//! Split-conformal thresholds: the stored one, the guarantee, and what invalidates them.

use promptlens::ood::score::by_name;
use promptlens::ood::threshold::{
    Calibration, CalibrationKey, MIN_IMAGES, class_list_sha256, ordered_list_sha256,
    rejection_interval,
};

use super::uniform::Uniform;
use crate::fixtures::Fixture;

fn key() -> CalibrationKey {
    CalibrationKey {
        model_sha256: ordered_list_sha256(&["model"]),
        quantization: "q8".into(),
        prompt_sha256: ordered_list_sha256(&["a photo of a {}."]),
        classes_sha256: class_list_sha256(&["cat", "dog"]),
        negatives_sha256: Some(ordered_list_sha256(&["teapot", "zebra"])),
        score: "neglabel".into(),
        parameters: by_name("neglabel").unwrap().defaults(14.09117317199707),
        tuning: "none".into(),
    }
}

#[test]
fn stored_threshold() {
    let Some(f) = Fixture::open("ood/case.safetensors") else {
        return;
    };
    let expected = &f.json("metrics")["conformal"];
    let scores = f.numbers(&format!("id_{}", expected["score"].as_str().unwrap()));
    let c = Calibration::fit(key(), scores).unwrap();
    assert_eq!(c.n as u64, expected["n"].as_u64().unwrap());
    assert_eq!(c.m as u64, expected["m"].as_u64().unwrap());
    assert_eq!(c.threshold, expected["threshold"].as_f64().unwrap());
}

#[test]
fn accepts_at_the_threshold() {
    let scores: Vec<f64> = (0..39).rev().map(f64::from).collect();
    let c = Calibration::fit(key(), &scores).unwrap();
    assert_eq!((c.n, c.m, c.threshold), (39, 2, 1.0));
    assert!(!c.is_outlier(1.0).unwrap() && c.is_outlier(0.999).unwrap());
    assert_eq!(
        c.is_outlier(f64::NAN).unwrap_err().code(),
        "engine/not-finite"
    );
}

#[test]
fn too_few_images_are_refused_with_the_interval() {
    for n in 0..MIN_IMAGES {
        let error = Calibration::fit(key(), &vec![1.0; n]).unwrap_err();
        assert_eq!(error.code(), "calibration/too-few");
        assert!(error.message().contains("19"));
        // Beta(1, n) has the quantile function 1 − (1 − q)^(1/n).
        let high = 100.0 * (1.0 - 0.025f64.powf(1.0 / n as f64));
        assert!(
            n == 0 || error.message().contains(&format!("{high:.1} %")),
            "{error}"
        );
    }
    assert_eq!(MIN_IMAGES, 19);
    assert!(Calibration::fit(key(), &[1.0; 19]).is_ok_and(|c| c.m == 1));
    let nan = Calibration::fit(key(), &[f64::NAN; 30]).unwrap_err();
    assert_eq!(nan.code(), "engine/not-finite");
}

#[test]
fn beta_interval_matches_simulation_and_closed_form() {
    let i = rejection_interval(19, 1);
    assert!((i.low - (1.0 - 0.975f64.powf(1.0 / 19.0))).abs() < 1e-12);
    assert!((i.high - (1.0 - 0.025f64.powf(1.0 / 19.0))).abs() < 1e-12);
    let top = rejection_interval(10, 10);
    assert!((top.low - 0.025f64.powf(0.1)).abs() < 1e-12);
    // The m-th lowest of n uniform numbers follows the law itself.
    let (n, m, rounds) = (199, 10, 4000);
    let i = rejection_interval(n, m);
    let mut u = Uniform(6);
    let mut inside = 0;
    for _ in 0..rounds {
        let mut draw = u.many(n, 0.0, 1.0);
        draw.sort_by(f64::total_cmp);
        inside += usize::from((i.low..=i.high).contains(&draw[m - 1]));
    }
    let share = inside as f64 / rounds as f64;
    assert!(
        (share - 0.95).abs() < 3.0 * (0.95f64 * 0.05 / rounds as f64).sqrt(),
        "{share}"
    );
    // No underflow with many images.
    let many = rejection_interval(1_000_000, 50_000);
    assert!(many.low > 0.0495 && many.high < 0.0505 && many.low < many.high);
}

/// 2,000 random splits of the stored ID scores and as many of a continuous law: the mean share of
/// rejected held-out images stays at or below 5 % within three standard errors.
#[test]
fn false_rejections_over_many_splits() {
    let splits = 2000;
    let mut u = Uniform(7);
    let stored = Fixture::open("ood/case.safetensors").map(|f| f.numbers("id_neglabel").to_vec());
    for n in [19, 50, 100] {
        let mut pools = vec![u.many(200, 0.0, 1.0)];
        pools.extend(stored.clone());
        for (which, mut pool) in pools.into_iter().enumerate() {
            let mut rates = Vec::with_capacity(splits);
            for _ in 0..splits {
                for i in (1..pool.len()).rev() {
                    let j = (u.next() * (i + 1) as f64) as usize;
                    pool.swap(i, j);
                }
                let (calibration, test) = pool.split_at(n);
                let c = Calibration::fit(key(), calibration).unwrap();
                let rejected = test.iter().filter(|s| c.is_outlier(**s).unwrap()).count();
                rates.push(rejected as f64 / test.len() as f64);
            }
            let mean = rates.iter().sum::<f64>() / splits as f64;
            let variance =
                rates.iter().map(|r| (r - mean).powi(2)).sum::<f64>() / (splits - 1) as f64;
            let error = (variance / splits as f64).sqrt();
            assert!(mean <= 0.05 + 3.0 * error, "pool {which}, n {n}: {mean}");
            // m / (n + 1) exactly, in expectation, if scores are continuous.
            let exact = ((n + 1) / 20) as f64 / (n + 1) as f64;
            assert!(
                (mean - exact).abs() <= 4.0 * error,
                "pool {which}, n {n}: {mean} {exact}"
            );
        }
    }
}

type Change = (&'static str, fn(&mut CalibrationKey));

#[test]
fn every_change_invalidates_and_is_named() {
    let c = Calibration::fit(key(), &[0.5; 30]).unwrap();
    c.matches(&key()).unwrap();
    let changes: [Change; 9] = [
        ("the model", |k| {
            k.model_sha256 = ordered_list_sha256(&["other"])
        }),
        ("the quantisation (from q8 to q4)", |k| {
            k.quantization = "q4".into()
        }),
        ("the prompt", |k| {
            k.prompt_sha256 = ordered_list_sha256(&["{}"])
        }),
        ("the class names", |k| {
            k.classes_sha256 = class_list_sha256(&["cat", "cow"])
        }),
        ("the negative labels", |k| k.negatives_sha256 = None),
        ("the score (from neglabel to mcm)", |k| {
            k.score = "mcm".into()
        }),
        ("the parameters of the score", |k| k.parameters.tau *= 1.001),
        ("the parameters of the score", |k| {
            k.parameters.shuffle_seed = Some(1)
        }),
        ("the test-time tuning (from none to tpt)", |k| {
            k.tuning = "tpt".into()
        }),
    ];
    for (named, change) in changes {
        let mut other = key();
        change(&mut other);
        let error = c.matches(&other).unwrap_err();
        assert_eq!(error.code(), "calibration/mismatch");
        assert!(error.message().contains(named), "{error}");
        assert_eq!(key().differences(&other).len(), 1, "{error}");
    }
    let mut other = key();
    other.quantization = "none".into();
    other.tuning = "tpt".into();
    assert_eq!(key().differences(&other).len(), 2);
}

#[test]
fn list_hashes() {
    assert_eq!(
        class_list_sha256(&["a", "b"]),
        class_list_sha256(&["b", "a"])
    );
    assert_ne!(
        ordered_list_sha256(&["a", "b"]),
        ordered_list_sha256(&["b", "a"])
    );
    assert_ne!(
        ordered_list_sha256(&["ab", "c"]),
        ordered_list_sha256(&["a", "bc"])
    );
    assert_ne!(class_list_sha256(&["a", "a"]), class_list_sha256(&["a"]));
    let none: [&str; 0] = [];
    let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    assert_eq!(ordered_list_sha256(&none), empty);
}

#[test]
fn file_round_trip_and_damage() {
    let scores = Uniform(8).many(57, 0.0, 1.0);
    let c = Calibration::fit(key(), &scores).unwrap();
    let text = c.to_json().unwrap();
    let read = Calibration::from_json(text.as_bytes()).unwrap();
    assert!((read.threshold - c.threshold).abs() <= 1e-15);
    read.matches(&key()).unwrap();
    assert_eq!((read.n, read.m, read.interval()), (c.n, c.m, c.interval()));

    let refused = |text: &str| {
        let error = Calibration::from_json(text.as_bytes()).unwrap_err();
        assert_eq!(error.code(), "calibration/invalid", "{text}");
    };
    for (from, to) in [
        ("\"n\": 57", "\"n\": 18"),
        ("\"n\": 57", "\"n\": 99999999999"),
        ("\"n\": 57", "\"n\": -1"),
        ("\"m\": 2", "\"m\": 3"),
        ("\"version\": 1", "\"version\": 2"),
        ("\"score\"", "\"scores\""),
    ] {
        assert!(text.contains(from));
        refused(&text.replace(from, to));
    }
    refused("");
    refused("null");
    refused(&text[..text.len() / 2]);
    refused(&" ".repeat(70_000));
    assert!(Calibration::from_json(&[0xff; 10]).is_err());
}
