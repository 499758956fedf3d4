//! What a kernel computes with, as far as its addresses depend on it.

use naga::{Handle, Module, ScalarKind, Type, TypeInner};

/// A value of one invocation.
#[derive(Debug, Clone)]
pub enum Value {
    /// A known integer.
    Int(u32),
    /// A known condition.
    Bool(bool),
    /// A float, whatever its value.
    Float,
    /// A vector of so many floats.
    Floats(u8),
    /// An integer or a condition that depends on what is in memory.
    Data,
    /// A vector, an array or a struct.
    Several(Vec<Value>),
    /// A place in memory.
    Pointer(Pointer),
}

/// A variable, and the way to a part of it.
#[derive(Debug, Clone, Copy)]
pub struct Pointer {
    /// The variable.
    pub root: Root,
    indices: [u32; MOST_INDICES],
    depth: usize,
}

/// Arrays of vectors in a struct in an array need as many.
const MOST_INDICES: usize = 4;

impl Pointer {
    /// To the whole of a variable.
    pub fn to(root: Root) -> Self {
        Self {
            root,
            indices: [0; MOST_INDICES],
            depth: 0,
        }
    }

    /// Indices from its outside to its inside.
    pub fn path(&self) -> &[u32] {
        &self.indices[..self.depth]
    }

    /// To a part of what this points to; `None` if that is too deep inside.
    pub fn inside(mut self, index: u32) -> Option<Self> {
        *self.indices.get_mut(self.depth)? = index;
        self.depth += 1;
        Some(self)
    }
}

/// A variable of a function or of the module.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Root {
    /// Of the function that runs.
    Local(Handle<naga::LocalVariable>),
    /// Of the module.
    Global(Handle<naga::GlobalVariable>),
}

impl Value {
    /// The integer.
    pub fn int(&self) -> Option<u32> {
        match self {
            Self::Int(value) => Some(*value),
            _ => None,
        }
    }

    /// Its parts; itself if it has none.
    pub fn parts(&self) -> Vec<Self> {
        match self {
            Self::Several(parts) => parts.clone(),
            Self::Floats(count) => vec![Self::Float; usize::from(*count)],
            one => vec![one.clone()],
        }
    }

    /// How many floats it holds.
    pub fn floats(&self) -> u64 {
        match self {
            Self::Float => 1,
            Self::Floats(count) => u64::from(*count),
            Self::Several(parts) => parts.iter().map(Self::floats).sum(),
            _ => 0,
        }
    }

    /// A value of this shape.
    pub fn of(module: &Module, ty: Handle<Type>, known: bool) -> Self {
        let scalar = |kind: ScalarKind| match kind {
            ScalarKind::Float | ScalarKind::AbstractFloat => Self::Float,
            ScalarKind::Bool if known => Self::Bool(false),
            _ if known => Self::Int(0),
            _ => Self::Data,
        };
        match &module.types[ty].inner {
            TypeInner::Scalar(of) => scalar(of.kind),
            TypeInner::Vector { size, scalar: of } => match scalar(of.kind) {
                Self::Float => Self::Floats(*size as u8),
                other => Self::Several(vec![other; *size as usize]),
            },
            TypeInner::Array {
                base,
                size: naga::ArraySize::Constant(count),
                ..
            } => Self::Several(vec![Self::of(module, *base, known); count.get() as usize]),
            TypeInner::Struct { members, .. } => Self::Several(
                members
                    .iter()
                    .map(|member| Self::of(module, member.ty, known))
                    .collect(),
            ),
            _ => Self::Data,
        }
    }

    /// The part that `path` leads to.
    pub fn at(&self, path: &[u32]) -> Option<&Self> {
        match (path, self) {
            ([], value) => Some(value),
            ([_], Self::Floats(_)) => Some(&Self::Float),
            ([first, rest @ ..], Self::Several(parts)) => parts.get(*first as usize)?.at(rest),
            // Parts of what nobody knows are not known either.
            (_, value @ (Self::Data | Self::Float)) => Some(value),
            _ => None,
        }
    }

    /// Changes the part that `path` leads to; false if there is none.
    #[must_use]
    pub fn set(&mut self, path: &[u32], value: Self) -> bool {
        match (path, self) {
            ([], whole) => {
                *whole = value;
                true
            }
            // One float is like another.
            ([_], Self::Floats(_)) => true,
            ([first, rest @ ..], Self::Several(parts)) => {
                let part = parts.get_mut(*first as usize);
                part.is_some_and(|part| part.set(rest, value))
            }
            _ => false,
        }
    }
}
