//! What rounding the inputs of every product to 8 bits does to features, and what it costs.
use std::path::Path;
use std::time::Instant;

use promptlens::classifier::Classifier;
use promptlens::clip::read;
use promptlens::device::Choice;
use promptlens::device::self_test::pattern;
use promptlens::kernels::launch::{Tiling, set_tiling};
use promptlens::kernels::linear_kernel::set_integer;
use promptlens::weights::Quantisation;

use crate::common::cosine;

#[test]
#[ignore = "a measurement"]
fn whole_numbers_beside_floats() {
    let folders = std::env::var("PROMPTLENS_MODELS").expect("model folders, split by ':'");
    for folder in folders.split(':') {
        let open = |choice, q| {
            pollster::block_on(Classifier::open(Path::new(folder), choice, q)).expect("loads")
        };
        let floats = !folder.ends_with("mini");
        let exact = open(Choice::Cpu, floats.then_some(Quantisation::None));
        let gpu = open(Choice::WebGpu, floats.then_some(Quantisation::Q8));
        set_tiling(Tiling::Registers);
        let features = |model: &Classifier| {
            let size = model.clip.config.vision.image_size;
            let image = read(model.clip.vision.encode(&pattern(size)));
            let image = pollster::block_on(image).unwrap();
            let texts = ["a photo of a cat.".to_string()];
            let text = pollster::block_on(model.embed_texts(&texts)).unwrap().0;
            (image, text)
        };
        let reference = features(&exact);
        for integer in [false, true] {
            set_integer(integer);
            let found = features(&gpu);
            let began = Instant::now();
            features(&gpu);
            let spent = began.elapsed().as_secs_f64();
            println!(
                "{folder} integer {integer}: image {:.6} text {:.6}, image and text {spent:.2} s",
                cosine(&found.0, &reference.0),
                cosine(&found.1, &reference.1)
            );
        }
        set_integer(false);
    }
}
