//! A start of the text tower that already knows words.

use super::linear_algebra::principal;
use super::text_layout::{TextLayout, TextSizes};
use super::text_targets::{Kind, TextTargets};
use crate::rng::Rng;

/// The constant column of a token's row.
const CONSTANT: f32 = 0.4;

/// Random values with the deviations of CLIP's own initialization, then what `tokens` and
/// `directions` know: a token's row is the mean of the targets of the names that it occurs in, in
/// the principal `directions` [width - 1, out]; a constant column keeps rows of words that mean
/// nothing small in LayerNorm; the first block passes on the mean of what stands before, and the
/// projection is the directions.
pub fn warm_start(
    layout: &TextLayout,
    tokens: &[Vec<f32>],
    directions: &[f64],
    seed: u64,
) -> Vec<f32> {
    let sizes = layout.sizes;
    let (w, out) = (sizes.width, sizes.out);
    let residual = (2.0 * sizes.layers as f64).powf(-0.5);
    let mut values = vec![0f32; layout.total()];
    for (index, leaf) in layout.leaves.iter().enumerate() {
        let mut rng = Rng::derive(seed, index as u64);
        let name = leaf.name.as_str();
        let first = name.starts_with("transformer.resblocks.0.");
        let part = &mut values[leaf.range.clone()];
        let mut normal = |part: &mut [f32], deviation: f64| {
            part.iter_mut()
                .for_each(|v| *v = (rng.normal() * deviation) as f32);
        };
        let width = w as f64;
        if name.ends_with("attn.in_proj_weight") {
            normal(part, width.powf(-0.5) * if first { 0.3 } else { 1.0 });
            if first {
                set_identity(&mut part[2 * w * w..], w, 1.0);
            }
        } else if name.ends_with("attn.out_proj.weight") {
            normal(part, width.powf(-0.5) * residual * 0.5);
            if first {
                set_identity(part, w, 0.5);
            }
        } else if name.ends_with("c_fc.weight") {
            normal(part, (2.0 * width).powf(-0.5));
        } else if name.ends_with("c_proj.weight") {
            normal(part, width.powf(-0.5) * residual * 0.5);
        } else if name == "positional_embedding" {
            normal(part, 0.01);
        } else if name == "token_embedding.weight" {
            for (row, target) in part.chunks_exact_mut(w).zip(tokens) {
                row[0] = CONSTANT;
                for (v, direction) in row[1..].iter_mut().zip(directions.chunks_exact(out)) {
                    let along = target.iter().zip(direction).map(|(t, d)| f64::from(*t) * d);
                    *v = along.sum::<f64>() as f32;
                }
            }
        } else if name == "text_projection" {
            for (row, direction) in part[out..]
                .chunks_exact_mut(out)
                .zip(directions.chunks_exact(out))
            {
                row.iter_mut()
                    .zip(direction)
                    .for_each(|(v, d)| *v = *d as f32);
            }
        } else if name.ends_with("ln_1.weight")
            || name.ends_with("ln_2.weight")
            || name == "ln_final.weight"
        {
            part.fill(1.0);
        }
    }
    values
}

fn set_identity(part: &mut [f32], width: usize, value: f32) {
    part.fill(0.0);
    for i in 0..width {
        part[i * width + i] = value;
    }
}

/// Mean targets of the tokens, [tokens, out], and the principal directions [width - 1, out] of all
/// targets. `spelled` are the ids of each item's text.
pub fn word_knowledge(
    targets: &TextTargets,
    spelled: &[Vec<u32>],
    sizes: TextSizes,
) -> (Vec<Vec<f32>>, Vec<f64>) {
    let mut sums = vec![vec![0f32; sizes.out]; sizes.vocabulary];
    let mut counts = vec![0f32; sizes.vocabulary];
    let mut rows: Vec<f32> = Vec::new();
    for (item, ids) in targets.items.iter().zip(spelled) {
        let weight = match item.kind {
            Kind::Known | Kind::Class | Kind::Alias => 4.0,
            Kind::Plural | Kind::Clip => 2.0,
            Kind::Noun => 0.5,
            Kind::Caption => continue,
        };
        let target = targets.row(item.row);
        if item.kind != Kind::Noun {
            rows.extend_from_slice(target);
        }
        // Start and end are no words.
        for id in &ids[1..ids.len() - 1] {
            let id = *id as usize;
            counts[id] += weight;
            sums[id]
                .iter_mut()
                .zip(target)
                .for_each(|(s, t)| *s += weight * t);
        }
    }
    for (sum, count) in sums.iter_mut().zip(&counts) {
        sum.iter_mut().for_each(|v| *v /= count.max(1.0));
    }
    let directions = principal(&rows, sizes.out, sizes.width - 1);
    (sums, directions)
}
