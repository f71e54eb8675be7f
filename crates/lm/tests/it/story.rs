//! What the crate promises to its users, each as a small story.

use lm::{
    Compute, Config, Decay, Model, Preset, Sizes, Tokenizer, TrainConfig, Trainer, score_texts, score_tokens,
    train,
};
use primitives::Seed;

/// A text of our own.
pub(crate) const TEXT: &str = "In the middle of the old town stood the weighhouse. Whoever brought goods to the \
    market had to have them weighed there, on scales that belonged to nobody and that everybody could look at. \
    The weighmaster wrote the weight into a book, put the town's seal on the bale, and took a small fee. \
    A merchant who did not believe him could step up and weigh again: the same stones, the same beam, the same \
    weight. That was all the trust the town needed.";

fn tiny() -> Config {
    Config::new(Sizes { dim: 32, layers: 1, ffn_dim: 64, context: 64, ..Preset::Mouse.config().into() })
        .unwrap()
}

fn schedule(steps: u64) -> TrainConfig {
    TrainConfig { steps, batch: 4, sequence: 64, warmup_steps: 5, peak_rate: 5e-3, ..TrainConfig::default() }
}

#[test]
fn a_tiny_text_is_learned_by_heart() {
    let tokens = Tokenizer::bytes().stream(&[TEXT]).unwrap();
    let compute = Compute::new(2).unwrap();
    let mouse = Preset::Mouse.config();
    let trained = train(&mouse, &tokens, &schedule(300), Seed::from_number(1), &compute).unwrap();
    let (first, last) = (trained.steps[0].loss, trained.steps[299].loss);
    assert!((first - 257f64.ln()).abs() < 0.1, "an untrained model knows nothing: {first}");
    assert!(last < 0.3, "{last}");
    let texts = [TEXT, "xqzj vkpw 0193 ##", ""];
    let scores = score_texts(&trained.model, &Tokenizer::bytes(), &texts, 32, &compute).unwrap();
    let (known, strange) = (scores[0].bits_per_byte().unwrap(), scores[1].bits_per_byte().unwrap());
    assert!(known < 1.0 && strange > 6.0, "{known} and {strange} bits per byte");
    assert_eq!((scores[2].bytes, scores[2].bits_per_byte()), (0, None));
}

#[test]
fn an_interrupted_training_goes_on_to_the_same_bits() {
    let tokens = Tokenizer::bytes().stream(&[TEXT]).unwrap();
    let compute = Compute::new(1).unwrap();
    let seed = Seed::from_number(3);
    let model = Model::init(&tiny(), seed);
    let mut whole = Trainer::new(model.clone(), schedule(12), seed).unwrap();
    let expected = whole.run(&compute, &tokens).unwrap();
    for stop in [0, 1, 7] {
        let mut first = Trainer::new(model.clone(), schedule(12), seed).unwrap();
        let mut steps: Vec<_> = (0..stop).map(|_| first.step(&compute, &tokens).unwrap()).collect();
        let mut second = Trainer::resume(first.into_state(), schedule(12), seed).unwrap();
        steps.extend(second.run(&compute, &tokens).unwrap());
        assert_eq!(steps, expected);
        assert_eq!(second.state().model.digest(), whole.state().model.digest());
    }
}

#[test]
fn rates_rise_to_the_peak_and_fall_to_the_floor() {
    let config = TrainConfig { decay: Decay::Cosine { floor: 0.1 }, ..schedule(100) };
    let rates: Vec<f64> = (0..100).map(|step| config.rate(step) / config.peak_rate).collect();
    assert!(
        rates[..5].iter().zip([0.2, 0.4, 0.6, 0.8, 1.0]).all(|(rate, expect)| (rate - expect).abs() < 1e-12)
    );
    assert!(
        rates[5..].windows(2).all(|pair| pair[0] >= pair[1]) && (rates[99] - 0.1).abs() < 1e-12,
        "{rates:?}"
    );
    let constant = TrainConfig { decay: Decay::Constant, ..config };
    assert!((constant.rate(99) - constant.peak_rate).abs() < 1e-12);
}

#[test]
fn a_texts_score_depends_on_its_window_alone() {
    let compute = Compute::new(2).unwrap();
    let model = Model::init(&tiny(), Seed::from_number(4));
    let tokens = Tokenizer::bytes().stream(&[TEXT]).unwrap();
    let sequences: Vec<&[u32]> = vec![&tokens[..1], &tokens[..65], &tokens, &tokens[5..90]];
    let nats = score_tokens(&model, &sequences, 16, &compute).unwrap();
    for (sequence, nats) in sequences.iter().zip(&nats) {
        assert_eq!(nats.len(), sequence.len() - 1, "each position counts once");
        assert_eq!(score_tokens(&model, &[sequence], 16, &compute).unwrap(), std::slice::from_ref(nats));
    }
    // Within the first context all is seen; position 80 is predicted from the window that starts at 32.
    assert_eq!(nats[2][..64], nats[1][..]);
    let window = score_tokens(&model, &[&tokens[32..97]], 64, &compute).unwrap();
    assert_eq!(nats[2][80..96], window[0][48..]);
}

#[test]
fn what_cannot_be_done_is_refused_in_words() {
    let compute = Compute::new(1).unwrap();
    let config = tiny();
    let run = |tokens: &[u32], schedule: &TrainConfig| {
        train(&config, tokens, schedule, Seed::from_number(1), &compute).unwrap_err().to_string()
    };
    let good = [7; 65];
    assert_eq!(
        run(&good[..64], &schedule(1)),
        "64 tokens are too few for sequences of 64 and the token behind them"
    );
    let mut bad = good;
    bad[3] = 257;
    assert_eq!(run(&bad, &schedule(1)), "token 257 at position 3 is beyond the vocabulary of 257");
    let long = TrainConfig { sequence: 65, ..schedule(1) };
    assert_eq!(run(&good, &long), "sequence is 65, expected at most the model's context");
    let wild = TrainConfig { peak_rate: f64::NAN, ..schedule(1) };
    assert_eq!(run(&good, &wild), "peak_rate is NaN, expected 0 to 1");
    let empty = TrainConfig { batch: 0, ..schedule(1) };
    assert_eq!(run(&good, &empty), "batch · sequence is 0, expected 1 to 2^24");
    let model = Model::init(&config, Seed::from_number(1));
    let scored =
        |tokens: &[u32], stride| score_tokens(&model, &[tokens], stride, &compute).unwrap_err().to_string();
    assert_eq!(scored(&[1, 300], 8), "token 300 at position 1 is beyond the vocabulary of 257");
    assert_eq!(scored(&[1, 2], 0), "stride is 0, expected 1 to the context of 64");
    assert_eq!(Compute::new(0).unwrap_err().to_string(), "0 threads are not between 1 and 1024");
}

#[test]
fn a_training_that_diverges_says_so_and_keeps_its_last_finite_state() {
    let compute = Compute::new(1).unwrap();
    let mut parameters = Model::init(&tiny(), Seed::from_number(1)).parameters().to_vec();
    parameters[5] = f32::NAN;
    let model = Model::from_parameters(&tiny(), parameters).unwrap();
    let before = model.digest();
    let mut trainer = Trainer::new(model, schedule(2), Seed::from_number(1)).unwrap();
    let error = trainer.step(&compute, &[0; 65]).unwrap_err().to_string();
    assert!(error.starts_with("training diverged at step 0: loss NaN"), "{error}");
    assert_eq!((trainer.state().model.digest(), trainer.state().step), (before, 0));
}
