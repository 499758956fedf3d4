//! Crops cut on the GPU, bit for bit as on the CPU.

use super::{Case, values};
use crate::image::views::Crop;
use crate::image::{Preprocess, Rect, Rgb8};
use crate::kernels::photo::Photo;

/// Photo, then the crop's left, top, width and height: enlarged, reduced, thin, whole, in a corner.
const CROPS: &[([u32; 2], [u32; 4])] = &[
    ([97, 61], [3, 5, 20, 31]),
    ([97, 61], [0, 0, 97, 61]),
    ([400, 300], [101, 7, 299, 293]),
    ([70, 1000], [69, 0, 1, 1000]),
    ([5, 5], [4, 4, 1, 1]),
    ([64, 64], [0, 0, 32, 32]),
];

pub fn cases() -> Vec<Case> {
    let cases = CROPS.iter().copied().map(|([width, height], crop)| {
        let [x, y, w, h] = crop;
        let name = format!("photo {width}x{height} crop {w}x{h} at {x},{y}");
        Case::new(name, 0.0, move |device| {
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
            let crops = [false, true].map(|mirrored| Crop { source, mirrored });
            Photo::new(&image, device)
                .patches(&crops, &Preprocess::clip(32), 8)
                .expect("the crop lies inside")
        })
    });
    cases.collect()
}
