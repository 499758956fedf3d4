//! Drawn pictures of nothing in particular, with words for them: stripes, spots, grain, a photo in
//! pieces.
//!
//! A model that only ever saw objects gives every picture to one of them. These pictures are drawn
//! and labeled by the program, so they stand for "none of the names" without any data set of such
//! photos (outlier exposure, Hendrycks et al., 2019, with synthetic outliers).

use crate::error::Result;
use crate::image::views::Crop;
use crate::image::{Filter, Rect, Rgb8, resize};
use crate::rng::Rng;

/// True of every kind.
const ANY: &[&str] = &["texture", "pattern", "background"];

/// What a kind is called, and how it is drawn.
struct Kind {
    words: &'static [&'static str],
    draw: Draw,
}

enum Draw {
    /// Values from 0 to 1 over the unit square, to be colored.
    Field(fn(&mut Rng) -> Field),
    /// Made of a photo.
    Photo(fn(&Rgb8, (u32, u32), &mut Rng) -> Result<Rgb8>),
}

type Field = Box<dyn Fn(f64, f64) -> f64>;

const KINDS: &[Kind] = &[
    Kind {
        words: &["stripes", "lines", "curtain"],
        draw: Draw::Field(stripes),
    },
    Kind {
        words: &["grid", "plaid", "tiles"],
        draw: Draw::Field(grid),
    },
    Kind {
        words: &["dots", "spots", "beads"],
        draw: Draw::Field(dots),
    },
    Kind {
        words: &["marble", "smoke", "stain"],
        draw: Draw::Field(clouds),
    },
    Kind {
        words: &["sand", "gravel", "carpet"],
        draw: Draw::Field(grain),
    },
    Kind {
        words: &["net", "stones", "leather"],
        draw: Draw::Field(cells),
    },
    Kind {
        words: &["surface", "wall", "cloth"],
        draw: Draw::Photo(surface),
    },
    Kind {
        words: &["mosaic", "collage", "puzzle"],
        draw: Draw::Photo(pieces),
    },
];

/// How many kinds there are.
pub const COUNT: usize = KINDS.len();

/// A random word of a kind, and all kinds that it is true of.
pub fn word(kind: usize, rng: &mut Rng) -> (&'static str, Vec<usize>) {
    let own = KINDS[kind].words;
    let at = rng.below((own.len() + ANY.len()) as u64) as usize;
    match own.get(at) {
        Some(word) => (word, vec![kind]),
        None => (ANY[at - own.len()], (0..COUNT).collect()),
    }
}

/// A picture of this kind and size. Colors, and what some kinds are made of, come from `photo`.
///
/// # Errors
/// Those of [`resize`].
pub fn draw(kind: usize, photo: &Rgb8, size: (u32, u32), rng: &mut Rng) -> Result<Rgb8> {
    let field = match KINDS[kind].draw {
        Draw::Field(field) => field(rng),
        Draw::Photo(draw) => return draw(photo, size, rng),
    };
    let palette: [[f64; 3]; 3] = std::array::from_fn(|_| color(photo, rng));
    // Light falls from one side, and no two places are quite equal.
    let (tilt_x, tilt_y) = (rng.uniform(-0.4, 0.4), rng.uniform(-0.4, 0.4));
    let rough = rng.uniform(0.0, 0.12);
    let mut data = Vec::with_capacity((size.0 * size.1 * 3) as usize);
    for y in 0..size.1 {
        for x in 0..size.0 {
            let (u, v) = (
                f64::from(x) / f64::from(size.0),
                f64::from(y) / f64::from(size.1),
            );
            let value = (field(u, v) + rough * rng.normal()).clamp(0.0, 1.0) * 2.0;
            let light = 1.0 + tilt_x * (u - 0.5) + tilt_y * (v - 0.5);
            let (from, share) = if value < 1.0 {
                (0, value)
            } else {
                (1, value - 1.0)
            };
            for (a, b) in palette[from].iter().zip(&palette[from + 1]) {
                let mixed = (a + (b - a) * share) * light;
                data.push(mixed.clamp(0.0, 255.0) as u8);
            }
        }
    }
    Rgb8::new(size.0, size.1, data)
}

/// A color of the photo, or now and then any.
fn color(photo: &Rgb8, rng: &mut Rng) -> [f64; 3] {
    if rng.chance(0.3) {
        return std::array::from_fn(|_| rng.uniform(0.0, 255.0));
    }
    let x = rng.below(u64::from(photo.width)) as u32;
    let y = rng.below(u64::from(photo.height)) as u32;
    photo.pixel(x, y).map(f64::from)
}

/// Smooth random values: a lattice of `cells` x `cells`, blended.
fn noise(cells: usize, rng: &mut Rng) -> Field {
    let side = cells + 1;
    let lattice: Vec<f64> = (0..side * side).map(|_| rng.unit()).collect();
    Box::new(move |u, v| {
        let (x, y) = (
            u.rem_euclid(1.0) * cells as f64,
            v.rem_euclid(1.0) * cells as f64,
        );
        let (i, j) = (x as usize, y as usize);
        let smooth = |t: f64| t * t * (3.0 - 2.0 * t);
        let (s, t) = (smooth(x.fract()), smooth(y.fract()));
        let at = |i: usize, j: usize| lattice[j.min(cells) * side + i.min(cells)];
        let top = at(i, j) * (1.0 - s) + at(i + 1, j) * s;
        let low = at(i, j + 1) * (1.0 - s) + at(i + 1, j + 1) * s;
        top * (1.0 - t) + low * t
    })
}

/// A wave along a random direction, bent a little, soft or hard.
fn wave(rng: &mut Rng) -> Field {
    let turn = rng.uniform(0.0, std::f64::consts::PI);
    let (cos, sin) = (turn.cos(), turn.sin());
    let frequency = rng.uniform(3.0, 16.0) * std::f64::consts::TAU;
    let hard = rng.uniform(0.6, 6.0);
    let bend = rng.uniform(0.0, 0.12);
    let warp = noise(4, rng);
    Box::new(move |u, v| {
        let along = u * cos + v * sin + bend * warp(u, v);
        (0.5 + 0.5 * hard * (along * frequency).sin()).clamp(0.0, 1.0)
    })
}

fn stripes(rng: &mut Rng) -> Field {
    wave(rng)
}

fn grid(rng: &mut Rng) -> Field {
    let (a, b) = (wave(rng), wave(rng));
    let exclusive = rng.chance(0.5);
    Box::new(move |u, v| {
        let (a, b) = (a(u, v), b(u, v));
        if exclusive {
            (a - b).abs()
        } else {
            (a + b) / 2.0
        }
    })
}

/// Places of a jittered lattice of `cells` x `cells`.
fn places(cells: usize, jitter: f64, rng: &mut Rng) -> Vec<(f64, f64)> {
    (0..cells * cells)
        .map(|i| {
            let mut place =
                |at: usize| (at as f64 + 0.5 + jitter * rng.uniform(-0.5, 0.5)) / cells as f64;
            (place(i % cells), place(i / cells))
        })
        .collect()
}

/// Distances to the nearest and the second nearest place, in cells.
fn nearest(places: &[(f64, f64)], cells: usize, u: f64, v: f64) -> (f64, f64) {
    let (mut first, mut second) = (f64::INFINITY, f64::INFINITY);
    for (x, y) in places {
        let distance = ((u - x).hypot(v - y)) * cells as f64;
        if distance < first {
            (first, second) = (distance, first);
        } else if distance < second {
            second = distance;
        }
    }
    (first, second)
}

fn dots(rng: &mut Rng) -> Field {
    let cells = 3 + rng.below(9) as usize;
    let jitter = rng.uniform(0.0, 1.0);
    let places = places(cells, jitter, rng);
    let radius = rng.uniform(0.2, 0.5);
    let soft = rng.uniform(0.05, 0.5);
    Box::new(move |u, v| {
        let (distance, _) = nearest(&places, cells, u, v);
        ((radius - distance) / soft + 0.5).clamp(0.0, 1.0)
    })
}

fn cells(rng: &mut Rng) -> Field {
    let cells = 3 + rng.below(8) as usize;
    let places = places(cells, 1.0, rng);
    let width = rng.uniform(0.08, 0.8);
    Box::new(move |u, v| {
        let (first, second) = nearest(&places, cells, u, v);
        ((second - first) / width).clamp(0.0, 1.0)
    })
}

fn clouds(rng: &mut Rng) -> Field {
    let octaves: Vec<Field> = [3, 6, 12, 24]
        .iter()
        .map(|cells| noise(*cells, rng))
        .collect();
    let fall = rng.uniform(0.3, 0.8);
    let contrast = rng.uniform(1.0, 6.0);
    Box::new(move |u, v| {
        let (mut sum, mut weight, mut total) = (0.0, 1.0, 0.0);
        for octave in &octaves {
            sum += weight * octave(u, v);
            total += weight;
            weight *= fall;
        }
        ((sum / total - 0.5) * contrast + 0.5).clamp(0.0, 1.0)
    })
}

fn grain(rng: &mut Rng) -> Field {
    let cells = 16 + rng.below(48) as usize;
    let fine = noise(cells, rng);
    let coarse = noise(3, rng);
    let share = rng.uniform(0.5, 1.0);
    Box::new(move |u, v| share * fine(u, v) + (1.0 - share) * coarse(u, v))
}

/// A small piece of the photo, much enlarged.
fn surface(photo: &Rgb8, size: (u32, u32), rng: &mut Rng) -> Result<Rgb8> {
    let side = (f64::from(photo.width.min(photo.height)) * rng.uniform(0.08, 0.2)).max(3.0) as u32;
    let piece = Rect {
        x: rng.below(u64::from(photo.width - side.min(photo.width)) + 1) as u32,
        y: rng.below(u64::from(photo.height - side.min(photo.height)) + 1) as u32,
        width: side.min(photo.width),
        height: side.min(photo.height),
    };
    let whole = Rect {
        x: 0,
        y: 0,
        width: size.0,
        height: size.1,
    };
    resize(photo, piece, size, whole, Filter::Bicubic)
}

/// The photo cut into a lattice of squares that are laid anew.
fn pieces(photo: &Rgb8, size: (u32, u32), rng: &mut Rng) -> Result<Rgb8> {
    let image = Crop::draw(photo.width, photo.height, &Default::default(), rng).cut(photo, size)?;
    let count = 4 << rng.below(2);
    let order = rng.permutation((count * count) as usize);
    let (w, h) = (size.0 / count, size.1 / count);
    let mut out = image.clone();
    for (to, from) in order.into_iter().enumerate() {
        let (to, from) = (to as u32, from as u32);
        for row in 0..h {
            let start =
                |at: u32| ((((at / count) * h + row) * size.0 + (at % count) * w) * 3) as usize;
            let (to, from) = (start(to), start(from));
            let width = (w * 3) as usize;
            out.data[to..to + width].copy_from_slice(&image.data[from..from + width]);
        }
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_is_a_picture_of_its_own() {
        let photo = Rgb8::filled(40, 30, [10, 120, 200]);
        let picture = |kind| draw(kind, &photo, (16, 16), &mut Rng::new(5)).unwrap();
        for kind in 0..COUNT {
            assert_eq!(picture(kind).data.len(), 16 * 16 * 3);
            assert_eq!(picture(kind), picture(kind));
        }
        assert_ne!(picture(0), picture(1));
    }

    #[test]
    fn a_word_names_the_kinds_it_is_true_of() {
        let mut rng = Rng::new(1);
        let words: Vec<_> = (0..200).map(|_| word(2, &mut rng)).collect();
        assert!(words.iter().all(|(_, kinds)| kinds.contains(&2)));
        assert!(
            words
                .iter()
                .any(|(word, kinds)| *word == "dots" && kinds.len() == 1)
        );
        assert!(
            words
                .iter()
                .any(|(word, kinds)| *word == "texture" && kinds.len() == COUNT)
        );
    }
}
