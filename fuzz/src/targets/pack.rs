//! Packed models: a manifest behind its length (4 bytes, little-endian), then the data of its tensors.
//!
//! Nobody hits a SHA-256 by chance, and few the length of the data, so both are made to fit: one chunk of
//! exactly the bytes that the tensors take, as the bytes here say, with zeros or without what is too much.

use pollster::block_on;
use promptlens::checkpoint::{Loader, MANIFEST_FILE, Manifest, ModelFiles, PackedFile};
use promptlens::error::Result;
use sha2::{Digest, Sha256};

use super::memory_folder::Memory;
use super::{checked, tiny_model};

/// The largest data that a pack here may have.
const MAX_DATA: u64 = 1 << 20;
const CHUNK: &str = "weights-00000.bin";
const TOKENIZER: &str = "tokenizer.json";
const ROOMS: &[&str] = &["weights/", "config/", "engine/out-of-memory"];

pub fn run(bytes: &[u8]) {
    let Some((length, rest)) = bytes.split_first_chunk::<4>() else {
        return;
    };
    let length = usize::try_from(u32::from_le_bytes(*length)).unwrap_or(usize::MAX);
    let (manifest, data) = rest.split_at(length.min(rest.len()));
    let Some(mut manifest) = checked(Manifest::from_json(manifest), ROOMS) else {
        return;
    };
    let bytes = manifest.header().expect("it was checked").data_bytes;
    if bytes > MAX_DATA {
        return;
    }
    let mut data = data.to_vec();
    data.resize(bytes as usize, 0);
    manifest.tokenizer = described(TOKENIZER, b"{}");
    manifest.chunks = vec![described(CHUNK, &data)];
    let mut folder = Memory::default();
    let json = manifest.to_json().expect("a manifest is written");
    folder.put(MANIFEST_FILE, json);
    folder.put(TOKENIZER, b"{}".to_vec());
    folder.put(CHUNK, data);
    let Some((tensors, _)) = checked(tiny_model::load(&folder, None), ROOMS) else {
        return;
    };
    // A value may be too large for the 16 bits that the pack names; then it cannot be packed again.
    if let Some(packed) = checked(packed(&folder), &["weights/invalid"]) {
        let (again, _) = tiny_model::load(&packed, None).expect("what was packed");
        assert!(again == tensors, "packed and read again");
    }
}

fn described(file: &str, bytes: &[u8]) -> PackedFile {
    let hash = Sha256::digest(bytes);
    PackedFile {
        file: file.to_owned(),
        bytes: bytes.len() as u64,
        sha256: hash.iter().map(|byte| format!("{byte:02x}")).collect(),
    }
}

/// The model of `folder` as it is stored, packed.
fn packed(folder: &Memory) -> Result<Memory> {
    let files = block_on(ModelFiles::read(folder, None))?;
    let loader = Loader::new(&files.config, None);
    let mut packed = Memory::default();
    let mut keep = |name: &str, bytes: Vec<u8>| {
        packed.put(name, bytes);
        Ok(())
    };
    let mut ignore = |_: &str, _| Ok(());
    let packing = files.pack(folder, loader, None, &mut keep, &mut ignore);
    let (_, manifest) = block_on(packing)?;
    packed.put(MANIFEST_FILE, manifest.to_json()?);
    Ok(packed)
}
