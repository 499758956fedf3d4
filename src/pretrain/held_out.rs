//! Names that training must never see, so that "none of these" can be measured on them.

use crate::error::{Error, Kind, Result};

/// A list of names, compared word by word without regard to case, underscores or a plural s.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HeldOut {
    names: Vec<String>,
    words: Vec<Vec<String>>,
}

impl HeldOut {
    /// The names of the list; blank ones are passed over.
    pub fn new<S: AsRef<str>>(names: &[S]) -> Self {
        let names: Vec<String> = names
            .iter()
            .map(|name| name.as_ref().trim().to_owned())
            .filter(|name| !words(name).is_empty())
            .collect();
        Self {
            words: names.iter().map(|name| words(name)).collect(),
            names,
        }
    }

    /// The names as they were given.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Whether `text` is or contains one of the names: with `frog`, also `tree frogs`.
    pub fn holds(&self, text: &str) -> bool {
        let text = words(text);
        self.words
            .iter()
            .any(|name| text.windows(name.len()).any(|part| part == name))
    }

    /// Refuses a text that training was explicitly given, `what` says where.
    ///
    /// # Errors
    /// `options/invalid` if the text [is held out](Self::holds).
    pub fn refuse(&self, text: &str, what: &str) -> Result<()> {
        if self.holds(text) {
            return Err(Error::new(
                Kind::OptionInvalid,
                format!(
                    "{what} has {text:?}, which is held out of training; take it out, or hold out other names."
                ),
            ));
        }
        Ok(())
    }
}

fn words(text: &str) -> Vec<String> {
    text.to_lowercase()
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .map(|word| match word.strip_suffix('s') {
            Some(stem) if stem.len() > 2 && !stem.ends_with('s') => stem.to_owned(),
            _ => word.to_owned(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::HeldOut;

    #[test]
    fn a_name_is_found_in_longer_ones_and_as_a_plural() {
        let held = HeldOut::new(&["frog", "gas pump", "tulips", " "]);
        for name in [
            "frog",
            "Frogs",
            "tree_frog",
            "gas_pump",
            "a tulip",
            "old gas-pumps",
        ] {
            assert!(held.holds(name), "{name}");
        }
        for name in ["bullfrogger", "gas mask", "pump", "glass", "dog"] {
            assert!(!held.holds(name), "{name}");
        }
        assert_eq!(held.names().len(), 3);
        assert!(!HeldOut::default().holds("frog"));
    }
}
