//! The table of everything that is stored: number, key, type, and which views a change of it makes stale.
//!
//! Names and value types are the chain's (pallets Subtensor, Commitments, System) wherever it has the item.
//! A subnet's settings stand together in one item here, the chain's globals in [`SETTINGS`].

use chain::{
    Axon, ChainIdentity, CommitmentField, EpochConsensus, Hyperparameters, Prometheus, Pulse, RootClaimType,
    SubnetIdentity,
};
use parity_scale_codec::{Codec, Decode, DecodeAll, Encode};
use primitives::{AccountId, AlphaRao, BlockNumber, Coldkey, Digest, Hotkey, NetUid, Rao, Timestamp, Uid};

use super::{Item, Key, KeyParts};
use crate::{SafeFloat, Settings};

/// Where an item's keys name the subnet whose metagraph shows it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shows {
    /// In no metagraph, or read anew each time.
    Nowhere,
    /// The key starts with the netuid.
    NetUidFirst,
    /// The key starts with a mechanism's storage index.
    IndexFirst,
    /// The key ends with the netuid; root's stake shows in every subnet.
    NetUidLast,
    /// In every subnet.
    Everywhere,
}

/// One line of the table.
pub struct ItemInfo {
    /// First byte of its keys.
    pub number: u8,
    /// Its name in the chain's metadata.
    pub name: &'static str,
    /// Which metagraphs show it.
    pub(crate) shows: Shows,
    valid: fn(&Key, &[u8]) -> bool,
}

/// Whether `key` and `value` are of the types that the table gives the item; false for unknown items.
pub(crate) fn is_valid(key: &Key, value: &[u8]) -> bool {
    info(key.item()).is_some_and(|info| (info.valid)(key, value))
}

/// The line of the item with this number.
#[must_use]
pub fn info(number: u8) -> Option<&'static ItemInfo> {
    TABLE.iter().find(|info| info.number == number)
}

/// The subnet whose metagraph a change of `key` makes stale: none, one, or all ([`NetUid::ROOT`]).
pub(crate) fn stale_subnet(key: &Key) -> Option<NetUid> {
    let bytes = key.as_bytes();
    let at = |start: usize| -> u16 {
        let two: Option<[u8; 2]> = bytes.get(start..start + 2).and_then(|two| two.try_into().ok());
        two.map_or(0, u16::from_be_bytes)
    };
    match info(key.item())?.shows {
        Shows::Nowhere => None,
        Shows::NetUidFirst => Some(NetUid(at(1))),
        Shows::IndexFirst => Some(NetUid(at(1) % chain::SUBNETS_PER_MECHANISM)),
        Shows::NetUidLast => Some(NetUid(at(bytes.len() - 2))),
        Shows::Everywhere => Some(NetUid::ROOT),
    }
}

fn types_fit<K: KeyParts, V: Codec>(key: &Key, value: &[u8]) -> bool {
    let mut parts = &key.as_bytes()[1..];
    K::read(&mut parts).is_some() && parts.is_empty() && V::decode_all(&mut &value[..]).is_ok()
}

macro_rules! items {
    ($($(#[$doc:meta])* $number:literal $konst:ident $name:ident: $key:ty => $value:ty, $shows:ident;)*) => {
        $($(#[$doc])* pub const $konst: Item<$key, $value> = Item::new($number);)*

        /// All items, by ascending number.
        pub const TABLE: &[ItemInfo] = &[$(ItemInfo {
            number: $number,
            name: stringify!($name),
            shows: Shows::$shows,
            valid: types_fit::<$key, $value>,
        },)*];
    };
}

/// A stored axon: where a neuron serves and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct AxonInfo {
    /// The block of the call that set it.
    pub block: BlockNumber,
    /// What was set.
    pub axon: Axon,
}

/// Where a neuron's metrics can be read, and since when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct PrometheusInfo {
    /// The block of the call that set it.
    pub block: BlockNumber,
    /// What was set.
    pub prometheus: Prometheus,
}

/// The key that a neuron's TLS certificate is for.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct NeuronCertificate {
    /// 1 to 64 bytes.
    pub public_key: Vec<u8>,
    /// The neuron's own number for its algorithm.
    pub algorithm: u8,
}

/// A stored commitment.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Registration {
    /// What was paid for keeping it: always nothing.
    pub deposit: Rao,
    /// The block of the call that set it.
    pub block: u32,
    /// Its fields.
    pub fields: Vec<CommitmentField>,
}

/// How much of an epoch's space for commitments an account has used.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub struct UsedSpace {
    /// The epoch.
    pub last_epoch: u64,
    /// Bytes.
    pub used_space: u64,
}

/// An unopened commitment to weights.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct WeightCommit {
    /// The hash.
    pub hash: Digest,
    /// The epoch it was made in.
    pub epoch: u64,
    /// The block it was made in.
    pub block: BlockNumber,
    /// Unused by the chain, always 0.
    pub reserved: u64,
}

/// A commitment to weights that opens itself.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct TimelockedCommit {
    /// By whom.
    pub hotkey: Hotkey,
    /// The block it was made in.
    pub block: BlockNumber,
    /// The ciphertext.
    pub commit: Vec<u8>,
    /// The beacon's round.
    pub round: u64,
}

/// A beacon whose secret everybody knows who has the state: nothing on a chain of one's own needs more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct BeaconSecret {
    /// From which its key is made.
    pub secret: Digest,
    /// When round 1 is published.
    pub genesis: Timestamp,
    /// Milliseconds from one round to the next, not 0.
    pub period_ms: u32,
}

/// Parts of 2⁶⁴ − 1 and the hotkeys that give or get them.
pub type Relations = Vec<(u64, Hotkey)>;

/// Children that take effect later.
#[derive(Clone, Debug, PartialEq, Eq, Encode, Decode)]
pub struct PendingChildren {
    /// The children and their parts.
    pub children: Relations,
    /// They take effect with an epoch after this block.
    pub due: BlockNumber,
}

/// Raw bits of a fixed-point number: `I96F32` and `U96F32` for prices and proportions.
pub type Bits = u128;

items! {
    /// The chain's own settings, as they are now.
    0x01 SETTINGS Settings: () => Settings, Nowhere;
    /// The account that may do everything.
    0x02 SUDO SudoKey: () => AccountId, Nowhere;
    /// Free balances; absent where nothing is left.
    0x03 BALANCE Account: AccountId => Rao, Nowhere;
    /// The next nonce of an account that numbers its extrinsics.
    0x04 NONCE Nonce: AccountId => u32, Nowhere;
    /// All TAO there is (`Balances`).
    0x05 TOTAL_ISSUANCE TotalIssuance: () => Rao, Nowhere;
    /// The lock of the last subnet's creation.
    0x06 LAST_LOCK_COST NetworkLastLockCost: () => Rao, Nowhere;
    /// The block of the last subnet's creation; 0 for none.
    0x07 LAST_LOCK_BLOCK NetworkLastRegistered: () => BlockNumber, Nowhere;
    /// TAO that emission has minted (`SubtensorModule.TotalIssuance`), from which its halvings follow. As on a local
    /// network of the real chain it starts at 0, whatever the genesis gives out.
    0x08 EMITTED TotalIssuance: () => Rao, Nowhere;
    /// TAO that pools were given and were paid for alpha, less what they paid out. As on the real chain it counts fees
    /// on purchases, and not what a genesis gives to pools.
    0x09 TOTAL_STAKE TotalStake: () => Rao, Nowhere;
    /// How many subnets there are, root counted.
    0x0A TOTAL_NETWORKS TotalNetworks: () => u16, Nowhere;
    /// TAO that the present block had to give out.
    0x0B BLOCK_EMISSION BlockEmission: () => Rao, Nowhere;
    /// TAO in the pools of the subnets that the genesis founded: it stands outside all issuance.
    0x0C GENESIS_POOLS GenesisPools: () => Rao, Nowhere;

    /// The subnets there are.
    0x10 NETWORKS_ADDED NetworksAdded: NetUid => bool, Nowhere;
    /// A subnet's settings.
    0x11 HYPERPARAMETERS Hyperparameters: NetUid => Hyperparameters, Nowhere;
    /// A subnet's owner.
    0x12 SUBNET_OWNER SubnetOwner: NetUid => Coldkey, Nowhere;
    /// Its hotkey.
    0x13 SUBNET_OWNER_HOTKEY SubnetOwnerHotkey: NetUid => Hotkey, Nowhere;
    /// The block of a subnet's creation.
    0x14 NETWORK_REGISTERED_AT NetworkRegisteredAt: NetUid => BlockNumber, Nowhere;
    /// The block from which on a subnet emits.
    0x15 FIRST_EMISSION_BLOCK FirstEmissionBlockNumber: NetUid => BlockNumber, Nowhere;
    /// Whether a subnet's alpha can be staked.
    0x16 SUBTOKEN_ENABLED SubtokenEnabled: NetUid => bool, Nowhere;
    /// Whether a subnet takes part in the emission of TAO.
    0x17 EMISSION_ENABLED SubnetEmissionEnabled: NetUid => bool, Nowhere;
    /// What the owner locked at a subnet's creation.
    0x18 SUBNET_LOCKED SubnetLocked: NetUid => Rao, Nowhere;
    /// Parts of 65535 of a subnet's emission by mechanism.
    0x19 MECHANISM_SPLIT MechanismEmissionSplit: NetUid => Vec<u16>, Nowhere;
    /// The registration price.
    0x1A BURN Burn: NetUid => Rao, Nowhere;
    /// Registrations in the present block.
    0x1B REGISTRATIONS_THIS_BLOCK RegistrationsThisBlock: NetUid => u16, Nowhere;
    /// All TAO paid for registrations.
    0x1C RAO_RECYCLED RAORecycledForRegistration: NetUid => Rao, Nowhere;
    /// The block of the last change of one hyperparameter by the owner: (netuid, its number).
    0x1D OWNER_CHANGED_AT LastRateLimitedBlock: (NetUid, u16) => BlockNumber, Nowhere;
    /// A count that nothing raises any more: always 0.
    0x1E REGISTRATIONS_THIS_INTERVAL RegistrationsThisInterval: NetUid => u16, Nowhere;
    /// Whether a subnet's alpha has a price of its own (1) or is TAO (0).
    0x1F SUBNET_MECHANISM SubnetMechanism: NetUid => u16, Nowhere;

    /// The block of the last epoch.
    0x20 LAST_EPOCH_BLOCK LastEpochBlock: NetUid => BlockNumber, Nowhere;
    /// When a deferred or triggered epoch is due; 0 for none.
    0x21 PENDING_EPOCH_AT PendingEpochAt: NetUid => BlockNumber, Nowhere;
    /// Epochs so far.
    0x22 EPOCH_INDEX SubnetEpochIndex: NetUid => u64, Nowhere;
    /// Blocks since the last epoch that ran.
    0x23 BLOCKS_SINCE_STEP BlocksSinceLastStep: NetUid => u64, Nowhere;
    /// The block of the last epoch that distributed (the chain's own spelling).
    0x24 LAST_STEP_BLOCK LastMechansimStepBlock: NetUid => BlockNumber, Nowhere;

    /// Neurons of a subnet.
    0x30 NEURONS SubnetworkN: NetUid => u16, NetUidFirst;
    /// The slot of a hotkey.
    0x31 UIDS Uids: (NetUid, Hotkey) => Uid, NetUidFirst;
    /// The hotkey in a slot.
    0x32 KEYS Keys: (NetUid, Uid) => Hotkey, NetUidFirst;
    /// When it took the slot.
    0x33 REGISTERED_AT BlockAtRegistration: (NetUid, Uid) => BlockNumber, NetUidFirst;
    /// Where a hotkey serves.
    0x34 AXONS Axons: (NetUid, Hotkey) => AxonInfo, NetUidFirst;
    /// A hotkey's owner.
    0x35 OWNER Owner: Hotkey => Coldkey, Everywhere;
    /// The hotkeys of a coldkey, in the order of their creation.
    0x36 OWNED_HOTKEYS OwnedHotkeys: Coldkey => Vec<Hotkey>, Nowhere;
    /// A hotkey's take, of 65535, where it is not the default.
    0x37 TAKE Delegates: Hotkey => u16, Nowhere;
    /// The block of the last change of a hotkey's take.
    0x38 TAKE_CHANGED_AT LastRateLimitedBlock: Hotkey => BlockNumber, Nowhere;
    /// Those with whom a coldkey ever staked, in the order of the first time.
    0x39 STAKING_HOTKEYS StakingHotkeys: Coldkey => Vec<Hotkey>, Nowhere;
    /// A hotkey's children on a subnet.
    0x3A CHILD_KEYS ChildKeys: (Hotkey, NetUid) => Relations, Nowhere;
    /// A hotkey's parents on a subnet.
    0x3B PARENT_KEYS ParentKeys: (Hotkey, NetUid) => Relations, Nowhere;
    /// Children that are chosen and not in effect yet.
    0x3C PENDING_CHILDREN PendingChildKeys: (NetUid, Hotkey) => PendingChildren, Nowhere;
    /// A child's take on a subnet, of 65535, where it was set.
    0x3D CHILDKEY_TAKE ChildkeyTake: (Hotkey, NetUid) => u16, Nowhere;
    /// The block of the last change of a child's take.
    0x3E CHILDKEY_TAKE_CHANGED_AT TransactionKeyLastBlock: (Hotkey, NetUid) => BlockNumber, Nowhere;
    /// The block of the last choice of children.
    0x3F CHILDREN_CHANGED_AT TransactionKeyLastBlock: (Hotkey, NetUid) => BlockNumber, Nowhere;

    /// Who set weights lately.
    0x40 ACTIVE Active: NetUid => Vec<bool>, NetUidFirst;
    /// Who may set weights.
    0x41 PERMIT ValidatorPermit: NetUid => Vec<bool>, NetUidFirst;
    /// Median of the weights towards each neuron.
    0x42 CONSENSUS Consensus: NetUid => Vec<u16>, NetUidFirst;
    /// Validators' shares.
    0x43 DIVIDENDS Dividends: NetUid => Vec<u16>, NetUidFirst;
    /// Weights within consensus.
    0x44 TRUST ValidatorTrust: NetUid => Vec<u16>, NetUidFirst;
    /// Shares of stake.
    0x45 STAKE_WEIGHT StakeWeight: NetUid => Vec<u16>, NetUidFirst;
    /// Alpha of the last epoch.
    0x46 EMISSION Emission: NetUid => Vec<AlphaRao>, NetUidFirst;
    /// Miners' shares, by mechanism.
    0x47 INCENTIVE Incentive: u16 => Vec<u16>, IndexFirst;
    /// Blocks of the last weights or commitments, by mechanism.
    0x48 LAST_UPDATE LastUpdate: u16 => Vec<BlockNumber>, IndexFirst;
    /// Weights, by mechanism and neuron.
    0x49 WEIGHTS Weights: (u16, Uid) => Vec<(u16, u16)>, Nowhere;
    /// Bonds, by mechanism and neuron.
    0x4A BONDS Bonds: (u16, Uid) => Vec<(u16, u16)>, Nowhere;
    /// Open commitments to weights, by mechanism and hotkey.
    0x4B WEIGHT_COMMITS WeightCommits: (u16, Hotkey) => Vec<WeightCommit>, Nowhere;

    /// Commitments to weights that open themselves, by mechanism and epoch.
    0x4C TIMELOCKED_COMMITS TimelockedWeightCommits: (u16, u64) => Vec<TimelockedCommit>, Nowhere;
    /// The chain's own beacon.
    0x4D BEACON Beacon: () => BeaconSecret, Nowhere;
    /// Pulses of quicknet that were handed in.
    0x4E PULSES Pulses: u64 => Pulse, Nowhere;
    /// The newest round of these.
    0x4F LAST_STORED_ROUND LastStoredRound: () => u64, Nowhere;

    /// TAO in a subnet's pool; on root, the TAO staked there.
    0x50 SUBNET_TAO SubnetTAO: NetUid => Rao, Nowhere;
    /// Alpha in a subnet's pool; on root, what unstaking gave back and staking has not used up again.
    0x51 SUBNET_ALPHA_IN SubnetAlphaIn: NetUid => AlphaRao, Nowhere;
    /// Alpha outside the pool.
    0x52 SUBNET_ALPHA_OUT SubnetAlphaOut: NetUid => AlphaRao, Nowhere;
    /// TAO that swaps paid as fees.
    0x53 SWAP_FEES SwapFees: NetUid => Rao, Nowhere;
    /// Alpha that emission bought from the pool.
    0x54 PROTOCOL_ALPHA SubnetProtocolAlpha: NetUid => AlphaRao, Nowhere;
    /// Moving average of the price, `I96F32`.
    0x55 MOVING_PRICE SubnetMovingPrice: NetUid => Bits, Nowhere;
    /// The part of validators' alpha that is root's, `U96F32`.
    0x56 ROOT_PROPORTION RootProp: NetUid => Bits, Nowhere;
    /// Miners' alpha since the last epoch.
    0x57 PENDING_SERVER PendingServerEmission: NetUid => AlphaRao, Nowhere;
    /// Validators' alpha since the last epoch.
    0x58 PENDING_VALIDATOR PendingValidatorEmission: NetUid => AlphaRao, Nowhere;
    /// Root's alpha since the last epoch.
    0x59 PENDING_ROOT PendingRootAlphaDivs: NetUid => AlphaRao, Nowhere;
    /// The owner's alpha since the last epoch.
    0x5A PENDING_OWNER_CUT PendingOwnerCut: NetUid => AlphaRao, Nowhere;
    /// The part of the last epoch's incentive that was burned, `U96F32`.
    0x5B MINER_BURNED MinerBurned: NetUid => Bits, Nowhere;
    /// Alpha out that nobody holds: burned incentive, and what rounding or an epoch without stake left over.
    0x5C ALPHA_UNASSIGNED AlphaUnassigned: NetUid => AlphaRao, Nowhere;
    /// Alpha set aside for what root stakers of a hotkey may claim; not an item of the real chain.
    0x5D ROOT_CLAIMABLE RootClaimableAlpha: (NetUid, Hotkey) => AlphaRao, Nowhere;
    /// Alpha (on root TAO) staked with a hotkey.
    0x5E HOTKEY_ALPHA TotalHotkeyAlpha: (Hotkey, NetUid) => AlphaRao, NetUidLast;
    /// Shares in it.
    0x5F HOTKEY_SHARES TotalHotkeySharesV2: (Hotkey, NetUid) => SafeFloat, Nowhere;
    /// The shares of one coldkey.
    0x60 ALPHA AlphaV2: (Hotkey, Coldkey, NetUid) => SafeFloat, Nowhere;
    /// All TAO that was paid for a subnet's alpha or by its pool.
    0x61 SUBNET_VOLUME SubnetVolume: NetUid => u128, Nowhere;
    /// TAO that users brought to a subnet, less what they took: stake without its fees, and whole burns.
    0x62 TAO_FLOW SubnetTaoFlow: NetUid => i64, Nowhere;
    /// TAO that emission put into the pool in the present block.
    0x63 TAO_IN_EMISSION SubnetTaoInEmission: NetUid => Rao, Nowhere;
    /// Alpha likewise.
    0x64 ALPHA_IN_EMISSION SubnetAlphaInEmission: NetUid => AlphaRao, Nowhere;
    /// Alpha that the present block made for owner, miners and validators.
    0x65 ALPHA_OUT_EMISSION SubnetAlphaOutEmission: NetUid => AlphaRao, Nowhere;
    /// TAO with which emission bought alpha in the present block.
    0x66 EXCESS_TAO SubnetExcessTao: NetUid => Rao, Nowhere;
    /// TAO that sales of root's dividends took from the pool.
    0x67 ROOT_SELL_TAO SubnetRootSellTao: NetUid => Rao, Nowhere;

    /// What a hotkey committed.
    0x70 COMMITMENT_OF CommitmentOf: (NetUid, Hotkey) => Registration, NetUidFirst;
    /// How much space its commitments used.
    0x71 USED_SPACE UsedSpaceOf: (NetUid, Hotkey) => UsedSpace, Nowhere;
    /// The commitments that have fields which open themselves.
    0x72 TIMELOCKED_COMMITMENTS TimelockedIndex: (NetUid, Hotkey) => (), Nowhere;
    /// Fields of a hotkey's that have opened, and when.
    0x73 REVEALED_COMMITMENTS RevealedCommitments: (NetUid, Hotkey) => Vec<(Vec<u8>, BlockNumber)>, Nowhere;

    /// What one rao of root stake with a hotkey has earned on a subnet, `I96F32`.
    0x78 ROOT_CLAIM_RATE RootClaimable: (Hotkey, NetUid) => Bits, Nowhere;
    /// What of it one coldkey has claimed, or had been earned before it staked.
    0x79 ROOT_CLAIMED RootClaimed: (NetUid, Hotkey, Coldkey) => u128, Nowhere;
    /// What becomes of a coldkey's root dividends.
    0x7A ROOT_CLAIM_TYPE RootClaimType: Coldkey => RootClaimType, Nowhere;
    /// The least that is claimed on a subnet.
    0x7B ROOT_CLAIM_THRESHOLD RootClaimableThreshold: NetUid => u64, Nowhere;
    /// Coldkeys that stake on root.
    0x7C STAKING_COLDKEYS StakingColdkeysByIndex: u64 => Coldkey, Nowhere;
    /// The number of each of them.
    0x7D STAKING_COLDKEY_INDEX StakingColdkeys: Coldkey => u64, Nowhere;
    /// How many they are.
    0x7E NUM_STAKING_COLDKEYS NumStakingColdkeys: () => u64, Nowhere;
    /// With whom a coldkey's incentive on a subnet is staked, where not with the miner itself.
    0x7F AUTO_STAKE AutoStakeDestination: (Coldkey, NetUid) => Hotkey, Nowhere;

    /// The key that a hotkey serves with.
    0x80 CERTIFICATES NeuronCertificates: (NetUid, Hotkey) => NeuronCertificate, Nowhere;
    /// Where a hotkey's metrics are.
    0x81 PROMETHEUS Prometheus: (NetUid, Hotkey) => PrometheusInfo, Nowhere;
    /// Who stands behind a coldkey.
    0x82 IDENTITIES IdentitiesV2: Coldkey => ChainIdentity, Nowhere;
    /// What a subnet is.
    0x83 SUBNET_IDENTITIES SubnetIdentitiesV3: NetUid => SubnetIdentity, Nowhere;
    /// The symbol of a subnet's token.
    0x84 TOKEN_SYMBOL TokenSymbol: NetUid => Vec<u8>, Nowhere;
    /// The block of a coldkey's last swap of a hotkey on one subnet.
    0x85 HOTKEY_SWAPPED_AT LastHotkeySwapOnNetuid: (NetUid, Coldkey) => BlockNumber, Nowhere;
    /// When a coldkey may be swapped, and the hash of the new one.
    0x86 COLDKEY_SWAPS ColdkeySwapAnnouncements: Coldkey => (u32, Digest), Nowhere;
    /// When such a swap was disputed.
    0x87 COLDKEY_SWAP_DISPUTES ColdkeySwapDisputes: Coldkey => u32, Nowhere;
    /// The block in which alpha was last bought in order to be burned.
    0x88 BURNED_STAKE_AT LastRateLimitedBlock: NetUid => BlockNumber, Nowhere;
    /// The block in which a subnet's owner last chose its hotkey.
    0x89 OWNER_HOTKEY_SET_AT LastRateLimitedBlock: NetUid => BlockNumber, Nowhere;
    /// How a subnet's epochs find what its miners earn, where it was chosen.
    0x8A EPOCH_CONSENSUS SubnetEpochConsensus: NetUid => EpochConsensus, Nowhere;
    /// The limit of validators that a subnet has again once it leaves null consensus.
    0x8B SAVED_VALIDATORS SavedYumaMaxAllowedValidators: NetUid => u16, Nowhere;
    /// The block of the last epoch by Yuma consensus, since spec 475.
    0x8C LAST_YUMA_STEP LastYumaStepBlock: NetUid => BlockNumber, Nowhere;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn item_numbers_ascend() {
        assert!(TABLE.windows(2).all(|two| two[0].number < two[1].number));
    }

    #[test]
    fn values_of_the_wrong_type_are_told() {
        let key = BURN.key(&NetUid(1));
        assert!(is_valid(&key, &Rao(5).encode()));
        assert!(!is_valid(&key, &[1, 2, 3]));
        assert!(!is_valid(&Key::new(0xFF, &()), &[]));
    }

    #[test]
    fn a_change_makes_the_metagraphs_stale_that_show_it() {
        let hotkey = Hotkey::from_bytes([1; 32]);
        assert_eq!(stale_subnet(&UIDS.key(&(NetUid(3), hotkey))), Some(NetUid(3)));
        assert_eq!(stale_subnet(&LAST_UPDATE.key(&(4096 + 3))), Some(NetUid(3)));
        assert_eq!(stale_subnet(&HOTKEY_ALPHA.key(&(hotkey, NetUid(3)))), Some(NetUid(3)));
        assert_eq!(stale_subnet(&HOTKEY_ALPHA.key(&(hotkey, NetUid::ROOT))), Some(NetUid::ROOT));
        assert_eq!(stale_subnet(&BURN.key(&NetUid(3))), None);
    }
}
