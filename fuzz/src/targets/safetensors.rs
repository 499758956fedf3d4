//! Safetensors files: the stream, against the safetensors crate, and as the weights of a model.

use promptlens::checkpoint::{Limits, Piece, SafetensorsStream, Shapes, Stored, write_model};
use promptlens::error::Result;
use promptlens::quant::Quantization;
use safetensors::SafeTensors;

use super::{checked, tiny_model};

const ROOMS: &[&str] = &["weights/"];

/// A tensor as it came: name, shape, bytes.
type Tensor = (String, Vec<usize>, Vec<u8>);

pub fn run(bytes: &[u8]) {
    let whole = checked(stream(bytes, usize::MAX), ROOMS);
    let parts = checked(stream(bytes, 7), ROOMS);
    assert_eq!(whole, parts, "in one piece and in many");
    if let Some(tensors) = whole {
        same_as_the_crate(bytes, &tensors);
    }
    as_weights(bytes);
}

fn stream(bytes: &[u8], piece: usize) -> Result<Vec<Tensor>> {
    let mut found = Vec::new();
    let mut stream = SafetensorsStream::new(Limits::default());
    for bytes in bytes.chunks(piece) {
        stream.push(bytes, &mut |piece| {
            match piece {
                Piece::Header(header) => {
                    Shapes::of(header);
                    Stored::read(header)?;
                }
                Piece::Start(entry) => {
                    found.push((entry.name.clone(), entry.shape.clone(), Vec::new()));
                }
                Piece::Bytes(bytes) => {
                    let (_, _, data) = found.last_mut().expect("a tensor that has started");
                    data.extend_from_slice(bytes);
                }
                Piece::End(entry) => {
                    let (name, _, data) = found.last().expect("a tensor that has started");
                    assert_eq!((name, data.len() as u64), (&entry.name, entry.bytes));
                }
            }
            Ok(())
        })?;
    }
    stream.finish()?;
    Ok(found)
}

/// What is accepted here is accepted by the crate, with the same tensors.
fn same_as_the_crate(bytes: &[u8], tensors: &[Tensor]) {
    let file = SafeTensors::deserialize(bytes).expect("the safetensors crate takes it too");
    assert_eq!(file.len(), tensors.len());
    for (name, shape, data) in tensors {
        let view = file.tensor(name).expect("a tensor of this name");
        assert_eq!((view.shape(), view.data()), (&shape[..], &data[..]));
    }
}

fn as_weights(bytes: &[u8]) {
    let mut folder = tiny_model::folder();
    folder.put("model.safetensors", bytes.to_vec());
    let Some((tensors, report)) = checked(tiny_model::load(&folder, None), tiny_model::ROOMS)
    else {
        return;
    };
    checked(
        tiny_model::load(&folder, Some(Quantization::Q8)),
        tiny_model::ROOMS,
    );
    let config = tiny_model::config();
    let mut file = Vec::new();
    let (form, source) = (report.quantization, &report.model_sha256);
    write_model(&config, form, source, &tensors, &mut file).expect("a whole model");
    folder.put("model.safetensors", file);
    let (again, second) = tiny_model::load(&folder, None).expect("what was written");
    assert!(again == tensors, "written and read again");
    assert_eq!(second.model_sha256, report.model_sha256);
}
