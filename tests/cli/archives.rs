//! Data sets as folders and archives, hostile ones included.

use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::Compression;
use flate2::write::GzEncoder;
use promptlens::dataset::{DataSet, Limits};
use promptlens::error::{Error, Result};
use tar::{Builder, EntryType, Header};

fn header(name: &str, size: u64, kind: EntryType) -> Header {
    let mut header = Header::new_gnu();
    // Written past the builder, which refuses names such as "../x".
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.set_size(size);
    header.set_mode(0o644);
    header.set_entry_type(kind);
    header.set_cksum();
    header
}

fn add(tar: &mut Builder<Vec<u8>>, name: &str, bytes: &[u8]) {
    let header = header(name, bytes.len() as u64, EntryType::Regular);
    tar.append(&header, bytes).unwrap();
}

fn archive(names: &[&str]) -> Vec<u8> {
    let mut tar = Builder::new(Vec::new());
    for name in names {
        add(&mut tar, name, name.as_bytes());
    }
    tar.into_inner().unwrap()
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut gz = GzEncoder::new(Vec::new(), Compression::fast());
    gz.write_all(bytes).unwrap();
    gz.finish().unwrap()
}

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// Opens these bytes as an archive whose name says nothing.
    fn open(&self, bytes: &[u8], limits: &Limits) -> Result<DataSet> {
        DataSet::open(&self.file("data", bytes), limits)
    }

    fn code(&self, bytes: &[u8], limits: &Limits) -> &'static str {
        self.open(bytes, limits).expect_err("a refusal").code()
    }
}

fn read(data: &DataSet) -> Vec<(String, Result<Vec<u8>>)> {
    let items: Vec<_> = data.items().iter().collect();
    let mut found = Vec::new();
    data.read(&items, &mut |item, bytes| {
        found.push((item.path.clone(), bytes));
        Ok(())
    })
    .unwrap();
    found
}

const NAMES: [&str; 6] = [
    "./train/French horn/0.jpg",
    "test/French horn/1.jpg",
    "test/cat/2.jpg",
    "test/cat/.hidden.jpg",
    "test/README",
    "a/b/c/d/deep.jpg",
];

fn check(data: &DataSet) {
    assert_eq!(
        data.splits().into_iter().collect::<Vec<_>>(),
        ["test", "train"]
    );
    let chosen = data.select(None).unwrap();
    let classes: Vec<_> = chosen.iter().map(|item| item.class.as_str()).collect();
    assert_eq!(classes, ["French horn", "cat"]);
    assert_eq!(data.select(Some("train")).unwrap().len(), 1);
    let error = data.select(Some("val")).expect_err("no such split");
    assert_eq!(error.code(), "data/unknown-split");
    assert!(error.message().contains("train"), "{error}");
}

#[test]
fn tars_gzipped_or_not_and_folders_are_read_alike() {
    let place = Place::new();
    let limits = Limits::default();
    let plain = archive(&NAMES);
    for bytes in [plain.clone(), gzip(&plain)] {
        let data = place.open(&bytes, &limits).unwrap();
        check(&data);
        assert_eq!(data.ignored(), 2);
        for (path, bytes) in read(&data) {
            let bytes = String::from_utf8(bytes.unwrap()).unwrap();
            assert_eq!(bytes.trim_start_matches("./"), path);
        }
    }
    for name in NAMES {
        place.file(&format!("folder/{name}"), name.as_bytes());
    }
    let data = DataSet::open(&place.0.path().join("folder"), &limits).unwrap();
    check(&data);
    for (path, bytes) in read(&data) {
        let bytes = String::from_utf8(bytes.unwrap()).unwrap();
        assert_eq!(bytes.trim_start_matches("./"), path);
    }
}

#[test]
fn classes_may_lie_at_the_top() {
    let place = Place::new();
    let data = place
        .open(
            &archive(&["cat/0.jpg", "dog/1.jpg", "LICENCE"]),
            &Limits::default(),
        )
        .unwrap();
    assert!(data.splits().is_empty());
    assert_eq!(data.select(None).unwrap().len(), 2);
    assert_eq!(data.ignored(), 1);
    let error = data.select(Some("test")).expect_err("no splits");
    assert_eq!(error.code(), "data/unknown-split");
}

#[test]
fn names_that_point_outside_are_refused() {
    let place = Place::new();
    for name in [
        "../cat/0.jpg",
        "cat/../../0.jpg",
        "/etc/cat/0.jpg",
        "cat/..",
    ] {
        let bytes = archive(&["cat/0.jpg", name]);
        assert_eq!(
            place.code(&bytes, &Limits::default()),
            "data/unsafe-path",
            "{name}"
        );
    }
}

#[test]
fn links_and_devices_are_passed_over() {
    let place = Place::new();
    let mut tar = Builder::new(Vec::new());
    add(&mut tar, "cat/0.jpg", b"zero");
    for (name, kind) in [
        ("cat/1.jpg", EntryType::Symlink),
        ("cat/2.jpg", EntryType::Link),
        ("cat/3.jpg", EntryType::Char),
        ("cat/4.jpg", EntryType::Fifo),
    ] {
        let mut header = header(name, 0, kind);
        header.set_link_name("/etc/passwd").unwrap();
        header.set_cksum();
        tar.append(&header, std::io::empty()).unwrap();
    }
    add(&mut tar, "cat/5.jpg", b"five");
    let data = place
        .open(&tar.into_inner().unwrap(), &Limits::default())
        .unwrap();
    let found = read(&data);
    assert_eq!(found.len(), 2);
    assert_eq!(found[0].1.as_deref(), Ok(&b"zero"[..]));
    assert_eq!(found[1].1.as_deref(), Ok(&b"five"[..]));
}

#[test]
fn long_names_are_read_up_to_a_limit() {
    let place = Place::new();
    let class = "x".repeat(200);
    let mut tar = Builder::new(Vec::new());
    let mut plain = Header::new_gnu();
    plain.set_size(1);
    plain.set_mode(0o644);
    tar.append_data(&mut plain, format!("{class}/0.jpg"), &b"0"[..])
        .unwrap();
    tar.append_pax_extensions([("path", "K\u{e4}tzchen/1.jpg".as_bytes())])
        .unwrap();
    add(&mut tar, "short", b"1");
    let bytes = tar.into_inner().unwrap();
    let data = place.open(&bytes, &Limits::default()).unwrap();
    let classes: Vec<_> = data
        .items()
        .iter()
        .map(|item| item.class.as_str())
        .collect();
    assert_eq!(classes, [class.as_str(), "K\u{e4}tzchen"]);

    let short = Limits {
        name_bytes: 100,
        ..Limits::default()
    };
    assert_eq!(place.code(&bytes, &short), "data/too-large");
}

/// A name extension that claims gigabytes is refused by its header.
#[test]
fn a_vast_name_is_never_read() {
    let place = Place::new();
    for kind in [EntryType::GNULongName, EntryType::XHeader] {
        let mut bytes = header("././@LongLink", 6 << 30, kind).as_bytes().to_vec();
        bytes.extend(archive(&["cat/0.jpg"]));
        assert_eq!(place.code(&bytes, &Limits::default()), "data/too-large");
    }
}

#[test]
fn vast_files_and_archives_meet_limits() {
    let place = Place::new();
    let bytes = archive(&["cat/0.jpg", "cat/1-is-longer.jpg", "cat/2.jpg"]);
    let small = Limits {
        file_bytes: 10,
        ..Limits::default()
    };
    let found = read(&place.open(&bytes, &small).unwrap());
    let codes: Vec<_> = found
        .iter()
        .map(|(_, bytes)| bytes.as_ref().err().map(Error::code))
        .collect();
    assert_eq!(codes, [None, Some("image/too-large"), None]);

    let few = Limits {
        entries: 2,
        ..Limits::default()
    };
    assert_eq!(place.code(&bytes, &few), "data/too-large");
    let bomb = gzip(&vec![0u8; 1 << 20]);
    let mut bytes = gzip(&header("cat/0.jpg", 1 << 40, EntryType::Regular).as_bytes()[..]);
    bytes.extend(bomb);
    let tight = Limits {
        archive_bytes: 1 << 16,
        ..Limits::default()
    };
    assert_eq!(place.code(&bytes, &tight), "data/too-large");
    // A claim of a tebibyte that is not there.
    assert_eq!(place.code(&bytes, &Limits::default()), "data/invalid");

    place.file("folder/cat/0.jpg", b"0");
    place.file("folder/cat/1.jpg", b"1");
    let error = DataSet::open(&place.0.path().join("folder"), &few).expect_err("too many");
    assert_eq!(error.code(), "data/too-large");
}

#[test]
fn what_is_no_archive_is_refused() {
    let place = Place::new();
    let good = archive(&["cat/0.jpg"]);
    let gz = gzip(&good);
    let mut wrong = gz.clone();
    let middle = wrong.len() / 2;
    wrong[middle] ^= 0xff;
    let cases: [(&str, &[u8]); 7] = [
        ("empty", b""),
        ("text", b"no archive, only a few words"),
        ("long text", &b"words ".repeat(500)),
        ("only the start of gzip", b"\x1f\x8b"),
        ("gzip of text", &gzip(&b"words ".repeat(500))),
        ("cut gzip", &gz[..gz.len() / 2]),
        ("cut tar", &good[..700]),
    ];
    for (name, bytes) in cases {
        assert_eq!(
            place.code(bytes, &Limits::default()),
            "data/invalid",
            "{name}"
        );
    }
    // A changed byte may hit anything; it must never pass unnoticed or panic.
    assert!(place.open(&wrong, &Limits::default()).is_err());
    assert_eq!(
        place.code(&archive(&["loose.jpg"]), &Limits::default()),
        "data/empty"
    );
    let absent = DataSet::open(Path::new("no-such-data"), &Limits::default());
    assert_eq!(absent.expect_err("absent").code(), "io/failed");
    std::fs::create_dir(place.0.path().join("bare")).unwrap();
    let bare = DataSet::open(&place.0.path().join("bare"), &Limits::default());
    assert_eq!(bare.expect_err("bare").code(), "data/empty");
}

/// Whatever byte is changed, the answer is a data set or an error.
#[test]
fn damage_anywhere_never_panics() {
    let place = Place::new();
    let mut tar = Builder::new(Vec::new());
    tar.append_pax_extensions([("path", "cat/long.jpg".as_bytes())])
        .unwrap();
    add(&mut tar, "short", b"1");
    add(&mut tar, "cat/0.jpg", b"0");
    let plain = tar.into_inner().unwrap();
    let mut refused = 0;
    for bytes in [plain.clone(), gzip(&plain)] {
        for at in 0..bytes.len() {
            let mut damaged = bytes.clone();
            damaged[at] ^= 0x80 | (at as u8 & 0x7f);
            match place.open(&damaged, &Limits::default()) {
                Err(_) => refused += 1,
                Ok(data) => {
                    let items: Vec<_> = data.items().iter().collect();
                    // A second pass may still meet what the index did not need.
                    let _ = data.read(&items, &mut |_, _| Ok(()));
                }
            }
        }
    }
    assert!(refused > 500, "{refused}");
}

/// Folders that contain themselves end.
#[cfg(unix)]
#[test]
fn a_loop_of_links_ends() {
    let place = Place::new();
    place.file("folder/cat/0.jpg", b"0");
    let folder = place.0.path().join("folder");
    std::os::unix::fs::symlink(&folder, folder.join("cat/again")).unwrap();
    std::os::unix::fs::symlink("nowhere", folder.join("cat/broken.jpg")).unwrap();
    let data = DataSet::open(&folder, &Limits::default()).unwrap();
    assert_eq!(data.items().len(), 1);
}
