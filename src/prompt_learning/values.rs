//! The types that a recipe's parameter can have, and how people write their values.

use std::fmt::Display;
use std::ops::RangeInclusive;

use crate::image::Filter;
use crate::prompt::layout::NamePosition;

/// The longest text value in bytes.
const MAX_TEXT: usize = 10_000;

/// A type of parameters.
pub trait Value: Sized {
    /// What limits its values; `()` if the type alone does.
    type Range;

    /// The value that `text` stands for; `None` if it stands for none within `range`.
    fn from_text(text: &str, range: &Self::Range) -> Option<Self>;

    /// The value as people write it; [`from_text`](Self::from_text) reads it back.
    fn to_text(&self) -> String;

    /// The values within `range`; completes "it must be".
    fn expected(range: &Self::Range) -> String;
}

fn within(kind: &str, range: &RangeInclusive<impl Display>) -> String {
    format!("{kind} from {} to {}", range.start(), range.end())
}

impl Value for f64 {
    type Range = RangeInclusive<f64>;

    fn from_text(text: &str, range: &Self::Range) -> Option<Self> {
        text.parse().ok().filter(|value| range.contains(value))
    }

    fn to_text(&self) -> String {
        self.to_string()
    }

    fn expected(range: &Self::Range) -> String {
        within("a number", range)
    }
}

impl Value for usize {
    type Range = RangeInclusive<usize>;

    fn from_text(text: &str, range: &Self::Range) -> Option<Self> {
        text.parse().ok().filter(|value| range.contains(value))
    }

    fn to_text(&self) -> String {
        self.to_string()
    }

    fn expected(range: &Self::Range) -> String {
        within("a whole number", range)
    }
}

/// Written `yes` or `no`; JavaScript's `true` and `false` are read too.
impl Value for bool {
    type Range = ();

    fn from_text(text: &str, (): &()) -> Option<Self> {
        match text {
            "yes" | "true" => Some(true),
            "no" | "false" => Some(false),
            _ => None,
        }
    }

    fn to_text(&self) -> String {
        if *self { "yes" } else { "no" }.to_owned()
    }

    fn expected((): &()) -> String {
        "yes or no".to_owned()
    }
}

impl Value for String {
    type Range = ();

    fn from_text(text: &str, (): &()) -> Option<Self> {
        (text.len() <= MAX_TEXT).then(|| text.to_owned())
    }

    fn to_text(&self) -> String {
        self.clone()
    }

    fn expected((): &()) -> String {
        format!("at most {MAX_TEXT} bytes of text")
    }
}

/// A number that people set or leave to the recipe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Auto<T> {
    /// The recipe chooses, by the images and the model. Written `auto`; a zero, which says so in
    /// older scripts and links, is read too.
    Auto,
    /// This number, which is not zero.
    Set(T),
}

impl<T> Auto<T> {
    /// The number that is set, or else `chosen()`.
    pub fn unwrap_or_else(self, chosen: impl FnOnce() -> T) -> T {
        match self {
            Self::Auto => chosen(),
            Self::Set(value) => value,
        }
    }
}

impl<T: Value> Value for Auto<T> {
    type Range = T::Range;

    fn from_text(text: &str, range: &Self::Range) -> Option<Self> {
        if text == "auto" || text.parse() == Ok(0.0) {
            return Some(Self::Auto);
        }
        T::from_text(text, range).map(Self::Set)
    }

    fn to_text(&self) -> String {
        match self {
            Self::Auto => "auto".to_owned(),
            Self::Set(value) => value.to_text(),
        }
    }

    fn expected(range: &Self::Range) -> String {
        format!("{}, or auto", T::expected(range))
    }
}

/// A choice among a few words; [`words!`] declares one.
pub trait Word: Copy + PartialEq + 'static {
    /// Every word with its value.
    const WORDS: &'static [(&'static str, Self)];
}

impl<T: Word> Value for T {
    type Range = ();

    fn from_text(text: &str, (): &()) -> Option<Self> {
        let found = T::WORDS.iter().find(|(word, _)| *word == text);
        found.map(|(_, value)| *value)
    }

    fn to_text(&self) -> String {
        let found = T::WORDS.iter().find(|(_, value)| value == self);
        found.map_or_else(String::new, |(word, _)| (*word).to_owned())
    }

    fn expected((): &()) -> String {
        let words: Vec<_> = T::WORDS.iter().map(|(word, _)| *word).collect();
        format!("one of {}", words.join(", "))
    }
}

/// Declares an enum with the word for each of its variants.
macro_rules! words {
    (
        $(#[doc = $about:literal])+
        pub enum $name:ident {
            $($(#[doc = $meaning:literal])+ $variant:ident = $word:literal,)+
        }
    ) => {
        $(#[doc = $about])+
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $($(#[doc = $meaning])+ $variant,)+
        }

        impl $crate::prompt_learning::values::Word for $name {
            const WORDS: &'static [(&'static str, Self)] = &[$(($word, Self::$variant)),+];
        }
    };
}
pub(crate) use words;

impl Word for Filter {
    const WORDS: &'static [(&'static str, Self)] =
        &[("bilinear", Self::Bilinear), ("bicubic", Self::Bicubic)];
}

impl Word for NamePosition {
    const WORDS: &'static [(&'static str, Self)] = &[
        ("end", Self::End),
        ("middle", Self::Middle),
        ("front", Self::Front),
    ];
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn auto_is_written_as_a_word_and_read_as_zero_too() {
        for text in ["auto", "0", "0.0"] {
            assert_eq!(Auto::from_text(text, &(0.0..=1.0)), Some(Auto::<f64>::Auto));
            assert_eq!(Auto::from_text(text, &(1..=9)), Some(Auto::<usize>::Auto));
        }
        assert_eq!(Auto::<f64>::Auto.to_text(), "auto");
        assert_eq!(Auto::from_text("0.5", &(0.0..=1.0)), Some(Auto::Set(0.5)));
        for text in ["", "Auto", "NaN", "-1", "1.5", "inf"] {
            assert_eq!(Auto::<f64>::from_text(text, &(0.0..=1.0)), None, "{text}");
            assert_eq!(Auto::<usize>::from_text(text, &(1..=9)), None, "{text}");
        }
    }

    #[test]
    fn what_a_value_writes_it_reads() {
        for value in [true, false] {
            assert_eq!(bool::from_text(&value.to_text(), &()), Some(value));
        }
        for (word, value) in NamePosition::WORDS {
            assert_eq!((value.to_text().as_str(), value.name()), (*word, *word));
            assert_eq!(NamePosition::from_text(word, &()), Some(*value));
        }
        for value in [0.02, 1.17, 1e4, 1e-12] {
            assert_eq!(f64::from_text(&value.to_text(), &(0.0..=1e4)), Some(value));
        }
    }
}
