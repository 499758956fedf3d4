//! Windows over a photo, each classified by itself.
//!
//! The seen part is a grid of [`CELLS`] x [`CELLS`]; a window covers half its side and moves by one
//! cell. A cell's value is the mean over the windows that cover it.

use crate::error::Result;
use crate::image::{Preprocess, Rect, Rgb8, resize, to_chw};

/// Cells along each side of the map.
pub const CELLS: usize = 8;
/// Cells along each side of a window.
const SPAN: usize = CELLS / 2;
/// Places of a window along each side.
const STOPS: usize = CELLS - SPAN + 1;
/// Windows in all.
pub const WINDOWS: usize = STOPS * STOPS;

/// The model's input [3, S, S] for window `index`, row by row from the top left. `seen` is the part
/// of `image` that the model looks at.
///
/// # Errors
/// `engine/internal` if `seen` lies outside the image.
pub fn window(image: &Rgb8, seen: Rect, p: &Preprocess, index: usize) -> Result<Vec<f32>> {
    let source = Rect {
        x: seen.x + edge(index % STOPS, seen.width),
        y: seen.y + edge(index / STOPS, seen.height),
        width: half(seen.width),
        height: half(seen.height),
    };
    let size = (p.crop_width, p.crop_height);
    let whole = Rect {
        x: 0,
        y: 0,
        width: size.0,
        height: size.1,
    };
    Ok(to_chw(&resize(image, source, size, whole, p.filter)?, p))
}

/// A window's length on a side of `length` pixels.
fn half(length: u32) -> u32 {
    length.div_ceil(2)
}

/// Where the window at `stop` begins on a side of `length` pixels: evenly spread from 0 to the last
/// place that it fits.
fn edge(stop: usize, length: u32) -> u32 {
    let room = u64::from(length - half(length));
    (room * stop as u64 / (STOPS as u64 - 1)) as u32
}

/// Values of the cells `[CELLS * CELLS, K]` from those of the windows `[WINDOWS, K]`.
pub fn spread(windows: &[f64], k: usize) -> Vec<f64> {
    let mut cells = Vec::with_capacity(CELLS * CELLS * k);
    for y in 0..CELLS {
        for x in 0..CELLS {
            let mut sum = vec![0f64; k];
            let mut count = 0usize;
            for row in covering(y) {
                for column in covering(x) {
                    let from = (row * STOPS + column) * k;
                    for (total, value) in sum.iter_mut().zip(&windows[from..from + k]) {
                        *total += value;
                    }
                    count += 1;
                }
            }
            cells.extend(sum.into_iter().map(|total| total / count as f64));
        }
    }
    cells
}

/// The stops whose window covers `cell` along one side.
fn covering(cell: usize) -> std::ops::RangeInclusive<usize> {
    (cell + 1).saturating_sub(SPAN)..=cell.min(STOPS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cell_is_the_mean_of_the_windows_over_it() {
        // One class whose value is the window's column: 0 to 4.
        let windows: Vec<f64> = (0..WINDOWS).map(|i| (i % STOPS) as f64).collect();
        let cells = spread(&windows, 1);
        assert_eq!(cells.len(), CELLS * CELLS);
        // Column 0 is seen by the first stop only, column 3 by stops 0 to 3, column 7 by the last.
        assert_eq!(&cells[..CELLS], &[0.0, 0.5, 1.0, 1.5, 2.5, 3.0, 3.5, 4.0],);
        assert_eq!(&cells[..CELLS], &cells[CELLS * 7..]);
    }

    #[test]
    fn windows_reach_from_edge_to_edge_whatever_the_size() {
        for length in [1u32, 2, 3, 7, 64, 501] {
            assert_eq!(edge(0, length), 0);
            assert_eq!(edge(STOPS - 1, length) + half(length), length);
            assert!(half(length) > 0);
        }
    }
}
