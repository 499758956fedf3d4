//! Templates that fit photos without labels: how near the nearest class comes, without repeating what is
//! chosen.

use serde::Serialize;

use super::Tool;
use crate::math::{argmax, dot};
use crate::prompt_learning::recipe::Evidence;

/// The tool.
pub const TOOL: Tool = Tool {
    name: "templates-suggested",
    paper: "after the description of UF-FGTG, Hei et al. 2024 (AAAI)",
    summary: "Ranks templates of a list by how well they fit your photos; nothing is written by machine.",
    evidence: Evidence::Readme,
    needs: "photos, labeled or not",
    command: "suggest-templates",
    method: None,
};

/// A template that fits.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Suggestion {
    /// Its place in the list.
    pub place: usize,
    /// The mean over the photos of the cosine of the nearest class.
    pub fit: f64,
    /// Its mean cosine to the templates that were chosen before; 0 for the first.
    pub alike: f64,
}

/// The mean over unit images [N, d] of the largest cosine to unit texts [K, d].
pub fn fit(texts: &[f64], images: &[f32], d: usize) -> f64 {
    let nearest = images.chunks_exact(d).map(|image| {
        let cosines = texts.chunks_exact(d).map(|text| dot(image, text));
        cosines.fold(f64::NEG_INFINITY, f64::max)
    });
    nearest.sum::<f64>() / (images.len() / d).max(1) as f64
}

/// `count` of the templates whose unit texts are [P, K, d]: each time the one of largest fit minus mean
/// cosine to those that are chosen, the earlier one if two are equal.
pub fn suggest(
    texts: &[f64],
    classes: usize,
    images: &[f32],
    d: usize,
    count: usize,
) -> Vec<Suggestion> {
    let templates: Vec<&[f64]> = texts.chunks_exact(classes * d).collect();
    let fits: Vec<f64> = templates.iter().map(|t| fit(t, images, d)).collect();
    let mut sums = vec![0.0; templates.len()];
    let mut chosen: Vec<Suggestion> = Vec::new();
    while chosen.len() < count.min(templates.len()) {
        let alike: Vec<f64> = sums
            .iter()
            .map(|sum| sum / chosen.len().max(1) as f64)
            .collect();
        let worth: Vec<f64> = (0..templates.len())
            .map(|p| match chosen.iter().any(|c| c.place == p) {
                true => f64::NEG_INFINITY,
                false => fits[p] - alike[p],
            })
            .collect();
        let place = argmax(&worth);
        chosen.push(Suggestion {
            place,
            fit: fits[place],
            alike: alike[place],
        });
        for (sum, other) in sums.iter_mut().zip(&templates) {
            // Rows have length one, so the product of two lists of K rows is K times their mean cosine.
            *sum += dot(other, templates[place]) / classes as f64;
        }
    }
    chosen
}
