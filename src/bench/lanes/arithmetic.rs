//! Operators on values that are known in part.

use naga::{BinaryOperator, Literal, ScalarKind, UnaryOperator};

use super::value::Value;

/// A literal's value.
pub fn of_literal(literal: Literal) -> Value {
    match literal {
        Literal::U32(value) => Value::Int(value),
        Literal::I32(value) => Value::Int(value as u32),
        Literal::AbstractInt(value) => Value::Int(value as u32),
        Literal::Bool(value) => Value::Bool(value),
        _ => Value::Float,
    }
}

/// `op value`.
pub fn unary(op: UnaryOperator, value: Value) -> Value {
    match (op, value) {
        (UnaryOperator::LogicalNot, Value::Bool(is)) => Value::Bool(!is),
        (UnaryOperator::BitwiseNot, Value::Int(of)) => Value::Int(!of),
        (UnaryOperator::Negate, Value::Int(of)) => Value::Int(of.wrapping_neg()),
        (_, other) => other,
    }
}

/// `left op right`, part by part.
pub fn binary(op: BinaryOperator, left: &Value, right: &Value) -> Value {
    use BinaryOperator as Op;
    match (left, right) {
        (Value::Floats(count), Value::Floats(_) | Value::Float)
        | (Value::Float, Value::Floats(count))
            if !compares(op) =>
        {
            return Value::Floats(*count);
        }
        _ => {}
    }
    let is_vector = |value: &Value| matches!(value, Value::Several(_) | Value::Floats(_));
    if is_vector(left) || is_vector(right) {
        let (left, right) = (left.parts(), right.parts());
        let count = left.len().max(right.len());
        let part = |of: &[Value], i: usize| of[i % of.len()].clone();
        let parts = (0..count).map(|i| binary(op, &part(&left, i), &part(&right, i)));
        return Value::Several(parts.collect());
    }
    match (left, right) {
        (Value::Int(a), Value::Int(b)) => match op {
            Op::Add => Value::Int(a.wrapping_add(*b)),
            Op::Subtract => Value::Int(a.wrapping_sub(*b)),
            Op::Multiply => Value::Int(a.wrapping_mul(*b)),
            Op::Divide => Value::Int(a.checked_div(*b).unwrap_or(*a)),
            Op::Modulo => Value::Int(a.checked_rem(*b).unwrap_or(0)),
            Op::And => Value::Int(a & b),
            Op::InclusiveOr => Value::Int(a | b),
            Op::ExclusiveOr => Value::Int(a ^ b),
            Op::ShiftLeft => Value::Int(a.wrapping_shl(*b)),
            Op::ShiftRight => Value::Int(a.wrapping_shr(*b)),
            Op::Equal => Value::Bool(a == b),
            Op::NotEqual => Value::Bool(a != b),
            Op::Less => Value::Bool(a < b),
            Op::LessEqual => Value::Bool(a <= b),
            Op::Greater => Value::Bool(a > b),
            Op::GreaterEqual => Value::Bool(a >= b),
            Op::LogicalAnd | Op::LogicalOr => Value::Data,
        },
        (Value::Bool(a), Value::Bool(b)) => match op {
            Op::And | Op::LogicalAnd => Value::Bool(*a && *b),
            Op::InclusiveOr | Op::LogicalOr => Value::Bool(*a || *b),
            Op::Equal => Value::Bool(a == b),
            _ => Value::Bool(a != b),
        },
        (Value::Float, _) | (_, Value::Float) if !compares(op) => Value::Float,
        _ => Value::Data,
    }
}

/// `value` as a scalar of another kind, part by part.
pub fn converted(value: Value, kind: ScalarKind) -> Value {
    match (value, kind) {
        (Value::Several(parts), ScalarKind::Float) => Value::Floats(parts.len() as u8),
        (Value::Several(parts), kind) => Value::Several(
            parts
                .into_iter()
                .map(|part| converted(part, kind))
                .collect(),
        ),
        (Value::Floats(count), ScalarKind::Float) => Value::Floats(count),
        (Value::Floats(count), _) => Value::Several(vec![Value::Data; usize::from(count)]),
        (_, ScalarKind::Float) => Value::Float,
        (Value::Float, _) => Value::Data,
        (Value::Bool(is), ScalarKind::Uint | ScalarKind::Sint) => Value::Int(u32::from(is)),
        (other, _) => other,
    }
}

fn compares(op: BinaryOperator) -> bool {
    use BinaryOperator as Op;
    matches!(
        op,
        Op::Equal | Op::NotEqual | Op::Less | Op::LessEqual | Op::Greater | Op::GreaterEqual
    )
}
