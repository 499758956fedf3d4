//! The random crop has torchvision's distribution.

use promptlens::image::Rect;
use promptlens::image::views::{Crop, CropRange};
use promptlens::rng::Rng;

use super::picture;

fn inside(rect: Rect, width: u32, height: u32) -> bool {
    rect.width > 0
        && rect.height > 0
        && rect.x + rect.width <= width
        && rect.y + rect.height <= height
}

#[test]
fn areas_and_proportions_are_as_drawn() {
    // On a photo so large that rounding and rejection hardly matter the accepted area is uniform
    // and the aspect log-uniform, save that large areas with extreme aspects do not fit.
    let (width, height) = (4000u32, 4000u32);
    let mut rng = Rng::new(9);
    let n = 20_000;
    let mut small_areas = Vec::new();
    let mut aspects = Vec::new();
    for _ in 0..n {
        let rect = CropRange::default().draw(width, height, &mut rng);
        assert!(inside(rect, width, height));
        let area = f64::from(rect.width) * f64::from(rect.height) / 16e6;
        let aspect = f64::from(rect.width) / f64::from(rect.height);
        assert!((0.0799..=1.0).contains(&area), "{area}");
        assert!((0.7495..=1.334).contains(&aspect), "{aspect}");
        // Up to area 0.75 every aspect fits into a square.
        if area < 0.75 {
            small_areas.push(area);
            aspects.push(aspect.ln());
        }
    }
    let mean = |values: &[f64]| values.iter().sum::<f64>() / values.len() as f64;
    assert!((mean(&small_areas) - 0.415).abs() < 0.005);
    assert!(mean(&aspects).abs() < 0.005);
    // Quarters of a uniform distribution are equally full.
    let mut quarters = [0usize; 4];
    for area in &small_areas {
        quarters[(((area - 0.08) / 0.67 * 4.0) as usize).min(3)] += 1;
    }
    let share = small_areas.len() as f64 / 4.0;
    for count in quarters {
        assert!((count as f64 / share - 1.0).abs() < 0.06, "{quarters:?}");
    }
    let wide = aspects
        .iter()
        .filter(|a| **a > (4f64 / 3.0).ln() / 2.0)
        .count();
    assert!((wide as f64 / aspects.len() as f64 - 0.25).abs() < 0.015);
}

#[test]
fn positions_cover_the_photo_evenly() {
    let mut rng = Rng::new(10);
    let (mut left, mut top, mut moved) = (0.0, 0.0, 0.0);
    for _ in 0..10_000 {
        let rect = CropRange::default().draw(640, 480, &mut rng);
        assert!(inside(rect, 640, 480));
        if rect.width < 640 && rect.height < 480 {
            left += f64::from(rect.x) / f64::from(640 - rect.width);
            top += f64::from(rect.y) / f64::from(480 - rect.height);
            moved += 1.0;
        }
    }
    assert!((left / moved - 0.5).abs() < 0.01);
    assert!((top / moved - 0.5).abs() < 0.01);
}

#[test]
fn photos_that_fit_no_crop_fall_back_to_the_center() {
    let mut rng = Rng::new(11);
    for (width, height) in [(1, 1), (1, 50_000), (50_000, 1), (3, 2000)] {
        for _ in 0..50 {
            let rect = CropRange::default().draw(width, height, &mut rng);
            assert!(inside(rect, width, height), "{rect:?}");
        }
    }
    // At 100 : 1 no try can succeed: the crop is the central 4 : 3 part.
    let rect = CropRange::default().draw(10_000, 100, &mut rng);
    let wanted = Rect {
        x: (10_000 - 133) / 2,
        y: 0,
        width: 133,
        height: 100,
    };
    assert_eq!(rect, wanted);
}

#[test]
fn half_of_the_crops_are_mirrored() {
    // Bright on the right: a mirrored crop is bright on the left.
    let mut photo = picture(64, 64);
    for (i, value) in photo.data.iter_mut().enumerate() {
        *value = (i / 3 % 64 * 4) as u8;
    }
    let mut rng = Rng::new(12);
    let mut mirrored = 0;
    for _ in 0..1000 {
        let crop = Crop::draw(64, 64, &CropRange::default(), &mut rng);
        let view = crop.cut(&photo, (8, 8)).unwrap();
        assert_eq!((view.width, view.height), (8, 8));
        mirrored += usize::from(view.pixel(0, 4)[0] > view.pixel(7, 4)[0]);
    }
    assert!((440..560).contains(&mirrored), "{mirrored}");
}
