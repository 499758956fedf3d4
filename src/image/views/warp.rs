//! Geometry: affine and perspective maps with bilinear sampling and black outside, as in Pillow's
//! `Image.transform` (python-pillow/Pillow, `src/libImaging/Geometry.c`).

use crate::image::Rgb8;

/// Output pixel `(x, y)` shows the input at
/// `((a x + b y + c) / w, (d x + e y + f) / w)` with `w = g x + h y + 1`, all at pixel centers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Map(pub [f64; 8]);

impl Map {
    /// An affine map from its six numbers `a b c d e f`.
    pub fn affine([a, b, c, d, e, f]: [f64; 6]) -> Self {
        Self([a, b, c, d, e, f, 0.0, 0.0])
    }

    /// Turns the picture of `width` x `height` counter-clockwise about its center.
    pub fn rotation(degrees: f64, width: u32, height: u32) -> Self {
        let angle = -degrees.to_radians();
        let (sin, cos) = angle.sin_cos();
        let (x, y) = (f64::from(width) / 2.0, f64::from(height) / 2.0);
        Self::affine([
            cos,
            sin,
            x - cos * x - sin * y,
            -sin,
            cos,
            y + sin * x - cos * y,
        ])
    }

    /// The perspective that shows the input's points `from` at the output's points `to`; `None`
    /// when three of the points lie on one line.
    pub fn perspective(from: [(f64, f64); 4], to: [(f64, f64); 4]) -> Option<Self> {
        let mut rows = [[0.0; 9]; 8];
        for (i, (&(u, v), &(x, y))) in from.iter().zip(&to).enumerate() {
            rows[2 * i] = [x, y, 1.0, 0.0, 0.0, 0.0, -u * x, -u * y, u];
            rows[2 * i + 1] = [0.0, 0.0, 0.0, x, y, 1.0, -v * x, -v * y, v];
        }
        solve(rows).map(Self)
    }
}

/// Gauss elimination with row pivots; `None` for a singular system.
fn solve(mut rows: [[f64; 9]; 8]) -> Option<[f64; 8]> {
    for column in 0..8 {
        let pivot =
            (column..8).max_by(|&a, &b| rows[a][column].abs().total_cmp(&rows[b][column].abs()))?;
        rows.swap(column, pivot);
        let top = rows[column];
        if top[column].abs() < 1e-12 {
            return None;
        }
        for (i, row) in rows.iter_mut().enumerate() {
            if i != column {
                let factor = row[column] / top[column];
                for (value, above) in row.iter_mut().zip(&top) {
                    *value -= factor * above;
                }
            }
        }
    }
    Some(std::array::from_fn(|i| rows[i][8] / rows[i][i]))
}

/// Applies `map` by bilinear sampling; what lies outside the input is black.
pub fn warp(image: &Rgb8, map: &Map) -> Rgb8 {
    let [a, b, c, d, e, f, g, h] = map.0;
    let mut out = Vec::with_capacity(image.data.len());
    for y in 0..image.height {
        for x in 0..image.width {
            let (x, y) = (f64::from(x) + 0.5, f64::from(y) + 0.5);
            let w = g * x + h * y + 1.0;
            let at = ((a * x + b * y + c) / w, (d * x + e * y + f) / w);
            out.extend(sample(image, at));
        }
    }
    Rgb8 {
        width: image.width,
        height: image.height,
        data: out,
    }
}

fn sample(image: &Rgb8, (x, y): (f64, f64)) -> [u8; 3] {
    let (width, height) = (f64::from(image.width), f64::from(image.height));
    if !((0.0..width).contains(&x) && (0.0..height).contains(&y)) {
        return [0; 3];
    }
    let (x, y) = (x - 0.5, y - 0.5);
    let (left, top) = (x.floor(), y.floor());
    let (dx, dy) = (x - left, y - top);
    let column = |x: f64| x.clamp(0.0, width - 1.0) as u32;
    let row = |y: f64| y.clamp(0.0, height - 1.0) as u32;
    let across = |y: u32| {
        let p = image.pixel(column(left), y);
        let q = image.pixel(column(left + 1.0), y);
        std::array::from_fn::<f64, 3, _>(|i| {
            f64::from(p[i]) + (f64::from(q[i]) - f64::from(p[i])) * dx
        })
    };
    let upper = across(row(top));
    let lower = across(row(top + 1.0));
    std::array::from_fn(|i| (upper[i] + (lower[i] - upper[i]) * dy) as u8)
}

#[cfg(test)]
mod tests {
    use super::Map;

    #[test]
    fn a_perspective_maps_its_corners() {
        let from = [(0.0, 0.0), (10.0, 0.0), (10.0, 8.0), (0.0, 8.0)];
        let to = [(1.0, 2.0), (9.0, 0.5), (10.0, 7.0), (0.0, 8.0)];
        let Map([a, b, c, d, e, f, g, h]) = Map::perspective(from, to).unwrap();
        for ((u, v), (x, y)) in from.into_iter().zip(to) {
            let w = g * x + h * y + 1.0;
            assert!(((a * x + b * y + c) / w - u).abs() < 1e-9);
            assert!(((d * x + e * y + f) / w - v).abs() < 1e-9);
        }
        let line = [(0.0, 0.0), (1.0, 1.0), (2.0, 2.0), (3.0, 3.0)];
        assert!(Map::perspective(from, line).is_none());
    }
}
