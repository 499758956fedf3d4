//! Data sets as zips, hostile ones included.

use std::io::{Cursor, Write};
use std::path::PathBuf;

use promptlens::dataset::{DataSet, Limits, unpack};
use promptlens::error::{Error, Result};
use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, ZipWriter};

fn packed(files: &[(&str, &[u8])], method: CompressionMethod) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(method);
    for (name, bytes) in files {
        zip.start_file(*name, options).unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn deflated(files: &[(&str, &[u8])]) -> Vec<u8> {
    packed(files, CompressionMethod::Deflated)
}

/// Replaces every `old` by `new`, which is as long.
fn swapped(mut bytes: Vec<u8>, old: &[u8], new: &[u8]) -> Vec<u8> {
    assert_eq!(old.len(), new.len());
    let places: Vec<usize> = (0..bytes.len() - old.len())
        .filter(|at| bytes[*at..].starts_with(old))
        .collect();
    assert!(!places.is_empty());
    for at in places {
        bytes[at..at + new.len()].copy_from_slice(new);
    }
    bytes
}

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn open(&self, bytes: &[u8], limits: &Limits) -> Result<DataSet> {
        let path: PathBuf = self.0.path().join("data");
        std::fs::write(&path, bytes).unwrap();
        DataSet::open(&path, limits)
    }
}

type Found = Vec<(String, Result<Vec<u8>, &'static str>)>;

fn read(data: &DataSet) -> Result<Found> {
    let items: Vec<_> = data.items().iter().collect();
    let mut found = Vec::new();
    data.read(&items, &mut |item, bytes| {
        found.push((item.path.clone(), bytes.map_err(|e| e.code())));
        Ok(())
    })?;
    Ok(found)
}

const FILES: [(&str, &[u8]); 5] = [
    ("test/cat/0.jpg", b"zero"),
    ("test/French horn/1.jpg", b"one"),
    ("train/cat/2.jpg", b"two"),
    ("test/cat/.hidden", b"-"),
    ("README", b"-"),
];

#[test]
fn zips_are_read_as_folders_are() {
    let place = Place::new();
    for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
        let bytes = packed(&FILES, method);
        let data = place.open(&bytes, &Limits::default()).unwrap();
        assert_eq!(
            data.splits().into_iter().collect::<Vec<_>>(),
            ["test", "train"]
        );
        assert_eq!(data.ignored(), 1);
        let expected: Found = FILES[..3]
            .iter()
            .map(|(name, bytes)| ((*name).to_owned(), Ok(bytes.to_vec())))
            .collect();
        assert_eq!(read(&data).unwrap(), expected);
        // Two of them, without the one between.
        let items = [&data.items()[0], &data.items()[2]];
        let mut seen = Vec::new();
        data.read(&items, &mut |_, bytes| {
            seen.push(bytes?);
            Ok(())
        })
        .unwrap();
        assert_eq!(seen, [b"zero".to_vec(), b"two".to_vec()]);

        // In memory every visible file is there, wherever it lies.
        let all = unpack("photos.zip", &bytes, &Limits::default()).unwrap();
        let names: Vec<&str> = all.iter().map(|(path, _)| path.as_str()).collect();
        assert_eq!(
            names,
            [
                "test/cat/0.jpg",
                "test/French horn/1.jpg",
                "train/cat/2.jpg",
                "README"
            ]
        );
        assert_eq!(all[1].1.as_deref().unwrap(), b"one");
    }
}

#[test]
fn names_that_point_outside_are_refused() {
    let place = Place::new();
    let bytes = deflated(&[("cat/0.jpg", b"0"), ("xx/cat/1.jpg", b"1")]);
    let sly = swapped(bytes, b"xx/cat", b"../cat");
    let error = place.open(&sly, &Limits::default()).expect_err("outside");
    assert_eq!(error.code(), "data/unsafe-path");
    assert_eq!(
        unpack("z", &sly, &Limits::default()).unwrap_err().code(),
        "data/unsafe-path"
    );
}

#[test]
fn links_and_folders_are_passed_over() {
    let place = Place::new();
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default();
    zip.add_directory("cat", options).unwrap();
    zip.add_symlink("cat/0.jpg", "/etc/passwd", options)
        .unwrap();
    zip.start_file("cat/1.jpg", options).unwrap();
    zip.write_all(b"one").unwrap();
    let bytes = zip.finish().unwrap().into_inner();
    let data = place.open(&bytes, &Limits::default()).unwrap();
    assert_eq!(
        read(&data).unwrap(),
        [("cat/1.jpg".to_owned(), Ok(b"one".to_vec()))]
    );
}

#[test]
fn bombs_meet_limits() {
    let place = Place::new();
    let zeros = vec![0u8; 1 << 20];
    let bytes = deflated(&[
        ("cat/0.jpg", b"0"),
        ("cat/1.jpg", &zeros),
        ("cat/2.jpg", b"2"),
    ]);
    assert!(bytes.len() < 4096);
    let small = Limits {
        file_bytes: 1 << 16,
        ..Limits::default()
    };
    let codes = |bytes: &[u8], limits: &Limits| -> Vec<Option<&'static str>> {
        let found = read(&place.open(bytes, limits).unwrap()).unwrap();
        found
            .iter()
            .map(|(_, bytes)| bytes.as_ref().err().copied())
            .collect()
    };
    assert_eq!(codes(&bytes, &small), [None, Some("image/too-large"), None]);

    // It claims to be small, in both of its headers.
    let claim = (1u32 << 20).to_le_bytes();
    let liar = swapped(bytes.clone(), &claim, &9u32.to_le_bytes());
    assert_eq!(codes(&liar, &small), [None, Some("data/invalid"), None]);

    let tight = Limits {
        archive_bytes: 1 << 16,
        ..Limits::default()
    };
    let data = place.open(&bytes, &tight).unwrap();
    assert_eq!(read(&data).unwrap_err().code(), "data/too-large");
    let few = Limits {
        entries: 2,
        ..Limits::default()
    };
    assert_eq!(
        place.open(&bytes, &few).unwrap_err().code(),
        "data/too-large"
    );
    let short = Limits {
        name_bytes: 8,
        ..Limits::default()
    };
    assert_eq!(
        place.open(&bytes, &short).unwrap_err().code(),
        "data/too-large"
    );
}

#[test]
fn one_damaged_member_does_not_hide_the_others() {
    let place = Place::new();
    let bytes = packed(
        &[
            ("cat/0.jpg", b"zero"),
            ("cat/1.jpg", b"unlike any other"),
            ("cat/2.jpg", b"two"),
        ],
        CompressionMethod::Stored,
    );
    let damaged = swapped(bytes, b"unlike any other", b"UNLIKE any other");
    let found = read(&place.open(&damaged, &Limits::default()).unwrap()).unwrap();
    let codes: Vec<_> = found
        .iter()
        .map(|(_, b)| b.as_ref().err().copied())
        .collect();
    assert_eq!(codes, [None, Some("data/invalid"), None]);
}

#[test]
fn what_is_no_zip_is_refused() {
    let place = Place::new();
    let good = deflated(&[("cat/0.jpg", b"0")]);
    let code = |bytes: &[u8]| place.open(bytes, &Limits::default()).unwrap_err().code();
    assert_eq!(code(&good[..good.len() / 2]), "data/invalid");
    assert_eq!(code(b"PK\x03\x04"), "data/invalid");
    assert_eq!(code(&deflated(&[])), "data/empty");
    assert_eq!(code(&deflated(&[("loose.jpg", b"0")])), "data/empty");
}

/// Whatever byte is changed, the answer is a data set or an error.
#[test]
fn damage_anywhere_never_panics() {
    let bytes = deflated(&FILES);
    let mut refused = 0;
    for at in 0..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0x80 | (at as u8 & 0x7f);
        let found: Result<_, Error> = unpack("z", &damaged, &Limits::default());
        refused += usize::from(match found {
            Ok(files) => files.iter().any(|(_, bytes)| bytes.is_err()),
            Err(_) => true,
        });
    }
    assert!(refused > 100, "{refused}");
}
