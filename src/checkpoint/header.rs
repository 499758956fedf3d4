//! The JSON header of a safetensors file, checked as the bytes of a stranger.
//!
//! A header is accepted only if the tensors, taken in offset order, cover the data exactly: no
//! overlap, no hole, no name twice, and every extent equal to what type and shape call for.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use safetensors::Dtype;
use safetensors::tensor::TensorInfo;
use serde::de::{Deserializer, Error as _, MapAccess, Visitor};

use crate::error::{Error, Kind, Result};

const METADATA: &str = "__metadata__";

/// One tensor of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Name in the file.
    pub name: String,
    /// Number format of an element.
    pub dtype: Dtype,
    /// Dimensions, outermost first; empty for a scalar.
    pub shape: Vec<usize>,
    /// Bytes of its data.
    pub bytes: u64,
}

/// What a safetensors file says about itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Header {
    /// The tensors in the order of their data.
    pub entries: Vec<Entry>,
    /// Free text by key.
    pub metadata: BTreeMap<String, String>,
    /// Bytes of all tensors' data.
    pub data_bytes: u64,
}

impl Header {
    /// Parses the JSON part of a file.
    ///
    /// # Errors
    /// `weights/invalid` for anything that is not a sound header.
    pub(super) fn parse(json: &[u8]) -> Result<Self> {
        if json.first() != Some(&b'{') {
            return Err(invalid("its header is not JSON"));
        }
        let mut reader = serde_json::Deserializer::from_slice(json);
        let raw = reader
            .deserialize_map(RawVisitor)
            .and_then(|raw| reader.end().map(|()| raw))
            .map_err(|error| invalid(format!("its header cannot be read ({error})")))?;

        let mut tensors = raw.tensors;
        tensors.sort_by(|(a_name, a), (b_name, b)| {
            (a.data_offsets, a_name).cmp(&(b.data_offsets, b_name))
        });
        let mut end = 0usize;
        let mut entries = Vec::with_capacity(tensors.len());
        for (name, info) in tensors {
            let (from, to) = info.data_offsets;
            if from != end || to < from {
                return Err(invalid(format!(
                    "the data of {} is not where the previous tensor ends",
                    shown(&name)
                )));
            }
            if data_len(&info) != Some(to - from) {
                return Err(invalid(format!(
                    "{} has {} bytes, which is not {:?} of {:?}",
                    shown(&name),
                    to - from,
                    info.shape,
                    info.dtype
                )));
            }
            end = to;
            entries.push(Entry {
                name,
                dtype: info.dtype,
                shape: info.shape,
                bytes: (to - from) as u64,
            });
        }
        Ok(Self {
            entries,
            metadata: raw.metadata,
            data_bytes: end as u64,
        })
    }
}

/// Bytes that type and shape call for, if that is a number of whole bytes that fits.
fn data_len(info: &TensorInfo) -> Option<usize> {
    let bits = info
        .shape
        .iter()
        .try_fold(1usize, |product, &side| product.checked_mul(side))?
        .checked_mul(info.dtype.bitsize())?;
    (bits % 8 == 0).then_some(bits / 8)
}

/// A name from a file, cut so that a message stays a message.
pub(super) fn shown(name: &str) -> String {
    const MAX: usize = 120;
    if name.chars().count() <= MAX {
        format!("{name:?}")
    } else {
        format!("{:?}...", name.chars().take(MAX).collect::<String>())
    }
}

pub(super) fn invalid(what: impl AsRef<str>) -> Error {
    Error::new(
        Kind::WeightsInvalid,
        format!(
            "The weights file is damaged: {}; download or copy it again.",
            what.as_ref()
        ),
    )
}

struct Raw {
    metadata: BTreeMap<String, String>,
    tensors: Vec<(String, TensorInfo)>,
}

/// Keeps every pair; a plain map would let the second of two equal names win.
struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a map from names to tensors")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Raw, M::Error> {
        let mut seen = BTreeSet::new();
        let mut raw = Raw {
            metadata: BTreeMap::new(),
            tensors: Vec::new(),
        };
        while let Some(name) = map.next_key::<String>()? {
            if !seen.insert(name.clone()) {
                return Err(M::Error::custom(format_args!(
                    "{} is there twice",
                    shown(&name)
                )));
            }
            if name == METADATA {
                raw.metadata = map.next_value()?;
            } else {
                raw.tensors.push((name, map.next_value()?));
            }
        }
        Ok(raw)
    }
}
