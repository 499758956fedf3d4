//! From the components of a JPEG to gray or RGB pixels, by libjpeg's and Pillow's integers.

use super::frame::Frame;
use super::invalid;
use super::upsample::Plane;
use crate::error::Result;

/// What the components of a frame mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Colors {
    Gray,
    Rgb,
    YCbCr,
    /// Four inks, stored inverted as Adobe does.
    Cmyk,
    /// The same with the first three as YCbCr.
    Ycck,
}

/// What the application segments say about color.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Hints {
    /// A JFIF segment is there.
    pub jfif: bool,
    /// The transform that an Adobe segment names.
    pub adobe: Option<u8>,
}

impl Colors {
    /// By libjpeg's rules: JFIF before Adobe before component names.
    pub fn guess(frame: &Frame, hints: Hints) -> Result<Self> {
        let ids: Vec<u8> = frame.components.iter().map(|c| c.id).collect();
        Ok(match (ids.len(), hints.adobe) {
            (1, _) => Colors::Gray,
            (3, _) if hints.jfif => Colors::YCbCr,
            (3, Some(0)) => Colors::Rgb,
            (3, None) if ids == *b"RGB" => Colors::Rgb,
            (3, _) => Colors::YCbCr,
            (4, None | Some(0)) => Colors::Cmyk,
            (4, _) => Colors::Ycck,
            _ => return Err(invalid("two components")),
        })
    }

    /// Bytes per pixel that [`pixels`] gives.
    pub const fn channels(self) -> usize {
        match self {
            Colors::Gray => 1,
            _ => 3,
        }
    }
}

/// The pixels of the first `width` columns and `height` rows of `planes`.
pub(super) fn pixels(planes: &[Plane], colors: Colors, width: usize, height: usize) -> Vec<u8> {
    let channels = colors.channels();
    let mut out = vec![0; width * height * channels];
    let mut rows: Vec<Vec<u8>> = planes
        .iter()
        .map(|plane| vec![0; plane.width * plane.scale.0])
        .collect();
    let mut sums = Vec::new();
    for (y, out) in out.chunks_exact_mut(width * channels).enumerate() {
        for (plane, row) in planes.iter().zip(&mut rows) {
            plane.upsampled_row(y, row, &mut sums);
        }
        convert(colors, &rows, out);
    }
    out
}

fn convert(colors: Colors, rows: &[Vec<u8>], out: &mut [u8]) {
    let (triples, _) = out.as_chunks_mut::<3>();
    match (colors, rows) {
        (Colors::Rgb, [r, g, b]) => {
            for (((out, &r), &g), &b) in triples.iter_mut().zip(r).zip(g).zip(b) {
                *out = [r, g, b];
            }
        }
        (Colors::YCbCr, [y, cb, cr]) => {
            for (((out, &y), &cb), &cr) in triples.iter_mut().zip(y).zip(cb).zip(cr) {
                *out = rgb(y, cb, cr);
            }
        }
        (Colors::Cmyk, [c, m, y, k]) => {
            for ((((out, &c), &m), &y), &k) in triples.iter_mut().zip(c).zip(m).zip(y).zip(k) {
                *out = [c, m, y].map(|stored| on_paper(255 - stored, k));
            }
        }
        (Colors::Ycck, [y, cb, cr, k]) => {
            for ((((out, &y), &cb), &cr), &k) in triples.iter_mut().zip(y).zip(cb).zip(cr).zip(k) {
                *out = rgb(y, cb, cr).map(|ink| on_paper(ink, k));
            }
        }
        (_, [first, ..]) => out.copy_from_slice(&first[..out.len()]),
        (_, []) => {}
    }
}

/// ITU-R BT.601 at full range (JFIF 1.02) with 16 fractional bits.
#[inline(always)]
fn rgb(y: u8, cb: u8, cr: u8) -> [u8; 3] {
    const HALF: i32 = 1 << 15;
    let (y, cb, cr) = (i32::from(y), i32::from(cb) - 128, i32::from(cr) - 128);
    let r = y + ((91_881 * cr + HALF) >> 16);
    let g = y + ((HALF - 22_554 * cb - 46_802 * cr) >> 16);
    let b = y + ((116_130 * cb + HALF) >> 16);
    [r, g, b].map(|v| v.clamp(0, 255) as u8)
}

/// What an ink leaves of the light that black lets through (`light`, 255 for no black).
fn on_paper(ink: u8, light: u8) -> u8 {
    let product = u32::from(ink) * u32::from(light) + 128;
    light.saturating_sub((((product >> 8) + product) >> 8) as u8)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_color_is_the_standards_up_to_rounding() {
        for y in (0..=255).step_by(5) {
            for cb in (0..=255).step_by(3) {
                for cr in (0..=255).step_by(3) {
                    let got = rgb(y, cb, cr);
                    let (y, b, r) = (f64::from(y), f64::from(cb) - 128.0, f64::from(cr) - 128.0);
                    let wanted = [
                        y + 1.402 * r,
                        y - 0.344_136 * b - 0.714_136 * r,
                        y + 1.772 * b,
                    ];
                    for (got, wanted) in got.iter().zip(wanted) {
                        let off = f64::from(*got) - wanted.clamp(0.0, 255.0);
                        assert!(off.abs() < 0.51, "{got} is not {wanted}");
                    }
                }
            }
        }
    }

    #[test]
    fn segments_and_names_decide_what_components_mean() {
        let frame = |ids: &[u8]| {
            let mut segment = vec![8, 0, 1, 0, 1, ids.len() as u8];
            segment.extend(ids.iter().flat_map(|&id| [id, 0x11, 0]));
            Frame::parse(0xc0, &segment).unwrap()
        };
        let guess = |ids: &[u8], jfif, adobe| Colors::guess(&frame(ids), Hints { jfif, adobe });
        assert_eq!(guess(&[9], false, None).unwrap(), Colors::Gray);
        assert_eq!(guess(&[1, 2, 3], false, None).unwrap(), Colors::YCbCr);
        assert_eq!(guess(b"RGB", false, None).unwrap(), Colors::Rgb);
        assert_eq!(guess(b"RGB", true, None).unwrap(), Colors::YCbCr);
        assert_eq!(guess(&[1, 2, 3], false, Some(0)).unwrap(), Colors::Rgb);
        assert_eq!(guess(&[1, 2, 3], true, Some(0)).unwrap(), Colors::YCbCr);
        assert_eq!(guess(&[1, 2, 3, 4], false, None).unwrap(), Colors::Cmyk);
        assert_eq!(guess(&[1, 2, 3, 4], false, Some(0)).unwrap(), Colors::Cmyk);
        assert_eq!(guess(&[1, 2, 3, 4], false, Some(2)).unwrap(), Colors::Ycck);
        assert!(guess(&[1, 2], true, None).is_err());
    }
}
