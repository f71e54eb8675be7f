//! Checkpoints: what is read is written and read alike, and goes on, or ends in words.
#![no_main]

use fuzz::bounded;
use libfuzzer_sys::fuzz_target;
use lm::{Compute, TrainError, Trainer};

/// The largest models that take a step here, in parameters, and the longest steps, in tokens.
const MAX_PARAMETERS: usize = 1 << 12;
const MAX_TOKENS: usize = 64;

fuzz_target!(|input: &[u8]| {
    let mut read = None;
    bounded(input, || match Trainer::from_checkpoint_bytes(input.to_vec()) {
        Ok(trainer) => {
            let bytes = trainer.checkpoint_bytes().expect("what was read can be written");
            let again = Trainer::from_checkpoint_bytes(bytes.clone()).expect("just written");
            assert!(again.checkpoint_bytes().as_ref() == Ok(&bytes), "written and read again");
            read = Some(again);
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    });
    if let Some(trainer) = read {
        go_on(trainer);
    }
});

/// Takes two steps where they are short.
fn go_on(mut trainer: Trainer) {
    let schedule = trainer.config();
    let (sequence, sequences) = (schedule.sequence, schedule.batch.saturating_mul(schedule.accumulate));
    let parameters = trainer.state().model.parameters().len();
    if parameters > MAX_PARAMETERS || sequence.saturating_mul(sequences) > MAX_TOKENS {
        return;
    }
    let compute = Compute::new(1).expect("one thread");
    let last = u32::try_from(trainer.state().model.config().vocab - 1).expect("a small vocabulary");
    let tokens: Vec<u32> = (0..=sequence).map(|at| if at % 2 == 0 { 0 } else { last }).collect();
    for _ in 0..2 {
        let step = trainer.state().step;
        match trainer.step(&compute, &tokens) {
            Ok(done) => {
                assert!(done.loss.is_finite() && done.gradient_norm.is_finite() && done.rate <= 1.0);
                assert_eq!(trainer.state().step, step + 1);
            }
            Err(TrainError::Diverged { .. }) => return assert_eq!(trainer.state().step, step),
            Err(other) => panic!("{other}"),
        }
    }
}
