//! What an invocation reads and writes: its own variables, the uniform block, and arrays in memory, whose
//! accesses it notes.

use naga::{AddressSpace, Handle, ScalarKind, TypeInner};

use super::invocation::{Access, Frame, Invocation, Lost};
use super::value::{Pointer, Root, Value};

impl<'a> Invocation<'a> {
    /// What lies at a pointer.
    pub(super) fn load(
        &mut self,
        frame: &Frame<'a>,
        from: &Pointer,
        at: usize,
    ) -> Result<Value, Lost> {
        match from.root {
            Root::Local(local) => {
                let value = frame.locals[local.index()].at(from.path());
                value
                    .cloned()
                    .ok_or_else(|| "no such part of a variable".to_owned())
            }
            Root::Global(variable) => match self.module.global_variables[variable].space {
                AddressSpace::Uniform => Value::Several(self.uniform.to_vec())
                    .at(from.path())
                    .cloned()
                    .ok_or_else(|| "no such parameter".to_owned()),
                _ => self.access(variable, from.path(), frame.base + at),
            },
        }
    }

    /// Puts a value at a pointer.
    pub(super) fn store(
        &mut self,
        frame: &mut Frame<'a>,
        to: &Pointer,
        value: Value,
        at: usize,
    ) -> Result<(), Lost> {
        match to.root {
            Root::Local(local) => {
                let whole = &mut frame.locals[local.index()];
                if !whole.set(to.path(), value) {
                    return Err("no such part of a variable".to_owned());
                }
            }
            Root::Global(variable) => {
                // Apart from the load that computes the same address.
                self.access(variable, to.path(), frame.base + at + 32_768)?;
            }
        }
        Ok(())
    }

    /// Notes an access, and gives what lies there.
    fn access(
        &mut self,
        variable: Handle<naga::GlobalVariable>,
        path: &[u32],
        instruction: usize,
    ) -> Result<Value, Lost> {
        let types = &self.module.types;
        let mut ty = self.module.global_variables[variable].ty;
        let (mut byte, mut scalar) = (0, None);
        for index in path {
            match &types[ty].inner {
                TypeInner::Array { base, stride, .. } => {
                    byte += index * stride;
                    ty = *base;
                }
                TypeInner::Vector { scalar: of, .. } => {
                    byte += index * u32::from(of.width);
                    scalar = Some(*of);
                }
                other => return Err(format!("a part of {other:?}")),
            }
        }
        let (bytes, value) = match scalar {
            Some(of) if of.kind == ScalarKind::Float => (of.width.into(), Value::Float),
            Some(of) => (of.width.into(), Value::Data),
            None => (
                types[ty].inner.size(self.module.to_ctx()),
                Value::of(self.module, ty, false),
            ),
        };
        self.trace.accesses.push(Access {
            instruction,
            variable,
            byte,
            bytes,
        });
        Ok(value)
    }
}
