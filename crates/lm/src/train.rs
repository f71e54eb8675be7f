//! Training: batches drawn by a seed, AdamW, a schedule of rates. The same arguments give the same bits.

use primitives::Seed;
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::{
    adamw::{self, AdamW, Buffers},
    compute::Compute,
    config::Config,
    math,
    model::Model,
    pass::{Batch, BatchError, Workspace, check_tokens},
};

/// Purpose of the streams that batches are drawn from, one per step.
const BATCH_PURPOSE: &str = "lm batch v1";
/// Purpose of the seed that a model starts from when [`train`] makes it.
const MODEL_PURPOSE: &str = "lm model v1";
/// Most steps of one training: beyond it something else is meant.
const MAX_STEPS: u64 = 1 << 31;
/// Most tokens of one batch: 2^24 of them need some 100 GB in the smallest preset.
const MAX_BATCH_TOKENS: usize = 1 << 24;
/// Most batches of one step: beyond it something else is meant.
const MAX_ACCUMULATE: usize = 1 << 16;

/// Training cannot go on.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum TrainError {
    /// A setting is out of range.
    #[error("{name} is {value}, expected {range}")]
    Setting {
        /// Which one.
        name: &'static str,
        /// What was given.
        value: f64,
        /// What is allowed.
        range: &'static str,
    },
    /// The stream of tokens is shorter than a sequence and its last target.
    #[error("{found} tokens are too few for sequences of {sequence} and the token behind them")]
    TooFewTokens {
        /// How many there are.
        found: usize,
        /// How many a sequence has.
        sequence: usize,
    },
    /// Sequences don't suit the model.
    #[error(transparent)]
    Batch(#[from] BatchError),
    /// A state is not one of this model.
    #[error("state has {first} and {second} moments for {parameters} parameters")]
    Moments {
        /// First moments.
        first: usize,
        /// Second moments.
        second: usize,
        /// Parameters.
        parameters: usize,
    },
    /// Loss or gradient became infinite or NaN; the model is that before the step.
    #[error("training diverged at step {step}: loss {loss}, gradient norm {gradient_norm}")]
    Diverged {
        /// The step, from 0.
        step: u64,
        /// Its loss in nats.
        loss: f64,
        /// Its gradient's length.
        gradient_norm: f64,
    },
}

/// How the rate goes on after the warm-up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Decay {
    /// It stays at the peak.
    Constant,
    /// It falls along half a cosine to this fraction of the peak at the last step.
    Cosine {
        /// The fraction, 0 to 1.
        floor: f64,
    },
}

/// All of a training but data, model and seed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrainConfig {
    /// How many steps in all.
    pub steps: u64,
    /// Sequences per batch.
    pub batch: usize,
    /// Batches per step, computed one after the other in the space of one. Their mean counts: the gradient is that of
    /// the first, to which the others' are added in order, times 1/accumulate; each number of it is rounded to f32 after
    /// each operation. The losses are summed in f64 and divided by their number.
    #[serde(default = "one", skip_serializing_if = "is_one")]
    pub accumulate: usize,
    /// Tokens per sequence.
    pub sequence: usize,
    /// The highest rate.
    pub peak_rate: f64,
    /// Steps over which the rate rises to the peak, linearly.
    pub warmup_steps: u64,
    /// What follows the warm-up.
    pub decay: Decay,
    /// A gradient longer than this is shortened to it.
    pub clip: Option<f64>,
    /// The optimizer's numbers.
    pub adamw: AdamW,
}

fn one() -> usize {
    1
}

/// Left out of the JSON then, so that the digest of a plain configuration does not depend on what others have.
fn is_one(count: &usize) -> bool {
    *count == 1
}

impl Default for TrainConfig {
    /// What suits the presets: 200 steps of 16 × 128 tokens.
    fn default() -> Self {
        Self {
            steps: 200,
            batch: 16,
            accumulate: 1,
            sequence: 128,
            peak_rate: 3e-3,
            warmup_steps: 20,
            decay: Decay::Cosine { floor: 0.1 },
            clip: Some(1.0),
            adamw: AdamW::default(),
        }
    }
}

impl TrainConfig {
    /// The rate of a step, counted from 0.
    #[must_use]
    pub fn rate(&self, step: u64) -> f64 {
        if step < self.warmup_steps {
            return self.peak_rate * (step + 1) as f64 / self.warmup_steps as f64;
        }
        match self.decay {
            Decay::Constant => self.peak_rate,
            Decay::Cosine { floor } => {
                let span = self.steps.saturating_sub(1).saturating_sub(self.warmup_steps).max(1);
                let done = ((step - self.warmup_steps) as f64 / span as f64).min(1.0);
                let (_, cosine) = math::sin_cos(std::f64::consts::PI * done);
                self.peak_rate * (floor + (1.0 - floor) * 0.5 * (1.0 + cosine))
            }
        }
    }

    /// Refuses what is out of range, or does not suit a model.
    pub(crate) fn check(&self, config: &Config) -> Result<(), TrainError> {
        let setting = |name, value: f64, range, good: bool| {
            if good { Ok(()) } else { Err(TrainError::Setting { name, value, range }) }
        };
        let AdamW { beta1, beta2, epsilon, weight_decay } = self.adamw;
        setting("steps", self.steps as f64, "0 to 2^31", self.steps <= MAX_STEPS)?;
        let tokens = self.batch.saturating_mul(self.sequence);
        setting("batch · sequence", tokens as f64, "1 to 2^24", (1..=MAX_BATCH_TOKENS).contains(&tokens))?;
        let good = (1..=MAX_ACCUMULATE).contains(&self.accumulate);
        setting("accumulate", self.accumulate as f64, "1 to 2^16", good)?;
        let fits = self.sequence <= config.context;
        setting("sequence", self.sequence as f64, "at most the model's context", fits)?;
        setting("peak_rate", self.peak_rate, "0 to 1", (0.0..=1.0).contains(&self.peak_rate))?;
        setting("beta1", beta1, "0 to below 1", (0.0..1.0).contains(&beta1))?;
        setting("beta2", beta2, "0 to below 1", (0.0..1.0).contains(&beta2))?;
        setting("epsilon", epsilon, "1e-30 to 1", (1e-30..=1.0).contains(&epsilon))?;
        setting("weight_decay", weight_decay, "0 to 1", (0.0..=1.0).contains(&weight_decay))?;
        if let Decay::Cosine { floor } = self.decay {
            setting("floor", floor, "0 to 1", (0.0..=1.0).contains(&floor))?;
        }
        let clip = self.clip.unwrap_or(1.0);
        setting("clip", clip, "above 0 and finite", clip > 0.0 && clip.is_finite())
    }
}

/// What a training is between two steps.
#[derive(Clone, Debug)]
pub struct State {
    /// The model.
    pub model: Model,
    /// First moments, one per parameter.
    pub first_moments: Vec<f32>,
    /// Second moments, one per parameter.
    pub second_moments: Vec<f32>,
    /// How many steps have been done.
    pub step: u64,
}

/// What one step was like.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Step {
    /// Mean loss per token before the step, in nats.
    pub loss: f64,
    /// Length of the gradient before it was clipped.
    pub gradient_norm: f64,
    /// The rate.
    pub rate: f64,
}

/// A training in progress.
pub struct Trainer {
    state: State,
    config: TrainConfig,
    seed: Seed,
    gradient: Vec<f32>,
    /// The gradient of a batch that is not a step's first; empty until there is one.
    addend: Vec<f32>,
    workspace: Workspace,
}

impl std::fmt::Debug for Trainer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trainer").field("step", &self.state.step).field("config", &self.config).finish()
    }
}

impl Trainer {
    /// Training from a model on, with moments at zero.
    ///
    /// # Errors
    /// A setting is out of range.
    pub fn new(model: Model, config: TrainConfig, seed: Seed) -> Result<Self, TrainError> {
        let count = model.parameters().len();
        let (first_moments, second_moments) = (vec![0.0; count], vec![0.0; count]);
        Self::resume(State { model, first_moments, second_moments, step: 0 }, config, seed)
    }

    /// Training of a new model, whose first parameters follow from the seed, as [`train`] does it.
    ///
    /// # Errors
    /// A setting is out of range.
    pub fn of_new_model(config: &Config, schedule: TrainConfig, seed: Seed) -> Result<Self, TrainError> {
        Self::new(Model::init(config, seed.derive(MODEL_PURPOSE, 0)), schedule, seed)
    }

    /// Training from where another one stopped; with its configuration and seed, to the same bits.
    ///
    /// # Errors
    /// A setting or the state's step is out of range, or the state has too few or too many moments.
    pub fn resume(state: State, config: TrainConfig, seed: Seed) -> Result<Self, TrainError> {
        config.check(state.model.config())?;
        if state.step > MAX_STEPS {
            let value = state.step as f64;
            return Err(TrainError::Setting { name: "step", value, range: "0 to 2^31" });
        }
        let (first, second) = (state.first_moments.len(), state.second_moments.len());
        let parameters = state.model.parameters().len();
        if (first, second) != (parameters, parameters) {
            return Err(TrainError::Moments { first, second, parameters });
        }
        let (gradient, addend) = (Vec::new(), Vec::new());
        Ok(Self { state, config, seed, gradient, addend, workspace: Workspace::default() })
    }

    /// How it trains.
    #[must_use]
    pub fn config(&self) -> &TrainConfig {
        &self.config
    }

    /// What its batches are drawn by.
    #[must_use]
    pub fn seed(&self) -> Seed {
        self.seed
    }

    /// The state between the steps.
    #[must_use]
    pub fn state(&self) -> &State {
        &self.state
    }

    /// Ends the training.
    #[must_use]
    pub fn into_state(self) -> State {
        self.state
    }

    /// The sequences of a step, of all its batches in order: starts are drawn evenly from all at which a sequence and
    /// its last target fit.
    ///
    /// # Errors
    /// There are too few tokens, or one that was drawn is beyond the vocabulary.
    pub fn batch(&self, tokens: &[u32], step: u64) -> Result<Batch, TrainError> {
        let count = self.config.batch.saturating_mul(self.config.accumulate);
        let sequences: Vec<_> = self.draws(tokens, step)?.take(count).collect();
        Ok(Batch::new(self.state.model.config(), &sequences)?)
    }

    /// Draws the sequences of a step without end, each with its targets.
    fn draws<'a>(
        &self,
        tokens: &'a [u32],
        step: u64,
    ) -> Result<impl Iterator<Item = (&'a [u32], &'a [u32])> + use<'a>, TrainError> {
        let sequence = self.config.sequence;
        if tokens.len() <= sequence {
            return Err(TrainError::TooFewTokens { found: tokens.len(), sequence });
        }
        let mut stream = self.seed.stream(BATCH_PURPOSE, step);
        Ok(std::iter::repeat_with(move || {
            let start = stream.index(tokens.len() - sequence);
            (&tokens[start..start + sequence], &tokens[start + 1..=start + sequence])
        }))
    }

    /// Leaves in `gradient` that of a step, and returns its loss.
    fn loss_and_gradient(&mut self, compute: &Compute, tokens: &[u32]) -> Result<f64, TrainError> {
        let TrainConfig { batch, accumulate, .. } = self.config;
        let model = &self.state.model;
        let mut draws = self.draws(tokens, self.state.step)?;
        let mut sum = 0.0;
        for number in 1..=accumulate {
            let sequences: Vec<_> = draws.by_ref().take(batch).collect();
            let batch = Batch::new(model.config(), &sequences)?;
            let to = if number == 1 { &mut self.gradient } else { &mut self.addend };
            sum += self.workspace.loss_and_gradient(model, compute, &batch, to);
            if number > 1 {
                let last = number == accumulate;
                let factor = if last { math::round_to_f32(1.0 / accumulate as f64) } else { 1.0 };
                adamw::add(compute, &mut self.gradient, &self.addend, factor);
            }
        }
        Ok(sum / accumulate as f64)
    }

    /// Does one step on sequences drawn from a stream of tokens.
    ///
    /// # Errors
    /// As [`Trainer::batch`], and where loss or gradient stop being finite; the state is unchanged then.
    pub fn step(&mut self, compute: &Compute, tokens: &[u32]) -> Result<Step, TrainError> {
        let loss = self.loss_and_gradient(compute, tokens)?;
        let State { model, first_moments, second_moments, step } = &mut self.state;
        let gradient_norm = adamw::length(compute, &self.gradient);
        if !(loss.is_finite() && gradient_norm.is_finite()) {
            return Err(TrainError::Diverged { step: *step, loss, gradient_norm });
        }
        let clip = match self.config.clip {
            Some(clip) if gradient_norm > clip => math::round_to_f32(clip / gradient_norm),
            _ => 1.0,
        };
        let rate = self.config.rate(*step);
        *step += 1;
        let (parameters, tensors) = model.parameters_and_tensors();
        let runs = tensors.iter().map(|one| (one.range.len(), one.shape.len() > 1));
        let buffers =
            Buffers { parameters, first: first_moments, second: second_moments, gradient: &self.gradient };
        self.config.adamw.update(compute, buffers, runs, (*step, rate, clip));
        Ok(Step { loss, gradient_norm, rate })
    }

    /// Does all steps that are left.
    ///
    /// # Errors
    /// As [`Trainer::step`]; all tokens are checked first, not only those that are drawn.
    pub fn run(&mut self, compute: &Compute, tokens: &[u32]) -> Result<Vec<Step>, TrainError> {
        check_tokens(self.state.model.config(), tokens)?;
        (self.state.step..self.config.steps).map(|_| self.step(compute, tokens)).collect()
    }
}

/// A trained model and how it came about.
#[derive(Clone, Debug)]
pub struct Trained {
    /// The model after the last step.
    pub model: Model,
    /// Every step in order.
    pub steps: Vec<Step>,
}

/// Trains a new model on a stream of tokens. Its first parameters and its batches follow from the seed.
///
/// # Errors
/// A setting is out of range, tokens are too few or beyond the vocabulary, or training diverges.
pub fn train(
    config: &Config,
    tokens: &[u32],
    schedule: &TrainConfig,
    seed: Seed,
    compute: &Compute,
) -> Result<Trained, TrainError> {
    let mut trainer = Trainer::of_new_model(config, schedule.clone(), seed)?;
    let steps = trainer.run(compute, tokens)?;
    Ok(Trained { model: trainer.into_state().model, steps })
}
