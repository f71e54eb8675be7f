//! What an account may ask of the chain.

use std::collections::BTreeSet;

use parity_scale_codec::{Decode, Encode};
use primitives::{AccountId, AlphaRao, Coldkey, Digest, Hotkey, MechId, NetUid, Rao, Uid};
use serde::{Deserialize, Serialize};

use crate::{ChainParameter, Hyperparameter};

/// Fields in one commitment. Source: `pallets/commitments`, `MaxFields`.
pub const MAX_COMMITMENT_FIELDS: usize = 3;
/// Bytes in one timelocked commitment to weights. Source: `MAX_CRV3_COMMIT_SIZE_BYTES`.
pub const MAX_TIMELOCKED_COMMIT_BYTES: usize = 5000;
/// Distance between the storage indices of one subnet's mechanisms. Source: `GLOBAL_MAX_SUBNET_COUNT` in
/// `subnets/mechanism.rs`.
pub const SUBNETS_PER_MECHANISM: u16 = 4096;

/// The key under which the chain keeps weights and bonds of a subnet's mechanism:
/// `mecid · 4096 + netuid`. Source: `get_mechanism_storage_index`.
#[must_use]
pub fn storage_index(netuid: NetUid, mechid: MechId) -> u16 {
    u16::from(mechid.0).wrapping_mul(SUBNETS_PER_MECHANISM).wrapping_add(netuid.0)
}

/// Weights as the chain takes them: one u16 per uid, uids without order, zeros kept.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct WeightVector {
    /// The neurons that are weighed.
    pub uids: Vec<Uid>,
    /// Their weights, relative to each other; as long as `uids`.
    pub values: Vec<u16>,
}

/// Where a neuron can be reached, as `serve_axon` takes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Axon {
    /// The neuron's own software version.
    pub version: u32,
    /// The address, an IPv4 address in the low 32 bits.
    #[serde(with = "primitives::decimal")]
    pub ip: u128,
    /// The TCP port, not 0.
    pub port: u16,
    /// 4 or 6.
    pub ip_type: u8,
    /// The neuron's own protocol number.
    pub protocol: u8,
    /// Free for use.
    pub placeholder1: u8,
    /// Free for use.
    pub placeholder2: u8,
}

/// Where a neuron's metrics can be read, as `serve_prometheus` takes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Prometheus {
    /// The neuron's own software version.
    pub version: u32,
    /// The address, an IPv4 address in the low 32 bits.
    #[serde(with = "primitives::decimal")]
    pub ip: u128,
    /// The TCP port.
    pub port: u16,
    /// 4 or 6.
    pub ip_type: u8,
}

/// Who stands behind a coldkey, in bytes of UTF-8. Source: `ChainIdentityV2`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct ChainIdentity {
    /// At most 256 bytes.
    pub name: Vec<u8>,
    /// At most 256 bytes.
    pub url: Vec<u8>,
    /// At most 256 bytes.
    pub github_repo: Vec<u8>,
    /// At most 1024 bytes.
    pub image: Vec<u8>,
    /// At most 256 bytes.
    pub discord: Vec<u8>,
    /// At most 1024 bytes.
    pub description: Vec<u8>,
    /// At most 1024 bytes.
    pub additional: Vec<u8>,
}

/// What a subnet is and who runs it, in bytes of UTF-8. Source: `SubnetIdentityV3`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct SubnetIdentity {
    /// At most 256 bytes.
    pub subnet_name: Vec<u8>,
    /// At most 1024 bytes.
    pub github_repo: Vec<u8>,
    /// At most 1024 bytes.
    pub subnet_contact: Vec<u8>,
    /// At most 1024 bytes.
    pub subnet_url: Vec<u8>,
    /// At most 256 bytes.
    pub discord: Vec<u8>,
    /// At most 1024 bytes.
    pub description: Vec<u8>,
    /// At most 1024 bytes.
    pub logo_url: Vec<u8>,
    /// At most 1024 bytes.
    pub additional: Vec<u8>,
}

/// One field of a commitment. Source: `pallets/commitments`, `Data`.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub enum CommitmentField {
    /// Up to 128 bytes.
    Raw(Vec<u8>),
    /// Up to 512 bytes.
    BigRaw(Vec<u8>),
    /// A BLAKE2b-256 hash.
    BlakeTwo256([u8; 32]),
    /// A SHA-256 hash.
    Sha256([u8; 32]),
    /// Up to 1024 bytes that the chain reveals at a round of the beacon.
    TimelockEncrypted {
        /// The ciphertext.
        encrypted: Vec<u8>,
        /// The beacon's round.
        reveal_round: u64,
    },
    /// Asks that bonds towards this neuron be reset.
    ResetBondsFlag,
    /// A Keccak-256 hash.
    Keccak256([u8; 32]),
    /// A SHA3-256 hash.
    ShaThree256([u8; 32]),
    /// What was timelocked and did not open at its round; only the chain itself makes it.
    TimelockRevealFailed {
        /// The ciphertext.
        encrypted: Vec<u8>,
        /// The beacon's round.
        reveal_round: u64,
    },
}

/// What becomes of claimed root dividends. Source: `RootClaimTypeEnum`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub enum RootClaimType {
    /// They are sold and staked on root.
    #[default]
    Swap,
    /// They stay the subnets' alpha.
    Keep,
    /// They stay alpha on these subnets only.
    KeepSubnets {
        /// The subnets.
        subnets: BTreeSet<NetUid>,
    },
}

/// How a subnet's epochs find what its miners earn, since spec 475. Source: `EpochConsensus`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub enum EpochConsensus {
    /// All validators' weights, clipped to what most of the stake agrees on.
    #[default]
    Yuma,
    /// The weights of the one with the most stake, as they are.
    Null,
}

/// What a beacon publishes for one round.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub struct Pulse {
    /// The round.
    pub round: u64,
    /// Its randomness: the hash of the signature.
    pub randomness: Vec<u8>,
    /// The beacon's signature of the round.
    pub signature: Vec<u8>,
}

/// A call that an account submits.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub enum Call {
    /// Moves TAO to another account, which must be worth keeping.
    Transfer {
        /// The receiver.
        to: AccountId,
        /// How much.
        amount: Rao,
    },
    /// Creates a subnet for the present lock cost; `hotkey` becomes its uid 0.
    RegisterNetwork {
        /// The owner's hotkey.
        hotkey: Hotkey,
    },
    /// Starts emission and staking of a subnet (its owner).
    StartCall {
        /// The subnet.
        netuid: NetUid,
    },
    /// Registers a hotkey on a subnet for the present burn price.
    BurnedRegister {
        /// The subnet.
        netuid: NetUid,
        /// The hotkey.
        hotkey: Hotkey,
    },
    /// Registers a hotkey unless the burn price is above a limit.
    RegisterLimit {
        /// The subnet.
        netuid: NetUid,
        /// The hotkey.
        hotkey: Hotkey,
        /// The most to burn.
        limit_price: Rao,
    },
    /// Swaps TAO for the subnet's alpha and stakes it with a hotkey; on root, stakes the TAO itself.
    AddStake {
        /// The hotkey to stake with.
        hotkey: Hotkey,
        /// The subnet.
        netuid: NetUid,
        /// How much TAO.
        amount: Rao,
    },
    /// Unstakes alpha and swaps it for TAO; more than is held takes all.
    RemoveStake {
        /// The hotkey staked with.
        hotkey: Hotkey,
        /// The subnet.
        netuid: NetUid,
        /// How much alpha.
        amount: AlphaRao,
    },
    /// Tells where the calling hotkey can be reached.
    ServeAxon {
        /// The subnet.
        netuid: NetUid,
        /// The address.
        axon: Axon,
    },
    /// Sets the calling hotkey's weights in the clear.
    SetWeights {
        /// The subnet.
        netuid: NetUid,
        /// The mechanism.
        mechid: MechId,
        /// The weights.
        weights: WeightVector,
        /// The validator's version, checked against the subnet's.
        version_key: u64,
    },
    /// Commits to weights by hash.
    CommitWeights {
        /// The subnet.
        netuid: NetUid,
        /// The mechanism.
        mechid: MechId,
        /// See [`crate::WeightsCommitment::hash`].
        commit_hash: Digest,
    },
    /// Opens a commitment made `reveal_period` epochs ago.
    RevealWeights {
        /// The subnet.
        netuid: NetUid,
        /// The mechanism.
        mechid: MechId,
        /// The weights.
        weights: WeightVector,
        /// The salt of the commitment.
        salt: Vec<u16>,
        /// The version of the commitment.
        version_key: u64,
    },
    /// Replaces the calling hotkey's commitment on a subnet.
    SetCommitment {
        /// The subnet.
        netuid: NetUid,
        /// At most [`MAX_COMMITMENT_FIELDS`] fields.
        fields: Vec<CommitmentField>,
    },
    /// Sets one hyperparameter (the subnet's owner, or sudo).
    SetHyperparameter {
        /// The subnet.
        netuid: NetUid,
        /// Which, and its new value.
        value: Hyperparameter,
    },
    /// Splits emission among a subnet's mechanisms: parts of 65535 (owner or sudo); none splits evenly.
    SetMechanismEmissionSplit {
        /// The subnet.
        netuid: NetUid,
        /// One part per mechanism.
        split: Option<Vec<u16>>,
    },
    /// Raises how much of a hotkey's dividends its owner keeps, in parts of 65535.
    IncreaseTake {
        /// The hotkey.
        hotkey: Hotkey,
        /// The take.
        take: u16,
    },
    /// Lowers it.
    DecreaseTake {
        /// The hotkey.
        hotkey: Hotkey,
        /// The take.
        take: u16,
    },
    /// Runs an epoch as soon as the freeze window has passed (the owner; commit–reveal must be off).
    TriggerEpoch {
        /// The subnet.
        netuid: NetUid,
    },
    /// Lets a subnet take part in the emission of TAO, or not (sudo).
    SetSubnetEmissionEnabled {
        /// The subnet.
        netuid: NetUid,
        /// Whether it does.
        enabled: bool,
    },
    /// Lets a subnet's alpha be staked, or not (sudo).
    SetSubtokenEnabled {
        /// The subnet, or root.
        netuid: NetUid,
        /// Whether it can.
        enabled: bool,
    },
    /// Sets one of the chain's own settings (sudo).
    SetChainParameter {
        /// Which, and its new value.
        value: ChainParameter,
    },
    /// Chooses a subnet's tempo (its owner, within the owner's bounds).
    SetTempo {
        /// The subnet.
        netuid: NetUid,
        /// Blocks from one epoch to the next.
        tempo: u16,
    },
    /// Chooses a subnet's activity cutoff (its owner).
    SetActivityCutoffFactor {
        /// The subnet.
        netuid: NetUid,
        /// In thousandths of the tempo.
        factor_milli: u32,
    },
    /// Moves TAO to another account; the sender may be emptied.
    TransferAllowDeath {
        /// The receiver.
        to: AccountId,
        /// How much.
        amount: Rao,
    },
    /// Moves all TAO that can be moved.
    TransferAll {
        /// The receiver.
        to: AccountId,
        /// Whether the sender stays alive.
        keep_alive: bool,
    },
    /// Gives an account a balance out of nothing (sudo).
    SetBalance {
        /// The account.
        account: AccountId,
        /// Its free balance from now on.
        free: Rao,
    },
    /// Says something and changes nothing.
    Remark {
        /// What is said.
        bytes: Vec<u8>,
        /// Whether an event tells of it.
        with_event: bool,
    },
    /// Stakes unless the price would rise above a limit.
    AddStakeLimit {
        /// The hotkey to stake with.
        hotkey: Hotkey,
        /// The subnet.
        netuid: NetUid,
        /// How much TAO.
        amount: Rao,
        /// The highest price, in rao per alpha.
        limit_price: Rao,
        /// Whether as much as the limit allows is staked where it doesn't allow all.
        allow_partial: bool,
    },
    /// Unstakes unless the price would fall below a limit.
    RemoveStakeLimit {
        /// The hotkey staked with.
        hotkey: Hotkey,
        /// The subnet.
        netuid: NetUid,
        /// How much alpha.
        amount: AlphaRao,
        /// The lowest price, in rao per alpha.
        limit_price: Rao,
        /// Whether as much as the limit allows is unstaked where it doesn't allow all.
        allow_partial: bool,
    },
    /// Registers a hotkey on root, where the least staked gives way.
    RootRegister {
        /// The hotkey.
        hotkey: Hotkey,
    },
    /// Commits to weights that the chain opens by itself when the beacon's round has come.
    CommitTimelockedWeights {
        /// The subnet.
        netuid: NetUid,
        /// The mechanism.
        mechid: MechId,
        /// The ciphertext, at most [`MAX_TIMELOCKED_COMMIT_BYTES`].
        commit: Vec<u8>,
        /// The beacon's round.
        reveal_round: u64,
        /// The version of commit–reveal.
        version: u16,
    },
    /// Carries out a call as root (the sudo account).
    Sudo {
        /// The call.
        call: Box<Call>,
    },
    /// Carries out several calls in order.
    Batch {
        /// What happens when one fails.
        kind: BatchKind,
        /// The calls.
        calls: Vec<Call>,
    },
    /// Claims the caller's root dividends.
    ClaimRoot {
        /// On these subnets.
        subnets: BTreeSet<NetUid>,
    },
    /// Chooses what becomes of the caller's root dividends.
    SetRootClaimType {
        /// What.
        new_root_claim_type: RootClaimType,
    },
    /// Sets the least that is claimed on a subnet (its owner, or sudo).
    SetRootClaimThreshold {
        /// The subnet.
        netuid: NetUid,
        /// In rao of alpha.
        new_value: u64,
    },
    /// Parts a hotkey's stake on a subnet among other hotkeys.
    SetChildren {
        /// The hotkey.
        hotkey: Hotkey,
        /// The subnet.
        netuid: NetUid,
        /// Each child's part of 2⁶⁴ − 1, and the child.
        children: Vec<(u64, Hotkey)>,
    },
    /// Sets how much of inherited stake's dividends a child keeps.
    SetChildkeyTake {
        /// The child.
        hotkey: Hotkey,
        /// The subnet.
        netuid: NetUid,
        /// The take, of 65535.
        take: u16,
    },
    /// Makes a hotkey without an owner the caller's.
    TryAssociateHotkey {
        /// The hotkey.
        hotkey: Hotkey,
    },
    /// Chooses with whom the caller's incentive on a subnet is staked.
    SetColdkeyAutoStakeHotkey {
        /// The subnet.
        netuid: NetUid,
        /// The hotkey.
        hotkey: Hotkey,
    },
    /// Hands in what the beacon published.
    WritePulse {
        /// The pulses.
        pulses: Vec<Pulse>,
    },
    /// Unstakes everything with a hotkey on every subnet.
    UnstakeAll {
        /// The hotkey.
        hotkey: Hotkey,
    },
    /// Unstakes everything with a hotkey on every subnet but root, and stakes it on root.
    UnstakeAllAlpha {
        /// The hotkey.
        hotkey: Hotkey,
    },
    /// Unstakes all with one hotkey on one subnet.
    RemoveStakeFullLimit {
        /// The hotkey.
        hotkey: Hotkey,
        /// The subnet.
        netuid: NetUid,
        /// The lowest price, in rao per alpha.
        limit_price: Option<Rao>,
    },
    /// Moves stake to another hotkey, another subnet, or both.
    MoveStake {
        /// The hotkey staked with.
        origin_hotkey: Hotkey,
        /// The hotkey to stake with.
        destination_hotkey: Hotkey,
        /// The subnet staked on.
        origin_netuid: NetUid,
        /// The subnet to stake on.
        destination_netuid: NetUid,
        /// How much alpha.
        alpha_amount: AlphaRao,
    },
    /// Hands stake to another coldkey.
    TransferStake {
        /// Who gets it.
        destination_coldkey: Coldkey,
        /// The hotkey staked with.
        hotkey: Hotkey,
        /// The subnet staked on.
        origin_netuid: NetUid,
        /// The subnet to stake on.
        destination_netuid: NetUid,
        /// How much alpha.
        alpha_amount: AlphaRao,
    },
    /// Moves stake to another subnet.
    SwapStake {
        /// The hotkey.
        hotkey: Hotkey,
        /// The subnet staked on.
        origin_netuid: NetUid,
        /// The subnet to stake on.
        destination_netuid: NetUid,
        /// How much alpha.
        alpha_amount: AlphaRao,
    },
    /// Moves stake to another subnet unless the ratio of the prices would fall below a limit.
    SwapStakeLimit {
        /// The hotkey.
        hotkey: Hotkey,
        /// The subnet staked on.
        origin_netuid: NetUid,
        /// The subnet to stake on.
        destination_netuid: NetUid,
        /// How much alpha.
        alpha_amount: AlphaRao,
        /// The lowest ratio of origin's price to destination's, in billionths.
        limit_price: Rao,
        /// Whether as much as the limit allows is moved where it doesn't allow all.
        allow_partial: bool,
    },
    /// Destroys staked alpha: it can be emitted again.
    RecycleAlpha {
        /// The hotkey staked with.
        hotkey: Hotkey,
        /// How much.
        amount: AlphaRao,
        /// The subnet.
        netuid: NetUid,
    },
    /// Destroys staked alpha for good.
    BurnAlpha {
        /// The hotkey staked with.
        hotkey: Hotkey,
        /// How much.
        amount: AlphaRao,
        /// The subnet.
        netuid: NetUid,
    },
    /// Sets weights on several subnets; what fails on one does not touch the others.
    BatchSetWeights {
        /// The subnets.
        netuids: Vec<NetUid>,
        /// Uid and weight, by subnet.
        weights: Vec<Vec<(u16, u16)>>,
        /// The validator's version, by subnet.
        version_keys: Vec<u64>,
    },
    /// Commits to weights on several subnets.
    BatchCommitWeights {
        /// The subnets.
        netuids: Vec<NetUid>,
        /// The hash, by subnet.
        commit_hashes: Vec<Digest>,
    },
    /// Opens several commitments on one subnet.
    BatchRevealWeights {
        /// The subnet.
        netuid: NetUid,
        /// The uids, by commitment.
        uids_list: Vec<Vec<Uid>>,
        /// The weights, by commitment.
        values_list: Vec<Vec<u16>>,
        /// The salts, by commitment.
        salts_list: Vec<Vec<u16>>,
        /// The versions, by commitment.
        version_keys: Vec<u64>,
    },
    /// Dissolves a subnet: its pool is paid out to those who hold its alpha, and nothing of it stays (sudo).
    DissolveNetwork {
        /// The subnet.
        netuid: NetUid,
    },
    /// Creates a subnet that says who runs it.
    RegisterNetworkWithIdentity {
        /// The owner's hotkey.
        hotkey: Hotkey,
        /// What the subnet is.
        identity: Option<SubnetIdentity>,
    },
    /// Puts a new hotkey in the place of an old one, on one subnet or on all.
    SwapHotkey {
        /// The old hotkey.
        hotkey: Hotkey,
        /// The new hotkey.
        new_hotkey: Hotkey,
        /// The subnet; none for all.
        netuid: Option<NetUid>,
        /// Whether stake stays with the old hotkey.
        keep_stake: bool,
    },
    /// Puts a new coldkey in the place of an old one (sudo).
    SwapColdkey {
        /// The old coldkey.
        old_coldkey: Coldkey,
        /// The new coldkey.
        new_coldkey: Coldkey,
        /// What the old coldkey pays for it.
        swap_cost: Rao,
    },
    /// Says that the calling coldkey will be swapped, after which it can do nothing else until then.
    AnnounceColdkeySwap {
        /// The BLAKE2b-256 hash of the new coldkey.
        new_coldkey_hash: Digest,
    },
    /// Swaps the calling coldkey as it was announced.
    SwapColdkeyAnnounced {
        /// The new coldkey.
        new_coldkey: Coldkey,
    },
    /// Stops the announced swap of the calling coldkey until root decides.
    DisputeColdkeySwap,
    /// Takes back the announcement of a swap.
    ClearColdkeySwapAnnouncement,
    /// Clears a coldkey's announcement and dispute (sudo).
    ResetColdkeySwap {
        /// The coldkey.
        coldkey: Coldkey,
    },
    /// Tells who stands behind the calling coldkey.
    SetIdentity {
        /// Who.
        identity: ChainIdentity,
    },
    /// Tells what a subnet is (its owner).
    SetSubnetIdentity {
        /// The subnet.
        netuid: NetUid,
        /// What.
        identity: SubnetIdentity,
    },
    /// Tells where the calling hotkey can be reached, and the certificate that it shows there.
    ServeAxonTls {
        /// The subnet.
        netuid: NetUid,
        /// The address.
        axon: Axon,
        /// A byte for the algorithm and 1 to 64 bytes of public key; what is none of these is left out.
        certificate: Vec<u8>,
    },
    /// Tells where the calling hotkey's metrics can be read.
    ServePrometheus {
        /// The subnet.
        netuid: NetUid,
        /// The address.
        prometheus: Prometheus,
    },
    /// Chooses the symbol of a subnet's token among the chain's (its owner, or sudo).
    UpdateSymbol {
        /// The subnet.
        netuid: NetUid,
        /// One of the chain's symbols, in UTF-8.
        symbol: Vec<u8>,
    },
    /// Chooses which hotkey stands for a subnet's owner (its owner, or sudo).
    SetSubnetOwnerHotkey {
        /// The subnet.
        netuid: NetUid,
        /// The hotkey.
        hotkey: Hotkey,
    },
    /// Takes slots away from a subnet; the neurons of lowest emission lose theirs (its owner, or sudo).
    TrimToMaxAllowedUids {
        /// The subnet.
        netuid: NetUid,
        /// How many slots stay.
        max_n: u16,
    },
    /// Buys alpha and destroys it.
    AddStakeBurn {
        /// The hotkey over which it goes.
        hotkey: Hotkey,
        /// The subnet.
        netuid: NetUid,
        /// How much TAO.
        amount: Rao,
        /// The highest price, in rao per alpha.
        limit: Option<Rao>,
    },
    /// Chooses how a subnet's epochs find what its miners earn (its owner, or sudo), since spec 475.
    SetEpochConsensus {
        /// The subnet.
        netuid: NetUid,
        /// How.
        mode: EpochConsensus,
    },
}

/// What a batch does when one of its calls fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode, Serialize, Deserialize)]
pub enum BatchKind {
    /// Stops there; what was done before stays.
    Stop,
    /// Undoes all.
    All,
    /// Goes on with the next.
    Force,
}

impl Call {
    /// The call's name as the chain's metadata has it.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Call::Transfer { .. } => "transfer_keep_alive",
            Call::RegisterNetwork { .. } => "register_network",
            Call::StartCall { .. } => "start_call",
            Call::BurnedRegister { .. } => "burned_register",
            Call::RegisterLimit { .. } => "register_limit",
            Call::AddStake { .. } => "add_stake",
            Call::RemoveStake { .. } => "remove_stake",
            Call::ServeAxon { .. } => "serve_axon",
            Call::SetWeights { .. } => "set_mechanism_weights",
            Call::CommitWeights { .. } => "commit_mechanism_weights",
            Call::RevealWeights { .. } => "reveal_mechanism_weights",
            Call::SetCommitment { .. } => "set_commitment",
            Call::SetHyperparameter { value, .. } => value.call_name(),
            Call::SetMechanismEmissionSplit { .. } => "sudo_set_mechanism_emission_split",
            Call::IncreaseTake { .. } => "increase_take",
            Call::DecreaseTake { .. } => "decrease_take",
            Call::TriggerEpoch { .. } => "trigger_epoch",
            Call::SetSubnetEmissionEnabled { .. } => "sudo_set_subnet_emission_enabled",
            Call::SetSubtokenEnabled { .. } => "sudo_set_subtoken_enabled",
            Call::SetChainParameter { value } => value.call_name(),
            Call::SetTempo { .. } => "set_tempo",
            Call::SetActivityCutoffFactor { .. } => "set_activity_cutoff_factor",
            Call::TransferAllowDeath { .. } => "transfer_allow_death",
            Call::TransferAll { .. } => "transfer_all",
            Call::SetBalance { .. } => "force_set_balance",
            Call::Remark { with_event: false, .. } => "remark",
            Call::Remark { with_event: true, .. } => "remark_with_event",
            Call::AddStakeLimit { .. } => "add_stake_limit",
            Call::RemoveStakeLimit { .. } => "remove_stake_limit",
            Call::RootRegister { .. } => "root_register",
            Call::CommitTimelockedWeights { .. } => "commit_timelocked_mechanism_weights",
            Call::Sudo { .. } => "sudo",
            Call::Batch { kind: BatchKind::Stop, .. } => "batch",
            Call::Batch { kind: BatchKind::All, .. } => "batch_all",
            Call::Batch { kind: BatchKind::Force, .. } => "force_batch",
            Call::ClaimRoot { .. } => "claim_root",
            Call::SetRootClaimType { .. } => "set_root_claim_type",
            Call::SetRootClaimThreshold { .. } => "sudo_set_root_claim_threshold",
            Call::SetChildren { .. } => "set_children",
            Call::SetChildkeyTake { .. } => "set_childkey_take",
            Call::TryAssociateHotkey { .. } => "try_associate_hotkey",
            Call::SetColdkeyAutoStakeHotkey { .. } => "set_coldkey_auto_stake_hotkey",
            Call::WritePulse { .. } => "write_pulse",
            Call::UnstakeAll { .. } => "unstake_all",
            Call::UnstakeAllAlpha { .. } => "unstake_all_alpha",
            Call::RemoveStakeFullLimit { .. } => "remove_stake_full_limit",
            Call::MoveStake { .. } => "move_stake",
            Call::TransferStake { .. } => "transfer_stake",
            Call::SwapStake { .. } => "swap_stake",
            Call::SwapStakeLimit { .. } => "swap_stake_limit",
            Call::RecycleAlpha { .. } => "recycle_alpha",
            Call::BurnAlpha { .. } => "burn_alpha",
            Call::BatchSetWeights { .. } => "batch_set_weights",
            Call::BatchCommitWeights { .. } => "batch_commit_weights",
            Call::BatchRevealWeights { .. } => "batch_reveal_weights",
            Call::DissolveNetwork { .. } => "root_dissolve_network",
            Call::RegisterNetworkWithIdentity { .. } => "register_network_with_identity",
            Call::SwapHotkey { .. } => "swap_hotkey_v2",
            Call::SwapColdkey { .. } => "swap_coldkey",
            Call::AnnounceColdkeySwap { .. } => "announce_coldkey_swap",
            Call::SwapColdkeyAnnounced { .. } => "swap_coldkey_announced",
            Call::DisputeColdkeySwap => "dispute_coldkey_swap",
            Call::ClearColdkeySwapAnnouncement => "clear_coldkey_swap_announcement",
            Call::ResetColdkeySwap { .. } => "reset_coldkey_swap",
            Call::SetIdentity { .. } => "set_identity",
            Call::SetSubnetIdentity { .. } => "set_subnet_identity",
            Call::ServeAxonTls { .. } => "serve_axon_tls",
            Call::ServePrometheus { .. } => "serve_prometheus",
            Call::UpdateSymbol { .. } => "update_symbol",
            Call::SetSubnetOwnerHotkey { .. } => "sudo_set_sn_owner_hotkey",
            Call::TrimToMaxAllowedUids { .. } => "sudo_trim_to_max_allowed_uids",
            Call::AddStakeBurn { .. } => "add_stake_burn",
            Call::SetEpochConsensus { .. } => "sudo_set_epoch_consensus",
        }
    }
}
