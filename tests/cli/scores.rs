//! Scores of photos by a prompt that was taught with values.

use super::train::{mini, paint, taught};
use super::{text, with_model};

#[test]
fn photos_have_a_score_in_the_units_of_their_folders() {
    let dir = tempfile::tempdir().unwrap();
    let gray = |level: u8| [30 + 30 * level; 3];
    for level in 1..=5u8 {
        for i in 0..6 {
            let path = dir.path().join(format!("data/{level}/{i}.png"));
            paint(&path, gray(level), u64::from(level) * 10 + i);
        }
    }
    let photos = [1u8, 3, 5].map(|level| {
        let path = dir.path().join(format!("new/{level}.png"));
        paint(&path, gray(level), 900 + u64::from(level));
        path
    });
    let out = dir.path().join("prompt.safetensors");
    let data = dir.path().join("data");
    let learned = taught(&data, "ranking", &out, &["--crops", "1"]);
    let notes = learned["notes"].as_array().unwrap();
    let spearman = notes.iter().find(|note| {
        let name = note["name"].as_str().unwrap();
        name.starts_with("Spearman")
    });
    assert!(
        spearman.unwrap()["value"].as_f64().unwrap() > 0.8,
        "{notes:?}"
    );
    let classify = |labels: &str, more: &[&str]| {
        let mut args = vec!["--labels", labels];
        args.extend(more);
        args.extend(photos.iter().map(|path| text(path)));
        with_model("classify", &mini(), &args).json()
    };
    let prompt = ["--prompt", text(&out)];
    let found = classify("1,2,3,4,5", &prompt);
    let scores: Vec<f64> = (0..3)
        .map(|i| found["results"][i]["score"].as_f64().unwrap())
        .collect();
    assert!(scores.is_sorted(), "{scores:?}");
    assert!(scores[0] > -1.0 && scores[2] < 7.0, "{scores:?}");
    // The same beside another list of numbers, and none without such a prompt.
    let fewer = classify("2,4", &prompt);
    assert_eq!(fewer["results"][1]["score"], scores[1]);
    assert!(classify("2,4", &[])["results"][0].get("score").is_none());
}
