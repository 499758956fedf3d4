//! Crops cut on the GPU, bit for bit as on the CPU.

use super::Photo;
use crate::image::views::Crop;
use crate::image::{Filter, Preprocess, Rect, Rgb8};
use crate::kernels::check::draw::Draw;
use crate::kernels::check::{Case, values};

/// Photo, then the crop's left, top, width and height: enlarged, reduced, thin, whole, in a corner, long.
const CROPS: &[([u32; 2], [u32; 4])] = &[
    ([97, 61], [3, 5, 20, 31]),
    ([97, 61], [0, 0, 97, 61]),
    ([400, 300], [101, 7, 299, 293]),
    ([70, 1000], [69, 0, 1, 1000]),
    ([5, 5], [4, 4, 1, 1]),
    ([64, 64], [0, 0, 32, 32]),
    // One invocation for each value of its narrowed rows: more workgroups than one dimension of a dispatch has.
    ([1, 131_105], [0, 0, 1, 131_105]),
];

const DRAWS: usize = 8;
/// Pixels of one drawn photo.
const WORK: usize = 200_000;

/// The crop [left, top, width, height] of a photo of `width` x `height`, scaled to a square of
/// `side` patches along each edge, and its mirror image.
fn on([width, height]: [u32; 2], crop: [u32; 4], [side, patch]: [u32; 2], drawn: &str) -> Case {
    let [x, y, w, h] = crop;
    let size = side * patch;
    let name = format!("photo {drawn}{width}x{height} crop {w}x{h} at {x},{y} to {size}");
    Case::new(name, 0.0, move |on| {
        let bytes = values(3 * width as usize * height as usize, 9);
        let image = Rgb8 {
            width,
            height,
            data: bytes.iter().map(|v| ((v + 1.0) * 127.9) as u8).collect(),
        };
        let source = Rect {
            x,
            y,
            width: w,
            height: h,
        };
        let crops =
            [(false, Filter::Bilinear), (true, Filter::Bicubic)].map(|(mirrored, filter)| Crop {
                source,
                mirrored,
                filter,
            });
        Photo::new(&image, &on.device)
            .patches(&crops, &Preprocess::clip(size), patch as usize)
            .expect("the crop lies inside")
    })
}

/// A photo, a crop of it and what it is scaled to.
fn drawn(draw: &mut Draw) -> Case {
    let mut size = |most| draw.size(&[1, 2, 224], most) as u32;
    let (width, height) = (size(1000), size(1000));
    let mut part = |of: u32| {
        let length = draw.up_to(of);
        (draw.up_to(of - length + 1) - 1, length)
    };
    let ((x, w), (y, h)) = (part(width), part(height));
    let grid = [draw.up_to(7), draw.up_to(16)];
    on([width, height], [x, y, w, h], grid, &draw.name)
}

/// The fixed crops, and draws of `seed`.
pub fn cases(seed: u32) -> Vec<Case> {
    let fixed = CROPS
        .iter()
        .map(|(photo, crop)| on(*photo, *crop, [4, 8], ""));
    let drawn = Draw::several(seed, DRAWS, WORK).map(|mut draw| drawn(&mut draw));
    fixed.chain(drawn).collect()
}
