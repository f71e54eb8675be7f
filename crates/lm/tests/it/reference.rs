//! The same model in f64, written for being read: one token, one number at a time, the platform's functions.

#![expect(clippy::disallowed_methods, reason = "the platform's functions are what ours are compared with")]

use std::collections::BTreeMap;

use lm::{Config, Model, RopeScaling};

/// A model's tensors in f64.
pub(crate) struct Reference {
    config: Config,
    tensors: BTreeMap<String, Vec<f64>>,
}

impl Reference {
    pub(crate) fn new(model: &Model) -> Self {
        let numbers = |name: &str| model.tensor(name).unwrap().iter().map(|x| f64::from(*x)).collect();
        let tensors = model.tensors().iter().map(|one| (one.name.clone(), numbers(&one.name))).collect();
        Self { config: model.config().clone(), tensors }
    }

    /// One parameter.
    pub(crate) fn at(&mut self, tensor: &str, index: usize) -> &mut f64 {
        &mut self.tensors.get_mut(tensor).unwrap()[index]
    }

    /// −ln p of each target.
    pub(crate) fn nats(&self, inputs: &[u32], targets: &[u32]) -> Vec<f64> {
        let config = &self.config;
        let (dim, head_dim) = (config.dim, config.head_dim());
        let embeddings = &self.tensors["model.embed_tokens.weight"];
        let mut stream: Vec<Vec<f64>> =
            inputs.iter().map(|&t| embeddings[t as usize * dim..][..dim].to_vec()).collect();
        for layer in 0..config.layers {
            let name = |part: &str| format!("model.layers.{layer}.{part}.weight");
            let normed: Vec<_> = stream.iter().map(|x| self.norm(x, &name("input_layernorm"))).collect();
            let project = |part: &str| -> Vec<Vec<f64>> {
                normed.iter().map(|x| self.linear(x, &name(part))).collect()
            };
            let (mut q, mut k, v) =
                (project("self_attn.q_proj"), project("self_attn.k_proj"), project("self_attn.v_proj"));
            for (position, (q, k)) in q.iter_mut().zip(&mut k).enumerate() {
                for (x, gain) in [(q, "self_attn.q_norm"), (k, "self_attn.k_norm")] {
                    for head in x.chunks_mut(head_dim) {
                        if config.has_head_norms() {
                            head.copy_from_slice(&self.norm(head, &name(gain)));
                        }
                        self.turn(head, position);
                    }
                }
            }
            for (i, x) in stream.iter_mut().enumerate() {
                let mut attended = vec![0.0; config.heads * head_dim];
                for head in 0..config.heads {
                    let shared = head / (config.heads / config.kv_heads);
                    let (own, theirs) = (head * head_dim, shared * head_dim);
                    let scores: Vec<f64> = (0..=i)
                        .map(|j| {
                            let dot: f64 = (0..head_dim).map(|d| q[i][own + d] * k[j][theirs + d]).sum();
                            (dot / (head_dim as f64).sqrt()).exp()
                        })
                        .collect();
                    let sum: f64 = scores.iter().sum();
                    for (j, score) in scores.iter().enumerate() {
                        for d in 0..head_dim {
                            attended[own + d] += score / sum * v[j][theirs + d];
                        }
                    }
                }
                add(x, &self.linear(&attended, &name("self_attn.o_proj")));
                let normed = self.norm(x, &name("post_attention_layernorm"));
                let gate = self.linear(&normed, &name("mlp.gate_proj"));
                let up = self.linear(&normed, &name("mlp.up_proj"));
                let inner: Vec<f64> = gate.iter().zip(&up).map(|(g, u)| g / (1.0 + (-g).exp()) * u).collect();
                add(x, &self.linear(&inner, &name("mlp.down_proj")));
            }
        }
        let head = if config.tied { "model.embed_tokens.weight" } else { "lm_head.weight" };
        let loss = |(x, target): (&Vec<f64>, &u32)| {
            let logits = self.linear(&self.norm(x, "model.norm.weight"), head);
            logits.iter().map(|l| l.exp()).sum::<f64>().ln() - logits[*target as usize]
        };
        stream.iter().zip(targets).map(loss).collect()
    }

    fn norm(&self, x: &[f64], gain: &str) -> Vec<f64> {
        let mean = x.iter().map(|x| x * x).sum::<f64>() / x.len() as f64;
        let scale = 1.0 / (mean + self.config.norm_eps).sqrt();
        x.iter().zip(&self.tensors[gain]).map(|(x, g)| x * scale * g).collect()
    }

    fn linear(&self, x: &[f64], weight: &str) -> Vec<f64> {
        let rows = self.tensors[weight].chunks(x.len());
        let mut to: Vec<f64> = rows.map(|row| row.iter().zip(x).map(|(w, x)| w * x).sum()).collect();
        if let Some(bias) = self.tensors.get(&weight.replace(".weight", ".bias")) {
            add(&mut to, bias);
        }
        to
    }

    fn turn(&self, head: &mut [f64], position: usize) {
        let half = head.len() / 2;
        for i in 0..half {
            let rate = self.config.rope_theta.powf(-(i as f64) / half as f64);
            let angle = position as f64 * self.config.rope_scaling.map_or(rate, |one| scaled(one, rate));
            let (a, b) = (head[i], head[i + half]);
            head[i] = a * angle.cos() - b * angle.sin();
            head[i + half] = b * angle.cos() + a * angle.sin();
        }
    }
}

/// As the model's authors write it: by wavelengths.
fn scaled(scaling: RopeScaling, rate: f64) -> f64 {
    match scaling {
        RopeScaling::Linear { factor } => rate / factor,
        RopeScaling::Llama3 { factor, slow_turns, fast_turns, first_context } => {
            let (context, length) = (first_context as f64, std::f64::consts::TAU / rate);
            if length < context / fast_turns {
                rate
            } else if length > context / slow_turns {
                rate / factor
            } else {
                let smooth = (context / length - slow_turns) / (fast_turns - slow_turns);
                (1.0 - smooth) * rate / factor + smooth * rate
            }
        }
    }
}

fn add(to: &mut [f64], from: &[f64]) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
}
