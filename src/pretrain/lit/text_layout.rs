//! The weights of the text tower in training, as one flat list under OpenCLIP's names.

use std::ops::Range;

use serde::{Deserialize, Serialize};

/// Sizes of a text tower.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct TextSizes {
    /// Columns of a token row.
    pub width: usize,
    /// Blocks.
    pub layers: usize,
    /// Attention heads.
    pub heads: usize,
    /// Longest sequence.
    pub context_length: usize,
    /// Tokens.
    pub vocabulary: usize,
    /// Columns of the joint space.
    pub out: usize,
}

/// A tensor in the flat list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leaf {
    /// OpenCLIP's name.
    pub name: String,
    /// Dimensions.
    pub shape: Vec<usize>,
    /// Its place.
    pub range: Range<usize>,
}

/// Where every tensor lies: matrices first, which decay, then the rest, the token table last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TextLayout {
    /// Sizes.
    pub sizes: TextSizes,
    /// Tensors in order.
    pub leaves: Vec<Leaf>,
    /// How many values, from the first, are matrices.
    pub matrices: usize,
}

impl TextLayout {
    /// The layout of a tower of these sizes.
    pub fn new(sizes: TextSizes) -> Self {
        let w = sizes.width;
        let mut tensors: Vec<(String, Vec<usize>)> = Vec::new();
        let mut rest: Vec<(String, Vec<usize>)> = Vec::new();
        for i in 0..sizes.layers {
            let block = |part: &str| format!("transformer.resblocks.{i}.{part}");
            tensors.push((block("attn.in_proj_weight"), vec![3 * w, w]));
            tensors.push((block("attn.out_proj.weight"), vec![w, w]));
            tensors.push((block("mlp.c_fc.weight"), vec![4 * w, w]));
            tensors.push((block("mlp.c_proj.weight"), vec![w, 4 * w]));
            rest.push((block("attn.in_proj_bias"), vec![3 * w]));
            rest.push((block("attn.out_proj.bias"), vec![w]));
            rest.push((block("mlp.c_fc.bias"), vec![4 * w]));
            rest.push((block("mlp.c_proj.bias"), vec![w]));
            for norm in ["ln_1", "ln_2"] {
                rest.push((block(&format!("{norm}.weight")), vec![w]));
                rest.push((block(&format!("{norm}.bias")), vec![w]));
            }
        }
        tensors.push(("text_projection".to_owned(), vec![w, sizes.out]));
        let mut at = 0;
        let matrices = tensors
            .iter()
            .map(|(_, s)| s.iter().product::<usize>())
            .sum();
        rest.push(("ln_final.weight".to_owned(), vec![w]));
        rest.push(("ln_final.bias".to_owned(), vec![w]));
        rest.push((
            "positional_embedding".to_owned(),
            vec![sizes.context_length, w],
        ));
        rest.push((
            "token_embedding.weight".to_owned(),
            vec![sizes.vocabulary, w],
        ));
        let leaves = tensors
            .into_iter()
            .chain(rest)
            .map(|(name, shape)| {
                let start = at;
                at += shape.iter().product::<usize>();
                Leaf {
                    name,
                    shape,
                    range: start..at,
                }
            })
            .collect();
        Self {
            sizes,
            leaves,
            matrices,
        }
    }

    /// Number of values.
    pub fn total(&self) -> usize {
        self.leaves.last().map_or(0, |leaf| leaf.range.end)
    }

    /// The place of a tensor; an empty one for a name that there is not.
    pub fn range(&self, name: &str) -> Range<usize> {
        let leaf = self.leaves.iter().find(|leaf| leaf.name == name);
        leaf.map_or(0..0, |leaf| leaf.range.clone())
    }
}
