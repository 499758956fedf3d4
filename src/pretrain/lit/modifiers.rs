//! Templates that change what is meant, and how a name stands in a template.

use super::pictures::Change;
use super::space::Space;
use super::vectors::MiniLm;

/// A template that changes what is meant.
#[derive(Debug, Clone, PartialEq)]
pub struct Modifier {
    /// With `{}` for the name.
    pub template: String,
    /// What it adds, of length one.
    pub shift: Vec<f32>,
}

/// `a`, or `an` before a vowel.
fn article(name: &str) -> &'static str {
    if name.starts_with(['a', 'e', 'i', 'o', 'u']) {
        "an"
    } else {
        "a"
    }
}

/// The templates that change what is meant, with their shifts.
pub(super) fn modifiers(space: &Space, minilm: &MiniLm) -> Vec<Modifier> {
    let width = minilm.nouns.width;
    let all: Vec<Modifier> = minilm
        .templates
        .iter()
        .zip(minilm.shifts.chunks_exact(width))
        .map(|((_, template), shift)| Modifier {
            // The list writes `{}` for a name with its article.
            template: template.replace("{}", "a {}").replace("{0}", "{}"),
            shift: space.difference(shift),
        })
        .collect();
    let (mut first, mut rest) = (Vec::new(), Vec::new());
    for change in Change::ALL {
        first.extend(
            all.iter()
                .filter(|m| m.template == change.template())
                .cloned(),
        );
    }
    rest.extend(all.into_iter().filter(|m| {
        Change::ALL
            .iter()
            .all(|change| m.template != change.template())
    }));
    first.extend(rest);
    first
}

/// A name in a template. `a` becomes `an` before a vowel in half of the cases that `correct` says.
pub fn fill(template: &str, name: &str, correct: bool) -> String {
    let lower = name.to_lowercase();
    let template = if correct && article(&lower) == "an" {
        template.replace("a {}", "an {}")
    } else {
        template.to_owned()
    };
    template.replace("{}", name)
}
