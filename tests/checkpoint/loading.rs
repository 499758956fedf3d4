use promptlens::checkpoint::{Loader, write_model};
use promptlens::error::{Error, Kind};
use promptlens::quant::Role;
use promptlens::quant::{HostTensor, Quantization};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::tiny::{self, Loaded, Raw, code, distance, load};
use crate::common::relative_error;

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn floats(loaded: &Loaded, name: &str) -> Vec<f32> {
    loaded[name].clone().into_floats()
}

/// The file that `write_model` makes of a loaded model.
fn written(loaded: &Loaded, quantization: Quantization, source: &str) -> Vec<u8> {
    let mut out = Vec::new();
    let bytes = write_model(&tiny::config(), quantization, source, loaded, &mut out).unwrap();
    assert_eq!(bytes, out.len() as u64);
    out
}

#[test]
fn floats_of_every_width_are_read() {
    let config = tiny::config();
    let values = tiny::values(&config, 1);
    for (dtype, bound) in [("F32", 0.0), ("F16", 5e-4), ("BF16", 4e-3)] {
        let file = tiny::file(&tiny::tensors(dtype));
        let (loaded, report) = load(&config, &file, Some(Quantization::None), usize::MAX).unwrap();
        assert_eq!(loaded.len(), values.len());
        for (name, (shape, data)) in &values {
            let HostTensor::Float {
                shape: got,
                data: floats,
            } = &loaded[name]
            else {
                panic!("{name} is packed");
            };
            assert_eq!(got, shape);
            assert!(relative_error(floats, data) <= bound, "{name} as {dtype}");
        }
        assert_eq!(report.tensors, values.len());
        assert_eq!((report.ignored, report.bytes), (0, file.len() as u64));
        assert_eq!(report.model_sha256, sha256(&file));
        assert_eq!(report.file_sha256, report.model_sha256);
        assert_eq!(report.quantization, Quantization::None);
    }
}

#[test]
fn pieces_of_any_size_give_the_same() {
    let config = tiny::config();
    for dtype in ["F32", "BF16"] {
        let plain = tiny::file(&tiny::tensors(dtype));
        for quantization in [Quantization::None, Quantization::Q8, Quantization::Q4] {
            let whole = load(&config, &plain, Some(quantization), usize::MAX).unwrap();
            let packed = written(&whole.0, quantization, &whole.1.model_sha256);
            let stored = load(&config, &packed, None, usize::MAX).unwrap();
            assert_eq!(
                stored.0, whole.0,
                "a written file gives back what was written"
            );
            assert_eq!(
                stored.1.model_sha256,
                sha256(&plain),
                "the hash is the source's"
            );
            assert_eq!(stored.1.quantization, quantization);
            for piece in [1, 2, 3, 7, 64, 4099] {
                assert_eq!(
                    load(&config, &plain, Some(quantization), piece).unwrap(),
                    whole
                );
                assert_eq!(load(&config, &packed, None, piece).unwrap(), stored);
            }
        }
    }
}

#[test]
fn roles_decide_what_is_packed() {
    let config = tiny::config();
    let file = tiny::file(&tiny::tensors("F32"));
    let values = tiny::values(&config, 1);
    for (quantization, linear, bound) in [(Quantization::Q8, 8, 0.01), (Quantization::Q4, 4, 0.15)]
    {
        let (loaded, report) = load(&config, &file, Some(quantization), 1000).unwrap();
        assert_eq!(report.quantization, quantization);
        for spec in config.tensors() {
            let tensor = &loaded[&spec.name];
            assert_eq!(tensor.shape(), spec.shape);
            match (spec.role, tensor) {
                (Role::Float, HostTensor::Float { data, .. }) => {
                    assert_eq!(data, &values[&spec.name].1, "{}", spec.name);
                }
                (role, HostTensor::Packed { packed, .. }) if role != Role::Float => {
                    assert_eq!((packed.rows, packed.cols), spec.matrix());
                    let (bits, block) = if role == Role::Embedding {
                        (8, 64)
                    } else {
                        (linear, 32)
                    };
                    assert_eq!((packed.bits, packed.block), (bits, block), "{}", spec.name);
                    let error = distance(&packed.dequantize(), &values[&spec.name].1);
                    assert!(error < bound, "{}: {error}", spec.name);
                }
                (role, _) => panic!("{} is stored against its role {role:?}", spec.name),
            }
        }
    }
}

#[test]
fn stored_matrices_change_form_on_request() {
    let config = tiny::config();
    let file = tiny::file(&tiny::tensors("F32"));
    let (q8, report) = load(&config, &file, Some(Quantization::Q8), 999).unwrap();
    let stored = written(&q8, Quantization::Q8, &report.model_sha256);

    let (same, _) = load(&config, &stored, Some(Quantization::Q8), 999).unwrap();
    assert_eq!(same, q8);
    let (plain, report) = load(&config, &stored, Some(Quantization::None), 999).unwrap();
    assert_eq!(report.quantization, Quantization::None);
    let (q4, report) = load(&config, &stored, Some(Quantization::Q4), 999).unwrap();
    assert_eq!(report.quantization, Quantization::Q4);
    for spec in config.tensors() {
        assert!(matches!(plain[&spec.name], HostTensor::Float { .. }));
        let want = floats(&q8, &spec.name);
        assert_eq!(floats(&plain, &spec.name), want, "dequantised exactly");
        assert!(distance(&floats(&q4, &spec.name), &want) < 0.15);
        if let HostTensor::Packed { packed, .. } = &q4[&spec.name] {
            let bits = if spec.role == Role::Embedding { 8 } else { 4 };
            assert_eq!(packed.bits, bits);
        }
    }
}

#[test]
fn tensors_the_model_has_not_are_passed_over() {
    let mut tensors = tiny::tensors("F32");
    for name in [
        "text_model.embeddings.position_ids",
        "vision_model.embeddings.position_ids",
    ] {
        tensors.insert(
            3,
            Raw {
                name: name.to_owned(),
                dtype: "I64",
                shape: vec![1, 5],
                bytes: vec![9; 40],
            },
        );
    }
    let empty = Raw {
        name: "empty".to_owned(),
        dtype: "F32",
        shape: vec![3, 0],
        bytes: Vec::new(),
    };
    tensors.insert(2, empty);
    let nan = Raw::floats("decoder.weight", "F32", &[2], &[f32::NAN, 1.0]);
    tensors.push(nan);
    let config = tiny::config();
    let (loaded, report) = load(&config, &tiny::file(&tensors), None, 13).unwrap();
    assert_eq!(loaded.len(), config.tensors().len());
    assert_eq!(report.ignored, 2);
}

#[test]
fn a_lacking_tensor_is_named_before_any_is_read() {
    let config = tiny::config();
    for gone in 0..config.tensors().len() {
        let mut tensors = tiny::tensors("F32");
        let name = tensors.remove(gone).name;
        let mut loader = Loader::new(&config, None);
        let error = loader
            .push(&tiny::file(&tensors), &mut |name, _| {
                panic!("{name} was handed over")
            })
            .unwrap_err();
        assert_eq!(error.code(), "weights/missing-tensor");
        assert!(error.message().contains(&name), "{error}");
    }
}

#[test]
fn a_wrong_shape_names_both() {
    let config = tiny::config();
    let mut tensors = tiny::tensors("F32");
    let place = tensors
        .iter()
        .position(|t| t.name == "visual_projection.weight")
        .unwrap();
    tensors[place].shape = vec![16, 8];
    let error = load(&config, &tiny::file(&tensors), None, 99).unwrap_err();
    assert_eq!(error.code(), "weights/wrong-shape");
    for part in ["visual_projection.weight", "[16, 8]", "[8, 16]"] {
        assert!(error.message().contains(part), "{error}");
    }
}

#[test]
fn numbers_that_cannot_be_weights_are_refused() {
    let config = tiny::config();
    for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY] {
        for dtype in ["F32", "F16", "BF16"] {
            for quantization in [None, Some(Quantization::Q8)] {
                let mut tensors = tiny::tensors(dtype);
                let place = tensors
                    .iter()
                    .position(|t| t.name.ends_with("fc2.weight"))
                    .unwrap();
                let count = tensors[place].shape.iter().product();
                let mut data = vec![0.5; count];
                data[count - 1] = bad;
                tensors[place] =
                    Raw::floats(&tensors[place].name, dtype, &tensors[place].shape, &data);
                let result = load(&config, &tiny::file(&tensors), quantization, 61);
                assert_eq!(code(result), "weights/not-finite");
            }
        }
    }
    for dtype in ["F64", "I64", "I32", "F8_E4M3", "BOOL"] {
        let mut tensors = tiny::tensors("F32");
        let count: usize = tensors[5].shape.iter().product();
        let bytes = match dtype {
            "F64" | "I64" => 8,
            "I32" => 4,
            _ => 1,
        };
        tensors[5].dtype = dtype;
        tensors[5].bytes = vec![0; count * bytes];
        let result = load(&config, &tiny::file(&tensors), None, 500);
        assert_eq!(code(result), "weights/unsupported-type", "{dtype}");
    }
}

#[test]
fn what_the_sink_says_comes_back() {
    let mut loader = Loader::new(&tiny::config(), None);
    let file = tiny::file(&tiny::tensors("F32"));
    let mut stop = |_: &str, _| Err(Error::new(Kind::Cancelled, "stop"));
    assert_eq!(
        loader.push(&file, &mut stop).unwrap_err().code(),
        "engine/cancelled"
    );
    assert_eq!(
        code(loader.push(&file, &mut |_, _| Ok(()))),
        "weights/invalid"
    );
    assert_eq!(code(loader.finish()), "weights/invalid");
}

#[test]
fn progress_is_known_after_the_header() {
    let file = tiny::file(&tiny::tensors("F32"));
    let mut loader = Loader::new(&tiny::config(), None);
    assert_eq!((loader.taken(), loader.total()), (0, None));
    loader.push(&file[..8], &mut |_, _| Ok(())).unwrap();
    assert_eq!((loader.taken(), loader.total()), (8, None));
    loader
        .push(&file[8..file.len() - 1], &mut |_, _| Ok(()))
        .unwrap();
    assert_eq!(loader.total(), Some(file.len() as u64));
    assert_eq!(loader.taken() + 1, file.len() as u64);
}

#[test]
fn an_incomplete_model_is_not_written() {
    let file = tiny::file(&tiny::tensors("F32"));
    let (mut loaded, _) = load(&tiny::config(), &file, None, usize::MAX).unwrap();
    loaded.remove("logit_scale");
    let result = write_model(
        &tiny::config(),
        Quantization::None,
        &"0".repeat(64),
        &loaded,
        &mut Vec::new(),
    );
    assert_eq!(code(result), "weights/missing-tensor");
    assert_eq!(json!(Quantization::None), "none");
}
