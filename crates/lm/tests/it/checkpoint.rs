//! Checkpoints: a training that was stopped goes on to the bits of one that was not.

#![expect(
    clippy::disallowed_methods,
    reason = "checkpoints are files, and a killed process has to be told of its part"
)]

use std::{
    env, fs,
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use lm::{
    Compute, Config, Decay, Instructions, KERNEL_VERSION, Model, SaveError, State, Step, TrainConfig, Trainer,
};
use primitives::Seed;
use proptest::prelude::*;
use serde_json::{Value, json};

use crate::gradient::{lively, shapes, uneven};

/// Steps of a training here.
const STEPS: u64 = 6;
/// Tells a process that it is the one to be killed, and where its checkpoint lies.
const VICTIM: &str = "WEIGH_LM_CHECKPOINT_VICTIM";

/// An empty folder of this name.
fn fresh(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("checkpoint").join(name);
    if folder.exists() {
        fs::remove_dir_all(&folder).unwrap();
    }
    fs::create_dir_all(&folder).unwrap();
    folder
}

fn names(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let mut names: Vec<String> = names.collect();
    names.sort();
    names
}

pub(crate) fn schedule() -> TrainConfig {
    TrainConfig { steps: STEPS, batch: 2, sequence: 19, warmup_steps: 2, ..TrainConfig::default() }
}

fn tokens() -> Vec<u32> {
    let mut stream = Seed::from_number(21).stream("tokens", 0);
    (0..300).map(|_| u32::try_from(stream.below(29)).unwrap()).collect()
}

pub(crate) fn started(schedule: TrainConfig) -> Trainer {
    Trainer::new(uneven(true), schedule, Seed::from_number(22)).unwrap()
}

fn bits(step: Step) -> [u64; 3] {
    [step.loss, step.gradient_norm, step.rate].map(f64::to_bits)
}

/// All that a training is and was: its state to the last bit, and its steps.
pub(crate) fn run(trainer: &mut Trainer, compute: &Compute, steps: u64) -> Vec<[u64; 3]> {
    let tokens = tokens();
    (0..steps).map(|_| bits(trainer.step(compute, &tokens).unwrap())).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn a_training_stopped_anywhere_goes_on_elsewhere_to_the_same_bits(
        stop in 0..=STEPS, threads in (1usize..4, 1usize..4), accumulate in 1usize..4,
        instructions in (prop::sample::select(Instructions::available()), prop::sample::select(Instructions::available())),
        clip in prop::option::of(prop::sample::select(vec![0.01, 1.0])), cosine: bool,
    ) {
        let decay = if cosine { Decay::Cosine { floor: 0.1 } } else { Decay::Constant };
        let schedule = TrainConfig { accumulate, clip, decay, ..schedule() };
        let mut whole = started(schedule.clone());
        let expected = run(&mut whole, &Compute::with(1, Instructions::Scalar).unwrap(), STEPS);

        let mut first = started(schedule);
        let mut steps = run(&mut first, &Compute::with(threads.0, instructions.0).unwrap(), stop);
        let path = fresh("anywhere").join(format!("{}.safetensors", std::process::id()));
        first.save(&path).unwrap();
        drop(first);
        let mut second = Trainer::load(&path).unwrap();
        prop_assert_eq!(second.state().step, stop);
        steps.extend(run(&mut second, &Compute::with(threads.1, instructions.1).unwrap(), STEPS - stop));
        prop_assert_eq!(steps, expected);
        prop_assert!(second.checkpoint_bytes() == whole.checkpoint_bytes());
        prop_assert_eq!(second.state().model.digest(), whole.state().model.digest());
    }
}

#[test]
fn a_training_of_any_shape_that_stops_after_every_step_has_the_same_bits() {
    let folder = fresh("every");
    for (name, sizes) in shapes() {
        let schedule = TrainConfig { steps: 3, accumulate: 2, ..schedule() };
        let mut whole = Trainer::new(lively(sizes), schedule, Seed::from_number(22)).unwrap();
        let path = folder.join("checkpoint");
        whole.save(&path).unwrap();
        let compute = Compute::new(1).unwrap();
        for threads in 1..=3 {
            let mut other = Trainer::load(&path).unwrap();
            let step = run(&mut other, &Compute::new(threads).unwrap(), 1);
            other.save(&path).unwrap();
            assert_eq!(step, run(&mut whole, &compute, 1), "{name}");
            assert!(fs::read(&path).unwrap() == whole.checkpoint_bytes().unwrap(), "{name}: step {threads}");
        }
        assert_eq!(names(&folder), ["checkpoint"]);
    }
}

#[test]
fn the_file_is_one_of_safetensors_that_says_all_of_itself() {
    let mut trainer = started(TrainConfig { accumulate: 3, ..schedule() });
    run(&mut trainer, &Compute::new(1).unwrap(), 2);
    let bytes = trainer.checkpoint_bytes().unwrap();
    assert!(bytes == started_again(&bytes).checkpoint_bytes().unwrap(), "read and written");
    let (length, about) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    assert_eq!(length % 8, 0);
    let about = &about.metadata().as_ref().unwrap()["weighhouse.checkpoint"];
    let about: Value = serde_json::from_str(about).unwrap();
    let State { model, first_moments, second_moments, .. } = trainer.state();
    let expected = json!({
        "format": 1, "kernel_version": KERNEL_VERSION, "step": 2,
        "model": model.config(), "schedule": trainer.config(), "seed": trainer.seed(),
    });
    assert_eq!(about, expected);
    assert_eq!(about["schedule"]["accumulate"], 3);
    let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    assert_eq!(file.len(), model.tensors().len() + 2);
    let numbers = |name: &str| -> Vec<u32> {
        let data = file.tensor(name).unwrap().data();
        data.chunks(4).map(|four| u32::from_le_bytes(four.try_into().unwrap())).collect()
    };
    let same = |name: &str, own: &[f32]| {
        assert!(numbers(name) == own.iter().map(|x| x.to_bits()).collect::<Vec<_>>(), "{name}");
    };
    for tensor in model.tensors() {
        same(&tensor.name, &model.parameters()[tensor.range.clone()]);
        assert_eq!(file.tensor(&tensor.name).unwrap().shape(), tensor.shape);
    }
    same("adamw.first_moments", first_moments);
    same("adamw.second_moments", second_moments);
}

pub(crate) fn started_again(bytes: &[u8]) -> Trainer {
    Trainer::from_checkpoint_bytes(bytes.to_vec()).unwrap()
}

#[test]
fn what_a_kill_left_behind_is_in_nobodys_way() {
    let folder = fresh("left");
    let path = folder.join("checkpoint");
    let mut trainer = started(schedule());
    trainer.save(&path).unwrap();
    let (before, whole) = (fs::read(&path).unwrap(), trainer.checkpoint_bytes().unwrap());
    assert!(before == whole);
    run(&mut trainer, &Compute::new(1).unwrap(), 1);
    let after = trainer.checkpoint_bytes().unwrap();
    for left in [0, 7, 1000, after.len() - 1, after.len(), after.len() + 5] {
        let mut rest = after.clone();
        rest.resize(left, 1);
        fs::write(folder.join("checkpoint.partial"), rest).unwrap();
        assert!(started_again(&fs::read(&path).unwrap()).checkpoint_bytes().unwrap() == before);
        trainer.save(&path).unwrap();
        assert!(fs::read(&path).unwrap() == after);
        assert_eq!(names(&folder), ["checkpoint"]);
        fs::write(&path, &before).unwrap();
    }
}

#[test]
fn a_checkpoint_that_cannot_be_written_leaves_the_old_one() {
    let folder = fresh("refused");
    let path = folder.join("checkpoint");
    let good = started(schedule());
    good.save(&path).unwrap();
    let before = fs::read(&path).unwrap();
    let refused = |change: fn(&mut State), message: &str| {
        let mut state = good.state().clone();
        change(&mut state);
        let trainer = Trainer::resume(state, schedule(), Seed::from_number(22)).unwrap();
        let error = trainer.save(&path).unwrap_err();
        assert!(matches!(error, SaveError::Number { .. }));
        assert_eq!(error.to_string(), message);
        assert_eq!(trainer.checkpoint_bytes(), Err(error));
    };
    refused(
        |state| state.first_moments[3] = f32::NAN,
        "first moments has NaN at place 3, expected finite numbers",
    );
    refused(
        |state| state.second_moments[4] = -1.0,
        "second moments has -1 at place 4, expected finite numbers of at least 0",
    );
    refused(
        |state| {
            let mut parameters = state.model.parameters().to_vec();
            parameters[5] = f32::INFINITY;
            state.model = Model::from_parameters(state.model.config(), parameters).unwrap();
        },
        "parameters has inf at place 5, expected finite numbers",
    );
    let unwritable = |path: &Path, message: &str| {
        let error = good.save(path).unwrap_err().to_string();
        assert!(error.contains("cannot be written: ") && error.contains(message), "{error}");
    };
    unwritable(Path::new("/"), "the path names no file");
    unwritable(&folder.join("missing").join("checkpoint"), "No such file");
    fs::create_dir(folder.join("taken")).unwrap();
    fs::write(folder.join("taken").join("mine"), b"").unwrap();
    unwritable(&folder.join("taken"), "");
    assert_eq!(names(&folder), ["checkpoint", "taken"]);
    assert!(fs::read(&path).unwrap() == before);
}

#[cfg(unix)]
#[test]
fn a_link_is_replaced_and_never_followed() {
    let folder = fresh("links");
    let (path, elsewhere) = (folder.join("checkpoint"), folder.join("elsewhere"));
    fs::write(&elsewhere, b"mine").unwrap();
    for name in ["checkpoint", "checkpoint.partial"] {
        std::os::unix::fs::symlink(&elsewhere, folder.join(name)).unwrap();
    }
    let error = Trainer::load(&path).unwrap_err().to_string();
    assert!(error.contains("a symbolic link"), "{error}");
    started(schedule()).save(&path).unwrap();
    assert_eq!(fs::read(&elsewhere).unwrap(), b"mine");
    assert_eq!(names(&folder), ["checkpoint", "elsewhere"]);
    Trainer::load(&path).unwrap();
}

/// A training whose checkpoint is long and whose steps are short.
fn lengthy() -> Trainer {
    let sizes = lm::Sizes { vocab: 20_000, ..**uneven(true).config() };
    let model = Model::init(&Config::new(sizes).unwrap(), Seed::from_number(1));
    let schedule = TrainConfig { steps: 1 << 20, batch: 1, sequence: 1, ..schedule() };
    Trainer::new(model, schedule, Seed::from_number(22)).unwrap()
}

#[test]
fn a_kill_in_the_midst_of_saving_leaves_the_old_checkpoint_or_the_new_one() {
    let compute = Compute::new(1).unwrap();
    if let Ok(path) = env::var(VICTIM) {
        let path = PathBuf::from(path);
        let mut trainer = Trainer::load(&path).unwrap();
        for _ in 0..1000 {
            println!("{VICTIM} saving");
            trainer.save(&path).unwrap();
            run(&mut trainer, &compute, 1);
        }
        return;
    }
    let folder = fresh("kill");
    let (path, partial) = (folder.join("checkpoint"), folder.join("checkpoint.partial"));
    let mut whole = lengthy();
    whole.save(&path).unwrap();
    let size = fs::metadata(&path).unwrap().len();
    let mut reached = 0;
    for round in 0..6 {
        let mut command = Command::new(env::current_exe().unwrap());
        command.args(["--exact", "--nocapture"]);
        command.arg("checkpoint::a_kill_in_the_midst_of_saving_leaves_the_old_checkpoint_or_the_new_one");
        let Ok(mut victim) = command.env(VICTIM, &path).stdout(Stdio::piped()).spawn() else {
            println!("skipped: this system does not start the test's own program");
            return;
        };
        let mut lines = BufReader::new(victim.stdout.take().unwrap()).lines();
        for _ in 0..=round % 3 {
            lines.by_ref().find(|line| line.as_ref().unwrap().ends_with("saving")).unwrap().unwrap();
        }
        // From an empty file to a full one; a victim that was quicker is killed later.
        let enough = || fs::metadata(&partial).is_ok_and(|file| file.len() >= round * size / 5);
        while !enough() && victim.try_wait().unwrap().is_none() {
            std::hint::spin_loop();
        }
        victim.kill().unwrap();
        victim.wait().unwrap();
        let found = Trainer::load(&path).unwrap();
        let step = found.state().step;
        assert!(step >= reached, "{step} after {reached}");
        run(&mut whole, &compute, step - reached);
        reached = step;
        assert!(fs::read(&path).unwrap() == whole.checkpoint_bytes().unwrap(), "step {step}");
    }
    // Every third victim had saved two steps before it was killed.
    assert!(reached >= 2, "{reached}");
}
