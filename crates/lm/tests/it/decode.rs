//! Reading tokens one after the other, and text that follows.

use lm::{
    Compute, Decoder, Draw, Family, Finish, GenerateError, Instructions, Model, Preset, Sampling, Sizes,
    generate,
};
use primitives::Seed;
use proptest::prelude::*;

/// A model with grouped queries, an odd number of layers, and a vocabulary that fills no vector.
fn model(seed: u64) -> Model {
    Model::init(&sizes(Family::Llama).try_into().unwrap(), Seed::from_number(seed))
}

fn sizes(family: Family) -> Sizes {
    Sizes {
        vocab: 301,
        dim: 48,
        layers: 3,
        heads: 6,
        kv_heads: 2,
        ffn_dim: 88,
        context: 700,
        rope_theta: 10_000.0,
        norm_eps: 1e-5,
        tied: true,
        family,
        head_dim: (family == Family::Qwen3).then_some(14),
        attention_bias: false,
        rope_scaling: None,
    }
}

fn tokens(seed: u64, count: usize) -> Vec<u32> {
    let mut stream = Seed::from_number(seed).stream("tokens", 0);
    (0..count).map(|_| u32::try_from(stream.below(301)).unwrap()).collect()
}

fn bits(numbers: &[f32]) -> Vec<u32> {
    numbers.iter().map(|x| x.to_bits()).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn a_prediction_has_the_same_bits_however_the_tokens_before_it_came(
        seed: u64, length in 1usize..600, cuts: [prop::sample::Index; 3], threads in 1usize..4,
    ) {
        let (model, tokens) = (model(seed), tokens(seed, length));
        let one = Compute::with(1, Instructions::Scalar).unwrap();
        let plain = Decoder::new(&one, &model).unwrap();
        let expected = plain.read(&one, &mut plain.start(), &tokens).unwrap();
        for instructions in Instructions::available() {
            let compute = Compute::with(threads, instructions).unwrap();
            let decoder = Decoder::new(&compute, &model).unwrap();
            let mut sequence = decoder.start();
            let mut places: Vec<usize> = cuts.iter().map(|cut| cut.index(length)).collect();
            places.extend([length.saturating_sub(2), length.saturating_sub(1), length]);
            places.sort_unstable();
            let mut logits = Vec::new();
            for place in places {
                let more = &tokens[sequence.tokens()..place];
                if !more.is_empty() {
                    logits = decoder.read(&compute, &mut sequence, more).unwrap();
                }
            }
            prop_assert_eq!(bits(&logits), bits(&expected));
        }
    }
}

#[test]
fn predictions_have_the_bits_of_the_pass_over_all_tokens() {
    let (compute, tokens) = (Compute::new(1).unwrap(), tokens(1, 90));
    for family in [Family::Llama, Family::Mistral, Family::Qwen2, Family::Qwen3] {
        // Random numbers everywhere: norms and biases too.
        let config = sizes(family).try_into().unwrap();
        let mut stream = Seed::from_number(4).stream("parameters", 0);
        let mut parameters = Model::init(&config, Seed::from_number(4)).parameters().to_vec();
        parameters.iter_mut().for_each(|x| *x += stream.below(1_001) as f32 / 1e4 - 0.05);
        let model = Model::from_parameters(&config, parameters).unwrap();
        let whole = model.logits(&compute, &tokens).unwrap();
        let decoder = Decoder::new(&compute, &model).unwrap();
        let mut sequence = decoder.start();
        for (token, expected) in tokens.iter().zip(whole.chunks(301)) {
            let logits = decoder.read(&compute, &mut sequence, &[*token]).unwrap();
            assert_eq!(bits(&logits), bits(expected), "{family:?}");
        }
    }
}

#[test]
fn what_cannot_be_read_leaves_the_sequence_as_it_was() {
    let (compute, model) = (Compute::new(1).unwrap(), model(2));
    let decoder = Decoder::new(&compute, &model).unwrap();
    let mut sequence = decoder.start();
    decoder.read(&compute, &mut sequence, &tokens(2, 699)).unwrap();
    let refused = |sequence: &mut lm::Sequence, tokens: &[u32], why: &str| {
        let error = decoder.read(&compute, sequence, tokens).unwrap_err();
        assert_eq!((error.to_string().as_str(), sequence.tokens()), (why, 699));
    };
    refused(&mut sequence, &[], "no tokens were given: a prediction needs at least one");
    refused(&mut sequence, &[1, 2], "699 tokens and 2 more exceed the context of 700");
    let unknown = decoder.read(&compute, &mut sequence, &[301]).unwrap_err().to_string();
    assert!(unknown.contains("301"), "{unknown}");
    decoder.read(&compute, &mut sequence, &[300]).unwrap();
    refused_when_full(&decoder, &compute, &mut sequence);
}

fn refused_when_full(decoder: &Decoder, compute: &Compute, sequence: &mut lm::Sequence) {
    let error = decoder.read(compute, sequence, &[0]).unwrap_err();
    assert_eq!(error.to_string(), "700 tokens and 1 more exceed the context of 700");
}

#[test]
fn greedy_text_follows_the_likeliest_token_and_drawn_text_its_seed() {
    let (compute, model) = (Compute::new(2).unwrap(), model(3));
    let decoder = Decoder::new(&compute, &model).unwrap();
    let prompt = tokens(3, 5);
    let text = |sampling, stops: &[u32]| generate(&compute, &decoder, &prompt, 40, stops, sampling).unwrap();
    let greedy = text(Sampling::Greedy, &[]);
    assert_eq!((greedy.tokens.len(), greedy.finish), (40, Finish::Length));
    let mut all = prompt.clone();
    for token in &greedy.tokens {
        let logits = decoder.read(&compute, &mut decoder.start(), &all).unwrap();
        let best = (0..logits.len()).fold(0, |best, at| if logits[at] > logits[best] { at } else { best });
        assert_eq!(best, *token as usize);
        all.push(*token);
    }
    let stopped = text(Sampling::Greedy, &greedy.tokens[7..8]);
    let first = greedy.tokens.iter().position(|token| *token == greedy.tokens[7]).unwrap();
    assert_eq!((stopped.tokens.len(), stopped.finish), (first, Finish::Stop));
    // The most certain draw is the greedy text; another seed is another text.
    let draw = |draw| text(Sampling::Drawn(draw), &[]).tokens;
    let plain = Draw::plain(Seed::from_number(1));
    assert_eq!(draw(Draw { top_k: 1, ..plain }), greedy.tokens);
    assert_eq!(draw(Draw { top_p: 1e-9, ..plain }), greedy.tokens);
    assert_eq!(draw(plain), draw(plain));
    assert_ne!(draw(plain), draw(Draw::plain(Seed::from_number(2))));
    // A prompt that fills the context gets one token more.
    let full = generate(&compute, &decoder, &tokens(4, 700), 9, &[], Sampling::Greedy).unwrap();
    assert_eq!((full.tokens.len(), full.finish), (1, Finish::Context));
}

#[test]
fn tokens_are_drawn_as_often_as_they_are_likely() {
    let (compute, model) = (Compute::new(1).unwrap(), model(5));
    let decoder = Decoder::new(&compute, &model).unwrap();
    let prompt = tokens(5, 9);
    let logits = decoder.read(&compute, &mut decoder.start(), &prompt).unwrap();
    let mut counts = vec![0u32; 301];
    let (draws, temperature) = (6_000u32, 0.7);
    for number in 0..u64::from(draws) {
        let draw = Draw { temperature, top_k: 5, ..Draw::plain(Seed::from_number(number)) };
        let drawn = generate(&compute, &decoder, &prompt, 1, &[], Sampling::Drawn(draw)).unwrap();
        counts[drawn.tokens[0] as usize] += 1;
    }
    let mut order: Vec<usize> = (0..301).collect();
    order.sort_by(|a, b| logits[*b].total_cmp(&logits[*a]));
    let weights = order[..5].iter().map(|at| primitives::math::exp(f64::from(logits[*at]) / temperature));
    let weights: Vec<f64> = weights.collect();
    let total: f64 = weights.iter().sum();
    for (at, weight) in order.iter().zip(&weights) {
        let (expected, found) = (weight / total, f64::from(counts[*at]) / f64::from(draws));
        let deviation = (expected * (1.0 - expected) / f64::from(draws)).sqrt();
        assert!((found - expected).abs() < 4.5 * deviation, "token {at}: {found}, expected {expected}");
    }
    assert_eq!(counts.iter().sum::<u32>(), order[..5].iter().map(|at| counts[*at]).sum::<u32>());
}

#[test]
fn settings_out_of_range_are_refused() {
    let (compute, model) =
        (Compute::new(1).unwrap(), Model::init(&Preset::Mouse.config(), Seed::from_number(1)));
    let decoder = Decoder::new(&compute, &model).unwrap();
    let plain = Draw::plain(Seed::from_number(1));
    let cases = [
        (Draw { temperature: 0.0, ..plain }, "temperature"),
        (Draw { temperature: f64::NAN, ..plain }, "temperature"),
        (Draw { temperature: 101.0, ..plain }, "temperature"),
        (Draw { top_k: 0, ..plain }, "top_k"),
        (Draw { top_p: 0.0, ..plain }, "top_p"),
        (Draw { top_p: 1.5, ..plain }, "top_p"),
    ];
    for (draw, wrong) in cases {
        let refused = generate(&compute, &decoder, &[1], 1, &[], Sampling::Drawn(draw)).unwrap_err();
        assert!(matches!(refused, GenerateError::Setting { name, .. } if name == wrong), "{refused}");
    }
}
