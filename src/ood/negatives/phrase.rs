//! Names as lists of words that can be compared: lower case, without punctuation or qualifiers, and
//! blind to plurals.

/// `name` in lower case without a qualifier in parentheses, its words joined by single spaces:
/// `date_(fruit)` becomes `date`.
pub(super) fn normal(name: &str) -> String {
    let without = joined(&drop_parentheses(name));
    // A name that is nothing but a qualifier keeps it.
    if without.is_empty() {
        joined(name)
    } else {
        without
    }
}

fn joined(name: &str) -> String {
    let lower = name.to_lowercase();
    let words: Vec<&str> = lower
        .split(|c: char| !c.is_alphanumeric())
        .filter(|w| !w.is_empty())
        .collect();
    words.join(" ")
}

fn drop_parentheses(name: &str) -> String {
    let mut depth = 0usize;
    let mut kept = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '(' => depth += 1,
            ')' => depth = depth.saturating_sub(1),
            _ if depth == 0 => kept.push(c),
            _ => {}
        }
    }
    kept
}

/// Plurals that no rule below undoes.
const IRREGULAR: &[(&str, &str)] = &[
    ("children", "child"),
    ("dice", "die"),
    ("feet", "foot"),
    ("geese", "goose"),
    ("lice", "louse"),
    ("men", "man"),
    ("mice", "mouse"),
    ("oxen", "ox"),
    ("people", "person"),
    ("teeth", "tooth"),
    ("women", "woman"),
];

/// The word and everything that it may be the plural of. Spelling does not tell `axes` of `axe` from
/// `axes` of `axis`, so there may be several; two words are taken for the same if any form
/// agrees.
pub(super) fn forms(word: &str) -> Vec<String> {
    let mut forms = vec![word.to_owned()];
    let mut push = |stem: &str, ending: &str| {
        if !stem.is_empty() {
            forms.push(format!("{stem}{ending}"));
        }
    };
    for (plural, singular) in IRREGULAR {
        if let Some(stem) = word.strip_suffix(plural) {
            // `firemen` as well as `men`.
            if stem.is_empty() || matches!(*singular, "man" | "woman" | "tooth" | "foot" | "child")
            {
                forms.push(format!("{stem}{singular}"));
                return forms;
            }
        }
    }
    if let Some(stem) = word.strip_suffix("ies") {
        push(stem, "y");
        push(stem, "ie");
    } else if let Some(stem) = word.strip_suffix("ves") {
        push(stem, "f");
        push(stem, "fe");
        push(stem, "ve");
    } else if let Some(stem) = word.strip_suffix("es") {
        push(stem, "e");
        push(stem, "");
        push(stem, "is");
    } else if let Some(stem) = word.strip_suffix('s')
        && !stem.ends_with(['s', 'u', 'i'])
    {
        push(stem, "");
    }
    forms
}

/// The words of a name with their possible singular forms.
#[derive(Debug, Clone)]
pub(super) struct Phrase {
    words: Vec<Vec<String>>,
    /// The phrase written as one word, in every form of its last word.
    compact: Vec<String>,
}

impl Phrase {
    pub(super) fn new(name: &str) -> Self {
        let words: Vec<_> = normal(name)
            .split(' ')
            .filter(|w| !w.is_empty())
            .map(forms)
            .collect();
        let compact = match words.split_last() {
            None => Vec::new(),
            Some((last, front)) => {
                let front: String = front.iter().map(|w| w[0].as_str()).collect();
                last.iter().map(|form| format!("{front}{form}")).collect()
            }
        };
        Self { words, compact }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.words.is_empty()
    }

    /// Equal but for plurals, and for where words are joined (`lawn mower`, `lawnmower`).
    pub(super) fn same(&self, other: &Self) -> bool {
        (self.words.len() == other.words.len() && same_words(&self.words, &other.words))
            || overlap(&self.compact, &other.compact)
    }

    /// Whether the words of `part` follow one another in this phrase.
    pub(super) fn contains(&self, part: &Self) -> bool {
        !part.is_empty()
            && self
                .words
                .windows(part.words.len())
                .any(|run| same_words(run, &part.words))
    }

    /// Whether both end in one word and one of these is the head of the other, as `boat` is of
    /// `sailboat`. English compounds are kinds of their last part. Heads below four letters prove
    /// too little (`ant` in `elephant`).
    pub(super) fn compound_of(&self, other: &Self) -> bool {
        let (Some(a), Some(b)) = (self.words.last(), other.words.last()) else {
            return false;
        };
        let head = |long: &str, short: &str| {
            short.len() >= 4 && long.len() > short.len() && long.ends_with(short)
        };
        (self.words.len() == 1 || other.words.len() == 1)
            && a.iter().any(|x| {
                b.iter().any(|y| {
                    (other.words.len() == 1 && head(x, y)) || (self.words.len() == 1 && head(y, x))
                })
            })
    }
}

fn same_words(a: &[Vec<String>], b: &[Vec<String>]) -> bool {
    a.iter().zip(b).all(|(x, y)| overlap(x, y))
}

fn overlap(a: &[String], b: &[String]) -> bool {
    a.iter().any(|x| b.contains(x))
}
