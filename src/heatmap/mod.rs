//! Where in the photo the names are: maps over the part of it that the model looks at.
//!
//! A map holds, for each place, how the names share it: the softmax over the classes of
//! `logit_scale` times the cosine of the place's feature with each name. What a place's feature is
//! depends on the method:
//!
//! - [`HeatmapMethod::Patches`]: the patch's token through the value path of the last block, the final
//!   norm and the projection, as the local features of GL-MCM (Miyai et al., 2023) and MaskCLIP
//!   (Zhou et al., 2022). One pass, as fine as the patches.
//! - [`HeatmapMethod::Regions`]: windows of half the side, each seen as a photo of its own
//!   ([`regions`]). [`regions::WINDOWS`] passes, coarse, and without any assumption on the tower.
//!
//! Neither says why the model answered as it did: both say what it would answer for the parts.

pub mod regions;

use serde::Serialize;

use crate::error::Result;
use crate::math::{MatrixView, cosines, softmax};

/// Names that get a map: the most probable ones.
pub const MAPS: usize = 20;

named_enum! {
    /// A way of making maps.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum HeatmapMethod: "heat map", OptionInvalid {
        /// Features of the patches.
        Patches = "patches",
        /// Windows as photos of their own.
        Regions = "regions",
    }
}

/// One name over the photo.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Map {
    /// The class name as given.
    pub label: String,
    /// Its share of every place, 0 to 1, rows from the top: `height * width`. The shares of all
    /// classes in one place sum to 1.
    pub values: Vec<f32>,
}

/// Maps of one photo, over the part of it that the model looks at.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Heatmap {
    /// The method's name.
    pub method: &'static str,
    /// Places in a row.
    pub width: usize,
    /// Rows.
    pub height: usize,
    /// At most [`MAPS`], in the order of the answer.
    pub maps: Vec<Map>,
}

/// How the classes share each place, `[places, K]`: softmax of `scale` times the cosines of
/// L2-normalized `places` [places, d] with L2-normalized `texts` [K, d].
///
/// # Errors
/// `engine/internal` if the widths differ.
pub fn shares(places: &[f32], texts: &[f32], width: usize, scale: f32) -> Result<Vec<f64>> {
    let texts = MatrixView::new(texts, width)?;
    let all = cosines(MatrixView::new(places, width)?, texts)?;
    Ok(all
        .chunks_exact(texts.len())
        .flat_map(|place| softmax(place, 1.0 / f64::from(scale)))
        .collect())
}

/// The maps of the most probable names, from the shares `[height * width, K]` of all classes.
/// `ranking` holds places of `labels`, the most probable first.
pub fn maps(
    method: HeatmapMethod,
    (width, height): (usize, usize),
    shares: &[f64],
    labels: &[String],
    ranking: &[usize],
) -> Heatmap {
    let map = |class: &usize| Map {
        label: labels[*class].clone(),
        values: shares
            .chunks_exact(labels.len())
            .map(|place| place[*class] as f32)
            .collect(),
    };
    Heatmap {
        method: method.name(),
        width,
        height,
        maps: ranking.iter().take(MAPS).map(map).collect(),
    }
}
