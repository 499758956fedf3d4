//! One tensor of the model, filled with values in row-major order as they are decoded.

use half::f16;

use super::header::invalid;
use crate::clip::tensor_spec::TensorSpec;
use crate::error::Result;
use crate::quant::HostTensor;
use crate::quant::{Packed, Quantization, Scheme, reserve};

/// The largest error of a column that 4 bits may cause if the choice is between 4 and 8: root
/// mean square over the columns of |error| / |column|. Normally distributed weights come to 0.09;
/// a column 20 times larger than its neighbors makes theirs vanish, which this sees and an error
/// summed over the whole matrix does not.
const MIXED_LIMIT: f64 = 0.12;

enum Form {
    /// 32-bit floats, rounded to 16 bits if the flag says so.
    Floats(Vec<f32>, bool),
    /// Rows are packed as they become full.
    Rows(Vec<f32>, Packed),
    /// Packed both ways until the error is known.
    Either(Vec<f32>, Box<MixedPrecision>),
    /// Kept whole until it can be transposed.
    Transposed(Vec<f32>),
}

/// A matrix in 4 and in 8 bits, and what 4 bits cost per column.
struct MixedPrecision {
    four: Packed,
    eight: Packed,
    error: Vec<f64>,
    power: Vec<f64>,
    row: Vec<f32>,
}

/// A tensor on its way.
pub struct TensorBuilder {
    spec: TensorSpec,
    target: Option<Quantization>,
    room: usize,
    form: Form,
}

impl TensorBuilder {
    /// An empty tensor of `spec` that becomes what `target` says; `transposed` if values come
    /// column by column.
    ///
    /// # Errors
    /// `engine/out-of-memory`.
    pub fn new(spec: &TensorSpec, target: Option<Quantization>, transposed: bool) -> Result<Self> {
        let room = spec.elements();
        let schemes = target.map_or(&[][..], |target| target.schemes(spec.role));
        let (rows, cols) = spec.matrix();
        let floats = || {
            let mut values = Vec::new();
            reserve(&mut values, room).map(|()| values)
        };
        let form = match schemes {
            _ if transposed => Form::Transposed(floats()?),
            [] => {
                let half = target.is_some_and(|target| target.halves(spec.role));
                Form::Floats(floats()?, half)
            }
            [scheme] => Form::Rows(Vec::new(), Packed::with_capacity(*scheme, rows, cols)?),
            _ => Form::Either(
                Vec::new(),
                Box::new(MixedPrecision {
                    four: Packed::with_capacity(Scheme::Blocks4, rows, cols)?,
                    eight: Packed::with_capacity(Scheme::Blocks8, rows, cols)?,
                    error: vec![0.0; cols],
                    power: vec![0.0; cols],
                    row: vec![0.0; cols],
                }),
            ),
        };
        Ok(Self {
            spec: spec.clone(),
            target,
            room,
            form,
        })
    }

    /// Values that are still to come.
    pub fn room(&self) -> usize {
        self.room
    }

    /// Takes the next values, at most [`room`](Self::room) of them.
    ///
    /// # Errors
    /// `weights/invalid` if a value is too large for the form.
    pub fn push(&mut self, values: &[f32]) -> Result<()> {
        self.room -= values.len();
        match &mut self.form {
            Form::Transposed(all) | Form::Floats(all, false) => all.extend_from_slice(values),
            Form::Floats(all, true) => {
                let from = all.len();
                all.extend(values.iter().map(|v| f16::from_f32(*v).to_f32()));
                if !all[from..].iter().all(|v| v.is_finite()) {
                    return Err(invalid(format!(
                        "{} holds a value that is too large for 16 bits",
                        self.spec.name
                    )));
                }
            }
            Form::Rows(waiting, packed) => {
                rows(waiting, values, packed.cols, |row| packed.push_row(row))?
            }
            Form::Either(waiting, choice) => {
                rows(waiting, values, choice.four.cols, |row| choice.push(row))?
            }
        }
        Ok(())
    }

    /// The finished tensor.
    ///
    /// # Errors
    /// As [`push`](Self::push).
    pub fn finish(self) -> Result<HostTensor> {
        let shape = self.spec.shape.clone();
        Ok(match self.form {
            Form::Floats(data, _) => HostTensor::Float { shape, data },
            Form::Rows(_, packed) => HostTensor::Packed { shape, packed },
            Form::Either(_, choice) => HostTensor::Packed {
                shape,
                packed: choice.take(),
            },
            Form::Transposed(data) => {
                let (rows, cols) = self.spec.matrix();
                let mut transposed = Self::new(&self.spec, self.target, false)?;
                let mut row = vec![0.0; cols];
                for r in 0..rows {
                    for (c, value) in row.iter_mut().enumerate() {
                        *value = data[c * rows + r];
                    }
                    transposed.push(&row)?;
                }
                transposed.finish()?
            }
        })
    }
}

impl MixedPrecision {
    fn push(&mut self, row: &[f32]) -> Result<()> {
        self.four.push_row(row)?;
        self.eight.push_row(row)?;
        self.four.dequantize_row(self.four.rows - 1, &mut self.row);
        for (column, (value, rounded)) in row.iter().zip(&self.row).enumerate() {
            self.error[column] += f64::from(value - rounded).powi(2);
            self.power[column] += f64::from(*value).powi(2);
        }
        Ok(())
    }

    fn take(self) -> Packed {
        let shares: Vec<f64> = self
            .error
            .iter()
            .zip(&self.power)
            .filter(|(_, power)| **power > 0.0)
            .map(|(error, power)| error / power)
            .collect();
        let mean = shares.iter().sum::<f64>() / shares.len().max(1) as f64;
        if mean.sqrt() <= MIXED_LIMIT {
            self.four
        } else {
            self.eight
        }
    }
}

/// Gives `take` every row of `cols` values that `waiting` and `values` complete.
fn rows(
    waiting: &mut Vec<f32>,
    mut values: &[f32],
    cols: usize,
    mut take: impl FnMut(&[f32]) -> Result<()>,
) -> Result<()> {
    if !waiting.is_empty() {
        let (now, later) = values.split_at((cols - waiting.len()).min(values.len()));
        waiting.extend_from_slice(now);
        values = later;
        if waiting.len() < cols {
            return Ok(());
        }
        take(waiting)?;
        waiting.clear();
    }
    let whole = values.chunks_exact(cols.max(1));
    waiting.extend_from_slice(whole.remainder());
    for row in whole {
        take(row)?;
    }
    Ok(())
}
