//! What transactions cost: a base, a rao per byte, and the call's weight.
//!
//! `fee = 54,078 + bytes + ref_time / 2000`, both quotients rounded to the nearest. Weights are measured by the real chain's
//! authors for every call; those that a running chain of spec 425 has shown are exact here, the others follow from
//! their reads and writes and a middle of what computing was measured to take before and after.
//! Source: `WeightToFee`, `LengthToFee` in `runtime/src/lib.rs`; `weights.rs` of each pallet.

use chain::{Call, Hyperparameter};
use primitives::Rao;

/// Weight that costs a rao. Source: `LinearWeightToFee`, half a millionth per picosecond.
const PS_PER_RAO: u64 = 2000;
/// Weight of any extrinsic. Source: `ExtrinsicBaseWeight`.
const BASE_PS: u64 = 108_157_000;
/// Weight at which a block is full, the most that is paid for. Source: `MAXIMUM_BLOCK_WEIGHT`.
const BLOCK_PS: u64 = 4_000_000_000_000;
/// Weight of a read. Source: `RocksDbWeight`.
const READ_PS: u64 = 25_000_000;
/// Weight of a write. Source: `RocksDbWeight`.
const WRITE_PS: u64 = 100_000_000;

/// A setter that the subnet's owner may call; observed for `sudo_set_immunity_period`.
const OWNER_SETTER_PS: u64 = 259_414_000;
/// `sudo_set_tempo`, observed.
const TEMPO_SETTER_PS: u64 = 361_298_000;
/// A setter for sudo alone that checks nothing.
const SUDO_SETTER_PS: u64 = estimate(4_400_000, 0, 1);
/// A setter for sudo alone that checks that the subnet exists.
const SUBNET_SETTER_PS: u64 = estimate(14_700_000, 1, 1);
/// A transfer that keeps the sender alive, observed.
const TRANSFER_PS: u64 = 164_050_000;
/// What `sudo` adds to the call in it.
const SUDO_PS: u64 = estimate(10_000_000, 1, 0);
/// What a batch adds to its calls.
const BATCH_PS: u64 = 5_000_000;
/// What a batch adds for each call.
const BATCH_ITEM_PS: u64 = 3_500_000;
/// A remark, without its bytes.
const REMARK_PS: u64 = 2_000_000;
/// What each byte of a remark adds.
const REMARK_BYTE_PS: u64 = 400;
/// A remark with an event, without its bytes.
const REMARK_WITH_EVENT_PS: u64 = 6_000_000;
/// What each byte of a remark with an event adds.
const REMARK_WITH_EVENT_BYTE_PS: u64 = 1_400;

/// What a call weighs and who pays for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct DispatchInfo {
    /// The weight, in picoseconds.
    pub(crate) ref_time_ps: u64,
    /// Bytes of storage proof; they cost nothing, and nobody has noted them.
    pub(crate) proof_bytes: u64,
    /// Whether the call costs anything.
    pub(crate) pays: bool,
    /// Whether what was paid is given back in the end, as for sudo: the account must have had it.
    pub(crate) refunded: bool,
    /// Whether the call belongs to the class that the chain keeps room for.
    pub(crate) operational: bool,
}

/// The parts of a fee.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct FeeParts {
    pub(crate) base: Rao,
    pub(crate) length: Rao,
    pub(crate) weight: Rao,
}

/// A weight from what computing took in the measurement after spec 425, and reads and writes. Before, on a slower
/// machine, computing took about a quarter more: half of that is added.
const fn estimate(compute_ps: u64, reads: u64, writes: u64) -> u64 {
    compute_ps + compute_ps / 8 + reads * READ_PS + writes * WRITE_PS
}

/// The fee for a weight, to the nearest rao, of two equally near the lower. Source: `Perbill` products.
pub(crate) fn weight_fee(ref_time_ps: u64) -> Rao {
    let capped = ref_time_ps.min(BLOCK_PS);
    Rao((capped + PS_PER_RAO / 2 - 1) / PS_PER_RAO)
}

/// The parts of what a call in an extrinsic of this many bytes, its length prefix included, costs; none for a free one.
pub(crate) fn parts(info: &DispatchInfo, length_bytes: usize) -> Option<FeeParts> {
    info.pays.then(|| FeeParts {
        base: weight_fee(BASE_PS),
        length: Rao(u64::try_from(length_bytes).unwrap_or(u64::MAX)),
        weight: weight_fee(info.ref_time_ps),
    })
}

/// What a call in an extrinsic of this many bytes, its length prefix included, costs.
pub(crate) fn fee(info: &DispatchInfo, length_bytes: usize) -> Rao {
    let parts = parts(info, length_bytes);
    parts.map_or(Rao::ZERO, |parts| parts.base.saturating_add(parts.length).saturating_add(parts.weight))
}

/// What a call weighs and who pays for it.
pub(crate) fn dispatch_info(call: &Call) -> DispatchInfo {
    DispatchInfo {
        ref_time_ps: weight(call),
        proof_bytes: 0,
        pays: pays(call),
        refunded: matches!(call, Call::Sudo { .. }),
        operational: is_operational(call),
    }
}

/// Source: `Pays::No` in `macros/dispatches.rs` and `pallets/commitments`; a batch is free if all of it is.
fn pays(call: &Call) -> bool {
    match call {
        Call::Batch { calls, .. } => calls.iter().any(pays),
        Call::SetWeights { .. }
        | Call::CommitWeights { .. }
        | Call::RevealWeights { .. }
        | Call::CommitTimelockedWeights { .. }
        | Call::BatchSetWeights { .. }
        | Call::BatchCommitWeights { .. }
        | Call::BatchRevealWeights { .. }
        | Call::WritePulse { .. }
        | Call::ServeAxon { .. }
        | Call::ServeAxonTls { .. }
        | Call::ServePrometheus { .. }
        | Call::IncreaseTake { .. }
        | Call::DecreaseTake { .. }
        | Call::SetCommitment { .. } => false,
        _ => true,
    }
}

/// Source: `DispatchClass::Operational` in `pallets/admin-utils`; sudo takes its call's class, a batch never does.
fn is_operational(call: &Call) -> bool {
    use Hyperparameter as H;
    match call {
        Call::Sudo { call } => is_operational(call),
        Call::SetHyperparameter { value, .. } => {
            matches!(value, H::BurnHalfLife(_) | H::BurnIncreaseMult(_) | H::OwnerCutEnabled(_))
        }
        _ => false,
    }
}

/// The weight of a call, with that of calls in it.
fn weight(call: &Call) -> u64 {
    match call {
        Call::Sudo { call } => weight(call).saturating_add(SUDO_PS),
        Call::Batch { calls, .. } => {
            let each = calls.iter().map(|call| weight(call).saturating_add(BATCH_ITEM_PS));
            each.fold(BATCH_PS, u64::saturating_add)
        }
        Call::Transfer { .. } => TRANSFER_PS,
        Call::TransferAllowDeath { .. } | Call::TransferAll { .. } => 48_834_000 + READ_PS + WRITE_PS,
        Call::SetBalance { .. } => estimate(22_000_000, 1, 1),
        Call::Remark { bytes, with_event } => {
            let (base, each) = match with_event {
                false => (REMARK_PS, REMARK_BYTE_PS),
                true => (REMARK_WITH_EVENT_PS, REMARK_WITH_EVENT_BYTE_PS),
            };
            base.saturating_add(each.saturating_mul(u64::try_from(bytes.len()).unwrap_or(u64::MAX)))
        }
        // Observed, down to `start_call`.
        Call::AddStake { .. } => 3_064_064_000,
        Call::RemoveStake { .. } => 2_569_198_000,
        Call::BurnedRegister { .. } => 4_086_814_000,
        Call::RegisterLimit { .. } => 5_529_200_000,
        Call::RegisterNetwork { .. } => 6_077_124_000,
        Call::AddStakeLimit { .. } => 3_253_004_000,
        Call::StartCall { .. } => 364_454_000,
        Call::RemoveStakeLimit { .. } => estimate(634_581_000, 27, 13),
        Call::RootRegister { .. } => estimate(82_544_000, 19, 16),
        Call::ClaimRoot { .. } => estimate(113_420_000, 16, 4),
        Call::SetRootClaimType { .. } => estimate(13_039_000, 2, 4),
        Call::SetRootClaimThreshold { .. } => estimate(4_006_000, 0, 1),
        // As it stood in the code of 2025.
        Call::SetChildren { .. } => 119_000_000 + 6 * READ_PS + 31 * WRITE_PS,
        Call::SetChildkeyTake { .. } => estimate(42_043_000, 7, 2),
        Call::TryAssociateHotkey { .. } => estimate(19_409_000, 3, 3),
        Call::SetColdkeyAutoStakeHotkey { .. } => estimate(25_639_000, 4, 2),
        Call::UnstakeAll { .. } => estimate(20_401_000, 6, 0),
        Call::UnstakeAllAlpha { .. } => estimate(586_489_000, 43, 25),
        Call::RemoveStakeFullLimit { .. } => estimate(657_696_000, 27, 13),
        Call::MoveStake { .. } => estimate(179_890_000, 19, 7),
        Call::TransferStake { .. } => estimate(206_480_000, 18, 6),
        Call::SwapStake { .. } => estimate(622_973_000, 47, 24),
        Call::SwapStakeLimit { .. } => estimate(810_304_000, 47, 24),
        Call::RecycleAlpha { .. } => estimate(143_025_000, 13, 6),
        Call::BurnAlpha { .. } => estimate(138_527_000, 12, 4),
        // Of `dissolve_network` nothing is known; through sudo it costs nothing.
        Call::DissolveNetwork { .. } => SUDO_SETTER_PS,
        Call::RegisterNetworkWithIdentity { .. } => estimate(218_898_000, 38, 47),
        Call::SwapHotkey { .. } => estimate(1_021_260_000, 180, 97),
        Call::SwapColdkey { .. } => estimate(266_279_000, 39, 20),
        Call::AnnounceColdkeySwap { .. } => estimate(35_984_000, 4, 3),
        Call::SwapColdkeyAnnounced { .. } => estimate(245_928_000, 39, 16),
        Call::DisputeColdkeySwap => estimate(16_805_000, 2, 1),
        Call::ClearColdkeySwapAnnouncement => estimate(13_550_000, 2, 1),
        // As it stood in the code of 2026.
        Call::ResetColdkeySwap { .. } => 8_977_000 + 2 * WRITE_PS,
        Call::SetIdentity { .. } => estimate(24_547_000, 3, 1),
        Call::SetSubnetIdentity { .. } => estimate(12_819_000, 1, 1),
        Call::UpdateSymbol { .. } => estimate(20_091_000, 4, 1),
        Call::AddStakeBurn { .. } => estimate(863_284_000, 33, 17),
        Call::SetHyperparameter { value, .. } => setter(value),
        Call::SetTempo { .. } => TEMPO_SETTER_PS,
        Call::SetSubnetEmissionEnabled { .. } => SUBNET_SETTER_PS,
        Call::SetChainParameter { .. } => SUDO_SETTER_PS,
        // The owner's own calls, and sudo's that the freeze window holds for: with the checks that setters make.
        Call::SetMechanismEmissionSplit { .. }
        | Call::SetSubtokenEnabled { .. }
        | Call::SetSubnetOwnerHotkey { .. }
        | Call::TrimToMaxAllowedUids { .. }
        | Call::SetEpochConsensus { .. }
        | Call::SetActivityCutoffFactor { .. }
        | Call::TriggerEpoch { .. } => OWNER_SETTER_PS,
        // Nobody pays for these, so that nothing tells what they weigh.
        Call::SetWeights { .. }
        | Call::CommitWeights { .. }
        | Call::RevealWeights { .. }
        | Call::CommitTimelockedWeights { .. }
        | Call::BatchSetWeights { .. }
        | Call::BatchCommitWeights { .. }
        | Call::BatchRevealWeights { .. }
        | Call::WritePulse { .. }
        | Call::ServeAxon { .. }
        | Call::ServeAxonTls { .. }
        | Call::ServePrometheus { .. }
        | Call::IncreaseTake { .. }
        | Call::DecreaseTake { .. }
        | Call::SetCommitment { .. } => 0,
    }
}

fn setter(value: &Hyperparameter) -> u64 {
    use Hyperparameter as H;
    match value {
        H::Tempo(_) => TEMPO_SETTER_PS,
        H::Kappa(_) | H::WeightsSetRateLimit(_) => SUBNET_SETTER_PS,
        H::NetworkRegistrationAllowed(_) | H::MinNonImmuneUids(_) => SUDO_SETTER_PS,
        H::ServingRateLimit(_) => estimate(26_840_000, 4, 1),
        H::MaxAllowedValidators(_) => estimate(34_000_000, 6, 1),
        _ => OWNER_SETTER_PS,
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use chain::{Axon, CommitmentField, MechId, NetUid, WeightVector};
    use primitives::{AccountId, AlphaRao, Hotkey};
    use serde_json::Value;

    use super::*;
    use crate::wire::extrinsic;

    /// Where the recording lies, from this crate.
    const RECORDING: &str = "../../../shared/data/lifecycle/expected-a-g.json";
    const NET: NetUid = NetUid(2);
    const TAO: u64 = 1_000_000_000;

    fn hotkey() -> Hotkey {
        Hotkey::from_bytes([7; 32])
    }

    /// How many rao the steps transfer: the length of the number is paid for.
    fn transferred(step: &str) -> u64 {
        match step {
            "a.03.transfer_4tao" => 4 * TAO,
            "a.04.to_new_499_below_ed" => 499,
            "a.05.to_new_500_equals_ed" => 500,
            "a.06.insufficient_100tao" => 100 * TAO,
            "a.07.ok_1500m" => 1_500_000_000,
            "a.08.keep_alive_would_leave_100" | "c.10.drain_poor" => 2_450_000_000,
            _ => panic!("how much does {step} transfer?"),
        }
    }

    /// The call of a step, its arguments of the length that they had.
    fn call(step: &str, name: &str) -> Option<Call> {
        let hotkey = hotkey();
        let weights = WeightVector { uids: Vec::new(), values: Vec::new() };
        Some(match name {
            "Balances.transfer_keep_alive" | "sdk.transfer" => {
                Call::Transfer { to: AccountId([1; 32]), amount: Rao(transferred(step)) }
            }
            "SubtensorModule.register_network" | "sdk.register_subnet" => Call::RegisterNetwork { hotkey },
            "SubtensorModule.add_stake" | "sdk.add_stake" => {
                Call::AddStake { hotkey, netuid: NET, amount: Rao(TAO) }
            }
            "SubtensorModule.remove_stake" | "sdk.unstake" => {
                Call::RemoveStake { hotkey, netuid: NET, amount: AlphaRao(TAO) }
            }
            "SubtensorModule.start_call" | "sdk.start_call" => Call::StartCall { netuid: NET },
            "AdminUtils.sudo_set_immunity_period" => {
                Call::SetHyperparameter { netuid: NET, value: Hyperparameter::ImmunityPeriod(20) }
            }
            "AdminUtils.sudo_set_tempo" => {
                Call::SetHyperparameter { netuid: NET, value: Hyperparameter::Tempo(8) }
            }
            "SubtensorModule.burned_register" | "sdk.burned_register" => {
                Call::BurnedRegister { netuid: NET, hotkey }
            }
            "SubtensorModule.register_limit" => {
                Call::RegisterLimit { netuid: NET, hotkey, limit_price: Rao(1000) }
            }
            "SubtensorModule.add_stake_limit" => {
                let (amount, limit_price) = (Rao(TAO), Rao(1000));
                Call::AddStakeLimit { hotkey, netuid: NET, amount, limit_price, allow_partial: false }
            }
            "SubtensorModule.decrease_take" => Call::DecreaseTake { hotkey, take: 5000 },
            "SubtensorModule.increase_take" => Call::IncreaseTake { hotkey, take: 5000 },
            "SubtensorModule.serve_axon" | "sdk.serve_axon" => {
                let (version, ip, port, ip_type, protocol) = (1, 16_909_060, 8091, 4, 4);
                let axon = Axon { version, ip, port, ip_type, protocol, placeholder1: 0, placeholder2: 0 };
                Call::ServeAxon { netuid: NET, axon }
            }
            "Commitments.set_commitment" | "sdk.set_commitment" => {
                Call::SetCommitment { netuid: NET, fields: vec![CommitmentField::Raw(b"model:v1".to_vec())] }
            }
            "SubtensorModule.set_weights" | "SubtensorModule.set_mechanism_weights" | "sdk.set_weights" => {
                Call::SetWeights { netuid: NET, mechid: MechId::MAIN, weights, version_key: 0 }
            }
            _ => return None,
        })
    }

    #[test]
    fn recorded_extrinsics_cost_what_they_did() {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(RECORDING);
        let Ok(text) = std::fs::read_to_string(&path) else {
            println!("skipped: there is no recording at {}", path.display());
            return;
        };
        let recording: Value = serde_json::from_str(&text).unwrap();
        let (mut paid, mut free) = (0, 0);
        for step in recording["steps"].as_array().unwrap() {
            let (name, by) = (step["step"].as_str().unwrap(), step["call"].as_str().unwrap());
            let recorded = &step["observations"]["fee"];
            let (Some(recorded), true) = (recorded.as_u64(), step["blocks"].as_u64() > Some(0)) else {
                continue;
            };
            let Some(call) = call(name, by) else {
                assert!(by.starts_with("sudo:"), "{by} is no call that this test knows");
                let value = Hyperparameter::Tempo(8);
                let setter = Box::new(Call::SetHyperparameter { netuid: NET, value });
                let info = dispatch_info(&Call::Sudo { call: setter });
                assert!(info.pays && info.refunded && recorded == 0, "{name}");
                continue;
            };
            let info = dispatch_info(&call);
            // The scenario's own extrinsics are immortal, which is a byte less than what the SDK sends.
            let length = extrinsic::unsigned(AccountId([1; 32]), 0, &call).unwrap().len();
            let length = if by.starts_with("sdk.") { length } else { length - 1 };
            assert_eq!(fee(&info, length), Rao(recorded), "{name}");
            assert_eq!(info.pays, recorded > 0, "{name}");
            *(if recorded > 0 { &mut paid } else { &mut free }) += 1;
        }
        println!("{paid} fees and {free} free extrinsics are as recorded");
        assert!(paid > 30 && free > 30);
    }

    #[test]
    fn halves_are_rounded_down_and_a_block_is_the_most() {
        for (ps, expect) in
            [(0, 0), (1000, 0), (1001, 1), (2000, 1), (BASE_PS, 54_078), (u64::MAX, 2_000_000_000)]
        {
            assert_eq!(weight_fee(ps), Rao(expect), "{ps}");
        }
    }

    #[test]
    fn a_batch_costs_what_is_in_it_and_nothing_if_all_of_it_is_free() {
        let free = Call::DecreaseTake { hotkey: hotkey(), take: 1 };
        let paid = Call::StartCall { netuid: NET };
        let batch = |calls| dispatch_info(&Call::Batch { kind: chain::BatchKind::All, calls });
        assert!(!batch(vec![free.clone(), free.clone()]).pays);
        let both = batch(vec![free, paid.clone()]);
        assert!(both.pays && both.ref_time_ps > dispatch_info(&paid).ref_time_ps);
        let value = Hyperparameter::BurnHalfLife(1);
        let setter = Call::SetHyperparameter { netuid: NET, value };
        assert!(dispatch_info(&Call::Sudo { call: Box::new(setter.clone()) }).operational);
        assert!(!batch(vec![setter]).operational);
    }
}
