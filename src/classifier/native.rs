//! Opens a model directory from the file system.

use std::path::Path;

use super::{Classifier, Loading, ModelFiles};
use crate::device::{Processor, self_test};
use crate::error::{Error, Kind, Result};
use crate::weights::{Quantisation, WEIGHTS_FILE, stream_file};

/// The largest small file that is read.
const LIMIT: u64 = 64 << 20;

/// The small files of `dir`; absent ones stay out.
///
/// # Errors
/// `io/failed` if the directory or a file in it cannot be read.
pub fn files(dir: &Path) -> Result<ModelFiles> {
    if !dir.is_dir() {
        return Err(Error::new(
            Kind::Io,
            format!("{} is not a directory.", dir.display()),
        ));
    }
    let read = |name: &str| {
        let path = dir.join(name);
        if path.is_file() {
            crate::weights::read_file(&path, LIMIT, Kind::Io).map(Some)
        } else {
            Ok(None)
        }
    };
    Ok(ModelFiles {
        config: read("config.json")?,
        tokenizer: read("tokenizer.json")?,
        preprocessor: read("preprocessor_config.json")?,
        self_test: read(self_test::FILE)?,
    })
}

/// Loads the model in `dir` onto `processor`.
///
/// # Errors
/// Those of [`Loading`], and `io/failed`.
pub async fn open(
    dir: &Path,
    processor: Processor,
    quantisation: Option<Quantisation>,
) -> Result<Classifier> {
    let mut loading = Loading::new(&files(dir)?, quantisation, processor)?;
    stream_file(&dir.join(WEIGHTS_FILE), &mut |bytes| loading.push(bytes))?;
    loading.finish(quantisation).await
}
