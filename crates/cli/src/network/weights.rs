//! `weigh weights`.

use std::{fmt, str::FromStr};

use chain::{Call, Chain as _, Subnet, WeightVector, WeightsCommitment, timelock::WeightsPayload};
use clap::{Args, Subcommand};
use primitives::{AccountId, Digest, DurationMs, Hotkey, MechId, NetUid, Seed, Uid};
use serde_json::json;

use super::{Answer, NetworkError, Reading, Writing, plan_and_write, read, subnet_at};
use crate::wallet::KeyKind;

/// The version of commit–reveal that the chain takes. Source: `CommitRevealWeightsVersion`.
const COMMIT_REVEAL_VERSION: u16 = 4;
/// Time between two blocks of the networks.
const BLOCK_TIME: DurationMs = DurationMs(12_000);

/// `weigh weights …`.
#[derive(Subcommand)]
pub(crate) enum WeightsCommand {
    /// Show the weights that a subnet's validators have set.
    Show(ShowArguments),
    /// Set weights as the wallet's hotkey: in the clear, or sealed until the beacon opens them, as the subnet wants it.
    Set(SetArguments),
    /// Commit to weights by a hash, to be opened an epoch later with `weigh weights reveal`.
    Commit(SetArguments),
    /// Open weights that were committed to by a hash.
    Reveal(RevealArguments),
}

#[derive(Args)]
pub(crate) struct ShowArguments {
    #[command(flatten)]
    reading: Reading,
    #[command(flatten)]
    of: Of,
}

#[derive(Args)]
struct Of {
    /// The subnet.
    #[arg(long)]
    netuid: u16,
    /// The subnet's mechanism.
    #[arg(long, default_value_t = 0)]
    mechanism: u8,
}

#[derive(Args)]
pub(crate) struct SetArguments {
    #[command(flatten)]
    writing: Writing,
    #[command(flatten)]
    of: Of,
    /// Weights relative to each other, as 7:0.5 or 7:3.
    #[arg(required = true, value_name = "UID:WEIGHT")]
    weights: Vec<Weight>,
    /// The validator's version, which the subnet may ask for.
    #[arg(long, default_value_t = 0)]
    version_key: u64,
}

#[derive(Args)]
pub(crate) struct RevealArguments {
    #[command(flatten)]
    set: SetArguments,
    /// The salt that `weigh weights commit` printed.
    #[arg(long, value_delimiter = ',', value_name = "NUMBERS", required = true)]
    salt: Vec<u16>,
}

/// One uid's weight.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Weight {
    uid: Uid,
    value: f64,
}

/// A text is no weight.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WeightError(String);

impl fmt::Display for WeightError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is no weight: expected a uid, a colon and a number from 0 up", self.0)
    }
}

impl std::error::Error for WeightError {}

impl FromStr for Weight {
    type Err = WeightError;

    fn from_str(text: &str) -> Result<Self, WeightError> {
        let bad = || WeightError(text.to_owned());
        let (uid, value) = text.split_once(':').ok_or_else(bad)?;
        let value: f64 = value.parse().map_err(|_| bad())?;
        if !value.is_finite() || value < 0.0 {
            return Err(bad());
        }
        Ok(Self { uid: Uid(uid.parse().map_err(|_| bad())?), value })
    }
}

/// Weights as the chain takes them: the largest is 65535.
fn vector(weights: &[Weight]) -> WeightVector {
    let most = weights.iter().map(|weight| weight.value).fold(0.0, f64::max);
    let scale = if most > 0.0 { f64::from(u16::MAX) / most } else { 0.0 };
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounded, from 0 to 65535")]
    let values = weights.iter().map(|weight| (weight.value * scale).round() as u16);
    WeightVector { uids: weights.iter().map(|weight| weight.uid).collect(), values: values.collect() }
}

/// # Errors
/// [`NetworkError`].
pub(crate) fn run(command: &WeightsCommand) -> Result<(), NetworkError> {
    match command {
        WeightsCommand::Show(arguments) => show(arguments),
        WeightsCommand::Set(arguments) => set(arguments),
        WeightsCommand::Commit(arguments) => commit(arguments),
        WeightsCommand::Reveal(arguments) => {
            let SetArguments { writing, of, weights, version_key } = &arguments.set;
            let call = Call::RevealWeights {
                netuid: NetUid(of.netuid),
                mechid: MechId(of.mechanism),
                weights: vector(weights),
                salt: arguments.salt.clone(),
                version_key: *version_key,
            };
            super::write(writing, KeyKind::Hotkey, call)
        }
    }
}

fn show(arguments: &ShowArguments) -> Result<(), NetworkError> {
    let (netuid, mechid) = (NetUid(arguments.of.netuid), MechId(arguments.of.mechanism));
    read(&arguments.reading, |chain, head| async move {
        let subnet = subnet_at(&chain, netuid, head).await?;
        check_mechanism(&subnet, mechid)?;
        let count = u16::try_from(subnet.neurons.len()).unwrap_or(u16::MAX);
        let rows = chain.weights(netuid, mechid, count, head).await?;
        let mut text = String::new();
        let mut set = Vec::new();
        for (neuron, row) in subnet.neurons.iter().zip(rows) {
            if row.is_empty() {
                continue;
            }
            let shown: Vec<String> = row.iter().map(|(uid, weight)| format!("{uid}:{weight}")).collect();
            text.push_str(&format!("uid {:<4} {}  {}\n", neuron.uid, neuron.hotkey, shown.join(" ")));
            set.push(json!({ "uid": neuron.uid, "hotkey": neuron.hotkey, "weights": row }));
        }
        if set.is_empty() {
            text.push_str("no weights\n");
        }
        let json = json!({ "block": head, "netuid": netuid, "mechanism": mechid, "weights": set });
        Ok(Answer { json, text })
    })
}

fn check_mechanism(subnet: &Subnet, mechid: MechId) -> Result<(), NetworkError> {
    if mechid.0 < subnet.mechanism_count {
        return Ok(());
    }
    let (netuid, count) = (subnet.netuid, subnet.mechanism_count);
    Err(NetworkError::Argument(format!(
        "subnet {netuid} has {count} mechanisms, there is no number {}",
        mechid.0
    )))
}

fn random<const N: usize>() -> Result<[u8; N], NetworkError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| NetworkError::Io(std::io::Error::other(error.to_string())))?;
    Ok(bytes)
}

fn registered(subnet: &Subnet, signer: AccountId) -> Result<Hotkey, NetworkError> {
    let hotkey = Hotkey(signer);
    match subnet.neuron(&hotkey) {
        Some(_) => Ok(hotkey),
        None => Err(NetworkError::NotRegistered { hotkey: signer, netuid: subnet.netuid }),
    }
}

fn set(arguments: &SetArguments) -> Result<(), NetworkError> {
    let SetArguments { writing, of, weights, version_key } = arguments;
    let (netuid, mechid, version_key) = (NetUid(of.netuid), MechId(of.mechanism), *version_key);
    let weights = vector(weights);
    plan_and_write(writing, KeyKind::Hotkey, |chain, signer| async move {
        let head = chain.head().await?;
        let subnet = subnet_at(&chain, netuid, head.number).await?;
        check_mechanism(&subnet, mechid)?;
        let hotkey = registered(&subnet, signer)?;
        if !subnet.hyperparameters.commit_reveal_weights_enabled {
            let call = Call::SetWeights { netuid, mechid, weights, version_key };
            return Ok((call, json!({ "sealed": false })));
        }
        let beacon = chain.beacon(head.number).await?;
        let round = beacon.reveal_round(&subnet.schedule, head.number, head.time, BLOCK_TIME);
        let round = round.ok_or_else(|| {
            NetworkError::Argument(format!(
                "subnet {netuid} has no epoch in sight in which weights would be opened"
            ))
        })?;
        let payload = WeightsPayload { hotkey: Some(hotkey), weights, version_key }.encode();
        let secret = Seed(Digest(random()?));
        let commit = chain::timelock::encrypt(&beacon.public_key, round, &payload, &secret)?;
        let version = COMMIT_REVEAL_VERSION;
        let call = Call::CommitTimelockedWeights { netuid, mechid, commit, reveal_round: round, version };
        Ok((call, json!({ "sealed": true, "reveal_round": round })))
    })
}

fn commit(arguments: &SetArguments) -> Result<(), NetworkError> {
    let SetArguments { writing, of, weights, version_key } = arguments;
    let (netuid, mechid, version_key) = (NetUid(of.netuid), MechId(of.mechanism), *version_key);
    let weights = vector(weights);
    plan_and_write(writing, KeyKind::Hotkey, |chain, signer| async move {
        let head = chain.head().await?;
        let subnet = subnet_at(&chain, netuid, head.number).await?;
        check_mechanism(&subnet, mechid)?;
        let hotkey = registered(&subnet, signer)?;
        let salt = chain::salt_from(&Seed(Digest(random()?)), netuid, mechid, subnet.schedule.epoch_index);
        let opened =
            WeightsCommitment { hotkey, netuid, mechid, weights: &weights, salt: &salt, version_key };
        let call = Call::CommitWeights { netuid, mechid, commit_hash: opened.hash() };
        Ok((call, json!({ "salt": salt, "uids": weights.uids, "values": weights.values })))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_scaled_to_the_largest() {
        let weights = ["3:1", "7:0.5", "9:0"].map(|text| text.parse().unwrap());
        let vector = vector(&weights);
        assert_eq!(vector.uids, [Uid(3), Uid(7), Uid(9)]);
        assert_eq!(vector.values, [65_535, 32_768, 0]);
    }

    #[test]
    fn what_is_no_weight_is_told() {
        for text in ["", "3", "3:", "a:1", "3:-1", "3:nan", "3:inf", "70000:1"] {
            assert!(text.parse::<Weight>().is_err(), "{text}");
        }
    }
}
