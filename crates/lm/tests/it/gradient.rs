//! Losses and gradients against an independent model in f64.

use lm::{Batch, Compute, Config, Model, Sizes};
use primitives::Seed;

use crate::reference::Reference;

/// Step of the finite differences: their error is about its square, 1e-10, beside 1e-16 / 1e-5 of rounding.
const STEP: f64 = 1e-5;

/// A small model with uneven sizes, grouped queries, gains that are not 1, and embeddings of the other weights' size.
pub(crate) fn uneven(tied: bool) -> Model {
    let sizes = Sizes {
        vocab: 29,
        dim: 24,
        layers: 2,
        heads: 4,
        kv_heads: 2,
        ffn_dim: 37,
        context: 80,
        rope_theta: 10_000.0,
        norm_eps: 1e-5,
        tied,
    };
    let config = Config::new(sizes).unwrap();
    let start = Model::init(&config, Seed::from_number(11));
    let mut stream = Seed::from_number(12).stream("gains", 0);
    let mut parameters = start.parameters().to_vec();
    for tensor in start.tensors() {
        for x in &mut parameters[tensor.range.clone()] {
            if tensor.shape.len() == 1 {
                *x = 0.5 + stream.below(1000) as f32 / 1000.0;
            } else if tensor.name.contains("embed") || tensor.name.contains("lm_head") {
                *x *= 10.0;
            }
        }
    }
    Model::from_parameters(&config, parameters).unwrap()
}

/// Three sequences of lengths on both sides of the blocks' sizes.
pub(crate) fn sequences() -> Vec<(Vec<u32>, Vec<u32>)> {
    let mut stream = Seed::from_number(13).stream("tokens", 0);
    let mut tokens = |count: usize| (0..count).map(|_| u32::try_from(stream.below(29)).unwrap()).collect();
    [41, 1, 70].map(|length| (tokens(length), tokens(length))).into()
}

fn as_batch(model: &Model, sequences: &[(Vec<u32>, Vec<u32>)]) -> Batch {
    let slices: Vec<(&[u32], &[u32])> = sequences.iter().map(|(i, t)| (&i[..], &t[..])).collect();
    Batch::new(model.config(), &slices).unwrap()
}

#[test]
fn losses_are_those_of_the_reference() {
    for tied in [true, false] {
        let model = uneven(tied);
        let sequences = sequences();
        let nats = model.nats(&Compute::new(1).unwrap(), &as_batch(&model, &sequences));
        let reference = Reference::new(&model);
        let expected: Vec<f64> = sequences.iter().flat_map(|(i, t)| reference.nats(i, t)).collect();
        for (ours, expected) in nats.iter().zip(&expected) {
            assert!((ours - expected).abs() < 2e-6 * expected.max(1.0), "{ours} against {expected}");
        }
    }
}

#[test]
fn every_kind_of_parameter_has_the_gradient_of_finite_differences() {
    for tied in [true, false] {
        let model = uneven(tied);
        let sequences = sequences();
        let batch = as_batch(&model, &sequences);
        let (loss, gradient) = model.loss_and_gradient(&Compute::new(1).unwrap(), &batch);
        let mut reference = Reference::new(&model);
        let mean = |reference: &Reference| {
            let nats = sequences.iter().flat_map(|(i, t)| reference.nats(i, t));
            nats.sum::<f64>() / batch.tokens() as f64
        };
        assert!((loss - mean(&reference)).abs() < 1e-6);
        let mut stream = Seed::from_number(14).stream("places", 0);
        let mut worst: f64 = 0.0;
        for tensor in model.tensors() {
            let gradient = &gradient[tensor.range.clone()];
            let largest = gradient.iter().fold(0.0f64, |most, x| most.max(f64::from(x.abs())));
            assert!(largest > 1e-5, "{} has a gradient", tensor.name);
            for index in stream.sample(gradient.len(), 4) {
                let before = *reference.at(&tensor.name, index);
                *reference.at(&tensor.name, index) = before + STEP;
                let above = mean(&reference);
                *reference.at(&tensor.name, index) = before - STEP;
                let below = mean(&reference);
                *reference.at(&tensor.name, index) = before;
                let expected = (above - below) / (2.0 * STEP);
                let error = (f64::from(gradient[index]) - expected).abs() / largest;
                worst = worst.max(error);
                assert!(error < 2e-5, "{}[{index}]: {} against {expected}", tensor.name, gradient[index]);
            }
        }
        println!("largest error {worst:.1e} of the tensor's largest gradient");
    }
}

#[test]
fn permuting_the_sequences_of_a_batch_permutes_the_losses_and_nothing_else() {
    let model = uneven(true);
    let compute = Compute::new(2).unwrap();
    let sequences = sequences();
    let alone: Vec<Vec<f64>> = sequences
        .iter()
        .map(|one| model.nats(&compute, &as_batch(&model, std::slice::from_ref(one))))
        .collect();
    for order in [[0, 1, 2], [2, 0, 1], [1, 2, 0]] {
        let permuted = order.map(|index| sequences[index].clone());
        let expected = order.map(|index| alone[index].clone()).concat();
        assert_eq!(bits(&model.nats(&compute, &as_batch(&model, &permuted))), bits(&expected));
    }
}

fn bits(numbers: &[f64]) -> Vec<u64> {
    numbers.iter().map(|x| x.to_bits()).collect()
}
