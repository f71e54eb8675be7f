//! Steps of several batches: the gradient is the mean of theirs, with bits of its own and close to one large batch's.

use lm::{AdamW, Batch, Compute, Decay, Instructions, Model, TrainConfig, Trainer};
use primitives::Seed;

use crate::{
    gradient::{lively, shapes, uneven},
    reference::Reference,
};

/// Step of the finite differences.
const STEP: f64 = 1e-5;

/// A step that leaves the gradient in the first moments, unclipped.
fn schedule(batch: usize, accumulate: usize) -> TrainConfig {
    TrainConfig {
        steps: 1,
        batch,
        accumulate,
        sequence: 37,
        peak_rate: 1e-3,
        warmup_steps: 0,
        decay: Decay::Constant,
        clip: None,
        adamw: AdamW { beta1: 0.0, ..AdamW::default() },
    }
}

fn tokens() -> Vec<u32> {
    let mut stream = Seed::from_number(31).stream("tokens", 0);
    (0..400).map(|_| u32::try_from(stream.below(29)).unwrap()).collect()
}

fn trainer(model: &Model, schedule: TrainConfig) -> Trainer {
    Trainer::new(model.clone(), schedule, Seed::from_number(32)).unwrap()
}

/// Loss and gradient of the first step.
fn step(model: &Model, schedule: TrainConfig, compute: &Compute) -> (f64, Vec<f32>) {
    let mut trainer = trainer(model, schedule);
    let loss = trainer.step(compute, &tokens()).unwrap().loss;
    (loss, trainer.into_state().first_moments)
}

fn bits(numbers: &[f32]) -> Vec<u32> {
    // The moment of a zero that was negative is positive: it is the sum of 0 and the gradient.
    numbers.iter().map(|x| (0.0 + x).to_bits()).collect()
}

#[test]
fn a_steps_gradient_is_the_sum_of_its_batches_in_order_times_one_by_their_number() {
    let model = uneven(true);
    for (batch, accumulate) in [(2, 1), (1, 2), (2, 3), (1, 7)] {
        let compute = Compute::with(1, Instructions::Scalar).unwrap();
        let whole = trainer(&model, schedule(batch, accumulate)).batch(&tokens(), 0).unwrap();
        let sequences: Vec<_> = whole.sequences().collect();
        assert_eq!(sequences.len(), batch * accumulate);
        let parts = sequences.chunks(batch).map(|part| {
            let part = Batch::new(model.config(), part).unwrap();
            model.loss_and_gradient(&compute, &part)
        });
        let (mut losses, mut sum): (Vec<f64>, Vec<f32>) = (Vec::new(), Vec::new());
        for (loss, gradient) in parts {
            losses.push(loss);
            if sum.is_empty() {
                sum = gradient;
            } else {
                sum.iter_mut().zip(gradient).for_each(|(sum, x)| *sum += x);
            }
        }
        if accumulate > 1 {
            let factor = 1.0 / accumulate as f32;
            sum.iter_mut().for_each(|x| *x *= factor);
        }
        let loss = losses.iter().fold(0.0, |sum, loss| sum + loss) / accumulate as f64;
        for instructions in Instructions::available() {
            for threads in 1..=3 {
                let compute = Compute::with(threads, instructions).unwrap();
                let found = step(&model, schedule(batch, accumulate), &compute);
                assert_eq!(found.0.to_bits(), loss.to_bits(), "{accumulate} × {batch}");
                assert!(bits(&found.1) == bits(&sum), "{accumulate} × {batch}: {threads}, {instructions}");
            }
        }
    }
}

#[test]
fn small_batches_come_close_to_a_large_one() {
    let compute = Compute::new(2).unwrap();
    for (name, sizes) in shapes() {
        let model = lively(sizes);
        let (loss, gradient) = step(&model, schedule(6, 1), &compute);
        let largest = gradient.iter().fold(0.0f32, |most, x| most.max(x.abs()));
        for (batch, accumulate) in [(3, 2), (2, 3), (1, 6)] {
            let (other_loss, other) = step(&model, schedule(batch, accumulate), &compute);
            let worst = gradient.iter().zip(&other).fold(0.0f32, |most, (a, b)| most.max((a - b).abs()));
            assert!((loss - other_loss).abs() < 1e-9 * loss, "{name}: {loss} and {other_loss}");
            assert!(worst < 2e-6 * largest, "{name}, {accumulate} × {batch}: {worst} of {largest}");
        }
    }
}

#[test]
fn the_gradient_of_several_batches_is_that_of_finite_differences() {
    let model = uneven(false);
    let schedule = schedule(1, 3);
    let batch = trainer(&model, schedule.clone()).batch(&tokens(), 0).unwrap();
    let (loss, gradient) = step(&model, schedule, &Compute::new(1).unwrap());
    let mut reference = Reference::new(&model);
    let mean = |reference: &Reference| {
        batch.sequences().flat_map(|(i, t)| reference.nats(i, t)).sum::<f64>() / batch.tokens() as f64
    };
    assert!((loss - mean(&reference)).abs() < 1e-6);
    let mut stream = Seed::from_number(33).stream("places", 0);
    for tensor in model.tensors() {
        let gradient = &gradient[tensor.range.clone()];
        let largest = gradient.iter().fold(0.0f64, |most, x| most.max(f64::from(x.abs())));
        for index in stream.sample(gradient.len(), 2) {
            let mut at = |change: f64| {
                *reference.at(&tensor.name, index) += change;
                let mean = mean(&reference);
                *reference.at(&tensor.name, index) -= change;
                mean
            };
            let expected = (at(STEP) - at(-STEP)) / (2.0 * STEP);
            let error = (f64::from(gradient[index]) - expected).abs() / largest;
            assert!(error < 2e-5, "{}[{index}]: {} against {expected}", tensor.name, gradient[index]);
        }
    }
}

#[test]
fn a_plain_configuration_says_nothing_of_several_batches() {
    let plain = TrainConfig::default();
    let text = serde_json::to_string(&plain).unwrap();
    assert!(text.starts_with(r#"{"steps":200,"batch":16,"sequence":128,"#), "{text}");
    assert_eq!(serde_json::from_str::<TrainConfig>(&text).unwrap(), plain);
    let several = TrainConfig { accumulate: 3, ..plain };
    let text = serde_json::to_string(&several).unwrap();
    assert!(text.contains(r#""batch":16,"accumulate":3,"sequence":128"#), "{text}");
    assert_eq!(serde_json::from_str::<TrainConfig>(&text).unwrap(), several);
    for (accumulate, value) in [(0, "0"), (65_537, "65537"), (usize::MAX, "18446744073709552000")] {
        let schedule = schedule(1, accumulate);
        let error = Trainer::new(uneven(true), schedule, Seed::from_number(1)).unwrap_err().to_string();
        assert_eq!(error, format!("accumulate is {value}, expected 1 to 2^16"));
    }
}
