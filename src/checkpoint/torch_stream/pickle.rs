//! Pickles of state dictionaries, read as they arrive. The opcodes and the globals are closed
//! lists: everything else is refused by its name, and nothing of a pickle is ever executed.

use std::collections::BTreeMap;

use super::pickle_input::{Input, Stop, int};
use super::value::{Arena, Global, Id, Value, global};
use super::{damaged, unsupported};
use crate::error::{Error, Result};

/// The largest pickle that is read. That of a CLIP is far below a megabyte.
const MAX_BYTES: usize = 16 << 20;

/// CPython's stack machine, as far as state dictionaries need it.
#[derive(Default)]
pub(super) struct Unpickler {
    arena: Arena,
    stack: Vec<Id>,
    /// Heights of the stack at each open mark.
    marks: Vec<usize>,
    memo: BTreeMap<u32, Id>,
    read: usize,
}

/// How far a piece of a pickle led.
pub(super) enum Step {
    /// So many bytes were used, and more must come.
    More(usize),
    /// So many bytes were used, and the pickle ended with this value.
    Done(usize, Id),
}

impl Unpickler {
    /// Reads on in `bytes`, which begin at an opcode.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Result<Step> {
        let mut used = 0;
        loop {
            let mut input = Input {
                bytes: &bytes[used..],
                at: 0,
            };
            let step = self.step(&mut input);
            let (at, done) = match step {
                Ok(done) => (input.at, done),
                Err(Stop::Bad(error)) => return Err(error),
                Err(Stop::More) if self.read + bytes.len() - used > MAX_BYTES => {
                    return Err(too_long());
                }
                Err(Stop::More) => return Ok(Step::More(used)),
            };
            used += at;
            self.read += at;
            if self.read > MAX_BYTES {
                return Err(too_long());
            }
            if let Some(value) = done {
                return Ok(Step::Done(used, value));
            }
        }
    }

    /// The values, after the end.
    pub(super) fn into_arena(self) -> Arena {
        self.arena
    }

    /// Carries out one opcode. Every operand is read before anything changes.
    fn step(&mut self, input: &mut Input<'_>) -> Result<Option<Id>, Stop> {
        match input.byte()? {
            // PROTO, FRAME
            0x80 => {
                input.byte()?;
            }
            0x95 => {
                input.take(8)?;
            }
            b'.' => {
                let value = self.pop()?;
                return match self.stack.is_empty() && self.marks.is_empty() {
                    true => Ok(Some(value)),
                    false => Err(damaged("its pickle ends with values left over").into()),
                };
            }
            b'(' => self.marks.push(self.stack.len()),
            b'0' => {
                self.pop()?;
            }
            // NONE, NEWTRUE, NEWFALSE
            b'N' | 0x88 | 0x89 => self.push(Value::Other)?,
            b'J' => {
                let value = i64::from(i32::from_le_bytes(input.array()?));
                self.push(Value::Int(value))?;
            }
            b'K' => {
                let value = i64::from(input.byte()?);
                self.push(Value::Int(value))?;
            }
            b'M' => {
                let value = i64::from(u16::from_le_bytes(input.array()?));
                self.push(Value::Int(value))?;
            }
            // LONG1: little-endian, as few bytes as its sign allows
            0x8a => {
                let length = usize::from(input.byte()?);
                let bytes = input.take(length)?;
                let value = int(bytes).ok_or_else(|| damaged("it holds an integer too large"))?;
                self.push(Value::Int(value))?;
            }
            b'G' => {
                input.take(8)?;
                self.push(Value::Other)?;
            }
            // SHORT_BINUNICODE and SHORT_BINSTRING, BINUNICODE
            0x8c | b'U' => {
                let length = usize::from(input.byte()?);
                self.text(input.take(length)?)?;
            }
            b'X' => {
                let length = u32::from_le_bytes(input.array()?);
                let length = usize::try_from(length).unwrap_or(usize::MAX);
                self.text(input.take(length)?)?;
            }
            b'}' => self.push(Value::Dict(Vec::new()))?,
            b']' => self.push(Value::List(Vec::new()))?,
            b')' => self.push(Value::Tuple(Vec::new()))?,
            b't' => {
                let items = self.above_mark()?;
                self.push(Value::Tuple(items))?;
            }
            count @ 0x85..=0x87 => {
                let at = self.stack.len().checked_sub(usize::from(count - 0x84));
                let at = at.filter(|at| *at >= self.floor()).ok_or_else(short)?;
                let items = self.stack.split_off(at);
                self.push(Value::Tuple(items))?;
            }
            b's' => {
                let value = self.pop()?;
                let key = self.pop()?;
                self.set_items(vec![key, value])?;
            }
            b'u' => {
                let items = self.above_mark()?;
                self.set_items(items)?;
            }
            b'a' => {
                let item = self.pop()?;
                self.append(vec![item])?;
            }
            b'e' => {
                let items = self.above_mark()?;
                self.append(items)?;
            }
            b'q' => {
                let key = u32::from(input.byte()?);
                self.remember(key)?;
            }
            b'r' => {
                let key = u32::from_le_bytes(input.array()?);
                self.remember(key)?;
            }
            0x94 => {
                let key = u32::try_from(self.memo.len()).unwrap_or(u32::MAX);
                self.remember(key)?;
            }
            b'h' => {
                let key = u32::from(input.byte()?);
                self.recall(key)?;
            }
            b'j' => {
                let key = u32::from_le_bytes(input.array()?);
                self.recall(key)?;
            }
            b'c' => {
                let module = input.line()?;
                let name = input.line()?;
                self.push(Value::Global(global(module, name)?))?;
            }
            // STACK_GLOBAL
            0x93 => {
                let name = self.pop()?;
                let module = self.pop()?;
                let found = match (self.arena.text(module), self.arena.text(name)) {
                    (Some(module), Some(name)) => global(module, name)?,
                    _ => return Err(damaged("it names a class by something else").into()),
                };
                self.push(Value::Global(found))?;
            }
            b'Q' => {
                let id = self.pop()?;
                let storage = self.arena.storage(id)?;
                self.push(Value::Storage(storage))?;
            }
            b'R' => {
                let arguments = self.pop()?;
                let callable = self.pop()?;
                let made = match self.arena.get(callable) {
                    Value::Global(global) => self.call(*global, arguments)?,
                    _ => return Err(damaged("it calls what is no class").into()),
                };
                self.stack.push(made);
            }
            // BUILD: attributes, which an OrderedDict of modules has for its versions.
            b'b' => {
                self.pop()?;
                let target = self.top()?;
                if !matches!(self.arena.get(target), Value::Dict(_)) {
                    return Err(unsupported("it holds objects with a state").into());
                }
            }
            other => {
                return Err(unsupported(&format!("its pickle has the opcode {other:#04x}")).into());
            }
        }
        Ok(None)
    }

    fn call(&mut self, global: Global, arguments: Id) -> Result<Id> {
        let value = match global {
            Global::OrderedDict => Value::Dict(self.arena.pairs(arguments)?),
            Global::Tensor => Value::Tensor(self.arena.tensor(arguments)?),
            // A parameter is its tensor.
            Global::Parameter => return self.arena.first_tensor(arguments),
            Global::Storage(_) => return Err(unsupported("it makes storages of its own")),
        };
        self.arena.add(value)
    }

    fn push(&mut self, value: Value) -> Result<()> {
        let id = self.arena.add(value)?;
        self.stack.push(id);
        Ok(())
    }

    fn text(&mut self, bytes: &[u8]) -> Result<()> {
        let text = std::str::from_utf8(bytes).map_err(|_| damaged("a text in it is no UTF-8"))?;
        self.push(Value::Text(text.to_owned()))
    }

    /// The lowest height that may be popped to.
    fn floor(&self) -> usize {
        self.marks.last().copied().unwrap_or(0)
    }

    fn pop(&mut self) -> Result<Id> {
        match self.stack.len() > self.floor() {
            true => self.stack.pop().ok_or_else(short),
            false => Err(short()),
        }
    }

    fn top(&self) -> Result<Id> {
        let found = self
            .stack
            .last()
            .filter(|_| self.stack.len() > self.floor());
        found.copied().ok_or_else(short)
    }

    fn above_mark(&mut self) -> Result<Vec<Id>> {
        let mark = self.marks.pop().ok_or_else(short)?;
        Ok(self.stack.split_off(mark))
    }

    fn set_items(&mut self, items: Vec<Id>) -> Result<()> {
        let (pairs, rest) = items.as_chunks::<2>();
        let target = self.top()?;
        match self.arena.get_mut(target) {
            Value::Dict(all) if rest.is_empty() => {
                all.extend(pairs.iter().map(|[key, value]| (*key, *value)));
                Ok(())
            }
            _ => Err(damaged("it fills what is no dictionary")),
        }
    }

    fn append(&mut self, items: Vec<Id>) -> Result<()> {
        let target = self.top()?;
        match self.arena.get_mut(target) {
            Value::List(all) => {
                all.extend(items);
                Ok(())
            }
            _ => Err(damaged("it fills what is no list")),
        }
    }

    fn remember(&mut self, key: u32) -> Result<()> {
        let value = self.top()?;
        self.memo.insert(key, value);
        Ok(())
    }

    fn recall(&mut self, key: u32) -> Result<()> {
        let value = self.memo.get(&key).copied();
        let value = value.ok_or_else(|| damaged("it recalls what it never noted"))?;
        self.stack.push(value);
        Ok(())
    }
}

fn short() -> Error {
    damaged("its pickle takes more values than it has")
}

fn too_long() -> Error {
    damaged("its pickle is larger than 16 MiB")
}
