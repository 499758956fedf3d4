//! One invocation of a kernel, run as far as its addresses: integers and conditions are computed,
//! floats are counted only. What it reads and writes is written down.

use naga::{
    Block, Expression, Function, Handle, MathFunction, Module, Statement, SwizzleComponent,
    TypeInner,
};

use super::arithmetic::{binary, converted, of_literal, unary};
use super::place::Place;
use super::value::{Pointer, Root, Value};

/// Statements after which a kernel counts as endless.
const MOST_STATEMENTS: u64 = 50_000_000;

/// An access to an array in memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Access {
    /// The instruction: the same number in every invocation.
    pub instruction: usize,
    /// The variable.
    pub variable: Handle<naga::GlobalVariable>,
    /// Where in it, in bytes.
    pub byte: u32,
    /// How many bytes.
    pub bytes: u32,
}

/// What one invocation did.
#[derive(Debug, Default)]
pub struct Trace {
    /// In order.
    pub accesses: Vec<Access>,
    /// Additions, subtractions, multiplications and divisions of floats; a function such as `exp` is one.
    pub flops: u64,
}

/// Why a kernel could not be followed.
pub type Lost = String;

enum Flow {
    Next,
    Break,
    Continue,
    Return(Option<Value>),
}

/// A function that runs.
pub(super) struct Frame<'a> {
    function: &'a Function,
    /// Tells the instructions of functions apart.
    pub(super) base: usize,
    arguments: Vec<Value>,
    /// By handle, as are the next.
    pub(super) locals: Vec<Value>,
    values: Vec<Option<Value>>,
}

/// Runs the entry point of `module` at `place`, with the members of its uniform block.
///
/// # Errors
/// What the kernel uses that is not known here, or an address that depends on memory.
pub fn run(module: &Module, place: Place, uniform: &[Value]) -> Result<Trace, Lost> {
    let entry = module.entry_points.first().ok_or("no entry point")?;
    let mut invocation = Invocation {
        module,
        uniform,
        trace: Trace::default(),
        statements: 0,
    };
    let arguments = entry
        .function
        .arguments
        .iter()
        .map(|argument| place.builtin(argument))
        .collect::<Result<_, _>>()?;
    invocation.call(&entry.function, 0, arguments)?;
    Ok(invocation.trace)
}

/// An invocation on its way.
pub(super) struct Invocation<'a> {
    pub(super) module: &'a Module,
    pub(super) uniform: &'a [Value],
    pub(super) trace: Trace,
    statements: u64,
}

impl<'a> Invocation<'a> {
    fn call(
        &mut self,
        function: &'a Function,
        base: usize,
        arguments: Vec<Value>,
    ) -> Result<Option<Value>, Lost> {
        let mut frame = Frame {
            function,
            base,
            arguments,
            locals: Vec::with_capacity(function.local_variables.len()),
            values: vec![None; function.expressions.len()],
        };
        for (_, local) in function.local_variables.iter() {
            let value = match local.init {
                Some(init) => self.value(&mut frame, init)?,
                None => Value::of(self.module, local.ty, true),
            };
            frame.locals.push(value);
        }
        match self.block(&mut frame, &function.body)? {
            Flow::Return(value) => Ok(value),
            _ => Ok(None),
        }
    }

    fn block(&mut self, frame: &mut Frame<'a>, block: &'a Block) -> Result<Flow, Lost> {
        for statement in block.iter() {
            self.statements += 1;
            if self.statements > MOST_STATEMENTS {
                return Err("it does not end".to_owned());
            }
            match self.statement(frame, statement)? {
                Flow::Next => {}
                other => return Ok(other),
            }
        }
        Ok(Flow::Next)
    }

    fn statement(&mut self, frame: &mut Frame<'a>, statement: &'a Statement) -> Result<Flow, Lost> {
        match statement {
            Statement::Emit(range) => {
                for handle in range.clone() {
                    frame.values[handle.index()] = Some(self.compute(frame, handle)?);
                }
            }
            Statement::Block(block) => return self.block(frame, block),
            Statement::If {
                condition,
                accept,
                reject,
            } => {
                let condition = self.value(frame, *condition)?;
                // A condition on data may go both ways; the one with the work counts.
                let taken = !matches!(condition, Value::Bool(false));
                return self.block(frame, if taken { accept } else { reject });
            }
            Statement::Loop {
                body,
                continuing,
                break_if,
            } => loop {
                match self.block(frame, body)? {
                    Flow::Break => break,
                    Flow::Return(value) => return Ok(Flow::Return(value)),
                    Flow::Next | Flow::Continue => {}
                }
                self.block(frame, continuing)?;
                if let Some(end) = break_if
                    && matches!(self.value(frame, *end)?, Value::Bool(true))
                {
                    break;
                }
            },
            Statement::Break => return Ok(Flow::Break),
            Statement::Continue => return Ok(Flow::Continue),
            Statement::Return { value } => {
                let value = value.map(|value| self.value(frame, value)).transpose()?;
                return Ok(Flow::Return(value));
            }
            Statement::ControlBarrier(_) | Statement::MemoryBarrier(_) => {}
            Statement::Store { pointer, value } => {
                let value = self.value(frame, *value)?;
                let Value::Pointer(to) = self.value(frame, *pointer)? else {
                    return Err("a store to no pointer".to_owned());
                };
                self.store(frame, &to, value, pointer.index())?;
            }
            Statement::Call {
                function,
                arguments,
                result,
            } => {
                let arguments = arguments
                    .iter()
                    .map(|argument| self.value(frame, *argument))
                    .collect::<Result<_, _>>()?;
                // Where it is called from counts: each call is another instruction.
                let base = frame.base * 31 + (function.index() + 1) * 65_536;
                let base = base + result.map_or(0, |result| result.index()) * 1_048_576;
                let value = self.call(&self.module.functions[*function], base, arguments)?;
                if let Some(result) = result {
                    frame.values[result.index()] = Some(value.ok_or("a call without a result")?);
                }
            }
            other => return Err(format!("{other:?}")),
        }
        Ok(Flow::Next)
    }

    /// A value that is there, or one that needs no computing.
    fn value(&mut self, frame: &mut Frame<'a>, handle: Handle<Expression>) -> Result<Value, Lost> {
        match &frame.values[handle.index()] {
            Some(value) => Ok(value.clone()),
            None => self.compute(frame, handle),
        }
    }

    fn compute(
        &mut self,
        frame: &mut Frame<'a>,
        handle: Handle<Expression>,
    ) -> Result<Value, Lost> {
        let value = match &frame.function.expressions[handle] {
            Expression::Literal(literal) => of_literal(*literal),
            Expression::Constant(constant) => {
                let init = self.module.constants[*constant].init;
                match &self.module.global_expressions[init] {
                    Expression::Literal(literal) => of_literal(*literal),
                    other => return Err(format!("the constant {other:?}")),
                }
            }
            Expression::ZeroValue(ty) => Value::of(self.module, *ty, true),
            Expression::Compose { ty, components } => {
                let is_vector = matches!(self.module.types[*ty].inner, TypeInner::Vector { .. });
                let mut parts = Vec::new();
                for component in components {
                    let part = self.value(frame, *component)?;
                    match part {
                        Value::Several(inner) if is_vector => parts.extend(inner),
                        part => parts.push(part),
                    }
                }
                // A vector of floats is known by their number.
                match parts.iter().all(|part| matches!(part, Value::Float)) && is_vector {
                    true => Value::Floats(parts.len() as u8),
                    false => Value::Several(parts),
                }
            }
            Expression::Access { base, index } => {
                let index = self.value(frame, *index)?;
                let index = index.int().ok_or("an index that depends on memory")?;
                inside(self.value(frame, *base)?, index)?
            }
            Expression::AccessIndex { base, index } => inside(self.value(frame, *base)?, *index)?,
            Expression::Splat { size, value } => match self.value(frame, *value)? {
                Value::Float => Value::Floats(*size as u8),
                value => Value::Several(vec![value; *size as usize]),
            },
            Expression::Swizzle {
                size,
                vector,
                pattern,
            } => {
                let parts = self.value(frame, *vector)?.parts();
                let chosen = pattern[..*size as usize].iter();
                let part = |of: &SwizzleComponent| parts[*of as usize].clone();
                Value::Several(chosen.map(part).collect())
            }
            Expression::FunctionArgument(index) => frame.arguments[*index as usize].clone(),
            Expression::GlobalVariable(variable) => {
                Value::Pointer(Pointer::to(Root::Global(*variable)))
            }
            Expression::LocalVariable(variable) => {
                Value::Pointer(Pointer::to(Root::Local(*variable)))
            }
            Expression::Load { pointer } => {
                let Value::Pointer(from) = self.value(frame, *pointer)? else {
                    return Err("a load from no pointer".to_owned());
                };
                self.load(frame, &from, handle.index())?
            }
            Expression::Unary { op, expr } => unary(*op, self.value(frame, *expr)?),
            Expression::Binary { op, left, right } => {
                let (left, right) = (self.value(frame, *left)?, self.value(frame, *right)?);
                let value = binary(*op, &left, &right);
                self.trace.flops += value.floats();
                value
            }
            Expression::Select {
                condition,
                accept,
                reject,
            } => match self.value(frame, *condition)? {
                Value::Bool(false) => self.value(frame, *reject)?,
                _ => self.value(frame, *accept)?,
            },
            Expression::Math {
                fun,
                arg,
                arg1,
                arg2,
                ..
            } => {
                let mut arguments = vec![self.value(frame, *arg)?];
                for more in [arg1, arg2].into_iter().flatten() {
                    arguments.push(self.value(frame, *more)?);
                }
                self.math(*fun, &arguments)?
            }
            Expression::As { expr, kind, .. } => {
                let parts = self.value(frame, *expr)?;
                converted(parts, *kind)
            }
            Expression::Relational { .. } => Value::Data,
            other => return Err(format!("{other:?}")),
        };
        Ok(value)
    }

    fn math(&mut self, fun: MathFunction, arguments: &[Value]) -> Result<Value, Lost> {
        let ints: Option<Vec<u32>> = arguments.iter().map(Value::int).collect();
        match (fun, ints.as_deref()) {
            (MathFunction::Min, Some([a, b])) => Ok(Value::Int(*a.min(b))),
            (MathFunction::Max, Some([a, b])) => Ok(Value::Int(*a.max(b))),
            (MathFunction::Clamp, Some([x, low, high])) => Ok(Value::Int(*x.max(low).min(high))),
            (MathFunction::Dot, _) => {
                self.trace.flops += 2 * arguments[0].floats();
                Ok(Value::Float)
            }
            (MathFunction::Unpack2x16float, _) => Ok(Value::Floats(2)),
            _ => {
                self.trace.flops += arguments[0].floats();
                Ok(arguments[0].clone())
            }
        }
    }
}

/// A part of a value, or a pointer to a part.
fn inside(base: Value, index: u32) -> Result<Value, Lost> {
    match base {
        Value::Pointer(pointer) => {
            let inner = pointer.inside(index).ok_or("a pointer too deep inside")?;
            Ok(Value::Pointer(inner))
        }
        value => value
            .at(&[index])
            .cloned()
            .ok_or_else(|| "no such part".to_owned()),
    }
}
