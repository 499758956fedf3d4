//! What a pickle of a state dictionary holds, and the tensors in it.

use std::collections::BTreeMap;

use safetensors::Dtype;

use super::{damaged, torchscript, unsupported};
use crate::checkpoint::header::shown;
use crate::error::{Error, Result};

/// Values in one pickle: about three times those of a CLIP with its optimizer.
const MAX_VALUES: usize = 1 << 20;
/// Values that all dictionaries and lists made by a call hold together: a call takes a few bytes, however
/// many values it repeats.
const MAX_CALLED: usize = 1 << 20;
/// How deep dictionaries may lie in each other.
const MAX_DEPTH: usize = 16;
/// The longest name of a tensor, with those of the dictionaries around it, and of a storage. Each is
/// copied wherever it is used.
const MAX_NAME: usize = 256;
/// Dimensions of a tensor.
const MAX_DIMENSIONS: usize = 8;
/// Parts of a training checkpoint that are not the model.
const TRAINING: &[&str] = &["optimizer", "scaler", "lr_scheduler", "scheduler"];

/// A value's place in the [`Arena`], so that sharing costs nothing and a circle does no harm.
pub(super) type Id = usize;

/// A class or function that a pickle may name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Global {
    OrderedDict,
    Tensor,
    Parameter,
    Storage(Dtype),
}

/// The whole list.
const GLOBALS: &[(&str, &str, Global)] = &[
    ("collections", "OrderedDict", Global::OrderedDict),
    ("torch._utils", "_rebuild_tensor", Global::Tensor),
    ("torch._utils", "_rebuild_tensor_v2", Global::Tensor),
    ("torch._utils", "_rebuild_parameter", Global::Parameter),
    ("torch", "FloatStorage", Global::Storage(Dtype::F32)),
    ("torch", "HalfStorage", Global::Storage(Dtype::F16)),
    ("torch", "BFloat16Storage", Global::Storage(Dtype::BF16)),
    ("torch", "DoubleStorage", Global::Storage(Dtype::F64)),
    ("torch", "LongStorage", Global::Storage(Dtype::I64)),
    ("torch", "IntStorage", Global::Storage(Dtype::I32)),
    ("torch", "ShortStorage", Global::Storage(Dtype::I16)),
    ("torch", "CharStorage", Global::Storage(Dtype::I8)),
    ("torch", "ByteStorage", Global::Storage(Dtype::U8)),
    ("torch", "BoolStorage", Global::Storage(Dtype::BOOL)),
];

/// The global of this name.
pub(super) fn global(module: &str, name: &str) -> Result<Global> {
    let known = GLOBALS.iter().find(|(m, n, _)| (*m, *n) == (module, name));
    match known {
        Some((_, _, global)) => Ok(*global),
        None if module.starts_with("__torch__") => Err(torchscript()),
        None => Err(unsupported(&format!(
            "it holds a {}",
            shown(&format!("{module}.{name}"))
        ))),
    }
}

/// A file of values inside the archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Storage {
    pub(super) key: String,
    pub(super) dtype: Dtype,
    /// Values in it.
    pub(super) count: usize,
}

/// A tensor over a storage.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Tensor {
    pub(super) storage: Storage,
    /// Place of its first value.
    pub(super) offset: usize,
    pub(super) shape: Vec<usize>,
    /// Values from one step to the next along each dimension.
    pub(super) strides: Vec<usize>,
}

impl Tensor {
    /// Values in it.
    pub(super) fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// Whether its values lie one after the other.
    pub(super) fn is_contiguous(&self) -> bool {
        let mut step = 1;
        for (&side, &stride) in self.shape.iter().zip(&self.strides).rev() {
            if side > 1 && stride != step {
                return false;
            }
            step = step.saturating_mul(side.max(1));
        }
        true
    }
}

#[derive(Debug)]
pub(super) enum Value {
    /// Nothing, a truth value, a fraction: no tensor depends on one.
    Other,
    Int(i64),
    Text(String),
    List(Vec<Id>),
    Tuple(Vec<Id>),
    Dict(Vec<(Id, Id)>),
    Global(Global),
    Storage(Storage),
    Tensor(Tensor),
}

/// Every value of a pickle.
#[derive(Default)]
pub(super) struct Arena {
    values: Vec<Value>,
    /// Values in dictionaries that were made by a call.
    called: usize,
    /// Every storage that is named, whether a tensor uses it or not.
    storages: BTreeMap<String, Storage>,
}

impl Arena {
    pub(super) fn add(&mut self, value: Value) -> Result<Id> {
        if self.values.len() == MAX_VALUES {
            return Err(too_many());
        }
        self.values.push(value);
        Ok(self.values.len() - 1)
    }

    pub(super) fn get(&self, id: Id) -> &Value {
        &self.values[id]
    }

    pub(super) fn get_mut(&mut self, id: Id) -> &mut Value {
        &mut self.values[id]
    }

    pub(super) fn text(&self, id: Id) -> Option<&str> {
        match self.get(id) {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    /// Every storage by its key.
    pub(super) fn storages(&self) -> &BTreeMap<String, Storage> {
        &self.storages
    }

    fn tuple(&self, id: Id) -> Result<&[Id]> {
        match self.get(id) {
            Value::Tuple(items) => Ok(items),
            _ => Err(damaged("it passes what is no tuple")),
        }
    }

    fn size(&self, id: Id) -> Result<usize> {
        let value = match self.get(id) {
            Value::Int(value) => usize::try_from(*value).ok(),
            _ => None,
        };
        value.ok_or_else(|| damaged("a size in it is no whole number"))
    }

    fn sizes(&self, id: Id) -> Result<Vec<usize>> {
        let items = self.tuple(id)?;
        if items.len() > MAX_DIMENSIONS {
            return Err(damaged("a tensor in it has too many dimensions"));
        }
        items.iter().map(|item| self.size(*item)).collect()
    }

    /// The storage that `('storage', type, key, place, count)` names.
    pub(super) fn storage(&mut self, id: Id) -> Result<Storage> {
        let &[tag, kind, key, _place, count, ..] = self.tuple(id)? else {
            return Err(damaged("a storage in it is not described"));
        };
        let &Value::Global(Global::Storage(dtype)) = self.get(kind) else {
            return Err(damaged("a storage in it has no type"));
        };
        let key = self
            .text(key)
            .filter(|key| self.text(tag) == Some("storage") && key.len() <= MAX_NAME);
        let storage = Storage {
            key: key
                .ok_or_else(|| damaged("a storage in it has no name"))?
                .to_owned(),
            dtype,
            count: self.size(count)?,
        };
        let known = self.storages.entry(storage.key.clone());
        let known = known.or_insert_with(|| storage.clone());
        match *known == storage {
            true => Ok(storage),
            false => Err(damaged("it describes one storage in two ways")),
        }
    }

    /// The tensor of `(storage, offset, sizes, strides, ...)`.
    pub(super) fn tensor(&self, arguments: Id) -> Result<Tensor> {
        let &[storage, offset, shape, strides, ..] = self.tuple(arguments)? else {
            return Err(damaged("a tensor in it is not described"));
        };
        let Value::Storage(storage) = self.get(storage) else {
            return Err(damaged("a tensor in it has no storage"));
        };
        let tensor = Tensor {
            storage: storage.clone(),
            offset: self.size(offset)?,
            shape: self.sizes(shape)?,
            strides: self.sizes(strides)?,
        };
        match fits(&tensor) {
            true => Ok(tensor),
            false => Err(damaged("a tensor in it reaches beyond its storage")),
        }
    }

    /// The tensor that a call gets first.
    pub(super) fn first_tensor(&self, arguments: Id) -> Result<Id> {
        let first = self.tuple(arguments)?.first().copied();
        first
            .filter(|id| matches!(self.get(*id), Value::Tensor(_)))
            .ok_or_else(|| damaged("a parameter in it has no tensor"))
    }

    /// The entries of `OrderedDict(...)`: of nothing, or of a list of pairs.
    pub(super) fn pairs(&mut self, arguments: Id) -> Result<Vec<(Id, Id)>> {
        let list = match self.tuple(arguments)? {
            [] => return Ok(Vec::new()),
            [list] => *list,
            _ => return Err(damaged("it makes a dictionary of several things")),
        };
        let Value::List(items) = &self.values[list] else {
            return Err(damaged("it makes a dictionary of what is no list"));
        };
        self.called += items.len();
        if self.called > MAX_CALLED {
            return Err(too_many());
        }
        let pair = |item: &Id| match self.get(*item) {
            Value::List(two) | Value::Tuple(two) => match two.as_slice() {
                [key, value] => Ok((*key, *value)),
                _ => Err(damaged("an entry of a dictionary in it is no pair")),
            },
            _ => Err(damaged("an entry of a dictionary in it is no pair")),
        };
        items.iter().map(pair).collect()
    }

    /// Every tensor under `root` by its name; those of an optimizer are left out.
    pub(super) fn tensors(&self, root: Id) -> Result<BTreeMap<String, Tensor>> {
        let mut found = BTreeMap::new();
        let mut left = MAX_VALUES;
        self.collect(root, "", 0, &mut left, &mut found)?;
        Ok(found)
    }

    fn collect(
        &self,
        id: Id,
        name: &str,
        depth: usize,
        left: &mut usize,
        found: &mut BTreeMap<String, Tensor>,
    ) -> Result<()> {
        let entries = match self.get(id) {
            Value::Dict(items) => items.len(),
            Value::List(items) | Value::Tuple(items) => items.len(),
            _ => 0,
        };
        *left = left.saturating_sub(1 + entries);
        if depth > MAX_DEPTH || *left == 0 {
            return Err(damaged("its dictionaries lie too deep in each other"));
        }
        let mut inner = |key: &str, value: Id| {
            if name.len() + key.len() >= MAX_NAME {
                return Err(damaged("a name in it is too long"));
            }
            let name = match name {
                "" => key.to_owned(),
                outer => format!("{outer}.{key}"),
            };
            self.collect(value, &name, depth + 1, left, found)
        };
        match self.get(id) {
            Value::Tensor(tensor) => {
                let before = found.insert(name.to_owned(), tensor.clone());
                if before.is_some() {
                    return Err(damaged(&format!("it has {} twice", shown(name))));
                }
            }
            Value::Dict(items) => {
                for &(key, value) in items {
                    match self.get(key) {
                        Value::Text(key) if depth == 0 && TRAINING.contains(&key.as_str()) => {}
                        Value::Text(key) => inner(key, value)?,
                        Value::Int(key) => inner(&key.to_string(), value)?,
                        _ => {}
                    }
                }
            }
            Value::List(items) | Value::Tuple(items) => {
                for (index, &value) in items.iter().enumerate() {
                    inner(&index.to_string(), value)?;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

fn too_many() -> Error {
    damaged("its pickle holds too many values")
}

/// Whether every value of `tensor` is in its storage, and none is used more often than it is there.
fn fits(tensor: &Tensor) -> bool {
    let count = tensor.storage.count;
    let elements = tensor
        .shape
        .iter()
        .try_fold(1usize, |n, side| n.checked_mul(*side));
    let mut last = tensor.shape.iter().zip(&tensor.strides);
    let last = last.try_fold(tensor.offset, |at, (side, stride)| {
        side.saturating_sub(1).checked_mul(*stride)?.checked_add(at)
    });
    let same = tensor.shape.len() == tensor.strides.len();
    match (elements, last) {
        (Some(0), _) => same,
        (Some(elements), Some(last)) => same && last < count && elements <= count,
        _ => false,
    }
}
