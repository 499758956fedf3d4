//! From a file to pixels.

mod cases;
mod decoding;
mod hostile;
mod isobmff;
mod preprocessing;

use promptlens::image::{Limits, Rgb8, decode};

/// A file of `tests/image/files`.
fn file(name: &str) -> Vec<u8> {
    let path = std::path::Path::new("tests/image/files").join(name);
    std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn decoded(bytes: &[u8]) -> Rgb8 {
    decode(bytes, &Limits::default()).expect("a good image")
}

fn code(bytes: &[u8]) -> &'static str {
    decode(bytes, &Limits::default())
        .expect_err("a bad image")
        .code()
}
