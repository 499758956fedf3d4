//! The networks that make contexts.

use promptlens::math::perceptron::Perceptron;
use promptlens::prompt::heads::conditional::Conditional;
use promptlens::prompt_learning::examples::Batch;
use promptlens::prompt_learning::lstm::Lstm;
use promptlens::prompt_learning::parametrizations::{
    Encoder, ParamGradient, Parametrization, Reparametrized,
};

use super::F32;
use crate::authors::Authors;

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|v| f64::from(*v)).collect()
}

#[test]
fn cocoop_shifts_contexts_as_its_authors_do() {
    let Some(file) = Authors::open("shelf/cocoop") else {
        return;
    };
    let conditional = Conditional {
        context: 4 * 24,
        network: Perceptron {
            input: 32,
            hidden: 2,
            output: 24,
        },
        strength: 1.0,
    };
    let parameters = ["ctx", "weight1", "bias1", "weight2", "bias2"].map(|name| file.f32(name));
    let parameters = parameters.concat();
    let images = file.get("image").chunks_exact(32);
    let shifted = images.flat_map(|image| conditional.context(&parameters, image));
    file.check("shifted", &wide(&shifted.collect::<Vec<_>>()), F32);
}

#[test]
fn pre_encodes_contexts_as_its_authors_do() {
    let Some(file) = Authors::open("shelf/pre") else {
        return;
    };
    let mut parameters = file.f32("v");
    for end in ["", "_reverse"] {
        parameters.extend(file.f32(&format!("w_ih_l0{end}")));
        parameters.extend(file.f32(&format!("w_hh_l0{end}")));
        // PyTorch has two biases, which are only ever added.
        let biases = ["b_ih_l0", "b_hh_l0"].map(|name| file.get(&format!("{name}{end}")).to_vec());
        let sums = biases[0].iter().zip(&biases[1]);
        parameters.extend(sums.map(|(a, b)| (a + b) as f32));
    }
    let reparametrized = Reparametrized {
        context: 4 * 16,
        encoder: Encoder::Lstm(Lstm {
            input: 16,
            hidden: 8,
        }),
        strength: 1.0,
    };
    assert_eq!(
        parameters.len(),
        reparametrized.context + reparametrized.encoder.count()
    );
    file.check("out", &wide(&reparametrized.merged(&parameters)), F32);
    let batch = Batch {
        images: Vec::new(),
        labels: Vec::new(),
        dim: 1,
    };
    let gradient = reparametrized.backward(&ParamGradient {
        parameters: &parameters,
        batch: &batch,
        contexts: &file.f32("co"),
        weights: &[],
    });
    file.check("grad_v", &wide(&gradient[..reparametrized.context]), F32);
}
