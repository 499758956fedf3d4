//! Cosines between features that are already L2-normalized, accumulated in f64.

use crate::error::{Error, Kind, Result};

/// Independent partial sums, so that the compiler may use SIMD without reordering a single one.
const LANES: usize = 8;

/// The dot product of two equally long rows in f64.
pub fn dot<A, B>(a: &[A], b: &[B]) -> f64
where
    A: Copy + Into<f64>,
    B: Copy + Into<f64>,
{
    let mut lanes = [0f64; LANES];
    let (a_whole, a_rest) = a.as_chunks::<LANES>();
    let (b_whole, b_rest) = b.as_chunks::<LANES>();
    for (x, y) in a_whole.iter().zip(b_whole) {
        for i in 0..LANES {
            lanes[i] += x[i].into() * y[i].into();
        }
    }
    let rest: f64 = a_rest
        .iter()
        .zip(b_rest)
        .map(|(x, y)| (*x).into() * (*y).into())
        .sum();
    lanes.iter().sum::<f64>() + rest
}

/// Rows of equal width in one row-major slice.
#[derive(Debug, Clone, Copy)]
pub struct MatrixView<'a, T> {
    data: &'a [T],
    width: usize,
}

impl<'a, T: Copy + Into<f64>> MatrixView<'a, T> {
    /// `data` is `[rows, width]`, row-major.
    ///
    /// # Errors
    /// `engine/internal` if `width` is 0 or does not divide the length.
    pub fn new(data: &'a [T], width: usize) -> Result<Self> {
        if width == 0 || !data.len().is_multiple_of(width) {
            return Err(Error::new(
                Kind::Internal,
                format!("{} numbers do not form rows of {width}.", data.len()),
            ));
        }
        Ok(Self { data, width })
    }

    /// Numbers in a row.
    pub fn width(&self) -> usize {
        self.width
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.data.len() / self.width
    }

    /// Whether there are no rows.
    pub fn is_empty(&self) -> bool {
        self.data.is_empty()
    }

    /// Row `index`; panics if there is none.
    pub fn row(&self, index: usize) -> &'a [T] {
        &self.data[index * self.width..(index + 1) * self.width]
    }

    /// The rows in order.
    pub fn iter(&self) -> impl Iterator<Item = &'a [T]> + use<'a, T> {
        self.data.chunks_exact(self.width)
    }
}

/// Cosines `[queries, rows]`, row-major, of L2-normalized `queries` to L2-normalized `rows`.
///
/// # Errors
/// `engine/internal` if the widths differ.
pub fn cosines<A, B>(queries: MatrixView<'_, A>, rows: MatrixView<'_, B>) -> Result<Vec<f64>>
where
    A: Copy + Into<f64>,
    B: Copy + Into<f64>,
{
    same_width(queries.width(), rows.width())?;
    Ok(queries
        .iter()
        .flat_map(|q| rows.iter().map(move |r| dot(q, r)))
        .collect())
}

/// Refuses features of two models.
pub fn same_width(a: usize, b: usize) -> Result<()> {
    if a == b {
        return Ok(());
    }
    Err(Error::new(
        Kind::Internal,
        format!("Features of width {a} and {b} cannot be compared: they come from two models."),
    ))
}
