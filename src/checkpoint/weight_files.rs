//! Streams the weights of a folder from one file, or from several that an index lists.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use super::description::{absent, listed, no_weights};
use super::model_folder::{ModelFolder, WeightSink};
use super::torch_stream::is_torch;
use crate::error::{Error, Kind, Result};

/// Streams the first of the files `candidates` that is there into `feed`.
pub(super) async fn stream(
    folder: &impl ModelFolder,
    candidates: &[String],
    feed: &mut WeightSink<'_>,
) -> Result<()> {
    for name in candidates {
        if let Some(end) = listed(name) {
            let Some(index) = folder.small(name).await? else {
                continue;
            };
            let (files, names) = read_index(name, end, &index)?;
            feed.loader.expect(names.iter().map(String::as_str))?;
            // PyTorch's files have no header: each is checked when its pickle has come.
            let torch = files.iter().all(|file| is_torch(file));
            if !torch {
                let mut headers = Vec::with_capacity(files.len());
                for file in &files {
                    let header = folder.header(file).await?;
                    headers.push(header.ok_or_else(|| absent(Kind::WeightsMissing, file))?);
                }
                feed.loader.check(&headers)?;
            }
            for file in &files {
                if !folder.weights(file, feed).await? {
                    return Err(absent(Kind::WeightsMissing, file));
                }
                if !torch {
                    feed.loader.end_file()?;
                }
            }
            return Ok(());
        }
        if folder.weights(name, feed).await? {
            return Ok(());
        }
    }
    Err(no_weights(folder, candidates).await?)
}

/// The files of a sharded checkpoint in their order, and the tensors in all of them.
fn read_index(name: &str, end: &str, bytes: &[u8]) -> Result<(Vec<String>, Vec<String>)> {
    #[derive(Deserialize)]
    struct Index {
        weight_map: BTreeMap<String, String>,
    }
    let invalid = |what: String| Error::new(Kind::WeightsInvalid, format!("{name} {what}."));
    let index: Index =
        serde_json::from_slice(bytes).map_err(|e| invalid(format!("cannot be read ({e})")))?;
    let files: BTreeSet<String> = index.weight_map.values().cloned().collect();
    let inside = |file: &String| {
        file.ends_with(end) && !file.contains(['/', '\\', ':']) && !file.starts_with('.')
    };
    if files.is_empty() || files.len() > 1000 || !files.iter().all(inside) {
        return Err(invalid(
            "names no files, or files that lie elsewhere".to_owned(),
        ));
    }
    Ok((
        files.into_iter().collect(),
        index.weight_map.into_keys().collect(),
    ))
}
