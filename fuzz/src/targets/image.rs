//! Photos as people give them: any format that is sniffed, decoded and made into a model's input.

use promptlens::image::{
    Bitmap, Limits, Preprocess, Reduction, Rgb8, check_for_browser, decode, dimensions, reduction,
    resize_crop, to_chw,
};

use super::checked;

const ROOMS: &[&str] = &["image/"];

/// Smaller than the defaults, so that a file which is larger than it says is found soon.
const LIMITS: Limits = Limits {
    max_bytes: 64 << 20,
    max_pixels: 1 << 20,
    max_alloc: 64 << 20,
};

pub fn run(bytes: &[u8]) {
    let declared = checked(dimensions(bytes), ROOMS);
    checked(reduction(bytes, &Limits::default()), ROOMS);
    checked(check_for_browser(bytes, &LIMITS), ROOMS);
    let reduced = checked(reduction(bytes, &LIMITS), ROOMS);
    let Some(image) = checked(decode(bytes, &LIMITS), ROOMS) else {
        return;
    };
    let (width, height) = declared.expect("a picture that is decoded has a size");
    let reduced: Reduction = reduced.expect("a picture that is decoded keeps the limits");
    let sides = (reduced.of(width), reduced.of(height));
    let found = (image.width, image.height);
    assert!(
        found == sides || found == (sides.1, sides.0),
        "{found:?} of {width} x {height}"
    );
    let pixels = u64::from(image.width) * u64::from(image.height);
    assert!(pixels <= LIMITS.max_pixels, "{found:?}");
    assert_eq!(image.data.len() as u64, 3 * pixels);
    same_as_a_bitmap(&image);
    as_input(&image);
}

/// A bitmap of the same pixels decodes to them.
fn same_as_a_bitmap(image: &Rgb8) {
    let bitmap = Bitmap::fitting(image.width, image.height, &LIMITS);
    let mut bitmap = checked(bitmap, ROOMS).expect("a picture of a size that was accepted");
    let (pixels, _) = image.data.as_chunks::<3>();
    let rows: Vec<u8> = pixels
        .iter()
        .flat_map(|[r, g, b]| [*r, *g, *b, 255])
        .collect();
    bitmap.push(&rows);
    let file = bitmap.finish().expect("all rows are there");
    assert!(decode(&file, &LIMITS).expect("a whole bitmap") == *image);
}

/// A small model can look at it.
fn as_input(image: &Rgb8) {
    let preprocess = Preprocess::clip(32);
    // A strip of many times its width has no square inside that is worth looking at.
    if let Some(crop) = checked(resize_crop(image, &preprocess), ROOMS) {
        let input = to_chw(&crop, &preprocess);
        assert_eq!(input.len(), preprocess.input_len());
        assert!(input.iter().all(|value| value.is_finite()));
    }
}
