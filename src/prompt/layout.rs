//! Where learned vectors stand around a class name (CoOp, Zhou et al., 2022; ATPrompt, Li et al.,
//! 2025).

use std::ops::Range;

use crate::error::{Error, Kind, Result};

named_enum! {
    /// The order of context vectors and name.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub enum NamePosition: "prompt's layout", PromptInvalid {
        /// `[v_1 .. v_M][name][.]`
        #[default]
        End = "end",
        /// `[v_1 .. v_⌊M/2⌋][name][the rest of v][.]`
        Middle = "middle",
        /// `[name][v_1 .. v_M][.]`
        Front = "front",
    }
}

/// One place of a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PromptToken {
    /// A token of the vocabulary.
    Token(u32),
    /// A vector of the context, counted from 0.
    Vector(usize),
}

impl PromptToken {
    /// The id of a token of the vocabulary.
    pub fn id(&self) -> Option<u32> {
        match self {
            Self::Token(id) => Some(*id),
            Self::Vector(_) => None,
        }
    }
}

/// How a prompt is put together.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PromptLayout {
    /// Where the name stands.
    pub layout: NamePosition,
    /// Vectors around the name.
    pub vectors: usize,
    /// Attribute words that stand before all that, each behind vectors of its own.
    pub attributes: Vec<String>,
    /// Vectors in front of every attribute.
    pub per_attribute: usize,
    /// Context index per class. `None`: every class is encoded with every context.
    pub assigned: Option<Vec<usize>>,
    /// How many of the vectors around the name stand in front of it, whatever `layout` says.
    pub before: Option<usize>,
    /// Whether the vectors stand alone, without name and full stop.
    pub nameless: bool,
}

/// The error for vectors that take `taken` places with start and end.
pub(super) fn no_room(taken: usize) -> Error {
    Error::new(
        Kind::PromptInvalid,
        format!("A context of {taken} places leaves no room for a class name."),
    )
}

/// The mean length from which runs of classes behind one context are encoded run by run.
const SHORTEST_RUN: usize = 8;

/// The runs of equal numbers in `assigned`: the number, and where it stands.
pub fn runs(assigned: &[usize]) -> impl Iterator<Item = (usize, Range<usize>)> + '_ {
    let mut start = 0;
    assigned.chunk_by(|a, b| a == b).map(move |run| {
        let from = start;
        start += run.len();
        (run[0], from..start)
    })
}

impl PromptLayout {
    /// M vectors in front of the name, shared by all classes.
    pub fn end(vectors: usize) -> Self {
        Self {
            vectors,
            ..Self::default()
        }
    }

    /// So many vectors in front of the name and behind it, shared by all classes.
    pub fn around([before, behind]: [usize; 2]) -> Self {
        Self {
            before: Some(before),
            ..Self::end(before + behind)
        }
    }

    /// How many of the vectors around the name stand in front of it.
    fn before(&self) -> usize {
        self.before.unwrap_or(match self.layout {
            NamePosition::End => self.vectors,
            NamePosition::Middle => self.vectors / 2,
            NamePosition::Front => 0,
        })
    }

    /// Rows of one context: those of the attributes in their order, then those around the name.
    pub fn rows(&self) -> usize {
        self.attributes.len() * self.per_attribute + self.vectors
    }

    /// Whether long runs of classes share the tokens in front of their names, with no vectors
    /// behind them.
    pub fn shares_prefix(&self) -> bool {
        let long = |assigned: &Vec<usize>| runs(assigned).count() * SHORTEST_RUN <= assigned.len();
        self.before() == self.vectors
            && !self.nameless
            && self.attributes.is_empty()
            && self.assigned.as_ref().is_none_or(long)
    }

    /// The prompt of one class, `limit` places at most, from start id, end id, the ids of every
    /// attribute, of the name, and of the full stop as it follows the name. What does not fit is cut
    /// off the full stop first and then off the name; the flag says so.
    ///
    /// # Errors
    /// `prompt/invalid` if the vectors leave no room for a name.
    pub fn slots(
        &self,
        ends: (u32, u32),
        attributes: &[Vec<u32>],
        name: &[u32],
        stop: &[u32],
        limit: usize,
    ) -> Result<(Vec<PromptToken>, bool)> {
        let mut slots = vec![PromptToken::Token(ends.0)];
        let mut next = 0;
        let mut vectors = |slots: &mut Vec<PromptToken>, count: usize| {
            slots.extend((next..next + count).map(PromptToken::Vector));
            next += count;
        };
        for words in attributes {
            vectors(&mut slots, self.per_attribute);
            slots.extend(words.iter().map(|id| PromptToken::Token(*id)));
        }
        let before = self.before();
        let taken = slots.len() + self.vectors + 1;
        let room = limit.saturating_sub(taken);
        if room == 0 {
            return Err(no_room(taken));
        }
        let (name, stop) = match self.nameless {
            true => (&[][..], &[][..]),
            false => (name, stop),
        };
        let cut = name.len() + stop.len() > room;
        let (name, stop) = if cut {
            (&name[..name.len().min(room)], &stop[..0])
        } else {
            (name, stop)
        };
        vectors(&mut slots, before);
        slots.extend(name.iter().map(|id| PromptToken::Token(*id)));
        vectors(&mut slots, self.vectors - before);
        slots.extend(stop.iter().map(|id| PromptToken::Token(*id)));
        slots.push(PromptToken::Token(ends.1));
        Ok((slots, cut))
    }
}

#[cfg(test)]
mod tests {
    use super::PromptToken::{Token as T, Vector as V};
    use super::*;

    fn slots(
        layout: &PromptLayout,
        attributes: &[Vec<u32>],
        limit: usize,
    ) -> (Vec<PromptToken>, bool) {
        layout
            .slots((1, 2), attributes, &[10, 11], &[9], limit)
            .unwrap()
    }

    #[test]
    fn the_three_layouts_place_name_and_vectors() {
        let mut layout = PromptLayout::end(3);
        let end = vec![T(1), V(0), V(1), V(2), T(10), T(11), T(9), T(2)];
        assert_eq!(slots(&layout, &[], 77), (end, false));
        layout.layout = NamePosition::Middle;
        let middle = vec![T(1), V(0), T(10), T(11), V(1), V(2), T(9), T(2)];
        assert_eq!(slots(&layout, &[], 77), (middle, false));
        let around = PromptLayout::around([2, 1]);
        let two_and_one = vec![T(1), V(0), V(1), T(10), T(11), V(2), T(9), T(2)];
        assert_eq!(slots(&around, &[], 77), (two_and_one, false));
        assert!(!around.shares_prefix() && PromptLayout::around([3, 0]).shares_prefix());
        layout.layout = NamePosition::Front;
        let front = vec![T(1), T(10), T(11), V(0), V(1), V(2), T(9), T(2)];
        assert_eq!(slots(&layout, &[], 77), (front, false));
    }

    #[test]
    fn vectors_may_stand_alone() {
        let layout = PromptLayout {
            nameless: true,
            ..PromptLayout::end(2)
        };
        assert_eq!(
            slots(&layout, &[], 77),
            (vec![T(1), V(0), V(1), T(2)], false)
        );
        assert!(!layout.shares_prefix());
    }

    #[test]
    fn attributes_stand_behind_vectors_of_their_own() {
        let layout = PromptLayout {
            attributes: vec!["color".into(), "playfulness".into()],
            per_attribute: 2,
            ..PromptLayout::end(1)
        };
        assert_eq!(layout.rows(), 5);
        let expected = vec![
            T(1),
            V(0),
            V(1),
            T(20),
            V(2),
            V(3),
            T(21),
            T(22),
            V(4),
            T(10),
            T(11),
            T(9),
            T(2),
        ];
        assert_eq!(
            slots(&layout, &[vec![20], vec![21, 22]], 77),
            (expected, false)
        );
    }

    #[test]
    fn a_name_that_does_not_fit_is_cut() {
        let layout = PromptLayout::end(3);
        let cut = vec![T(1), V(0), V(1), V(2), T(10), T(11), T(2)];
        assert_eq!(slots(&layout, &[], 7), (cut, true));
        let shorter = vec![T(1), V(0), V(1), V(2), T(10), T(2)];
        assert_eq!(slots(&layout, &[], 6), (shorter, true));
        let none = layout.slots((1, 2), &[], &[10], &[9], 5);
        assert_eq!(none.unwrap_err().kind(), Kind::PromptInvalid);
    }
}
