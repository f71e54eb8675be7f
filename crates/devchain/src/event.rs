//! What a block reports besides its changes, by the chain's names.

use chain::ModuleError;
use parity_scale_codec::{Decode, Encode};
use primitives::{AccountId, AlphaRao, BlockNumber, Coldkey, Hotkey, MechId, NetUid, Rao, Uid};

/// What one neuron got out of an epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct NeuronEmission {
    /// Its slot.
    pub uid: Uid,
    /// Alpha earned as a miner.
    pub incentive: AlphaRao,
    /// Alpha earned as a validator, its nominators' part included.
    pub dividends: AlphaRao,
}

/// Why a timelocked field of a commitment did not open at its round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub enum RevealFailure {
    /// It is no ciphertext.
    CiphertextDeserialize,
    /// The round's signature does not open it.
    Decrypt,
    /// There was nothing in it.
    EmptyPlaintext,
}

/// Something that happened in a block.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub enum Event {
    /// TAO moved between two accounts.
    Transfer {
        /// The sender.
        from: AccountId,
        /// The receiver.
        to: AccountId,
        /// How much.
        amount: Rao,
    },
    /// A subnet was created.
    NetworkAdded {
        /// Its number.
        netuid: NetUid,
        /// What its owner locked.
        lock: Rao,
    },
    /// A subnet was dissolved.
    NetworkRemoved {
        /// Its number.
        netuid: NetUid,
    },
    /// A subnet starts to emit.
    FirstEmissionBlockNumberSet {
        /// The subnet.
        netuid: NetUid,
        /// Its first block with emission.
        block: BlockNumber,
    },
    /// A hotkey took a slot.
    NeuronRegistered {
        /// The subnet.
        netuid: NetUid,
        /// The slot.
        uid: Uid,
        /// The hotkey.
        hotkey: Hotkey,
    },
    /// A hotkey lost its slot to another.
    NeuronPruned {
        /// The subnet.
        netuid: NetUid,
        /// The slot.
        uid: Uid,
        /// The hotkey that held it.
        hotkey: Hotkey,
    },
    /// Stake was added.
    StakeAdded {
        /// Who staked.
        coldkey: Coldkey,
        /// With whom.
        hotkey: Hotkey,
        /// The subnet.
        netuid: NetUid,
        /// TAO paid, the fee included.
        tao: Rao,
        /// Alpha got.
        alpha: AlphaRao,
        /// The fee.
        fee: Rao,
    },
    /// Stake was taken back.
    StakeRemoved {
        /// Who unstaked.
        coldkey: Coldkey,
        /// From whom.
        hotkey: Hotkey,
        /// The subnet.
        netuid: NetUid,
        /// TAO got.
        tao: Rao,
        /// Alpha given up, the fee included.
        alpha: AlphaRao,
        /// The fee, in alpha.
        fee: AlphaRao,
    },
    /// A hotkey's owner keeps more of its dividends.
    TakeIncreased {
        /// The owner.
        coldkey: Coldkey,
        /// The hotkey.
        hotkey: Hotkey,
        /// The take, of 65535.
        take: u16,
    },
    /// A hotkey's owner keeps less of its dividends.
    TakeDecreased {
        /// The owner.
        coldkey: Coldkey,
        /// The hotkey.
        hotkey: Hotkey,
        /// The take, of 65535.
        take: u16,
    },
    /// A hotkey told where it serves.
    AxonServed {
        /// The subnet.
        netuid: NetUid,
        /// The hotkey.
        hotkey: Hotkey,
    },
    /// Weights were set in the clear or by a reveal.
    WeightsSet {
        /// The subnet.
        netuid: NetUid,
        /// The mechanism.
        mechid: MechId,
        /// The slot that set them.
        uid: Uid,
    },
    /// Weights were committed to.
    WeightsCommitted {
        /// The subnet.
        netuid: NetUid,
        /// The mechanism.
        mechid: MechId,
        /// By whom.
        hotkey: Hotkey,
        /// The hash.
        hash: primitives::Digest,
    },
    /// A commitment was opened.
    WeightsRevealed {
        /// The subnet.
        netuid: NetUid,
        /// The mechanism.
        mechid: MechId,
        /// By whom.
        hotkey: Hotkey,
        /// The hash.
        hash: primitives::Digest,
    },
    /// A hotkey's commitment was replaced.
    Commitment {
        /// The subnet.
        netuid: NetUid,
        /// By whom.
        hotkey: Hotkey,
    },
    /// It was, and a field of the new one opens itself.
    TimelockCommitment {
        /// The subnet.
        netuid: NetUid,
        /// By whom.
        hotkey: Hotkey,
        /// The first such field's round of the beacon.
        reveal_round: u64,
    },
    /// A field that was to open itself did not.
    CommitmentRevealFailed {
        /// The subnet.
        netuid: NetUid,
        /// Whose it is.
        hotkey: Hotkey,
        /// Its round of the beacon.
        reveal_round: u64,
        /// Why.
        error: RevealFailure,
    },
    /// A hyperparameter was set.
    HyperparameterSet {
        /// The subnet.
        netuid: NetUid,
        /// Which, and its new value.
        value: chain::Hyperparameter,
    },
    /// A setting of the whole chain was set.
    ChainParameterSet {
        /// Which, and its new value.
        value: chain::ChainParameter,
    },
    /// A subnet's alpha can be staked, or can't.
    SubtokenEnabledSet {
        /// The subnet.
        netuid: NetUid,
        /// Whether it can.
        enabled: bool,
    },
    /// The split of emission among mechanisms was set.
    MechanismEmissionSplitSet {
        /// The subnet.
        netuid: NetUid,
    },
    /// An epoch was asked for.
    EpochTriggered {
        /// The subnet.
        netuid: NetUid,
        /// By whom.
        by: AccountId,
        /// When it is due.
        at: BlockNumber,
    },
    /// A subnet was let into the emission of TAO, or kept out of it.
    SubnetEmissionEnabledSet {
        /// The subnet.
        netuid: NetUid,
        /// Whether it takes part.
        enabled: bool,
    },
    /// An epoch was put off: too many were due in one block.
    EpochDeferred {
        /// The subnet.
        netuid: NetUid,
        /// The block it was due in.
        from_block: BlockNumber,
        /// The block it is due in now.
        to_block: BlockNumber,
    },
    /// An epoch ran and its emission was distributed.
    EpochRan {
        /// The subnet.
        netuid: NetUid,
        /// Its number after this epoch.
        epoch: u64,
        /// The owner's cut.
        owner_cut: AlphaRao,
        /// Neurons that got something.
        emission: Vec<NeuronEmission>,
    },
    /// An account was given a balance.
    BalanceSet {
        /// The account.
        account: AccountId,
        /// Its free balance.
        free: Rao,
    },
    /// An account fell below the existential deposit and what it held was lost.
    DustLost {
        /// The account.
        account: AccountId,
        /// How much.
        amount: Rao,
    },
    /// Something was said.
    Remarked {
        /// By whom.
        sender: AccountId,
        /// The BLAKE2b-256 hash of what was said.
        hash: primitives::Digest,
    },
    /// The sudo account had a call carried out.
    Sudid {
        /// What the call came to.
        result: Result<(), ModuleError>,
    },
    /// A call of a batch succeeded.
    ItemCompleted,
    /// A call of a batch failed, and the batch went on.
    ItemFailed {
        /// Why.
        error: ModuleError,
    },
    /// A call of a batch failed, and the batch ended there.
    BatchInterrupted {
        /// Its place in the batch.
        index: u32,
        /// Why.
        error: ModuleError,
    },
    /// All calls of a batch succeeded.
    BatchCompleted,
    /// A batch went through, and some of its calls failed.
    BatchCompletedWithErrors,
    /// A coldkey claimed its root dividends, or the chain did so for it.
    RootClaimed {
        /// The coldkey.
        coldkey: Coldkey,
        /// TAO that came of what was sold.
        tao: Rao,
    },
    /// A coldkey chose what becomes of its root dividends.
    RootClaimTypeSet {
        /// The coldkey.
        coldkey: Coldkey,
        /// What.
        kind: chain::RootClaimType,
    },
    /// A hotkey's children were chosen.
    SetChildrenScheduled {
        /// The hotkey.
        hotkey: Hotkey,
        /// The subnet.
        netuid: NetUid,
        /// They take effect with an epoch after this block.
        due: BlockNumber,
        /// Their parts, and who they are.
        children: Vec<(u64, Hotkey)>,
    },
    /// A hotkey's children took effect.
    SetChildren {
        /// The hotkey.
        hotkey: Hotkey,
        /// The subnet.
        netuid: NetUid,
        /// Their parts, and who they are.
        children: Vec<(u64, Hotkey)>,
    },
    /// A child's take was set.
    ChildKeyTakeSet {
        /// The child.
        hotkey: Hotkey,
        /// The take, of 65535.
        take: u16,
    },
    /// A coldkey chose with whom its incentive is staked.
    AutoStakeDestinationSet {
        /// The coldkey.
        coldkey: Coldkey,
        /// The subnet.
        netuid: NetUid,
        /// With whom.
        hotkey: Hotkey,
    },
    /// Incentive was staked with another than the miner.
    AutoStakeAdded {
        /// The subnet.
        netuid: NetUid,
        /// With whom.
        destination: Hotkey,
        /// The miner.
        hotkey: Hotkey,
        /// Whose it is.
        owner: Coldkey,
        /// How much.
        incentive: AlphaRao,
    },
    /// Weights were committed to until a round of the beacon.
    TimelockedWeightsCommitted {
        /// The subnet.
        netuid: NetUid,
        /// The mechanism.
        mechid: MechId,
        /// By whom.
        hotkey: Hotkey,
        /// The ciphertext's hash.
        hash: primitives::Digest,
        /// The round.
        round: u64,
    },
    /// Such a commitment opened.
    TimelockedWeightsRevealed {
        /// The subnet.
        netuid: NetUid,
        /// The mechanism.
        mechid: MechId,
        /// By whom.
        hotkey: Hotkey,
    },
    /// A field of a hotkey's commitment opened.
    CommitmentRevealed {
        /// The subnet.
        netuid: NetUid,
        /// By whom.
        hotkey: Hotkey,
    },
    /// Pulses of the beacon were handed in.
    NewPulse {
        /// Their rounds.
        rounds: Vec<u64>,
    },
    /// Stake changed its hotkey.
    StakeMoved {
        /// Whose.
        coldkey: Coldkey,
        /// From whom.
        origin_hotkey: Hotkey,
        /// From where.
        origin_netuid: NetUid,
        /// To whom.
        destination_hotkey: Hotkey,
        /// To where.
        destination_netuid: NetUid,
        /// What it is worth.
        tao: Rao,
    },
    /// Stake changed its owner.
    StakeTransferred {
        /// From whom.
        origin_coldkey: Coldkey,
        /// To whom.
        destination_coldkey: Coldkey,
        /// With which hotkey.
        hotkey: Hotkey,
        /// From where.
        origin_netuid: NetUid,
        /// To where.
        destination_netuid: NetUid,
        /// What it is worth.
        tao: Rao,
    },
    /// Stake changed its subnet.
    StakeSwapped {
        /// Whose.
        coldkey: Coldkey,
        /// With which hotkey.
        hotkey: Hotkey,
        /// From where.
        origin_netuid: NetUid,
        /// To where.
        destination_netuid: NetUid,
        /// What it is worth.
        tao: Rao,
    },
    /// Staked alpha was destroyed and can be emitted again.
    AlphaRecycled {
        /// Whose.
        coldkey: Coldkey,
        /// With which hotkey.
        hotkey: Hotkey,
        /// How much.
        amount: AlphaRao,
        /// The subnet.
        netuid: NetUid,
    },
    /// Staked alpha was destroyed for good.
    AlphaBurned {
        /// Whose.
        coldkey: Coldkey,
        /// With which hotkey.
        hotkey: Hotkey,
        /// How much.
        amount: AlphaRao,
        /// The subnet.
        netuid: NetUid,
    },
    /// An item of a batch of weights failed.
    BatchWeightItemFailed {
        /// The item's subnet.
        netuid: NetUid,
        /// Why.
        error: ModuleError,
    },
    /// A batch of weights went through whole.
    BatchWeightsCompleted {
        /// The subnets.
        netuids: Vec<NetUid>,
        /// By whom.
        hotkey: Hotkey,
    },
    /// A batch of weights went through with failures.
    BatchWeightsCompletedWithErrors,
    /// Several commitments were opened.
    WeightsBatchRevealed {
        /// By whom.
        hotkey: Hotkey,
        /// The subnet.
        netuid: NetUid,
        /// The hashes.
        hashes: Vec<primitives::Digest>,
    },
    /// A hotkey took another's place on all subnets.
    HotkeySwapped {
        /// Whose they are.
        coldkey: Coldkey,
        /// The old one.
        old_hotkey: Hotkey,
        /// The new one.
        new_hotkey: Hotkey,
    },
    /// A hotkey took another's place on one subnet.
    HotkeySwappedOnSubnet {
        /// Whose they are.
        coldkey: Coldkey,
        /// The old one.
        old_hotkey: Hotkey,
        /// The new one.
        new_hotkey: Hotkey,
        /// The subnet.
        netuid: NetUid,
    },
    /// A coldkey will be swapped.
    ColdkeySwapAnnounced {
        /// The coldkey.
        who: Coldkey,
        /// The new one's hash.
        new_coldkey_hash: primitives::Digest,
    },
    /// A coldkey took another's place.
    ColdkeySwapped {
        /// The old one.
        old_coldkey: Coldkey,
        /// The new one.
        new_coldkey: Coldkey,
    },
    /// A coldkey's swap is disputed.
    ColdkeySwapDisputed {
        /// The coldkey.
        coldkey: Coldkey,
    },
    /// Root cleared the announcement and the dispute of a coldkey's swap.
    ColdkeySwapReset {
        /// The coldkey.
        who: Coldkey,
    },
    /// The announcement of a coldkey's swap was taken back.
    ColdkeySwapCleared {
        /// The coldkey.
        who: Coldkey,
    },
    /// A coldkey told who stands behind it.
    ChainIdentitySet {
        /// The coldkey.
        coldkey: Coldkey,
    },
    /// A subnet's owner told what it is.
    SubnetIdentitySet {
        /// The subnet.
        netuid: NetUid,
    },
    /// A hotkey told where its metrics are.
    PrometheusServed {
        /// The subnet.
        netuid: NetUid,
        /// The hotkey.
        hotkey: Hotkey,
    },
    /// A subnet's token got another symbol.
    SymbolUpdated {
        /// The subnet.
        netuid: NetUid,
        /// The symbol, in UTF-8.
        symbol: Vec<u8>,
    },
    /// Another hotkey stands for a subnet's owner.
    SubnetOwnerHotkeySet {
        /// The subnet.
        netuid: NetUid,
        /// The hotkey.
        hotkey: Hotkey,
    },
    /// Alpha was bought and burned.
    AddStakeBurn {
        /// The subnet.
        netuid: NetUid,
        /// The hotkey over which it went.
        hotkey: Hotkey,
        /// TAO paid.
        amount: Rao,
        /// Alpha burned.
        alpha: AlphaRao,
    },
}
