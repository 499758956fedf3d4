//! Text vectors of other models by name: NumPy archives and safetensors files.

use std::collections::BTreeMap;
use std::io::{Cursor, Read};
use std::path::Path;

use half::f16;
use safetensors::{Dtype, SafeTensors};
use zip::ZipArchive;

use super::names::key;
use crate::checkpoint::read_file;
use crate::error::{Error, Kind, Result};

const MAX_BYTES: u64 = 256 << 20;

/// Rows by name.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Table {
    /// Columns.
    pub width: usize,
    /// Names without case and underscores, one for each row.
    pub names: Vec<String>,
    /// [names, width].
    pub rows: Vec<f32>,
    index: BTreeMap<String, usize>,
}

impl Table {
    /// A table of `rows` [names, width]. Of a name that comes twice the first row counts.
    pub fn new(names: &[String], rows: Vec<f32>, width: usize) -> Self {
        let mut table = Self {
            width,
            ..Self::default()
        };
        for (name, row) in names.iter().zip(rows.chunks_exact(width)) {
            table.add(name, row);
        }
        table
    }

    /// Adds a row unless there is one of this name.
    pub fn add(&mut self, name: &str, row: &[f32]) {
        let name = key(name);
        if !self.index.contains_key(&name) {
            self.index.insert(name.clone(), self.names.len());
            self.names.push(name);
            self.rows.extend_from_slice(row);
        }
    }

    /// The row of `name`.
    pub fn get(&self, name: &str) -> Option<&[f32]> {
        self.index.get(&key(name)).map(|index| self.row(*index))
    }

    /// The row of this number.
    pub fn row(&self, index: usize) -> &[f32] {
        &self.rows[index * self.width..(index + 1) * self.width]
    }
}

fn invalid(path: &Path, what: &str) -> Error {
    Error::new(
        Kind::WeightsInvalid,
        format!(
            "{} holds no text vectors: {what}; copy the data again.",
            path.display()
        ),
    )
}

/// The arrays `names` (text) and `emb` (F16 or F32, [names, width]) of a NumPy archive.
///
/// # Errors
/// `weights/missing`, `weights/invalid`.
pub fn read_npz(path: &Path) -> Result<Table> {
    let bytes = read_file(path, MAX_BYTES, Kind::WeightsMissing)?;
    let mut archive =
        ZipArchive::new(Cursor::new(bytes)).map_err(|error| invalid(path, &error.to_string()))?;
    let mut member = |name: &str| {
        let mut bytes = Vec::new();
        let file = archive
            .by_name(name)
            .map_err(|_| invalid(path, &format!("it has no {name}")))?;
        file.take(MAX_BYTES)
            .read_to_end(&mut bytes)
            .map_err(|error| invalid(path, &error.to_string()))?;
        Array::parse(&bytes).ok_or_else(|| invalid(path, &format!("{name} cannot be read")))
    };
    let (names, rows) = (member("names.npy")?, member("emb.npy")?);
    let names = names
        .texts()
        .ok_or_else(|| invalid(path, "its names are no text"))?;
    let width = match rows.shape[..] {
        [count, width] if count == names.len() && width > 0 => width,
        _ => return Err(invalid(path, "names and vectors differ in number")),
    };
    let rows = rows
        .floats()
        .ok_or_else(|| invalid(path, "its vectors are neither F16 nor F32"))?;
    Ok(Table::new(&names, rows, width))
}

/// An array of a `.npy` file.
struct Array {
    dtype: String,
    shape: Vec<usize>,
    data: Vec<u8>,
}

impl Array {
    /// Magic, version, length of the header, the header as a Python dictionary, the values.
    fn parse(bytes: &[u8]) -> Option<Self> {
        let rest = bytes.strip_prefix(b"\x93NUMPY")?;
        let (wide, rest) = (*rest.first()? > 1, rest.get(2..)?);
        let (length, rest) = match wide {
            true => (
                u32::from_le_bytes(rest.get(..4)?.try_into().ok()?) as usize,
                rest.get(4..)?,
            ),
            false => (
                usize::from(u16::from_le_bytes(rest.get(..2)?.try_into().ok()?)),
                rest.get(2..)?,
            ),
        };
        let header = std::str::from_utf8(rest.get(..length)?).ok()?;
        if !header.contains("'fortran_order': False") {
            return None;
        }
        let after = |name: &str| header.split(&format!("'{name}': ")).nth(1);
        let dtype = after("descr")?.split('\'').nth(1)?.to_owned();
        let shape = after("shape")?
            .split(['(', ')'])
            .nth(1)?
            .split(',')
            .map(str::trim)
            .filter(|part| !part.is_empty())
            .map(|part| part.parse().ok())
            .collect::<Option<_>>()?;
        Some(Self {
            dtype,
            shape,
            data: rest.get(length..)?.to_vec(),
        })
    }

    fn floats(&self) -> Option<Vec<f32>> {
        let values: Vec<f32> = match self.dtype.as_str() {
            "<f2" => halves(&self.data),
            "<f4" => singles(&self.data),
            _ => return None,
        };
        (values.len() == self.shape.iter().product::<usize>()).then_some(values)
    }

    fn texts(&self) -> Option<Vec<String>> {
        let chars: usize = self.dtype.strip_prefix("<U")?.parse().ok()?;
        if chars == 0 || self.data.len() != self.shape.iter().product::<usize>() * chars * 4 {
            return None;
        }
        self.data
            .chunks_exact(chars * 4)
            .map(|text| {
                text.chunks_exact(4)
                    .map(|c| u32::from_le_bytes([c[0], c[1], c[2], c[3]]))
                    .take_while(|c| *c != 0)
                    .map(char::from_u32)
                    .collect()
            })
            .collect()
    }
}

fn halves(bytes: &[u8]) -> Vec<f32> {
    bytes
        .chunks_exact(2)
        .map(|b| f16::from_le_bytes([b[0], b[1]]).to_f32())
        .collect()
}

fn singles(bytes: &[u8]) -> Vec<f32> {
    bytes
        .chunks_exact(4)
        .map(|b| f32::from_le_bytes([b[0], b[1], b[2], b[3]]))
        .collect()
}

/// The F32 tensor `text` [names, width] of a safetensors file whose metadata lists the names.
///
/// # Errors
/// `weights/missing`, `weights/invalid`.
pub fn read_named(path: &Path) -> Result<Table> {
    let bytes = read_file(path, MAX_BYTES, Kind::WeightsMissing)?;
    let (_, header) =
        SafeTensors::read_metadata(&bytes).map_err(|error| invalid(path, &error.to_string()))?;
    let names: Vec<String> = header
        .metadata()
        .as_ref()
        .and_then(|metadata| metadata.get("names"))
        .and_then(|names| serde_json::from_str(names).ok())
        .ok_or_else(|| invalid(path, "it has no list of names"))?;
    let file =
        SafeTensors::deserialize(&bytes).map_err(|error| invalid(path, &error.to_string()))?;
    let tensor = file
        .tensor("text")
        .map_err(|_| invalid(path, "it has no tensor text"))?;
    match tensor.shape() {
        [count, width] if tensor.dtype() == Dtype::F32 && *count == names.len() && *width > 0 => {
            Ok(Table::new(&names, singles(tensor.data()), *width))
        }
        _ => Err(invalid(path, "text is not [names, width] of F32")),
    }
}

/// MiniLM's vectors of nouns, captions and templates.
#[derive(Debug, Clone)]
pub struct MiniLm {
    /// "a photo of a NAME" of every noun.
    pub nouns: Table,
    /// Captions with their text, and the photo that each belongs to.
    pub captions: Vec<(String, String)>,
    /// [captions, width].
    pub caption_rows: Vec<f32>,
    /// Templates by kind: `{}` stands for a name with its article, `{0}` for the name alone.
    pub templates: Vec<(String, String)>,
    /// What each template adds to a noun's vector, [templates, width].
    pub shifts: Vec<f32>,
}

impl MiniLm {
    /// Reads `minilm.safetensors` and the lists beside it.
    ///
    /// # Errors
    /// `weights/missing`, `weights/invalid`, `io/failed` for an absent list.
    pub fn read(folder: &Path) -> Result<Self> {
        let path = folder.join("minilm.safetensors");
        let bytes = read_file(&path, MAX_BYTES, Kind::WeightsMissing)?;
        let file =
            SafeTensors::deserialize(&bytes).map_err(|error| invalid(&path, &error.to_string()))?;
        let lines = |name: &str| {
            let bytes = read_file(&folder.join(name), MAX_BYTES, Kind::Io)?;
            let text = String::from_utf8_lossy(&bytes).into_owned();
            Ok::<_, Error>(
                text.lines()
                    .filter(|line| !line.is_empty())
                    .map(str::to_owned)
                    .collect::<Vec<_>>(),
            )
        };
        let pairs = |lines: Vec<String>| -> Vec<(String, String)> {
            lines
                .iter()
                .filter_map(|line| line.split_once('\t'))
                .map(|(a, b)| (a.to_owned(), b.to_owned()))
                .collect()
        };
        let rows = |name: &str, count: usize| {
            let tensor = file
                .tensor(name)
                .map_err(|_| invalid(&path, &format!("it has no tensor {name}")))?;
            let width = match tensor.shape() {
                [rows, width] if *rows == count => *width,
                _ => {
                    return Err(invalid(
                        &path,
                        &format!("{name} is not as long as its list"),
                    ));
                }
            };
            let values = match tensor.dtype() {
                Dtype::F32 => singles(tensor.data()),
                Dtype::I8 => {
                    let scales = file
                        .tensor(&format!("{name}_scale"))
                        .map(|scales| singles(scales.data()))
                        .unwrap_or_default();
                    if scales.len() != count {
                        return Err(invalid(&path, &format!("{name} has no scales")));
                    }
                    tensor
                        .data()
                        .chunks_exact(width)
                        .zip(scales)
                        .flat_map(|(row, scale)| {
                            row.iter().map(move |v| f32::from(*v as i8) * scale)
                        })
                        .collect()
                }
                _ => return Err(invalid(&path, &format!("{name} is neither F32 nor I8"))),
            };
            Ok((values, width))
        };
        let nouns = lines("minilm_nouns.txt")?;
        let captions = pairs(lines("minilm_captions.tsv")?);
        let templates = pairs(lines("minilm_templates.txt")?);
        let (noun_rows, width) = rows("nouns", nouns.len())?;
        Ok(Self {
            nouns: Table::new(&nouns, noun_rows, width),
            caption_rows: rows("captions", captions.len())?.0,
            shifts: rows("template_shift", templates.len())?.0,
            captions,
            templates,
        })
    }
}
