//! PyTorch's files, made by hand.

use std::io::{Cursor, Write};
use std::path::Path;

use pollster::block_on;
use promptlens::checkpoint::{Directory, LoadReport, Loader, ModelFiles};
use promptlens::error::Result;
use promptlens::quant::Quantization;
use sha2::{Digest, Sha256};

use super::folder::{OPEN_CLIP, PREPROCESSOR, hugging_face, open_clip_tensors};
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

/// A dictionary of tensors, inside `{"state_dict": ...}` where `nested`.
fn checkpoint(tensors: &[Raw], nested: bool) -> Vec<u8> {
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
    archive(&pickle, tensors)
}

fn load(dir: &Path, quantization: Option<Quantization>) -> Result<(Loaded, LoadReport)> {
    let folder = Directory::open(dir)?;
    let artifact = block_on(ModelFiles::read(&folder, None))?;
    let loader = Loader::new(&artifact.config, quantization);
    let mut loaded = Loaded::new();
    let report = block_on(artifact.load(&folder, loader, &mut |name, tensor| {
        loaded.insert(name.to_owned(), tensor);
        Ok(())
    }))?;
    Ok((loaded, report))
}

fn directory(files: &[(&str, &[u8])]) -> tempfile::TempDir {
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
