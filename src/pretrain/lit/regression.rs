//! The closed-form start of the map: ridge regression from features to the vectors of their names.

use burn::tensor::Device;
use pollster::block_on;

use super::linear_algebra::solve;
use super::pool::Pool;
use crate::error::{Error, Kind, Result};
use crate::kernels::floats;
use crate::kernels::read;

/// Penalty, as a share of the mean variance of a feature.
const PENALTY: f64 = 0.05;
/// Pictures of one pass.
const CHUNK: usize = 2048;

/// Matrix [width, features] and shift [width] that bring pictures nearest to `vectors` [names, width]
/// of their names. A name of n pictures weighs as much as the root of n.
///
/// # Errors
/// `data/empty` without pictures, `engine/not-finite`.
pub fn regression(
    pool: &Pool<'_>,
    vectors: &[f32],
    width: usize,
    device: &Device,
) -> Result<(Vec<f32>, Vec<f32>)> {
    let from = pool.pictures.width;
    let rows: Vec<(usize, usize)> = pool
        .of_name
        .iter()
        .enumerate()
        .flat_map(|(name, pictures)| pictures.iter().map(move |picture| (*picture, name)))
        .collect();
    if rows.is_empty() {
        return Err(Error::new(
            Kind::DataEmpty,
            "There is no picture of a known name; run the stage features with photos of some.",
        ));
    }
    // One more column of ones on both sides gathers the means with the products.
    let (k, m) = (from + 1, width);
    let mut gram = vec![0f64; k * k];
    let mut mixed = vec![0f64; k * m];
    for chunk in rows.chunks(CHUNK) {
        let mut x = Vec::with_capacity(chunk.len() * k);
        let mut y = Vec::with_capacity(chunk.len() * m);
        for (picture, name) in chunk {
            let root = (pool.of_name[*name].len() as f32).powf(-0.25);
            let start = x.len();
            pool.pictures.feature(*picture, &mut x);
            x.push(1.0);
            x[start..].iter_mut().for_each(|v| *v *= root);
            let vector = &vectors[name * width..(name + 1) * width];
            y.extend(vector.iter().map(|v| v * root));
        }
        let x = floats(x, [chunk.len(), k], device);
        let y = floats(y, [chunk.len(), m], device);
        let turned = x.clone().transpose();
        let add = |sum: &mut [f64], part: Vec<f32>| {
            sum.iter_mut()
                .zip(part)
                .for_each(|(s, v)| *s += f64::from(v));
        };
        add(&mut gram, block_on(read(turned.clone().matmul(x)))?);
        add(&mut mixed, block_on(read(turned.matmul(y)))?);
    }
    let total = gram[k * k - 1];
    let variance = |i: usize| gram[i * k + i] - gram[i * k + from].powi(2) / total;
    let mean = (0..from).map(variance).sum::<f64>() / from as f64;
    // The shift is not penalized.
    (0..from).for_each(|i| gram[i * k + i] += PENALTY * mean);
    gram[k * k - 1] += 1e-9 * total;
    let found = solve(gram, k, mixed, m)?;
    let mut matrix = vec![0f32; width * from];
    for i in 0..from {
        for j in 0..width {
            matrix[j * from + i] = found[i * m + j] as f32;
        }
    }
    let shift = found[from * m..].iter().map(|v| *v as f32).collect();
    Ok((matrix, shift))
}
