//! What a training takes of memory, in a process of its own.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

use std::{fs, path::PathBuf, sync::Mutex};

use lm::{Compute, Config, Model, Preset, Sizes, TrainConfig, Trainer};
use peak_alloc::PeakAlloc;
use primitives::Seed;

#[global_allocator]
static ALLOCATED: PeakAlloc = PeakAlloc;
/// What others allocate would be counted, too.
static ALONE: Mutex<()> = Mutex::new(());

/// The most bytes that there were at once while `code` ran, beyond those before.
fn peak<T>(code: impl FnOnce() -> T) -> usize {
    ALLOCATED.reset_peak_usage();
    let before = ALLOCATED.current_usage();
    let result = code();
    drop(result);
    ALLOCATED.peak_usage().saturating_sub(before)
}

fn model(vocab: usize, dim: usize) -> Model {
    let sizes = Sizes { vocab, dim, layers: 2, ffn_dim: 2 * dim, ..Preset::Mouse.config().into() };
    Model::init(&Config::new(sizes).unwrap(), Seed::from_number(1))
}

#[test]
fn a_step_of_many_batches_takes_the_memory_of_one_and_a_gradient() {
    let _alone = ALONE.lock().unwrap();
    let tokens: Vec<u32> = (0..2000).map(|at| at * at % 257).collect();
    let compute = Compute::new(1).unwrap();
    let step = |batch: usize, accumulate: usize| {
        let schedule = TrainConfig { steps: 1, batch, accumulate, sequence: 64, ..TrainConfig::default() };
        peak(|| {
            let mut trainer = Trainer::new(model(257, 64), schedule, Seed::from_number(2)).unwrap();
            trainer.step(&compute, &tokens).unwrap();
            trainer
        })
    };
    let gradient = 4 * model(257, 64).parameters().len();
    let (one, eight, large) = (step(1, 1), step(1, 8), step(8, 1));
    println!("one batch {one} bytes, eight {eight}, one of eight {large}; the gradient has {gradient}");
    assert!(eight <= one + gradient + 100_000 && large > one + 2 * gradient);
}

#[test]
fn a_checkpoint_is_written_in_pieces_and_read_once() {
    let _alone = ALONE.lock().unwrap();
    let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("memory.safetensors");
    let trainer = Trainer::new(model(20_000, 128), TrainConfig::default(), Seed::from_number(2)).unwrap();
    let saving = peak(|| trainer.save(&path).unwrap());
    let size = usize::try_from(fs::metadata(&path).unwrap().len()).unwrap();
    let loading = peak(|| Trainer::load(&path).unwrap());
    println!("{size} bytes; writing takes {saving}, reading {loading}");
    assert!(saving < 1 << 20 && size > 30 << 20);
    let largest = 4 * 20_000 * 128;
    // Space for the parameters grows by doubling while the tensors come.
    assert!(loading < size + largest + (size / 3) + (1 << 20), "{loading}");
    fs::remove_file(path).unwrap();
}
