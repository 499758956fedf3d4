//! Sets of views: counts, order, determinism.

use std::collections::HashSet;

use promptlens::image::views::{
    MAX_VIEWS, Strong, View, ViewKind, ViewMaker, ViewPlan, make_views,
};
use promptlens::image::{Preprocess, Rgb8, resize_crop, to_chw};

use super::picture;

fn bits(views: &[View]) -> Vec<Vec<u32>> {
    let view = |v: &View| v.chw.iter().map(|x| x.to_bits()).collect();
    views.iter().map(view).collect()
}

fn count(views: &[View], wanted: impl Fn(ViewKind) -> bool) -> usize {
    views.iter().filter(|view| wanted(view.kind)).count()
}

#[test]
fn plans_have_the_published_counts() {
    assert_eq!(ViewPlan::tpt(64, false).crops, 63);
    let lite = ViewPlan::difftpt_lite(64, &[]);
    assert_eq!((lite.crops, lite.strong, lite.total()), (31, 32, 64));
    for views in 1..9 {
        assert_eq!(ViewPlan::tpt(views, true).total(), views);
        assert_eq!(ViewPlan::difftpt_lite(views, &[]).total(), views);
    }
    // The plain view is always there.
    assert_eq!(ViewPlan::tpt(0, false).total(), 1);
}

#[test]
fn the_first_view_is_the_plain_one() {
    let photo = picture(90, 70);
    let p = Preprocess::clip(32);
    for plan in [
        ViewPlan::tpt(1, false),
        ViewPlan::tpt(3, true),
        ViewPlan::difftpt_lite(4, &[]),
        ViewPlan {
            source_edge: Some(40),
            ..ViewPlan::tpt(2, false)
        },
    ] {
        let views = make_views(&photo, &p, &plan, 5).unwrap();
        assert_eq!(views.len(), plan.total());
        assert_eq!(views[0].kind, ViewKind::Plain);
        assert!(views[0].thumb == resize_crop(&photo, &p).unwrap());
        assert_eq!(views[0].chw, to_chw(&views[0].thumb, &p));
    }
}

#[test]
fn same_seed_same_bits_in_any_order() {
    let photo = picture(100, 80);
    let gallery = [picture(30, 50), Rgb8::filled(9, 9, [200, 90, 10])];
    let p = Preprocess::clip(32);
    let plan = ViewPlan {
        augmix: true,
        ..ViewPlan::difftpt_lite(40, &gallery)
    };
    let views = make_views(&photo, &p, &plan, 7).unwrap();
    let again = make_views(&photo, &p, &plan, 7).unwrap();
    assert_eq!(bits(&views), bits(&again));
    let maker = ViewMaker::new(&photo, &p, &plan, 7).unwrap();
    for index in (0..plan.total()).rev() {
        assert_eq!(
            bits(&[maker.view(index).unwrap()]),
            bits(&views[index..=index])
        );
    }
    let other = make_views(&photo, &p, &plan, 8).unwrap();
    let same = bits(&views)
        .iter()
        .zip(bits(&other))
        .filter(|(a, b)| *a == b)
        .count();
    // The plain view, and strong views that draw nothing (gray, alone and unmirrored).
    assert!((1..=4).contains(&same), "{same}");
    // Fewer views are the first of more.
    let fewer = ViewPlan {
        crops: 5,
        strong: 0,
        ..plan.clone()
    };
    let fewer = make_views(&photo, &p, &fewer, 7).unwrap();
    assert_eq!(bits(&fewer), bits(&views[..6]));
}

#[test]
fn views_differ_from_each_other() {
    let photo = picture(120, 90);
    let p = Preprocess::clip(24);
    for plan in [ViewPlan::tpt(64, false), ViewPlan::tpt(64, true)] {
        let views = make_views(&photo, &p, &plan, 1).unwrap();
        let distinct: HashSet<_> = bits(&views).into_iter().collect();
        assert_eq!(distinct.len(), 64);
        for view in &views {
            assert_eq!(view.chw.len(), p.input_len());
            assert!(view.chw.iter().all(|v| v.is_finite()));
            assert_eq!((view.thumb.width, view.thumb.height), (24, 24));
        }
    }
}

#[test]
fn augmix_mixes_around_the_crop() {
    // Mixing weights are convex, so a mixed view stays inside the range of possible inputs, and
    // its picture is what the model sees to within rounding.
    let photo = picture(80, 80);
    let p = Preprocess::clip(32);
    let views = make_views(&photo, &p, &ViewPlan::tpt(20, true), 3).unwrap();
    let plain = make_views(&photo, &p, &ViewPlan::tpt(20, false), 3).unwrap();
    let low = to_chw(&Rgb8::filled(32, 32, [0; 3]), &p);
    let high = to_chw(&Rgb8::filled(32, 32, [255; 3]), &p);
    let mut changed = 0;
    for (view, crop) in views.iter().zip(&plain).skip(1) {
        assert_eq!(view.kind, ViewKind::AugMix);
        assert_eq!(crop.kind, ViewKind::Crop);
        for (i, value) in view.chw.iter().enumerate() {
            assert!(*value >= low[i] - 1e-5 && *value <= high[i] + 1e-5);
        }
        let shown = to_chw(&view.thumb, &p);
        let half_a_step = 0.51 / 255.0 / 0.26;
        assert!(
            shown
                .iter()
                .zip(&view.chw)
                .all(|(a, b)| (a - b).abs() < half_a_step)
        );
        changed += usize::from(view.chw != crop.chw);
    }
    assert!(changed >= 18);
}

#[test]
fn all_strong_kinds_take_turns() {
    let photo = picture(70, 90);
    let p = Preprocess::clip(32);
    let gallery = [picture(40, 40)];
    let plan = ViewPlan::difftpt_lite(64, &gallery);
    let views = make_views(&photo, &p, &plan, 2).unwrap();
    assert_eq!(count(&views, |kind| kind == ViewKind::Crop), 31);
    for kind in Strong::ALL {
        let made = count(&views, |k| k == ViewKind::Strong(kind));
        assert!((2..=3).contains(&made), "{kind:?} {made}");
    }
    let alone = ViewPlan::difftpt_lite(64, &[]);
    let views = make_views(&photo, &p, &alone, 2).unwrap();
    let borrowed = |k| matches!(k, ViewKind::Strong(Strong::Amplitude | Strong::Statistics));
    assert_eq!(count(&views, borrowed), 0);
    assert_eq!(count(&views, |k| matches!(k, ViewKind::Strong(_))), 32);
}

#[test]
fn supplied_variants_are_only_preprocessed() {
    let photo = picture(50, 50);
    let p = Preprocess::clip(16);
    let made = [picture(31, 77), Rgb8::filled(4, 4, [1, 2, 3])];
    let variants = made.clone().map(|v| resize_crop(&v, &p).unwrap());
    let plan = ViewPlan {
        variants: &variants,
        ..ViewPlan::tpt(3, false)
    };
    // DiffTPT's crops are counted beside the plain view.
    assert_eq!(ViewPlan::difftpt(3, &variants).total(), plan.total() + 1);
    let views = make_views(&photo, &p, &plan, 0).unwrap();
    assert_eq!(views.len(), 5);
    let plan = ViewPlan::difftpt(3, &made);
    let refused = make_views(&photo, &p, &plan, 0).unwrap_err();
    assert_eq!(refused.code(), "options/invalid");
    for (view, variant) in views[3..].iter().zip(&variants) {
        assert_eq!(view.kind, ViewKind::Variant);
        assert!(view.thumb == *variant);
    }
}

#[test]
fn blank_thin_and_tiny_photos_have_views() {
    let p = Preprocess::clip(16);
    let gallery = [Rgb8::filled(1, 1, [0; 3])];
    for photo in [
        Rgb8::filled(1, 1, [0; 3]),
        Rgb8::filled(30, 30, [255; 3]),
        Rgb8::filled(1, 3000, [9, 8, 7]),
        Rgb8::filled(3000, 2, [9, 8, 7]),
    ] {
        let plan = ViewPlan {
            augmix: true,
            ..ViewPlan::difftpt_lite(40, &gallery)
        };
        for view in make_views(&photo, &p, &plan, 6).unwrap() {
            assert!(view.chw.iter().all(|v| v.is_finite()));
        }
    }
}

#[test]
fn a_smaller_source_gives_nearly_the_same_crops() {
    let photo = picture(400, 300);
    let p = Preprocess::clip(24);
    let exact = make_views(&photo, &p, &ViewPlan::tpt(9, false), 4).unwrap();
    let plan = ViewPlan {
        source_edge: Some(150),
        ..ViewPlan::tpt(9, false)
    };
    let quick = make_views(&photo, &p, &plan, 4).unwrap();
    for (a, b) in exact.iter().zip(&quick) {
        let pairs = a.thumb.data.iter().zip(&b.thumb.data);
        let sum: u32 = pairs.map(|(a, b)| u32::from(a.abs_diff(*b))).sum();
        assert!(f64::from(sum) / (a.thumb.data.len() as f64) < 4.0);
    }
}

#[test]
fn impossible_plans_are_refused() {
    let photo = picture(8, 8);
    let p = Preprocess::clip(8);
    for plan in [
        ViewPlan::tpt(MAX_VIEWS + 1, false),
        ViewPlan {
            crops: usize::MAX,
            strong: usize::MAX,
            ..ViewPlan::default()
        },
        ViewPlan {
            source_edge: Some(0),
            ..ViewPlan::default()
        },
    ] {
        let error = make_views(&photo, &p, &plan, 0).unwrap_err();
        assert_eq!(error.code(), "options/invalid");
    }
    let plan = ViewPlan::tpt(2, false);
    let maker = ViewMaker::new(&photo, &p, &plan, 0).unwrap();
    assert_eq!(maker.view(2).unwrap_err().code(), "options/invalid");
}
