//! Configurations of Hugging Face's kind: sizes that fit together, or words.
#![no_main]

use fuzz::bounded;
use libfuzzer_sys::fuzz_target;
use lm::{Config, Sizes};

/// The context that is asked for, shorter than that of the seeds.
const CONTEXT: usize = 16;

fuzz_target!(|input: &[u8]| {
    bounded(input, || {
        let (config, ends) = match Config::from_hub_json(input, CONTEXT) {
            Ok(read) => read,
            Err(error) => return assert!(!error.to_string().is_empty()),
        };
        assert!((1..=CONTEXT).contains(&config.context));
        assert!(config.parameters() <= 1 << 32 && config.query_dim() % (2 * config.heads) == 0);
        assert!(ends.begin.iter().chain(&ends.end).all(|token| (*token as usize) < config.vocab));
        let text = serde_json::to_vec(&config).expect("plain numbers");
        assert_eq!(serde_json::from_slice::<Config>(&text).ok(), Some(config.clone()), "printed and read");
        // A longer context may be refused, for the window that it reaches beyond.
        if let Ok((long, long_ends)) = Config::from_hub_json(input, usize::MAX) {
            assert!(long.context >= config.context && long_ends == ends);
            let short = Config::new(Sizes { context: config.context, ..*long });
            assert_eq!(short, Ok(config));
        }
    });
});
