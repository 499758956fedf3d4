use promptlens::checkpoint::{Limits, SafetensorsStream, write_model};
use promptlens::quant::Quantization;

use super::tiny::{self, Random, code, file_with, load};

fn stream(bytes: &[u8]) -> &'static str {
    let mut stream = SafetensorsStream::new(Limits::default());
    let result = stream.push(bytes, &mut |_| Ok(()));
    code(result.and_then(|()| stream.finish()))
}

#[test]
fn headers_that_lie_are_refused() {
    let good = r#"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"b":{"dtype":"F16","shape":[],"data_offsets":[8,10]}}"#;
    assert_eq!(stream(&file_with(good, &[0; 10])), "fine");
    assert_eq!(stream(&file_with("{} ", &[])), "fine");
    let entry = |shape: &str, offsets: &str| {
        format!(r#"{{"a":{{"dtype":"F32","shape":{shape},"data_offsets":{offsets}}}}}"#)
    };
    let pair = |second: &str| {
        format!(
            r#"{{"a":{{"dtype":"F32","shape":[2],"data_offsets":[0,8]}},{second}:{{"dtype":"F32","shape":[1],"data_offsets":[X]}}}}"#
        )
    };
    let headers = [
        ("hole at the front", entry("[1]", "[4,8]")),
        ("backwards", entry("[1]", "[4,0]")),
        ("too short for the shape", entry("[2]", "[0,4]")),
        ("too long for the shape", entry("[1]", "[0,8]")),
        (
            "shape overflows",
            entry("[4294967296,4294967296,4294967296]", "[0,0]"),
        ),
        (
            "shape overflows to zero",
            entry("[9223372036854775808,2]", "[0,0]"),
        ),
        ("bits overflow", entry("[1152921504606846976]", "[0,0]")),
        ("negative offset", entry("[1]", "[-4,0]")),
        ("negative shape", entry("[-1]", "[0,4]")),
        ("huge offsets", entry("[1]", "[0,18446744073709551616]")),
        ("overlap", pair("\"b\"").replace('X', "4,8")),
        ("hole", pair("\"b\"").replace('X', "12,16")),
        ("name twice", pair("\"a\"").replace('X', "8,12")),
        (
            "same data twice",
            pair("\"a\"").replace("[1]", "[2]").replace('X', "0,8"),
        ),
        ("unknown type", entry("[1]", "[0,4]").replace("F32", "F31")),
        ("half bytes", entry("[1]", "[0,0]").replace("F32", "F4")),
        (
            "metadata not text",
            r#"{"__metadata__":{"a":1}}"#.to_owned(),
        ),
        (
            "metadata twice",
            r#"{"__metadata__":{},"__metadata__":{}}"#.to_owned(),
        ),
        ("no object", "[1,2,3]".to_owned()),
        ("leading space", format!(" {good}")),
        ("text after it", format!("{good}x")),
        ("nested too deep", "{\"a\":".repeat(100_000)),
    ];
    for (what, header) in headers {
        assert_eq!(
            stream(&file_with(&header, &[0; 64])),
            "weights/invalid",
            "{what}"
        );
    }
    assert_eq!(
        stream(&file_with(good, &[0; 11])),
        "weights/invalid",
        "bytes after the end"
    );
    assert_eq!(
        stream(&file_with(good, &[0; 9])),
        "weights/invalid",
        "bytes lacking"
    );
    for length in [0, 1, 100_000_001, u64::MAX] {
        let mut file = length.to_le_bytes().to_vec();
        file.extend_from_slice(good.as_bytes());
        assert_eq!(stream(&file), "weights/invalid", "header of {length}");
    }
    for text in [
        "",
        "version https://git-lfs.github.com/spec/v1",
        "<!DOCTYPE html><html></html>",
    ] {
        assert_eq!(stream(text.as_bytes()), "weights/invalid");
    }
    let few = Limits {
        tensors: 1,
        ..Limits::default()
    };
    let result = SafetensorsStream::new(few).push(&file_with(good, &[]), &mut |_| Ok(()));
    assert_eq!(code(result), "weights/invalid");
}

/// The tiny model as floats and packed by this project.
fn files() -> [Vec<u8>; 2] {
    let config = tiny::config();
    let plain = tiny::file(&tiny::tensors("F16"));
    let (loaded, report) = load(&config, &plain, Some(Quantization::Q4), usize::MAX).unwrap();
    let mut packed = Vec::new();
    write_model(
        &config,
        Quantization::Q4,
        &report.model_sha256,
        &loaded,
        &mut packed,
    )
    .unwrap();
    [plain, packed]
}

#[test]
fn a_file_cut_anywhere_is_refused() {
    let config = tiny::config();
    for file in files() {
        for end in 0..file.len() {
            let result = load(&config, &file[..end], None, usize::MAX);
            assert_eq!(
                code(result),
                "weights/invalid",
                "cut at {end} of {}",
                file.len()
            );
        }
        let mut longer = file.clone();
        longer.push(0);
        assert_eq!(
            code(load(&config, &longer, None, usize::MAX)),
            "weights/invalid"
        );
    }
}

#[test]
fn flipped_bytes_give_a_coded_error_or_a_whole_model() {
    let config = tiny::config();
    let mut random = Random(99);
    let mut fine = 0;
    for file in files() {
        let header = 8 + u64::from_le_bytes(file[..8].try_into().unwrap()) as usize;
        for round in 0..5000 {
            let mut damaged = file.clone();
            for _ in 0..1 + random.below(3) {
                let end = if round % 2 == 0 { header } else { file.len() };
                damaged[random.below(end)] = random.bits() as u8;
            }
            let quantization = [None, Some(Quantization::None), Some(Quantization::Q8)][round % 3];
            match load(&config, &damaged, quantization, 1 << 20) {
                Ok((loaded, _)) => {
                    fine += 1;
                    assert_eq!(loaded.len(), config.tensors().len());
                    for (name, tensor) in loaded {
                        let values = tensor.into_floats();
                        assert!(values.iter().all(|value| value.is_finite()), "{name}");
                    }
                }
                Err(error) => assert!(error.code().starts_with("weights/"), "{error:?}"),
            }
        }
    }
    println!("{fine} of 10000 damaged files still were whole models");
    assert!(fine > 0);
}

#[test]
fn packed_matrices_that_lie_are_refused() {
    let config = tiny::config();
    let [plain, packed] = files();
    let text = |bytes: &[u8]| {
        let end = 8 + u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        (
            String::from_utf8(bytes[8..end].to_vec()).unwrap(),
            bytes[end..].to_vec(),
        )
    };
    let (header, data) = text(&packed);
    let change = |from: &str, to: &str| {
        assert!(header.contains(from), "{from} is not in {header}");
        code(load(
            &config,
            &file_with(&header.replacen(from, to, 1), &data),
            None,
            usize::MAX,
        ))
    };
    assert_eq!(change("x", "x"), "fine");
    let name = "text_projection.weight";
    assert_eq!(
        change(&format!("{name}.words"), "other.words"),
        "weights/missing-tensor"
    );
    assert_eq!(
        change(&format!("{name}.scales"), "other.scales"),
        "weights/invalid"
    );
    assert_eq!(change("\"q4\"", "\"q5\""), "weights/invalid");
    assert_eq!(
        change("promptlens.source_sha256", "promptlens.source"),
        "weights/invalid"
    );

    // The first matrix of the file is the token embedding, [11, 40]: 11 scales, 11 x 16 words.
    let (first, rest) = data.split_at(4);
    let with = |scale: u16, word: u32| {
        let mut data = first.to_vec();
        data.extend_from_slice(rest);
        data[4..6].copy_from_slice(&scale.to_le_bytes());
        let last = 4 + 22 + 15 * 4;
        data[last..last + 4].copy_from_slice(&word.to_le_bytes());
        code(load(&config, &file_with(&header, &data), None, usize::MAX))
    };
    assert_eq!(with(0x3c00, 0), "fine");
    assert_eq!(with(0x7c00, 0), "weights/not-finite");
    assert_eq!(with(0x7e00, 0), "weights/not-finite");
    assert_eq!(with(0xbc00, 0), "weights/invalid", "negative scale");
    assert_eq!(with(0x3c00, 1), "weights/invalid", "padding is set");

    // Stored in another type or shape.
    let shape = r#""shape":[8,8]"#;
    assert_eq!(change(shape, r#""shape":[4,16]"#), "weights/wrong-shape");
    assert_eq!(change("\"U32\"", "\"F32\""), "weights/unsupported-type");
    assert_eq!(change("\"F16\"", "\"BF16\""), "weights/unsupported-type");
    let (plain_header, plain_data) = text(&plain);
    let result = load(
        &config,
        &file_with(&plain_header, &plain_data),
        None,
        usize::MAX,
    );
    assert_eq!(code(result), "fine");
}
