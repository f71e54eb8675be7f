use std::collections::BTreeMap;

use primitives::Seed;
use proptest::prelude::*;

use super::{config::tests::config, *};
use crate::{lanes::Instructions, math::tests::upper_tail};

type Parameters = BTreeMap<String, Vec<f32>>;

/// A model with parameters from a seed, which are kept.
fn random(seed: u64) -> (Bert, Parameters) {
    let mut parameters = Parameters::new();
    let bert = Bert::load(config(), |name, shape| {
        let mut stream = Seed::from_number(seed).stream("bert", parameters.len() as u64);
        let count = shape.iter().product();
        let numbers: Vec<f32> =
            (0..count).map(|_| stream.below(1 << 20) as f32 / (1u32 << 20) as f32 - 0.5).collect();
        parameters.insert(name.into(), numbers.clone());
        Ok(numbers)
    });
    (bert.unwrap(), parameters)
}

fn sequences(seed: u64, lengths: &[usize]) -> Vec<Vec<u32>> {
    let mut stream = Seed::from_number(seed).stream("tokens", 0);
    let mut token = || u32::try_from(stream.index(30)).unwrap();
    lengths.iter().map(|length| (0..*length).map(|_| token()).collect()).collect()
}

/// The vector of one sequence as the papers have it, in f64.
fn in_f64(parameters: &Parameters, tokens: &[u32], pooling: Pooling) -> Vec<f64> {
    let config = config();
    let (hidden, heads) = (config.hidden_size, config.num_attention_heads);
    let of = |name: &str| -> Vec<f64> { parameters[name].iter().map(|x| f64::from(*x)).collect() };
    let dense = |rows: &[Vec<f64>], name: &str| -> Vec<Vec<f64>> {
        let (weight, bias) = (of(&format!("{name}.weight")), of(&format!("{name}.bias")));
        let dot = |row: &[f64], weight: &[f64]| row.iter().zip(weight).map(|(x, w)| x * w).sum::<f64>();
        let outputs = |row: &Vec<f64>| {
            weight.chunks(row.len()).zip(&bias).map(|(weight, bias)| dot(row, weight) + bias).collect()
        };
        rows.iter().map(outputs).collect()
    };
    let norm = |rows: Vec<Vec<f64>>, name: &str| -> Vec<Vec<f64>> {
        let (gain, bias) = (of(&format!("{name}.LayerNorm.weight")), of(&format!("{name}.LayerNorm.bias")));
        let of_row = |row: Vec<f64>| {
            let count = row.len() as f64;
            let mean = row.iter().sum::<f64>() / count;
            let variance = row.iter().map(|x| (x - mean) * (x - mean)).sum::<f64>() / count;
            let scale = 1.0 / (variance + config.layer_norm_eps).sqrt();
            row.iter().zip(gain.iter().zip(&bias)).map(|(x, (g, b))| (x - mean) * scale * g + b).collect()
        };
        rows.into_iter().map(of_row).collect()
    };
    let add = |a: Vec<Vec<f64>>, b: &[Vec<f64>]| -> Vec<Vec<f64>> {
        a.iter().zip(b).map(|(a, b)| a.iter().zip(b).map(|(a, b)| a + b).collect()).collect()
    };
    let [words, positions, kinds] =
        ["word", "position", "token_type"].map(|name| of(&format!("embeddings.{name}_embeddings.weight")));
    let row = |(position, token): (usize, &u32)| {
        let at = |table: &[f64], index: usize, column: usize| table[index * hidden + column];
        (0..hidden)
            .map(|c| at(&words, *token as usize, c) + at(&positions, position, c) + at(&kinds, 0, c))
            .collect()
    };
    let mut stream = norm(tokens.iter().enumerate().map(row).collect(), "embeddings");
    for layer in 0..config.num_hidden_layers {
        let name = |part: &str| format!("encoder.layer.{layer}.{part}");
        let [q, k, v] =
            ["query", "key", "value"].map(|part| dense(&stream, &name(&format!("attention.self.{part}"))));
        let dim = hidden / heads;
        let mut attended = vec![vec![0.0; hidden]; stream.len()];
        for (i, out) in attended.iter_mut().enumerate() {
            for head in 0..heads {
                let columns = head * dim..(head + 1) * dim;
                let score =
                    |k: &Vec<f64>| columns.clone().map(|c| q[i][c] * k[c]).sum::<f64>() / (dim as f64).sqrt();
                let powers: Vec<f64> = k.iter().map(|k| primitives::math::exp(score(k))).collect();
                let sum: f64 = powers.iter().sum();
                for c in columns.clone() {
                    out[c] = powers.iter().zip(&v).map(|(p, v)| p / sum * v[c]).sum();
                }
            }
        }
        let output = dense(&attended, &name("attention.output.dense"));
        stream = norm(add(output, &stream), &name("attention.output"));
        let gelu = |x: f64| if x > 0.0 { x - x * upper_tail(x) } else { x * upper_tail(-x) };
        let mut grown = dense(&stream, &name("intermediate.dense"));
        grown.iter_mut().flatten().for_each(|x| *x = gelu(*x));
        stream = norm(add(dense(&grown, &name("output.dense")), &stream), &name("output"));
    }
    let count = stream.len() as f64;
    let pooled: Vec<f64> = match pooling {
        Pooling::First => stream[0].clone(),
        Pooling::Mean => (0..hidden).map(|c| stream.iter().map(|row| row[c]).sum::<f64>() / count).collect(),
    };
    let length = pooled.iter().map(|x| x * x).sum::<f64>().sqrt();
    pooled.iter().map(|x| x / length).collect()
}

#[test]
fn vectors_are_those_of_the_papers_formulas_in_f64() {
    let (bert, parameters) = random(1);
    let compute = Compute::new(1).unwrap();
    for pooling in [Pooling::Mean, Pooling::First] {
        for tokens in sequences(2, &[1, 2, 7, 20]) {
            let ours = bert.pooled(&compute, &[&tokens], pooling);
            let exact = in_f64(&parameters, &tokens, pooling);
            let error = ours.iter().zip(&exact).map(|(x, y)| (f64::from(*x) - y).abs()).fold(0.0, f64::max);
            println!("{pooling:?} of {} tokens: largest error {error:.1e}", tokens.len());
            assert!(error < 2e-6, "{error}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(12))]
    #[test]
    fn a_vector_has_the_same_bits_beside_any_others_on_any_threads_and_path(
        lengths in proptest::collection::vec(1usize..=20, 1..40), threads in 1usize..4, seed: u64,
    ) {
        let (bert, _) = random(1);
        let sequences = sequences(seed, &lengths);
        let all: Vec<&[u32]> = sequences.iter().map(|tokens| &tokens[..]).collect();
        let alone = Compute::with(1, Instructions::Scalar).unwrap();
        let one = |tokens: &&[u32]| bert.pooled(&alone, &[tokens], Pooling::Mean);
        let expected: Vec<u32> = all.iter().flat_map(one).map(f32::to_bits).collect();
        for instructions in Instructions::available() {
            let compute = Compute::with(threads, instructions).unwrap();
            let got = bert.pooled(&compute, &all, Pooling::Mean);
            prop_assert_eq!(got.iter().map(|x| x.to_bits()).collect::<Vec<u32>>(), expected.clone());
        }
    }
}
