//! What the names and shapes of a weights file say about a CLIP without its configuration.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::header::Header;
use super::names::{FileLayout, meaning};
use super::quantized_file::SHAPES;
use crate::clip::efficientnet::{EfficientNetConfig, FEATURES};

/// Sizes of a CLIP; `None` if the file does not tell.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Shapes {
    /// Always `clip`.
    pub family: &'static str,
    /// Columns of the joint space.
    pub projection_dim: Option<usize>,
    /// The image tower.
    pub vision: TowerShapes,
    /// The text tower.
    pub text: TowerShapes,
}

/// Sizes of a tower.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct TowerShapes {
    /// The convolutional trunk; `None` if the tower is made of transformer blocks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub trunk: Option<&'static str>,
    /// Columns of a token row, or of the last layer of a trunk.
    pub width: Option<usize>,
    /// Transformer blocks.
    pub layers: usize,
    /// Hidden columns of the MLP.
    pub mlp: Option<usize>,
    /// Side of the image.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub image_size: Option<usize>,
    /// Side of a patch.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub patch_size: Option<usize>,
    /// Longest sequence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub context_length: Option<usize>,
    /// Rows of the token table.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub vocab_size: Option<usize>,
}

impl Shapes {
    /// Sizes of both towers; `None` if the file is no CLIP by any naming that is known.
    pub fn of(header: &Header) -> Option<Self> {
        let packed: BTreeMap<String, Vec<usize>> = header
            .metadata
            .get(SHAPES)
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default();
        let mut shapes = packed;
        for entry in &header.entries {
            let (names, layout) = meaning(&entry.name);
            let mut shape = entry.shape.clone();
            match layout {
                FileLayout::Same => {}
                FileLayout::Transposed => shape.reverse(),
                FileLayout::Thirds => {
                    if let Some(rows) = shape.first_mut() {
                        *rows /= names.len();
                    }
                }
            }
            shapes.extend(names.into_iter().map(|name| (name, shape.clone())));
        }
        let side = |name: &str, axis: usize| shapes.get(name).and_then(|s| s.get(axis)).copied();
        let tower = |name: &str| TowerShapes {
            layers: layers(&shapes, &format!("{name}.encoder.layers.")),
            mlp: side(&format!("{name}.encoder.layers.0.mlp.fc1.bias"), 0),
            ..TowerShapes::default()
        };
        let table = "text_model.embeddings.token_embedding.weight";
        let lite = EfficientNetConfig::find_lite(|conv| shapes.get(&conv.weight().name).cloned());
        let trunk = lite.map(|lite| TowerShapes {
            trunk: Some(lite.name()),
            width: Some(FEATURES),
            layers: EfficientNetConfig::trunk(lite, 1).blocks().len(),
            ..TowerShapes::default()
        });
        let vision_width = side("vision_model.embeddings.class_embedding", 0);
        let text_width = side(table, 1);
        if trunk.is_none() && vision_width.is_none() && text_width.is_none() {
            return None;
        }
        let patch = side("vision_model.embeddings.patch_embedding.weight", 2);
        let image = side("vision_model.embeddings.position_embedding.weight", 0)
            .zip(patch)
            .and_then(|(rows, patch)| rows.checked_sub(1)?.isqrt().checked_mul(patch));
        Some(Self {
            family: "clip",
            projection_dim: side("visual_projection.weight", 0)
                .or_else(|| side("visual.head.proj.weight", 0)),
            vision: trunk.unwrap_or_else(|| TowerShapes {
                width: vision_width,
                image_size: image,
                patch_size: patch,
                ..tower("vision_model")
            }),
            text: TowerShapes {
                width: text_width,
                context_length: side("text_model.embeddings.position_embedding.weight", 0),
                vocab_size: side(table, 0),
                ..tower("text_model")
            },
        })
    }
}

/// Different numbers that follow `prefix`.
fn layers(shapes: &BTreeMap<String, Vec<usize>>, prefix: &str) -> usize {
    let numbers: BTreeSet<&str> = shapes
        .keys()
        .filter_map(|name| name.strip_prefix(prefix)?.split_once('.'))
        .map(|(number, _)| number)
        .collect();
    numbers.len()
}
