//! The networks that make contexts.

use promptlens::math::perceptron::Perceptron;
use promptlens::prompt::heads::conditional::Conditional;
use promptlens::prompt_learning::examples::Batch;
use promptlens::prompt_learning::lstm::Lstm;
use promptlens::prompt_learning::parametrizations::{
    Encoder, ParamGradient, Parametrization, Reparametrized,
};

use super::{F32, reference};

fn wide(values: &[f32]) -> Vec<f64> {
    values.iter().map(|v| f64::from(*v)).collect()
}

#[test]
fn cocoop_shifts_contexts_as_its_authors_do() {
    let Some(file) = reference("cocoop") else {
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
    let parameters =
        ["ctx", "weight1", "bias1", "weight2", "bias2"].map(|name| file[name].values.clone());
    let parameters = parameters.concat();
    let images = file.numbers("image").chunks_exact(32);
    let shifted = images.flat_map(|image| conditional.context(&parameters, image));
    file.check("shifted", &wide(&shifted.collect::<Vec<_>>()), F32);
}

#[test]
fn pre_encodes_contexts_as_its_authors_do() {
    let Some(file) = reference("pre") else {
        return;
    };
    let mut parameters = file["v"].values.clone();
    for end in ["", "_reverse"] {
        parameters.extend(&file[&format!("w_ih_l0{end}")].values);
        parameters.extend(&file[&format!("w_hh_l0{end}")].values);
        // PyTorch has two biases, which are only ever added.
        let biases =
            ["b_ih_l0", "b_hh_l0"].map(|name| file.numbers(&format!("{name}{end}")).to_vec());
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
        places: Vec::new(),
        images: Vec::new(),
        local_features: Vec::new(),
        labels: Vec::new(),
        dim: 1,
    };
    let gradient = reparametrized.backward(&ParamGradient {
        parameters: &parameters,
        batch: &batch,
        contexts: &file["co"].values,
        weights: &[],
    });
    file.check("grad_v", &wide(&gradient[..reparametrized.context]), F32);
}
