//! PyTorch's files, made by hand, as a file system's reader and as a stream read them.

use std::io::{Cursor, Write};
use std::path::Path;

use pollster::block_on;
use promptlens::checkpoint::{Directory, LoadReport, Loader, ModelFiles};
use promptlens::error::Result;
use promptlens::quant::Quantization;
use sha2::{Digest, Sha256};

use super::folder::{Memory, OPEN_CLIP, PREPROCESSOR, hugging_face, open_clip, open_clip_tensors};
use super::tiny::{self, Loaded, Raw, code, tensors};

/// A pickle under construction, in the opcodes that `torch.save` uses.
#[derive(Default)]
struct Pickle(Vec<u8>);

impl Pickle {
    fn op(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.extend_from_slice(bytes);
        self
    }

    fn text(&mut self, text: &str) -> &mut Self {
        let length = u32::try_from(text.len()).unwrap();
        self.op(b"X").op(&length.to_le_bytes()).op(text.as_bytes())
    }

    fn int(&mut self, value: usize) -> &mut Self {
        self.op(b"J")
            .op(&u32::try_from(value).unwrap().to_le_bytes())
    }

    fn ints(&mut self, values: &[usize]) -> &mut Self {
        self.op(b"(");
        for value in values {
            self.int(*value);
        }
        self.op(b"t")
    }

    /// `_rebuild_tensor_v2(storage, 0, shape, stride, False, OrderedDict())`.
    fn tensor(&mut self, key: &str, raw: &Raw) -> &mut Self {
        let storage = match raw.dtype {
            "F32" => "FloatStorage",
            "F16" => "HalfStorage",
            "I64" => "LongStorage",
            other => panic!("{other} has no storage here"),
        };
        let count: usize = raw.shape.iter().product();
        let strides: Vec<usize> = (0..raw.shape.len())
            .map(|axis| raw.shape[axis + 1..].iter().product())
            .collect();
        self.op(b"ctorch._utils\n_rebuild_tensor_v2\n((");
        self.text("storage")
            .op(format!("ctorch\n{storage}\n").as_bytes());
        self.text(key).text("cpu").int(count).op(b"tQ");
        self.int(0).ints(&raw.shape).ints(&strides);
        self.op(b"\x89ccollections\nOrderedDict\n)RtR")
    }
}

fn archive(pickle: &Pickle, tensors: &[Raw]) -> Vec<u8> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options =
        zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    let mut add = |name: String, bytes: &[u8]| {
        zip.start_file(name, options).unwrap();
        zip.write_all(bytes).unwrap();
    };
    add("archive/data.pkl".to_owned(), &pickle.0);
    for (key, tensor) in tensors.iter().enumerate() {
        add(format!("archive/data/{key}"), &tensor.bytes);
    }
    add("archive/version".to_owned(), b"3\n");
    zip.finish().unwrap().into_inner()
}

/// The archive as torch.save itself writes it: no sizes in front of the data, records behind it,
/// padding to 64 bytes, and more small files.
pub fn torch_archive(pickle: &[u8], tensors: &[Raw]) -> Vec<u8> {
    let mut members: Vec<(String, &[u8])> = vec![
        ("archive/data.pkl".to_owned(), pickle),
        ("archive/.format_version".to_owned(), b"1"),
        ("archive/byteorder".to_owned(), b"little"),
    ];
    // Sorted as texts, as torch.save does: 0, 1, 10, 11, 2.
    let mut keys: Vec<String> = (0..tensors.len()).map(|key| key.to_string()).collect();
    keys.sort();
    for key in &keys {
        let bytes = &tensors[key.parse::<usize>().unwrap()].bytes;
        members.push((format!("archive/data/{key}"), bytes));
    }
    members.push(("archive/version".to_owned(), b"3\n"));
    let (mut out, mut directory) = (Vec::new(), Vec::new());
    for (name, bytes) in &members {
        let size = u32::try_from(bytes.len()).unwrap().to_le_bytes();
        let at = u32::try_from(out.len()).unwrap().to_le_bytes();
        let pad = (64 - (out.len() + 30 + name.len() + 4) % 64) % 64;
        let extra = [
            b"FB".as_slice(),
            &u16::try_from(pad).unwrap().to_le_bytes(),
            &vec![b'Z'; pad],
        ]
        .concat();
        let lengths = [name.len(), extra.len()].map(|n| u16::try_from(n).unwrap().to_le_bytes());
        out.extend_from_slice(b"PK\x03\x04\x00\x00\x08\x08\x00\x00");
        out.extend_from_slice(&[0; 16]);
        out.extend_from_slice(&lengths.concat());
        out.extend_from_slice(name.as_bytes());
        out.extend_from_slice(&extra);
        out.extend_from_slice(bytes);
        if !bytes.is_empty() {
            out.extend_from_slice(&[b"PK\x07\x08".as_slice(), &[0; 4], &size, &size].concat());
        }
        directory.extend_from_slice(b"PK\x01\x02\x00\x00\x00\x00\x08\x08\x00\x00");
        directory.extend_from_slice(&[0; 8]);
        directory.extend_from_slice(&[size, size].concat());
        directory.extend_from_slice(&lengths[0]);
        directory.extend_from_slice(&[0; 12]);
        directory.extend_from_slice(&at);
        directory.extend_from_slice(name.as_bytes());
    }
    let (count, from) = (members.len() as u16, out.len() as u32);
    out.extend_from_slice(&directory);
    out.extend_from_slice(b"PK\x05\x06\x00\x00\x00\x00");
    out.extend_from_slice(&[count.to_le_bytes(), count.to_le_bytes()].concat());
    out.extend_from_slice(&(directory.len() as u32).to_le_bytes());
    out.extend_from_slice(&from.to_le_bytes());
    out.extend_from_slice(&[0; 2]);
    out
}

/// A dictionary of tensors, inside `{"state_dict": ...}` if `nested`.
fn checkpoint(tensors: &[Raw], nested: bool) -> Vec<u8> {
    archive(&state_dict(tensors, nested), tensors)
}

fn state_dict(tensors: &[Raw], nested: bool) -> Pickle {
    let mut pickle = Pickle::default();
    pickle.op(b"\x80\x02");
    if nested {
        pickle.op(b"}(").text("epoch").int(32).text("state_dict");
    }
    pickle.op(b"}(");
    for (key, tensor) in tensors.iter().enumerate() {
        pickle.text(&tensor.name).tensor(&key.to_string(), tensor);
    }
    pickle.op(b"u");
    if nested {
        pickle.op(b"u");
    }
    pickle.op(b".");
    pickle
}

/// What torch.save writes.
pub fn saved(tensors: &[Raw]) -> Vec<u8> {
    torch_archive(&state_dict(tensors, false).0, tensors)
}

/// The tiny model with `bytes` as its `pytorch_model.bin`, in pieces of `piece` bytes.
pub fn with_bin(bytes: &[u8], piece: usize) -> Memory {
    let folder = hugging_face().without("model.safetensors");
    Memory {
        piece,
        ..folder.with("pytorch_model.bin", bytes)
    }
}

pub fn load(dir: &Path, quantization: Option<Quantization>) -> Result<(Loaded, LoadReport)> {
    let folder = Directory::open(dir)?;
    let files = block_on(ModelFiles::read(&folder, None))?;
    let loader = Loader::new(&files.config, quantization);
    let mut loaded = Loaded::new();
    let report = block_on(files.load(&folder, loader, &mut |name, tensor| {
        loaded.insert(name.to_owned(), tensor);
        Ok(())
    }))?;
    Ok((loaded, report))
}

pub fn directory(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        std::fs::write(dir.path().join(name), bytes).unwrap();
    }
    for (name, text) in [
        ("tokenizer.json", "{}"),
        ("preprocessor_config.json", PREPROCESSOR),
    ] {
        std::fs::write(dir.path().join(name), text).unwrap();
    }
    dir
}

#[test]
fn pytorch_files_give_the_same_tensors() {
    for quantization in [None, Some(Quantization::Q8)] {
        let (reference, _) = hugging_face().load(quantization).unwrap();
        let config = tiny::CONFIG.as_bytes();
        let bin = checkpoint(&tensors("F32"), false);
        let dir = directory(&[("config.json", config), ("pytorch_model.bin", &bin)]);
        let (loaded, report) = load(dir.path(), quantization).unwrap();
        assert!(loaded == reference);
        let hash: String = Sha256::digest(&bin)
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        assert_eq!(report.model_sha256, hash, "the hash is that of the file");

        let config = OPEN_CLIP.as_bytes();
        for nested in [false, true] {
            let mut all = open_clip_tensors("F32");
            let mut extra = Raw::floats("context_length", "F32", &[], &[1.0]);
            (extra.dtype, extra.bytes) = ("I64", vec![77, 0, 0, 0, 0, 0, 0, 0]);
            all.push(extra);
            let pt = checkpoint(&all, nested);
            // Any name, as downloads have.
            let dir = directory(&[("open_clip_config.json", config), ("ViT-tiny.pt", &pt)]);
            let (loaded, report) = load(dir.path(), quantization).unwrap();
            assert!(loaded == reference, "nested {nested}");
            assert_eq!(report.ignored, 0);
        }
    }
    let half = checkpoint(&tensors("F16"), false);
    let config = tiny::CONFIG.as_bytes();
    let dir = directory(&[("config.json", config), ("pytorch_model.bin", &half)]);
    let loaded = load(dir.path(), None).unwrap().0;
    let file = tiny::file(&tensors("F16"));
    assert!(loaded == tiny::load(&tiny::config(), &file, None, 1000).unwrap().0);
}

#[test]
fn a_torchscript_archive_is_named_as_such() {
    // An object of a compiled class, whose state holds tensors.
    let tensors = [Raw::floats("w", "F32", &[2], &[1.0, 2.0])];
    let mut pickle = Pickle::default();
    pickle.op(b"\x80\x02c__torch__.model\nMultimodal\n)\x81}(");
    pickle.text("weight").tensor("0", &tensors[0]).op(b"ub.");
    let pt = archive(&pickle, &tensors);
    let dir = directory(&[
        ("open_clip_config.json", OPEN_CLIP.as_bytes()),
        ("ViT-B-32.pt", &pt),
    ]);
    let error = load(dir.path(), None).unwrap_err();
    assert_eq!(error.code(), "weights/unsupported-format");
    assert!(error.message().contains("state_dict"), "{error}");
}

#[test]
fn damaged_pytorch_files_are_refused() {
    let bin = checkpoint(&tensors("F32"), false);
    let config = tiny::CONFIG.as_bytes();
    let dir = directory(&[("config.json", config)]);
    let with = |bytes: &[u8]| {
        std::fs::write(dir.path().join("pytorch_model.bin"), bytes).unwrap();
        code(load(dir.path(), None))
    };
    assert_eq!(with(&bin), "fine");
    // The directory of the archive stands at its end, so every cut in front of it is alike.
    for end in (0..bin.len()).filter(|end| end % 31 == 0 || bin.len() - end < 500) {
        assert_eq!(with(&bin[..end]), "weights/invalid", "cut at {end}");
    }
    let mut random = tiny::Random(4);
    for _ in 0..2000 {
        let mut damaged = bin.clone();
        damaged[random.below(bin.len())] = random.bits() as u8;
        let got = with(&damaged);
        assert!(got == "fine" || got.starts_with("weights/"), "{got}");
    }
    assert_eq!(
        with(b"version https://git-lfs.github.com/spec/v1"),
        "weights/invalid"
    );
    let two = checkpoint(&tensors("F32")[1..], false);
    assert_eq!(with(&two), "weights/missing-tensor");
}

#[test]
fn a_stream_gives_the_same_tensors_as_safetensors() {
    for quantization in [None, Some(Quantization::Q8)] {
        let (reference, _) = hugging_face().load(quantization).unwrap();
        let bin = saved(&tensors("F32"));
        for piece in [0, 1, 7, 4099] {
            let (loaded, report) = with_bin(&bin, piece).load(quantization).unwrap();
            assert!(loaded == reference, "pieces of {piece}");
            assert_eq!((report.ignored, report.bytes), (0, bin.len() as u64));
            let hash = Sha256::digest(&bin);
            let hash: String = hash.iter().map(|b| format!("{b:02x}")).collect();
            assert_eq!((&report.file_sha256, &report.model_sha256), (&hash, &hash));
        }
        // OpenCLIP's names, inside a training checkpoint, sizes in front of the data.
        for nested in [false, true] {
            let mut all = open_clip_tensors("F32");
            let mut extra = Raw::floats("context_length", "F32", &[], &[1.0]);
            (extra.dtype, extra.bytes) = ("I64", vec![77, 0, 0, 0, 0, 0, 0, 0]);
            all.push(extra);
            for bytes in [
                checkpoint(&all, nested),
                torch_archive(&state_dict(&all, nested).0, &all),
            ] {
                let folder = open_clip()
                    .without("open_clip_model.safetensors")
                    .with("open_clip_pytorch_model.bin", &bytes);
                let (loaded, report) = folder.load(quantization).unwrap();
                assert!(loaded == reference, "nested {nested}");
                assert_eq!(report.ignored, 0);
            }
        }
    }
    let half = with_bin(&saved(&tensors("F16")), 999).load(None).unwrap().0;
    let file = tiny::file(&tensors("F16"));
    assert!(half == tiny::load(&tiny::config(), &file, None, 1000).unwrap().0);
}

#[test]
fn a_stream_can_be_packed_on_the_way() {
    let bin = with_bin(&saved(&tensors("F32")), 777);
    let safetensors = hugging_face();
    let packed = |folder: &Memory| {
        folder
            .pack(Some(Quantization::Q8))
            .unwrap()
            .load(None)
            .unwrap()
    };
    assert!(packed(&bin).0 == packed(&safetensors).0);
}

#[test]
fn views_of_one_storage_are_gathered() {
    // Two matrices in one storage, behind a gap: one as it lies, one by columns.
    let (reference, _) = hugging_face().load(None).unwrap();
    for (transposed, gap) in [(false, 0), (false, 3), (true, 3)] {
        let mut all = tensors("F32");
        let place = |name: &str| all.iter().position(|t| t.name == name).unwrap();
        let (one, two) = (
            place("text_projection.weight"),
            place("visual_projection.weight"),
        );
        let mut shared = vec![0u8; gap * 4];
        let mut offsets = Vec::new();
        for at in [one, two] {
            offsets.push(shared.len() / 4);
            let (rows, cols) = (all[at].shape[0], all[at].shape[1]);
            let values = all[at].bytes.as_chunks::<4>().0;
            for i in 0..rows * cols {
                let from = if transposed {
                    i % rows * cols + i / rows
                } else {
                    i
                };
                shared.extend_from_slice(&values[from]);
            }
        }
        let mut pickle = Pickle::default();
        pickle.op(b"\x80\x02}(");
        for (key, tensor) in all.iter().enumerate() {
            let (key, offset) = match [one, two].iter().position(|at| *at == key) {
                Some(which) => (one, offsets[which]),
                None => (key, 0),
            };
            let count = if key == one {
                shared.len() / 4
            } else {
                tensor.bytes.len() / 4
            };
            let contiguous: Vec<usize> = (0..tensor.shape.len())
                .map(|axis| tensor.shape[axis + 1..].iter().product())
                .collect();
            let strides = match transposed && key == one {
                true => vec![1, tensor.shape[0]],
                false => contiguous,
            };
            pickle
                .text(&tensor.name)
                .op(b"ctorch._utils\n_rebuild_tensor_v2\n((");
            pickle.text("storage").op(b"ctorch\nFloatStorage\n");
            pickle
                .text(&key.to_string())
                .text("cpu")
                .int(count)
                .op(b"tQ");
            pickle.int(offset).ints(&tensor.shape).ints(&strides);
            pickle.op(b"\x89ccollections\nOrderedDict\n)RtR");
        }
        pickle.op(b"u.");
        all[one].bytes = shared;
        all.remove(two);
        // Keys count the tensors as they were.
        let mut members = Vec::new();
        for (key, tensor) in all.into_iter().enumerate() {
            members.push((if key < two { key } else { key + 1 }, tensor));
        }
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        let stored = zip::write::SimpleFileOptions::default()
            .compression_method(zip::CompressionMethod::Stored);
        zip.start_file("a/data.pkl", stored).unwrap();
        zip.write_all(&pickle.0).unwrap();
        for (key, tensor) in &members {
            zip.start_file(format!("a/data/{key}"), stored).unwrap();
            zip.write_all(&tensor.bytes).unwrap();
        }
        let bytes = zip.finish().unwrap().into_inner();
        for piece in [0, 5] {
            let (loaded, _) = with_bin(&bytes, piece).load(None).unwrap();
            assert!(loaded == reference, "transposed {transposed}, gap {gap}");
        }
    }
}

#[test]
fn everything_outside_the_closed_lists_is_refused_by_a_stream() {
    let with = |pickle: &[u8]| {
        let bytes = torch_archive(pickle, &[]);
        let error = with_bin(&bytes, 3).load(None).unwrap_err();
        (error.code(), error.message().to_owned())
    };
    for (pickle, named) in [
        (
            b"\x80\x02cos\nsystem\nX\x02\x00\x00\x00ls\x85R.".as_slice(),
            "os.system",
        ),
        (b"\x80\x02cbuiltins\neval\n.", "builtins.eval"),
        (
            b"\x80\x04\x8c\x08builtins\x8c\x04exec\x93.",
            "builtins.exec",
        ),
        (
            b"\x80\x02cargparse\nNamespace\n)\x81.",
            "argparse.Namespace",
        ),
        (
            b"\x80\x02ctorch._utils\n_rebuild_sparse_tensor\n.",
            "_rebuild_sparse_tensor",
        ),
        (
            b"\x80\x02c__torch__.model\nMultimodal\n)\x81.",
            "TorchScript",
        ),
        (b"\x80\x02ctorch\nFloatStorage\n)R.", "storages of its own"),
        (b"\x80\x02\x82\x01.", "0x82"),
        (b"\x80\x05\x97.", "0x97"),
        (b"P0\n.", "0x50"),
        (b"\x80\x02K\x01}b.", "objects with a state"),
    ] {
        let (code, message) = with(pickle);
        assert_eq!(code, "weights/unsupported-format", "{message}");
        assert!(message.contains(named), "{message}");
    }
    for pickle in [
        b"\x80\x02.".as_slice(),
        b"\x80\x02(.",
        b"\x80\x02K\x01K\x02.",
        b"\x80\x02h\x07.",
        b"\x80\x02K\x01\x85\x86.",
        b"\x80\x02}K\x01s.",
        b"\x80\x02K\x01K\x02K\x03s.",
        b"\x80\x02(K\x01Q.",
        b"\x80\x02\x8a\x09\xff\xff\xff\xff\xff\xff\xff\xff\x7f.",
        b"\x80\x02X\xff\xff\xff\xffabc",
        // A list that holds itself.
        b"\x80\x02]q\x00h\x00a.",
    ] {
        assert_eq!(with(pickle).0, "weights/invalid", "{pickle:?}");
    }
    assert_eq!(with(b"\x80\x02}.").0, "weights/missing-tensor");
}

#[test]
fn a_storage_that_many_tensors_share_is_refused() {
    let raw = Raw::floats("w", "F32", &[4], &[1.0; 4]);
    let with = |names: usize| {
        let mut pickle = Pickle::default();
        pickle.op(b"\x80\x02}(");
        for name in 0..names {
            pickle.text(&format!("extra.{name}")).tensor("0", &raw);
        }
        for (key, tensor) in tensors("F32").iter().enumerate() {
            pickle
                .text(&tensor.name)
                .tensor(&(key + 1).to_string(), tensor);
        }
        pickle.op(b"u.");
        let mut all = vec![Raw::floats("w", "F32", &[4], &[1.0; 4])];
        all.extend(tensors("F32"));
        with_bin(&torch_archive(&pickle.0, &all), 50).load(None)
    };
    assert_eq!(with(4).unwrap().1.ignored, 4, "tied weights are common");
    assert_eq!(code(with(5)), "weights/unsupported-format");
}

#[test]
fn a_stream_tells_other_containers_by_a_sentence() {
    let refused = |bytes: &[u8]| {
        let error = with_bin(bytes, 11).load(None).unwrap_err();
        (error.code(), error.message().to_owned())
    };
    let legacy = b"\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19.\x80\x02M\xe9\x03.";
    let (code, message) = refused(legacy);
    assert_eq!(code, "weights/unsupported-format");
    assert!(
        message.contains("before 1.6") && message.contains("torch.save"),
        "{message}"
    );
    assert_eq!(
        refused(b"version https://git-lfs.github.com/spec/v1").0,
        "weights/invalid"
    );
    assert_eq!(refused(b"").0, "weights/invalid");
    let all = tensors("F32");
    let big = saved(&all);
    let at = big.windows(6).position(|w| w == b"little").unwrap();
    let mut turned = big.clone();
    turned[at..at + 6].copy_from_slice(b"big   ");
    assert_eq!(refused(&turned).0, "weights/unsupported-format");
    let mut squeezed = big;
    squeezed[8] = 8;
    assert_eq!(refused(&squeezed).0, "weights/unsupported-format");
}

#[test]
fn damaged_streams_are_refused() {
    let bin = saved(&tensors("F32"));
    let with = |bytes: &[u8]| code(with_bin(bytes, 4096).load(None));
    assert_eq!(with(&bin), "fine");
    let directory = bin.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
    for end in (0..directory).filter(|end| end % 31 == 0) {
        assert_eq!(with(&bin[..end]), "weights/invalid", "cut at {end}");
    }
    let pickle = bin.windows(4).position(|w| w == b"PK\x07\x08").unwrap();
    let mut random = tiny::Random(5);
    for round in 0..4000 {
        let mut damaged = bin.clone();
        // Half of the damage goes where it can do most: into the pickle and its header.
        let end = if round % 2 == 0 { pickle } else { bin.len() };
        damaged[random.below(end)] = random.bits() as u8;
        let got = with(&damaged);
        assert!(got == "fine" || got.starts_with("weights/"), "{got}");
    }
    let mut tensors = tensors("F32");
    tensors.remove(0);
    assert_eq!(with(&saved(&tensors)), "weights/missing-tensor");
}

#[test]
fn both_readers_agree() {
    for dtype in ["F32", "F16"] {
        let bin = saved(&tensors(dtype));
        let config = tiny::CONFIG.as_bytes();
        let dir = directory(&[("config.json", config), ("pytorch_model.bin", &bin)]);
        let (seeking, report) = load(dir.path(), None).unwrap();
        let (streamed, other) = with_bin(&bin, 100).load(None).unwrap();
        assert!(seeking == streamed);
        assert_eq!(report.model_sha256, other.model_sha256);
    }
}
