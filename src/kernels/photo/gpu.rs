//! Resampling one crop to its patches: rows first, then columns, in the fixed point of Pillow.

use burn::backend::wgpu::CubeTensor;
use burn::tensor::Device;

use super::Photo;
use crate::image::Taps;
use crate::image::views::Crop;
use crate::kernels::launch::{Kernel, dispatch_grid, empty, launch};
use crate::kernels::primitive::words;
use crate::kernels::source::Constants;

const WORKGROUP: usize = 64;

/// Cuts one crop and writes its patches into `out`.
pub(super) fn cut(
    photo: &CubeTensor,
    crop: &Crop,
    (size, patch, view): (usize, usize, usize),
    tones: &CubeTensor,
    out: &CubeTensor,
    on: &Photo<'_>,
) {
    let side = size as u32;
    let across = Taps::whole(crop.source.width, side, crop.filter);
    let down = Taps::whole(crop.source.height, side, crop.filter);
    let (first, end) = down.reach();
    let narrow = empty(photo, [end - first, size]);
    let top = crop.source.y as usize + first;
    run(
        "photo_rows",
        include_str!("../../../shaders/photo_rows.wgsl"),
        (end - first) * size,
        &[photo, &table(&across, 0, crop.mirrored, on.device), &narrow],
        &[
            on.image.width as usize,
            crop.source.x as usize,
            top,
            end - first,
            size,
        ],
    );
    run(
        "photo_columns",
        include_str!("../../../shaders/photo_columns.wgsl"),
        size * size,
        &[&narrow, &table(&down, first, false, on.device), tones, out],
        &[size, patch, view],
    );
}

fn run(
    name: &'static str,
    source: &'static str,
    items: usize,
    buffers: &[&CubeTensor],
    params: &[usize],
) {
    let constants = Constants::from([
        ("WORKGROUP", WORKGROUP.to_string()),
        ("PARAMS", buffers.len().to_string()),
    ]);
    let kernel = Kernel {
        name,
        source,
        constants,
        workgroup: [WORKGROUP as u32, 1, 1],
    };
    let params: Vec<_> = params.iter().map(|value| (*value).into()).collect();
    launch(kernel, dispatch_grid(items, WORKGROUP), buffers, &params);
}

/// (start, first weight, weights) of every output position, starts counted from `first`, then all
/// weights.
fn table(taps: &Taps, first: usize, reversed: bool, device: &Device) -> CubeTensor {
    let mut order: Vec<(usize, &[i32])> = taps.iter().collect();
    if reversed {
        order.reverse();
    }
    let mut entries = Vec::with_capacity(3 * order.len());
    let mut weights = Vec::new();
    for (start, these) in &order {
        entries.extend([start - first, 3 * order.len() + weights.len(), these.len()]);
        weights.extend_from_slice(these);
    }
    // Positions in a photo and a table of its taps are far below 2^31.
    let values: Vec<i32> = entries
        .into_iter()
        .map(|e| e as i32)
        .chain(weights)
        .collect();
    let count = values.len();
    words(values, [1, count], device)
}
