//! Where the files of a model are (a directory, an address or a browser's store), and what takes the
//! bytes of its weights.

use super::header::Header;
use super::load::{DataHash, Loader};
use super::manifest::PackedFile;
use crate::error::Result;
use crate::quant::HostTensor;

/// Where the files of a model are.
#[expect(
    async_fn_in_trait,
    reason = "a browser's futures stay on their thread, so no bound on them is wanted"
)]
pub trait ModelFolder {
    /// A whole small file, or `None` if there is none.
    async fn small(&self, name: &str) -> Result<Option<Vec<u8>>>;

    /// Whether there is a file of this name.
    async fn has(&self, name: &str) -> Result<bool>;

    /// A chunk of a pack, of which length and hash are known; `again` if it came damaged before.
    async fn chunk(&self, file: &PackedFile, again: bool) -> Result<Vec<u8>>;

    /// The header of the safetensors file `name`; `None` if there is no such file.
    async fn header(&self, name: &str) -> Result<Option<Header>>;

    /// Gives the weights file `name` to `feed` from front to back; false if there is none.
    async fn weights(&self, name: &str, feed: &mut WeightSink<'_>) -> Result<bool>;
}

/// Takes the bytes of weights files and gives tensors to a sink.
pub struct WeightSink<'a> {
    pub(super) loader: Loader,
    sink: &'a mut dyn FnMut(&str, HostTensor) -> Result<()>,
}

impl<'a> WeightSink<'a> {
    /// A feed into `loader`, whose tensors go to `sink`.
    pub fn new(loader: Loader, sink: &'a mut dyn FnMut(&str, HostTensor) -> Result<()>) -> Self {
        Self { loader, sink }
    }

    /// The next bytes of the file.
    ///
    /// # Errors
    /// Those of [`Loader::push`].
    pub fn push(&mut self, bytes: &[u8]) -> Result<()> {
        self.loader.push(bytes, self.sink)
    }

    /// Says what a file holds that does not say so itself; see [`Loader::begin`].
    ///
    /// # Errors
    /// Those of [`Loader::begin`].
    pub fn begin(&mut self, header: Header, hash: DataHash) -> Result<()> {
        self.loader.begin(header, hash)
    }

    /// Says that the tensors of `all` follow in several parts, and checks that they are the model, unless
    /// an index has said what all files hold together.
    ///
    /// # Errors
    /// Those of [`Loader::expect`] and [`Loader::check`].
    pub(super) fn expect(&mut self, all: &Header) -> Result<()> {
        if self.loader.expects() {
            return Ok(());
        }
        let names = all.entries.iter().map(|entry| entry.name.as_str());
        self.loader.expect(names)?;
        self.loader.check(std::slice::from_ref(all))
    }

    /// Ends a part.
    ///
    /// # Errors
    /// Those of [`Loader::end_file`].
    pub(super) fn end_part(&mut self) -> Result<()> {
        self.loader.end_file()
    }

    /// Says that the parts since the last file were one of `bytes` bytes and this SHA-256.
    pub(super) fn seal(&mut self, sha256: String, bytes: u64) {
        self.loader.seal(sha256, bytes);
    }
}
