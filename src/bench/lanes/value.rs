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
    /// An integer or a condition that depends on what is in memory.
    Data,
    /// A vector, an array or a struct.
    Several(Vec<Value>),
    /// A place in memory.
    Pointer(Pointer),
}

/// A variable, and the way to a part of it.
#[derive(Debug, Clone)]
pub struct Pointer {
    /// The variable.
    pub root: Root,
    /// Indices from its outside to its inside.
    pub path: Vec<u32>,
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
            one => vec![one.clone()],
        }
    }

    /// How many floats it holds.
    pub fn floats(&self) -> u64 {
        match self {
            Self::Float => 1,
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
            TypeInner::Vector { size, scalar: of } => {
                Self::Several(vec![scalar(of.kind); *size as usize])
            }
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
            ([first, rest @ ..], Self::Several(parts)) => parts.get(*first as usize)?.at(rest),
            // Parts of what nobody knows are not known either.
            (_, value @ (Self::Data | Self::Float)) => Some(value),
            _ => None,
        }
    }

    /// The same, to be changed.
    pub fn at_mut(&mut self, path: &[u32]) -> Option<&mut Self> {
        match (path, self) {
            ([], value) => Some(value),
            ([first, rest @ ..], Self::Several(parts)) => {
                parts.get_mut(*first as usize)?.at_mut(rest)
            }
            _ => None,
        }
    }
}
