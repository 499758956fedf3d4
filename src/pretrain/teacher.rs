//! Text embeddings of another model that the text tower is pulled towards.

use std::path::Path;

use safetensors::SafeTensors;

use super::held_out::HeldOut;
use crate::checkpoint::read_file;
use crate::error::{Error, Kind, Result};
use crate::math::normalize_rows;

/// The largest file that is read.
const MAX_BYTES: u64 = 512 << 20;

/// Names with their embeddings, of length one.
#[derive(Debug, Clone, PartialEq)]
pub struct Teacher {
    /// The names, spaces between words.
    pub names: Vec<String>,
    /// [names, width].
    pub embeddings: Vec<f32>,
    /// Columns.
    pub width: usize,
    /// Names of the file that are held out.
    pub left_out: usize,
}

impl Teacher {
    /// Reads a safetensors file with one F32 tensor `text` [names, width], and the names as a JSON
    /// list in the metadata field `names`. Held-out names are passed over.
    ///
    /// # Errors
    /// `weights/missing`, `weights/invalid` for anything else, `weights/wrong-shape` if it is not
    /// `width` wide, `weights/not-finite`.
    pub fn read(path: &Path, width: usize, held_out: &HeldOut) -> Result<Self> {
        let invalid = |what: &str| {
            Error::new(
                Kind::WeightsInvalid,
                format!(
                    "{} holds no text embeddings: {what}; give a safetensors file with the tensor text and the names in its metadata.",
                    path.display()
                ),
            )
        };
        let bytes = read_file(path, MAX_BYTES, Kind::WeightsMissing)?;
        let (_, header) =
            SafeTensors::read_metadata(&bytes).map_err(|error| invalid(&error.to_string()))?;
        let all = header
            .metadata()
            .as_ref()
            .and_then(|metadata| metadata.get("names"))
            .and_then(|names| serde_json::from_str::<Vec<String>>(names).ok())
            .ok_or_else(|| invalid("it has no list of names"))?;
        let file = SafeTensors::deserialize(&bytes).map_err(|error| invalid(&error.to_string()))?;
        let tensor = file
            .tensor("text")
            .map_err(|_| invalid("it has no tensor text"))?;
        if tensor.dtype() != safetensors::Dtype::F32 {
            return Err(invalid("its numbers are not F32"));
        }
        if tensor.shape() != [all.len(), width] {
            return Err(Error::new(
                Kind::WeightsWrongShape,
                format!(
                    "{} has embeddings of {:?} where the model calls for {} x {width}.",
                    path.display(),
                    tensor.shape(),
                    all.len()
                ),
            ));
        }
        let (mut names, mut embeddings) = (Vec::new(), Vec::new());
        for (name, row) in all.iter().zip(tensor.data().chunks_exact(width * 4)) {
            // LVIS writes a_name_(with_a_note).
            let plain = name.split("_(").next().unwrap_or(name).replace('_', " ");
            if held_out.holds(&plain) || held_out.holds(name) {
                continue;
            }
            names.push(plain);
            embeddings.extend(
                row.chunks_exact(4)
                    .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]])),
            );
        }
        if embeddings.iter().any(|v| !v.is_finite()) {
            return Err(Error::new(
                Kind::WeightsNotFinite,
                format!("{} holds NaN or infinity.", path.display()),
            ));
        }
        normalize_rows(&mut embeddings, width);
        Ok(Self {
            left_out: all.len() - names.len(),
            names,
            embeddings,
            width,
        })
    }
}
