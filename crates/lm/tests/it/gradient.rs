//! Losses and gradients against an independent model in f64.

use lm::{
    Batch, Compute, Config, Family, Instructions, Model, Preset, RopeScaling, Sizes, TrainConfig, Trainer,
};
use primitives::Seed;
use proptest::prelude::*;

use crate::reference::Reference;

/// Step of the finite differences: their error is about its square, 1e-10, beside 1e-16 / 1e-5 of rounding.
const STEP: f64 = 1e-5;

/// A small model with uneven sizes, grouped queries, gains that are not 1, and embeddings of the other weights' size.
pub(crate) fn uneven(tied: bool) -> Model {
    lively(uneven_sizes(tied))
}

fn uneven_sizes(tied: bool) -> Sizes {
    Sizes {
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
        ..*Preset::Mouse.config()
    }
}

/// Every shape that the family has, by name: each member, tied and not, with heads narrower and wider than the stream.
pub(crate) fn shapes() -> Vec<(&'static str, Sizes)> {
    let llama3 = RopeScaling::Llama3 { factor: 4.0, slow_turns: 0.5, fast_turns: 3.0, first_context: 40 };
    let tied = uneven_sizes(true);
    let untied = uneven_sizes(false);
    vec![
        ("llama, tied", tied),
        ("llama, untied", untied),
        ("llama with biases", Sizes { attention_bias: true, ..untied }),
        ("llama, rates slowed down", Sizes { rope_scaling: Some(llama3), ..tied }),
        ("llama, rates halved", Sizes { rope_scaling: Some(RopeScaling::Linear { factor: 2.0 }), ..tied }),
        ("mistral, wide heads", Sizes { family: Family::Mistral, head_dim: Some(10), ..untied }),
        ("mistral, narrow heads", Sizes { family: Family::Mistral, head_dim: Some(2), ..tied }),
        ("qwen2", Sizes { family: Family::Qwen2, ..tied }),
        ("qwen2, wide heads", Sizes { family: Family::Qwen2, head_dim: Some(8), ..untied }),
        ("qwen3", Sizes { family: Family::Qwen3, head_dim: Some(10), ..tied }),
        (
            "qwen3 with biases",
            Sizes { family: Family::Qwen3, head_dim: Some(16), attention_bias: true, ..untied },
        ),
    ]
}

/// A model whose gains are not 1, whose biases are not 0, and whose embeddings are of the other weights' size.
pub(crate) fn lively(sizes: Sizes) -> Model {
    let config = Config::new(sizes).unwrap();
    let start = Model::init(&config, Seed::from_number(11));
    let mut stream = Seed::from_number(12).stream("gains", 0);
    let mut parameters = start.parameters().to_vec();
    for tensor in start.tensors() {
        for x in &mut parameters[tensor.range.clone()] {
            if tensor.name.ends_with(".bias") {
                *x = stream.below(1000) as f32 / 1000.0 - 0.5;
            } else if tensor.shape.len() == 1 {
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
    for (name, sizes) in shapes() {
        let model = lively(sizes);
        let sequences = sequences();
        let nats = model.nats(&Compute::new(1).unwrap(), &as_batch(&model, &sequences));
        let reference = Reference::new(&model);
        let expected: Vec<f64> = sequences.iter().flat_map(|(i, t)| reference.nats(i, t)).collect();
        for (ours, expected) in nats.iter().zip(&expected) {
            assert!((ours - expected).abs() < 2e-6 * expected.max(1.0), "{name}: {ours} against {expected}");
        }
    }
}

#[test]
fn logits_are_those_that_the_losses_are_made_of() {
    for (name, sizes) in shapes() {
        let (model, (inputs, targets)) = (lively(sizes), sequences().remove(2));
        let compute = Compute::new(2).unwrap();
        let logits = model.logits(&compute, &inputs).unwrap();
        assert_eq!(logits.len(), inputs.len() * sizes.vocab);
        let nats = model.nats(&compute, &as_batch(&model, &[(inputs, targets.clone())]));
        for ((row, target), nats) in logits.chunks(sizes.vocab).zip(&targets).zip(nats) {
            let sum: f64 = row.iter().map(|logit| primitives::math::exp(f64::from(*logit))).sum();
            let p = primitives::math::exp(f64::from(row[*target as usize])) / sum;
            assert!((p - primitives::math::exp(-nats)).abs() < 1e-6, "{name}: {p} against {nats} nats");
        }
    }
}

#[test]
fn every_kind_of_parameter_has_the_gradient_of_finite_differences() {
    for (name, sizes) in shapes() {
        let model = lively(sizes);
        // The plain shape in full, of the others what is longer than any block.
        let plain = sizes == uneven_sizes(sizes.tied);
        let (sequences, samples) = if plain { (sequences(), 4) } else { (sequences().split_off(2), 2) };
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
            if tensor.name.ends_with("k_proj.bias") && !model.config().has_head_norms() {
                // Turning moves what all keys share, but hardly.
                assert!(largest > 1e-9, "{name}: {} has a gradient", tensor.name);
            } else {
                assert!(largest > 1e-5, "{name}: {} has a gradient", tensor.name);
            }
            for index in stream.sample(gradient.len(), samples) {
                let before = *reference.at(&tensor.name, index);
                *reference.at(&tensor.name, index) = before + STEP;
                let above = mean(&reference);
                *reference.at(&tensor.name, index) = before - STEP;
                let below = mean(&reference);
                *reference.at(&tensor.name, index) = before;
                let expected = (above - below) / (2.0 * STEP);
                let error = (f64::from(gradient[index]) - expected).abs() / largest;
                worst = worst.max(error);
                assert!(
                    error < 2e-5,
                    "{name}: {}[{index}]: {} against {expected}",
                    tensor.name,
                    gradient[index]
                );
            }
        }
        println!("{name}: largest error {worst:.1e} of the tensor's largest gradient");
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

#[test]
fn every_shape_of_the_family_has_the_same_bits_for_any_thread_count_and_instructions() {
    for (name, sizes) in shapes() {
        let model = lively(sizes);
        let batch = as_batch(&model, &sequences());
        let everything = |compute: &Compute| {
            let (loss, gradient) = model.loss_and_gradient(compute, &batch);
            let logits = model.logits(compute, &sequences()[2].0).unwrap();
            (loss.to_bits(), gradient.into_iter().chain(logits).map(f32::to_bits).collect::<Vec<u32>>())
        };
        let expected = everything(&Compute::with(1, Instructions::Scalar).unwrap());
        for instructions in Instructions::available() {
            for threads in 1..=3 {
                let compute = Compute::with(threads, instructions).unwrap();
                assert!(everything(&compute) == expected, "{name}: {threads} threads, {instructions}");
            }
        }
    }
}

fn bits(numbers: &[f64]) -> Vec<u64> {
    numbers.iter().map(|x| x.to_bits()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn models_of_any_shape_have_the_same_bits_for_any_thread_count_and_instructions(
        vocab in 1usize..300, half in 1usize..12, group in 1usize..4, kv_heads in 1usize..4, ffn_dim in 1usize..50,
        tied: bool, lengths in prop::collection::vec(1usize..90, 1..5), threads in 1usize..4, number: u64,
        family in prop::sample::select(&Family::ALL[..]), own_half in prop::option::of(1usize..12), biased: bool,
    ) {
        let heads = group * kv_heads;
        let attention_bias = biased && matches!(family, Family::Llama | Family::Qwen3);
        let sizes = Sizes {
            vocab, dim: 2 * half * heads, layers: 1, heads, kv_heads, ffn_dim, context: 90, rope_theta: 500.0,
            norm_eps: 1e-5, tied, family, head_dim: own_half.map(|half| 2 * half), attention_bias, rope_scaling: None,
        };
        let model = Model::init(&Config::new(sizes).unwrap(), Seed::from_number(number));
        let mut stream = Seed::from_number(number).stream("tokens", 0);
        let mut tokens = |count: usize| -> Vec<u32> {
            (0..count).map(|_| u32::try_from(stream.index(vocab)).unwrap()).collect()
        };
        let sequences: Vec<_> = lengths.iter().map(|length| (tokens(*length), tokens(*length))).collect();
        let (batch, data) = (as_batch(&model, &sequences), tokens(100));
        let schedule = TrainConfig { steps: 1, batch: 2, sequence: lengths[0], ..TrainConfig::default() };
        let everything = |compute: &Compute| {
            let (loss, gradient) = model.loss_and_gradient(compute, &batch);
            let mut trainer = Trainer::new(model.clone(), schedule.clone(), Seed::from_number(1)).unwrap();
            let steps = trainer.run(compute, &data).unwrap();
            let gradient: Vec<u32> = gradient.iter().map(|x| x.to_bits()).collect();
            let numbers = [loss, steps[0].loss, steps[0].gradient_norm].map(f64::to_bits);
            (numbers, bits(&model.nats(compute, &batch)), gradient, trainer.state().model.digest())
        };
        let expected = everything(&Compute::with(1, Instructions::Scalar).unwrap());
        for instructions in Instructions::available() {
            prop_assert_eq!(&everything(&Compute::with(threads, instructions).unwrap()), &expected);
        }
    }
}
