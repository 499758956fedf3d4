//! What every test module needs: where the reference material is, and how close two arrays are.

use std::path::PathBuf;
use std::sync::Once;

/// The path of `rel` under the shared reference folder, or `None` with one printed word if the
/// folder is absent. CI always has it, so there absence is a failure.
pub fn shared(rel: &str) -> Option<PathBuf> {
    static SAID: Once = Once::new();
    let root = std::env::var_os("PROMPTLENS_SHARED").map_or_else(
        // Asked when it runs: a test that was built in another checkout is not built again.
        || std::env::current_dir().unwrap().join("../shared"),
        PathBuf::from,
    );
    if root.is_dir() {
        return Some(root.join(rel));
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "the shared reference folder is required in CI but {} is absent",
        root.display()
    );
    SAID.call_once(|| eprintln!("SKIPPED: ../shared is absent; tests that need it do nothing"));
    None
}

/// max|a - b| / max|b|: the error measure of every golden test. Panics on a length mismatch.
pub fn relative_error(actual: &[f32], expected: &[f32]) -> f32 {
    assert_eq!(actual.len(), expected.len(), "lengths differ");
    let scale = expected
        .iter()
        .fold(0f32, |m, v| m.max(v.abs()))
        .max(f32::MIN_POSITIVE);
    let worst = actual.iter().zip(expected).fold(0f32, |m, (a, b)| {
        let d = (a - b).abs();
        if d.is_nan() { f32::INFINITY } else { m.max(d) }
    });
    worst / scale
}

/// Cosine similarity of two vectors.
pub fn cosine(a: &[f32], b: &[f32]) -> f64 {
    assert_eq!(a.len(), b.len(), "lengths differ");
    let dot = |x: &[f32], y: &[f32]| -> f64 {
        x.iter()
            .zip(y)
            .map(|(p, q)| f64::from(*p) * f64::from(*q))
            .sum()
    };
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}
