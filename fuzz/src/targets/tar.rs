//! Archives of photos: tars, gzipped or not, and by the same door zips.

use promptlens::dataset::{Limits, Unpacked, unpack, unpack_classes};
use tar::{Builder, Header};

use super::{check, checked};

const ROOMS: &[&str] = &["data/"];

/// Small, so that what is larger than it says is found soon.
const LIMITS: Limits = Limits {
    entries: 1000,
    file_bytes: 1 << 16,
    name_bytes: 200,
    archive_bytes: 1 << 20,
};

pub fn run(bytes: &[u8]) {
    let Some(found) = checked(unpack_classes("photos", bytes, &LIMITS), ROOMS) else {
        return;
    };
    let mut total = 0;
    for file in &found.files {
        safe(&file.path);
        match &file.contents {
            Ok(bytes) => {
                assert!(bytes.len() as u64 <= LIMITS.file_bytes, "{}", file.path);
                total += bytes.len() as u64;
            }
            Err(error) => check(error, &["data/", "image/too-large"]),
        }
        if let Some(class) = &file.class {
            assert!(file.path.contains('/'), "{class} of {}", file.path);
        }
    }
    assert!(total <= LIMITS.archive_bytes, "{total} bytes");
    found.links.iter().for_each(|path| safe(path));
    let plain = unpack("photos", bytes, &LIMITS).expect("it was unpacked before");
    assert_eq!(plain.len(), found.files.len());
    packed_again(&found);
}

/// A path that stays inside, without parts that say nothing.
fn safe(path: &str) {
    let sound = |part: &str| !part.is_empty() && part != "." && part != "..";
    assert!(path.split('/').all(sound), "{path:?}");
}

/// Written as a tar, the files are read as the same.
fn packed_again(found: &Unpacked) {
    let mut tar = Builder::new(Vec::new());
    let mut wanted = Vec::new();
    for file in &found.files {
        let Ok(bytes) = &file.contents else { continue };
        let mut header = Header::new_gnu();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        // The writer refuses names with a zero byte.
        if tar.append_data(&mut header, &file.path, &bytes[..]).is_ok() {
            wanted.push((file.path.clone(), Ok(bytes.clone())));
        }
    }
    let bytes = tar.into_inner().expect("a tar in memory");
    let limits = Limits {
        archive_bytes: 4 * LIMITS.archive_bytes,
        entries: 3 * LIMITS.entries,
        ..LIMITS
    };
    assert_eq!(
        unpack("photos", &bytes, &limits).expect("what was packed"),
        wanted
    );
}
