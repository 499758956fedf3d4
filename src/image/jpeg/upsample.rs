//! Subsampled color at full size, with the interpolation and the rounding of libjpeg.
//!
//! Each output sample is 3/4 of the nearer input sample and 1/4 of the next one on its other side,
//! along each axis that is halved ("triangle filter", in libjpeg "fancy upsampling"). Rounding
//! alternates so that it adds no bias. Beyond an edge the edge sample stands.

/// The samples of one component.
pub(super) struct Plane {
    /// Rows of `stride` samples; those beyond `width` and `height` only fill the last blocks.
    pub samples: Vec<u8>,
    pub stride: usize,
    /// Samples per row that belong to the image.
    pub width: usize,
    /// Rows that belong to the image.
    pub height: usize,
    /// How many output columns and rows one sample stands for.
    pub scale: (usize, usize),
}

impl Plane {
    fn row(&self, y: usize) -> &[u8] {
        let start = y.min(self.height - 1) * self.stride;
        &self.samples[start..start + self.width]
    }

    /// Writes output row `y`, in all `width * scale.0` samples, to the start of `out`. `sums` is
    /// room to work in.
    pub fn upsampled_row(&self, y: usize, out: &mut [u8], sums: &mut Vec<u16>) {
        // With up to two columns libjpeg repeats them.
        let wide = self.scale.0 == 2 && self.width > 2;
        match self.scale {
            (1, 1) => out[..self.width].copy_from_slice(self.row(y)),
            (2, 1) if wide => {
                sums.clear();
                sums.extend(self.row(y).iter().copied().map(u16::from));
                widen::<2>(sums, [1, 2], out);
            }
            (2, 2) if wide => {
                self.mix_rows(y, sums);
                widen::<4>(sums, [8, 7], out);
            }
            (1, 2) => {
                self.mix_rows(y, sums);
                let round = if y.is_multiple_of(2) { 1 } else { 2 };
                for (out, sum) in out.iter_mut().zip(sums) {
                    *out = ((*sum + round) >> 2) as u8;
                }
            }
            (across, down) => {
                for (out, value) in out.chunks_exact_mut(across).zip(self.row(y / down)) {
                    out.fill(*value);
                }
            }
        }
    }

    /// Four times the column values of output row `y` if the height is halved.
    fn mix_rows(&self, y: usize, sums: &mut Vec<u16>) {
        let near = y / 2;
        let far = match y % 2 {
            0 => near.saturating_sub(1),
            _ => near + 1,
        };
        let pairs = self.row(near).iter().zip(self.row(far));
        sums.clear();
        sums.extend(pairs.map(|(&near, &far)| 3 * u16::from(near) + u16::from(far)));
    }
}

/// Two output samples for each of `sums`, which are scaled by `2^(SHIFT - 2)`; `round` is added to
/// the left and to the right one.
fn widen<const SHIFT: u32>(sums: &[u16], round: [u16; 2], out: &mut [u8]) {
    let pair = |before: u16, here: u16, after: u16| {
        [
            ((3 * here + before + round[0]) >> SHIFT) as u8,
            ((3 * here + after + round[1]) >> SHIFT) as u8,
        ]
    };
    let last = sums.len() - 1;
    let (out, _) = out.as_chunks_mut::<2>();
    out[0] = pair(sums[0], sums[0], sums[1]);
    out[last] = pair(sums[last - 1], sums[last], sums[last]);
    for (out, near) in out[1..].iter_mut().zip(sums.windows(3)) {
        *out = pair(near[0], near[1], near[2]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upsampled(width: usize, scale: (usize, usize), samples: &[u8]) -> Vec<Vec<u8>> {
        let height = samples.len() / width;
        let plane = Plane {
            samples: samples.to_vec(),
            stride: width,
            width,
            height,
            scale,
        };
        let row = |y| {
            let mut out = vec![0; width * scale.0];
            plane.upsampled_row(y, &mut out, &mut Vec::new());
            out
        };
        (0..height * scale.1).map(row).collect()
    }

    #[test]
    fn halved_width() {
        // (3 a + b + 1) / 4 to the left, (3 a + b + 2) / 4 to the right, whole at the edges.
        let out = upsampled(3, (2, 1), &[10, 20, 201]);
        assert_eq!(out, [[10, 13, 17, 65, 156, 201]]);
    }

    #[test]
    fn halved_height() {
        let out = upsampled(1, (1, 2), &[10, 21]);
        assert_eq!(out, [[10], [13], [18], [21]]);
    }

    #[test]
    fn both_halved() {
        // The first row: columns 10, 20, 31 at fourfold scale are 40, 80, 124.
        let out = upsampled(3, (2, 2), &[10, 20, 31, 50, 60, 71]);
        assert_eq!(out[0], [10, 12, 18, 23, 28, 31]);
        // 3 of the first row and 1 of the second: 80, 120, 164.
        assert_eq!(out[1], [20, 22, 28, 33, 38, 41]);
        assert_eq!(out.len(), 4);
    }

    #[test]
    fn other_ratios_and_narrow_planes_repeat() {
        assert_eq!(upsampled(2, (2, 1), &[1, 9]), [[1, 1, 9, 9]]);
        assert_eq!(
            upsampled(1, (2, 2), &[4, 8]),
            [[4, 4], [4, 4], [8, 8], [8, 8]]
        );
        assert_eq!(upsampled(1, (4, 1), &[3]), [[3; 4]]);
        assert_eq!(
            upsampled(1, (1, 3), &[3, 5]),
            [[3], [3], [3], [5], [5], [5]]
        );
    }
}
