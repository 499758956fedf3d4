//! What the fuzzers are fed (`fuzz/`), through the same functions: every seed and every finding, and each
//! of them and of our files cut short. It runs in a process of its own, so that its memory can be told.

use std::path::{Path, PathBuf};
use std::process::Command;

use promptlens::checkpoint::{Directory, Loader, ModelFiles};
use promptlens::image::{Limits, decode};
use promptlens::tokenize::{ClipTokenizer, KnownWords};

use targets::{MAX_MEMORY, TARGETS};

#[path = "../fuzz/src/targets/mod.rs"]
mod targets;

/// Of a longer file so many beginnings are read, evenly spaced.
const CUTS: usize = 2000;

/// The lengths, each less than `length`, at which a file is cut.
fn cuts(length: usize) -> impl Iterator<Item = usize> {
    let count = length.min(CUTS);
    (0..count).map(move |i| i * length / count)
}

/// The files in `folder`, in order; none if there is no such folder.
fn files(folder: &str) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Vec::new();
    };
    let paths = entries.map(|entry| entry.expect("an entry").path());
    let mut files: Vec<PathBuf> = paths.filter(|path| path.is_file()).collect();
    files.sort();
    files
}

fn read(path: &Path) -> Vec<u8> {
    std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

#[test]
fn every_target_has_its_binary_and_small_seeds() {
    let name = |path: &PathBuf| path.file_stem().unwrap().to_str().unwrap().to_owned();
    let binaries: Vec<String> = files("fuzz/fuzz_targets").iter().map(name).collect();
    let names: Vec<&str> = TARGETS.iter().map(|target| target.name).collect();
    assert_eq!(binaries, names);
    let mut bytes = 0;
    for name in names {
        let seeds = files(&format!("fuzz/seeds/{name}"));
        assert!(!seeds.is_empty(), "{name}");
        bytes += seeds.iter().map(|path| read(path).len()).sum::<usize>();
    }
    assert!(bytes < 200_000, "{bytes} bytes of seeds");
}

#[test]
fn hostile_files_and_cut_ones_take_less_than_512_mb() {
    let program = std::env::current_exe().expect("this program");
    let run = Command::new(program)
        .args([
            "fuzz_replay::in_own_process::",
            "--ignored",
            "--test-threads=2",
        ])
        .output()
        .expect("this program");
    let said = String::from_utf8_lossy(&run.stdout);
    let errors = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{said}\n{errors}");
    assert!(said.contains("4 passed"), "{said}");
}

/// Bytes of the line `key` of this process's status, if the system tells.
fn memory(key: &str) -> Option<usize> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    let kilobytes = line.trim_start_matches(':').trim().strip_suffix(" kB")?;
    Some(kilobytes.trim().parse::<usize>().ok()? << 10)
}

/// Does `work`, and holds that the process has not grown beyond the limit since it began.
fn limited(work: impl FnOnce()) {
    work();
    if let Some(most) = memory("VmHWM") {
        // The program itself is counted too.
        assert!(most < MAX_MEMORY, "{} MB in use", most >> 20);
    }
}

mod in_own_process {
    use super::*;

    #[test]
    #[ignore = "in a process of its own"]
    fn seeds_and_findings_hold_whole_and_cut_anywhere() {
        limited(|| {
            for target in TARGETS {
                for folder in ["seeds", "findings"] {
                    for path in files(&format!("fuzz/{folder}/{}", target.name)) {
                        let bytes = read(&path);
                        (target.run)(&bytes);
                        cuts(bytes.len()).for_each(|end| (target.run)(&bytes[..end]));
                    }
                }
            }
        });
    }

    /// The pictures of the tests, and the page's own, with the limits that people meet.
    #[test]
    #[ignore = "in a process of its own"]
    fn photos_cut_anywhere_are_refused_or_whole() {
        limited(|| {
            let photos = files("tests/image/files")
                .into_iter()
                .chain(files("www/samples"));
            let photo = |path: &PathBuf| path.extension().is_none_or(|end| end != "md");
            for path in photos.filter(photo) {
                let bytes = read(&path);
                let limits = Limits::default();
                let whole = decode(&bytes, &limits);
                for end in cuts(bytes.len()) {
                    match (decode(&bytes[..end], &limits), &whole) {
                        (Err(error), _) => assert!(error.code().starts_with("image/"), "{error:?}"),
                        // A coarse picture is a whole one if a progressive file has all of it.
                        (Ok(image), Ok(whole)) => {
                            let sides = (image.width, image.height);
                            assert_eq!(sides, (whole.width, whole.height), "{path:?} to {end}");
                        }
                        (Ok(_), Err(error)) => {
                            panic!("{path:?} to {end}: read, but not whole: {error}")
                        }
                    }
                }
            }
        });
    }

    #[test]
    #[ignore = "in a process of its own"]
    fn prompts_and_words_cut_anywhere_are_refused_or_fewer() {
        limited(|| {
            let prompt = TARGETS.iter().find(|target| target.name == "prompt");
            let prompt = prompt.expect("the target of prompts").run;
            for path in files("tests/prompt_learning/files") {
                let bytes = read(&path);
                prompt(&bytes);
                cuts(bytes.len()).for_each(|end| prompt(&bytes[..end]));
            }
            let words = read(Path::new("www/models/mini/words.txt.gz"));
            let known = |bytes: &[u8]| KnownWords::from_bytes(bytes).know("golf ball");
            assert!(known(&words));
            assert!(!cuts(words.len()).take(20).any(|end| known(&words[..end])));
            for end in cuts(words.len()) {
                known(&words[..end]);
            }
        });
    }

    /// The models that come along: a tokenizer cut short is none, and neither are weights.
    #[test]
    #[ignore = "in a process of its own"]
    fn models_cut_anywhere_are_refused() {
        limited(|| {
            for model in ["www/models/mini", "www/models/mini-vit"] {
                let folder = Directory::open(Path::new(model)).expect("a model");
                let files = pollster::block_on(ModelFiles::read(&folder, None)).expect("a model");
                let (text, tokenizer) = (&files.config.text, &files.tokenizer);
                for end in cuts(tokenizer.len()) {
                    let (length, size) = (text.context_length, text.vocab_size);
                    let read = ClipTokenizer::from_bytes(&tokenizer[..end], length, size);
                    let error = read.expect_err("a tokenizer cut short");
                    assert!(error.code().starts_with("tokenizer/"), "{error:?}");
                }
                let weights = read(&Path::new(model).join("model.safetensors"));
                for end in cuts(weights.len()) {
                    let mut loader = Loader::new(&files.config, None);
                    let read = loader.push(&weights[..end], &mut |_, _| Ok(()));
                    let error = read
                        .and_then(|()| loader.finish())
                        .expect_err("weights cut short");
                    assert_eq!(error.code(), "weights/invalid", "{model} to {end}");
                }
            }
        });
    }
}
