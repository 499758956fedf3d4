//! Class names as tokens around the vectors of a context.

use std::ops::Range;

use super::layout::{PromptLayout, PromptToken, no_room};
use super::template::spoken;
use crate::error::Result;
use crate::tokenize::ClipTokenizer;

/// A list of class names, each tokenized as one prompt around the vectors of a context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PromptTokens {
    /// Every class's prompt, start and end included.
    pub(super) prompts: Vec<Vec<PromptToken>>,
    /// M, the vectors of one context.
    pub(super) vectors: usize,
    /// The context of every class. `None`: every class is encoded with every context.
    pub(super) assigned: Option<Vec<usize>>,
    /// Whether classes share the tokens in front of their names, with no vectors behind them.
    pub(super) shares_prefix: bool,
    /// Names that were cut to fit.
    pub truncated: usize,
}

impl PromptTokens {
    /// Tokenizes `names`. A name that does not fit loses its full stop and then its end.
    ///
    /// # Errors
    /// `labels/too-long` for a name beyond the tokenizer's limit, `prompt/invalid` if the vectors
    /// leave no room for a name.
    pub fn new(names: &[String], layout: &PromptLayout, tokenizer: &ClipTokenizer) -> Result<Self> {
        let inner = |text: &str| {
            let tokens = tokenizer.encode(text)?;
            let ids = tokens.ids[1..tokens.ids.len() - 1].to_vec();
            Ok((ids, tokens.truncated))
        };
        let attributes = layout
            .attributes
            .iter()
            .map(|word| Ok(inner(word)?.0))
            .collect::<Result<Vec<_>>>()?;
        let ends = (tokenizer.sot(), tokenizer.eot());
        let limit = tokenizer.context_length();
        let mut truncated = 0;
        let mut prompts = Vec::with_capacity(names.len());
        for name in names {
            let name = spoken(name);
            let length = inner(&name)?.0.len();
            // The full stop is tokenized with the name, as it may join the last word.
            let (whole, cut_by_tokenizer) = inner(&format!("{name}."))?;
            let (name, stop) = whole.split_at(length.min(whole.len()));
            let (prompt, cut) = layout.slots(ends, &attributes, name, stop, limit)?;
            truncated += usize::from(cut || cut_by_tokenizer);
            prompts.push(prompt);
        }
        Ok(Self {
            prompts,
            vectors: layout.rows(),
            assigned: layout.assigned.clone(),
            shares_prefix: layout.shares_prefix(),
            truncated,
        })
    }

    /// Prompts of token ids, without words: `sot`, `vectors` vectors, and each of `suffixes`, which
    /// ends with EOT.
    pub fn from_suffixes(sot: u32, vectors: usize, suffixes: &[Vec<u32>]) -> Self {
        let prompt = |suffix: &Vec<u32>| {
            let start = std::iter::once(PromptToken::Token(sot));
            let context = (0..vectors).map(PromptToken::Vector);
            let ids = suffix.iter().map(|id| PromptToken::Token(*id));
            start.chain(context).chain(ids).collect()
        };
        Self {
            prompts: suffixes.iter().map(prompt).collect(),
            vectors,
            assigned: None,
            shares_prefix: true,
            truncated: 0,
        }
    }

    /// The same names behind `vectors` vectors, in at most `limit` places: what does not fit is cut off
    /// their ends.
    ///
    /// # Errors
    /// `prompt/invalid` if the vectors leave no room for a name.
    pub fn with_vectors(&self, vectors: usize, limit: usize) -> Result<Self> {
        let taken = vectors + 2;
        let room = limit.saturating_sub(taken);
        if room == 0 {
            return Err(no_room(taken));
        }
        let cut = |mut suffix: Vec<u32>| {
            if let Some(end) = suffix.pop() {
                suffix.truncate(room);
                suffix.push(end);
            }
            suffix
        };
        let suffixes: Vec<Vec<u32>> = self.suffixes().into_iter().map(cut).collect();
        let sot = self.prompts.first().and_then(|prompt| prompt[0].id());
        Ok(Self::from_suffixes(sot.unwrap_or(0), vectors, &suffixes))
    }

    /// K, the number of names.
    pub fn len(&self) -> usize {
        self.prompts.len()
    }

    /// Whether there are no names.
    pub fn is_empty(&self) -> bool {
        self.prompts.is_empty()
    }

    /// The token ids of every class behind the start and the context, EOT last; for a context in
    /// front of every name.
    pub fn suffixes(&self) -> Vec<Vec<u32>> {
        self.suffixes_of(0..self.len())
    }

    pub(super) fn suffixes_of(&self, classes: Range<usize>) -> Vec<Vec<u32>> {
        let ids = |prompt: &Vec<PromptToken>| {
            let rest = prompt[1 + self.vectors..].iter();
            rest.filter_map(PromptToken::id).collect()
        };
        self.prompts[classes].iter().map(ids).collect()
    }
}
