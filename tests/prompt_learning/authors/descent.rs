//! Rates and steps.

use promptlens::math::optimizer::{AdamW, Optimizer, Sgd};
use promptlens::prompt_learning::schedule::Schedule;

use super::{F32, F64, reference};

#[test]
fn every_epoch_has_the_rate_of_dassl() {
    let Some(file) = reference("schedule") else {
        return;
    };
    for (name, _) in file.tensors() {
        let numbers: Vec<usize> = name.split('_').filter_map(|n| n.parse().ok()).collect();
        let [epochs, warm_up] = numbers[..] else {
            panic!("{name}");
        };
        let schedule = Schedule::dassl(warm_up);
        for step in [0, 2] {
            let rates = (0..epochs).map(|epoch| schedule.rate(0.002, epoch, epochs, step, 3));
            file.check(name, &rates.collect::<Vec<_>>(), F64);
        }
    }
    assert_eq!(Schedule::COOP, Schedule::dassl(1));
}

#[test]
fn optimizers_step_as_pytorch_does() {
    let Some(file) = reference("optimiser") else {
        return;
    };
    let end = |mut optimizer: Box<dyn Optimizer>| {
        let mut parameters = file["start"].values.clone();
        for gradient in file["gradients"].values.chunks_exact(parameters.len()) {
            optimizer.step(&mut parameters, gradient, 0.002);
        }
        parameters.into_iter().map(f64::from).collect::<Vec<_>>()
    };
    file.check("sgd", &end(Box::new(Sgd::new(0.9, 5e-4))), F32);
    let count = file.numbers("start").len();
    file.check("adamw", &end(Box::new(AdamW::new(count, 0.01))), F32);
}
