//! What a chain starts with: funded accounts, the chain's own settings, subnets with their neurons.

use std::{collections::BTreeSet, str::FromStr};

use chain::{ChainParameter, Hyperparameter, Hyperparameters, ModuleError, SUBNETS_PER_MECHANISM};
use parity_scale_codec::{Decode, Encode};
use primitives::{AccountId, AlphaRao, BlockNumber, Coldkey, Digest, Hotkey, NetUid, Rao, Timestamp};
use thiserror::Error;

use crate::{
    ledger::{Ledger, Origin},
    storage::items::{
        BALANCE, BEACON, BURN, BeaconSecret, EMISSION_ENABLED, FIRST_EMISSION_BLOCK, GENESIS_POOLS,
        NETWORKS_ADDED, SETTINGS, SUBNET_ALPHA_OUT, SUBTOKEN_ENABLED, SUDO, TOTAL_ISSUANCE, TOTAL_NETWORKS,
    },
};

/// A genesis could not be made into a state.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum GenesisError {
    /// An account is given twice.
    #[error("account {0} stands twice in the genesis")]
    DuplicateAccount(AccountId),
    /// All balances together exceed 64 bits.
    #[error("genesis balances exceed {} rao", u64::MAX)]
    TooMuch,
    /// A balance is too small to exist.
    #[error("balance of {account} is {balance}, below the existential deposit of {least}")]
    BelowExistentialDeposit {
        /// The account.
        account: AccountId,
        /// Its balance.
        balance: Rao,
        /// The existential deposit.
        least: Rao,
    },
    /// A setting is out of its range.
    #[error("{setting} is {found}, from {least} to {most} are possible")]
    Setting {
        /// Which one.
        setting: &'static str,
        /// Its value.
        found: usize,
        /// The least possible.
        least: usize,
        /// The most possible.
        most: usize,
    },
    /// A subnet's hotkey belongs to another coldkey.
    #[error("hotkey {0} of a genesis subnet has another owner already")]
    ForeignHotkey(Hotkey),
    /// A hotkey has two slots of one subnet.
    #[error("hotkey {hotkey} stands twice in genesis subnet {netuid}")]
    DuplicateHotkey {
        /// The subnet.
        netuid: NetUid,
        /// The hotkey.
        hotkey: Hotkey,
    },
    /// A subnet has more neurons than slots.
    #[error("genesis subnet {netuid} has {found} neurons, its owner's included, for {slots} slots")]
    Full {
        /// The subnet.
        netuid: NetUid,
        /// How many neurons it was to have.
        found: usize,
        /// How many it may have.
        slots: u16,
    },
    /// The chain's rules are against a hyperparameter.
    #[error("{value:?} of genesis subnet {netuid}: {error}")]
    Hyperparameter {
        /// The subnet.
        netuid: NetUid,
        /// The value.
        value: Hyperparameter,
        /// What they say.
        error: ModuleError,
    },
    /// The chain's rules are against a setting of the whole chain.
    #[error("{value:?} of the genesis: {error}")]
    Parameter {
        /// The value.
        value: ChainParameter,
        /// What they say.
        error: ModuleError,
    },
}

/// The rules that a chain follows, by the version of the public chain's runtime that has them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Encode, Decode)]
pub enum Rules {
    /// Spec 425, of June 2026.
    #[default]
    V425,
    /// Spec 475, of November 2026, as far as this chain has it: those of 425, and null consensus besides.
    V475,
}

impl Rules {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::V425, Self::V475];

    /// The version of the runtime, which clients sign for.
    #[must_use]
    pub const fn spec_version(self) -> u32 {
        match self {
            Self::V425 => 425,
            Self::V475 => 475,
        }
    }
}

impl FromStr for Rules {
    type Err = String;

    /// The rules of the runtime with this version.
    fn from_str(text: &str) -> Result<Self, String> {
        let named = |rules: &Self| rules.spec_version().to_string() == text;
        let rules = Self::ALL.into_iter().find(named);
        rules.ok_or_else(|| format!("{text:?}: there are the rules of 425 and of 475"))
    }
}

/// The settings of a whole chain; on the real one each is a storage item of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Encode, Decode)]
pub struct Settings {
    /// The rules.
    pub rules: Rules,
    /// The least balance an account may have. Source: `runtime/src/lib.rs`, `EXISTENTIAL_DEPOSIT`.
    pub existential_deposit: Rao,
    /// The least lock of a new subnet.
    pub min_lock_cost: Rao,
    /// Blocks in which the lock falls by the last lock.
    pub lock_reduction_interval: BlockNumber,
    /// Blocks between two creations of subnets.
    pub network_rate_limit: BlockNumber,
    /// Most subnets, root not counted.
    pub subnet_limit: u16,
    /// Most epochs in one block.
    pub max_epochs_per_block: u8,
    /// Blocks before an epoch in which settings are frozen.
    pub admin_freeze_window: u16,
    /// Tempos between two changes of one hyperparameter by the owner.
    pub owner_rate_limit_tempos: u16,
    /// Stake weight that setting weights takes.
    pub stake_threshold: u64,
    /// Weight of root stake against alpha, of 2⁶⁴ − 1.
    pub tao_weight: u64,
    /// Least amount to stake or unstake.
    pub min_stake: Rao,
    /// Most mechanisms of a subnet.
    pub max_mechanisms: u8,
    /// Blocks between two changes of a subnet's mechanisms by its owner.
    pub mechanism_rate_limit: BlockNumber,
    /// Tempos between two changes of the weights' version key by the owner.
    pub version_key_rate_limit_tempos: u16,
    /// The owner's share of emission, of 65535.
    pub owner_cut: u16,
    /// Largest take of a hotkey's owner, of 65535; also the default.
    pub max_take: u16,
    /// Least take of a hotkey's owner, of 65535.
    pub min_take: u16,
    /// Blocks between two changes of a take.
    pub take_rate_limit: BlockNumber,
    /// Largest take of a childkey, of 65535.
    pub max_childkey_take: u16,
    /// Least take of a childkey, of 65535.
    pub min_childkey_take: u16,
    /// Blocks between two raises of a childkey's take.
    pub childkey_take_rate_limit: BlockNumber,
    /// Blocks from the choice of children until it takes effect.
    pub children_cooldown: BlockNumber,
    /// Blocks between two swaps of a hotkey.
    pub tx_rate_limit: BlockNumber,
    /// Least alpha that a nominator may leave staked; less is unstaked.
    pub nominator_min_stake: u64,
    /// Blocks from a subnet's creation until it may be started.
    pub start_call_delay: BlockNumber,
    /// Blocks for which a new subnet is safe from pruning.
    pub network_immunity_period: BlockNumber,
    /// The version of commit–reveal that timelocked commitments must name.
    pub commit_reveal_version: u16,
    /// Claims of root dividends that the chain makes by itself in a block.
    pub root_claims_per_block: u64,
    /// Blocks between two swaps of hotkeys by one coldkey on one subnet. Source: `HotkeySwapOnSubnetInterval`.
    pub hotkey_swap_interval: BlockNumber,
    /// Blocks from the announcement of a coldkey's swap until it may be made.
    pub coldkey_swap_delay: u32,
    /// Blocks after which an announcement that was not followed may be changed or taken back.
    pub coldkey_reannouncement_delay: u32,
    /// Blocks between two choices of the owner's hotkey on one subnet. Source: `DefaultSetSNOwnerHotkeyRateLimit`.
    pub owner_hotkey_rate_limit: BlockNumber,
    /// Blocks between two trimmings of one subnet by its owner. Source: `MaxUidsTrimmingRateLimit`.
    pub trimming_rate_limit: BlockNumber,
    /// Bytes of commitments per hotkey and epoch.
    pub commitment_space: u64,
    /// Price of the first registration in a new subnet.
    pub initial_burn: Rao,
    /// Whether a neuron may serve on the own host. The main network refuses that; a subnet on one machine has no other
    /// place.
    pub serve_on_loopback: bool,
    /// The account that blocks' fees go to.
    pub author: AccountId,
    /// Settings of a new subnet.
    pub new_subnet: Hyperparameters,
}

/// The first of the public local network's authors, `//One`.
const ONE: AccountId = AccountId([
    0xac, 0x85, 0x9f, 0x8a, 0x21, 0x6e, 0xeb, 0x1b, 0x32, 0x0b, 0x4c, 0x76, 0xd1, 0x18, 0xda, 0x3d, 0x74,
    0x07, 0xfa, 0x52, 0x34, 0x84, 0xd0, 0xa9, 0x80, 0x12, 0x6d, 0x3b, 0x4d, 0x0d, 0x22, 0x0a,
]);

impl Default for Settings {
    /// The main network's. Source: `SubtensorInitial*` in `runtime/src/lib.rs`, spec 425.
    fn default() -> Self {
        Self {
            rules: Rules::V425,
            existential_deposit: Rao(500),
            min_lock_cost: Rao::from_whole(1000),
            lock_reduction_interval: 14 * 7200,
            network_rate_limit: 7200,
            subnet_limit: 128,
            max_epochs_per_block: 2,
            admin_freeze_window: 10,
            owner_rate_limit_tempos: 2,
            stake_threshold: 0,
            tao_weight: 971_718_665_099_567_868,
            min_stake: Rao(2_000_000),
            max_mechanisms: 2,
            mechanism_rate_limit: 7200,
            version_key_rate_limit_tempos: 5,
            owner_cut: 11_796,
            max_take: 11_796,
            min_take: 0,
            take_rate_limit: 216_000,
            max_childkey_take: 11_796,
            min_childkey_take: 0,
            childkey_take_rate_limit: 216_000,
            children_cooldown: 7200,
            tx_rate_limit: 1000,
            nominator_min_stake: 0,
            start_call_delay: 0,
            network_immunity_period: 1_296_000,
            commit_reveal_version: 4,
            root_claims_per_block: 5,
            hotkey_swap_interval: 7200,
            coldkey_swap_delay: 36_000,
            coldkey_reannouncement_delay: 7200,
            owner_hotkey_rate_limit: 50_400,
            trimming_rate_limit: 30 * 7200,
            commitment_space: 3100,
            initial_burn: Rao::from_whole(1),
            serve_on_loopback: false,
            author: ONE,
            new_subnet: Hyperparameters::default(),
        }
    }
}

impl Settings {
    /// A development chain's: subnets at once and for little, no waiting between changes, epochs of many
    /// subnets in one block, weights in the clear.
    #[must_use]
    pub fn development() -> Self {
        Self {
            min_lock_cost: Rao::from_whole(1),
            network_rate_limit: 0,
            max_epochs_per_block: 32,
            admin_freeze_window: 0,
            owner_rate_limit_tempos: 0,
            mechanism_rate_limit: 0,
            version_key_rate_limit_tempos: 0,
            take_rate_limit: 0,
            childkey_take_rate_limit: 0,
            children_cooldown: 0,
            tx_rate_limit: 0,
            hotkey_swap_interval: 1,
            coldkey_swap_delay: 50,
            coldkey_reannouncement_delay: 10,
            owner_hotkey_rate_limit: 0,
            trimming_rate_limit: 0,
            new_subnet: Hyperparameters {
                commit_reveal_weights_enabled: false,
                ..Hyperparameters::default()
            },
            ..Self::default()
        }
    }
}

/// Root's own settings, which its few calls read. Source: `pallets/subtensor/src/macros/genesis.rs`.
fn root_hyperparameters() -> Hyperparameters {
    Hyperparameters {
        tempo: 100,
        max_allowed_uids: 64,
        max_allowed_validators: 64,
        min_allowed_weights: 0,
        yuma3_enabled: false,
        ..Hyperparameters::default()
    }
}

/// A subnet that exists from the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GenesisSubnet {
    /// Who owns it.
    pub owner: Coldkey,
    /// The owner's hotkey, its uid 0.
    pub hotkey: Hotkey,
    /// What differs from a new subnet's settings, set as root would, in this order.
    pub settings: Vec<Hyperparameter>,
    /// Whether it emits, and can be staked in, from block 1 on.
    pub is_started: bool,
    /// Who holds the slots from uid 1 on; the owner's hotkey may stand among them for its stake.
    pub neurons: Vec<GenesisNeuron>,
}

impl GenesisSubnet {
    /// A new subnet, not started, with its owner's hotkey alone.
    #[must_use]
    pub fn of(owner: Coldkey, hotkey: Hotkey) -> Self {
        Self { owner, hotkey, settings: Vec::new(), is_started: false, neurons: Vec::new() }
    }
}

impl GenesisSubnet {
    /// Sets the subnet up under `netuid`, the lowest free number.
    fn put_into(&self, ledger: &mut Ledger, netuid: NetUid, lock: Rao) -> Result<(), GenesisError> {
        let claim = |ledger: &mut Ledger, hotkey, coldkey| {
            ledger.claim_hotkey(hotkey, coldkey).map_err(|_| GenesisError::ForeignHotkey(hotkey))
        };
        claim(ledger, self.hotkey, self.owner)?;
        ledger.create_subnet(netuid, self.owner, self.hotkey, lock);
        ledger.put(&BURN, &netuid, &GENESIS_BURN);
        if self.is_started {
            ledger.put(&FIRST_EMISSION_BLOCK, &netuid, &1);
            ledger.put(&SUBTOKEN_ENABLED, &netuid, &true);
            ledger.put(&EMISSION_ENABLED, &netuid, &true);
        }
        let mut seen = BTreeSet::new();
        for GenesisNeuron { coldkey, hotkey, stake } in &self.neurons {
            claim(ledger, *hotkey, *coldkey)?;
            if !seen.insert(*hotkey) {
                return Err(GenesisError::DuplicateHotkey { netuid, hotkey: *hotkey });
            }
            if *hotkey != self.hotkey {
                ledger.append_neuron(netuid, *hotkey);
            }
            ledger.add_alpha(*hotkey, *coldkey, netuid, *stake);
            ledger.update(&SUBNET_ALPHA_OUT, &netuid, |out| *out = out.saturating_add(*stake));
        }
        // No epoch is near at the start, whatever the tempo: nothing is frozen yet.
        let window = std::mem::take(&mut ledger.settings.admin_freeze_window);
        for value in &self.settings {
            let set = ledger.set_hyperparameter(Origin::Root, netuid, *value);
            set.map_err(|error| GenesisError::Hyperparameter { netuid, value: *value, error })?;
        }
        ledger.settings.admin_freeze_window = window;
        let (found, slots) =
            (usize::from(ledger.neurons(netuid)), ledger.hyperparameters(netuid).max_allowed_uids);
        if found > usize::from(slots) { Err(GenesisError::Full { netuid, found, slots }) } else { Ok(()) }
    }
}

/// A neuron of a subnet that exists from the start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GenesisNeuron {
    /// The coldkey that owns the hotkey.
    pub coldkey: Coldkey,
    /// Its hotkey.
    pub hotkey: Hotkey,
    /// What the coldkey has staked with it, which no purchase brought.
    pub stake: AlphaRao,
}

/// The state before the first block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Genesis {
    /// Who holds how much.
    pub accounts: Vec<(AccountId, Rao)>,
    /// The account that may do everything.
    pub sudo: AccountId,
    /// The chain's settings.
    pub settings: Settings,
    /// Whether TAO can be staked on root.
    pub root_staking: bool,
    /// What differs in the chain's settings, set as root would, in this order.
    pub parameters: Vec<ChainParameter>,
    /// Subnets that exist from the start, from number 1 on. Their pools hold the least lock, which no issuance counts, as
    /// the public local network has it.
    pub subnets: Vec<GenesisSubnet>,
    /// The time of block 0.
    pub time: Timestamp,
    /// What the key of the chain's own beacon is made of; without it only pulses that are handed in open anything.
    pub beacon: Option<Digest>,
    /// When the own beacon's first round was; at the chain's genesis where nothing is said.
    pub beacon_start: Option<Timestamp>,
}

/// The registration price of a subnet that the genesis founds. Source: the storage's default on the real chain.
const GENESIS_BURN: Rao = Rao(100_000_000);
/// Milliseconds from one round of the chain's own beacon to the next: as quicknet's.
const BEACON_PERIOD_MS: u32 = 3000;

impl Genesis {
    /// A development chain on which `accounts` hold a million TAO each and the first of them is sudo.
    #[must_use]
    pub fn development(accounts: &[AccountId]) -> Self {
        /// What the public local network gives its development accounts.
        const TAO_EACH: u64 = 1_000_000;
        Self {
            accounts: accounts.iter().map(|account| (*account, Rao::from_whole(TAO_EACH))).collect(),
            sudo: accounts.first().copied().unwrap_or_default(),
            settings: Settings::development(),
            root_staking: true,
            parameters: Vec::new(),
            subnets: Vec::new(),
            time: Timestamp::default(),
            beacon: Some(Digest::of(b"weighhouse devchain 1 beacon")),
            beacon_start: None,
        }
    }

    /// The same with a first subnet that belongs to nobody, as the public local network has it.
    #[must_use]
    pub fn localnet(accounts: &[AccountId]) -> Self {
        let nobody = AccountId::default();
        Self {
            subnets: vec![GenesisSubnet::of(Coldkey(nobody), Hotkey(nobody))],
            ..Self::development(accounts)
        }
    }

    /// What the chain's storage indices have room for, and a new subnet within it.
    fn check(&self) -> Result<(), GenesisError> {
        let in_range = |setting, found, least, most| {
            let fits = (least..=most).contains(&found);
            if fits { Ok(()) } else { Err(GenesisError::Setting { setting, found, least, most }) }
        };
        let Settings { subnet_limit, max_mechanisms, new_subnet, .. } = &self.settings;
        let (most_subnets, most_mechanisms) =
            (usize::from(SUBNETS_PER_MECHANISM) - 1, yuma::mechanisms::MAX_MECHANISMS);
        in_range("subnet limit", usize::from(*subnet_limit), 0, most_subnets)?;
        in_range("number of genesis subnets", self.subnets.len(), 0, most_subnets)?;
        in_range("mechanism limit", usize::from(*max_mechanisms), 1, most_mechanisms)?;
        let count = usize::from(new_subnet.mechanism_count);
        in_range("mechanism count of a new subnet", count, 1, usize::from(*max_mechanisms))
    }

    pub(crate) fn ledger(&self) -> Result<Ledger, GenesisError> {
        self.check()?;
        let mut ledger = Ledger::new(self.settings);
        ledger.put(&SETTINGS, &(), &self.settings);
        ledger.put(&SUDO, &(), &self.sudo);
        ledger.time = self.time;
        if let Some(secret) = self.beacon {
            let genesis = self.beacon_start.unwrap_or(self.time);
            let beacon = BeaconSecret { secret, genesis, period_ms: BEACON_PERIOD_MS };
            ledger.put(&BEACON, &(), &beacon);
        }
        let (mut issuance, mut pools) = (Rao::ZERO, Rao::ZERO);
        for (account, balance) in &self.accounts {
            if ledger.contains(&BALANCE, account) {
                return Err(GenesisError::DuplicateAccount(*account));
            }
            let least = self.settings.existential_deposit;
            if *balance < least {
                let (account, balance) = (*account, *balance);
                return Err(GenesisError::BelowExistentialDeposit { account, balance, least });
            }
            issuance = issuance.checked_add(*balance).map_err(|_| GenesisError::TooMuch)?;
            ledger.put(&BALANCE, account, balance);
        }
        ledger.put(&NETWORKS_ADDED, &NetUid::ROOT, &true);
        ledger.put(&TOTAL_NETWORKS, &(), &1);
        ledger.put(&SUBTOKEN_ENABLED, &NetUid::ROOT, &self.root_staking);
        ledger.put_hyperparameters(NetUid::ROOT, &root_hyperparameters());
        for value in &self.parameters {
            let set = ledger.set_chain_parameter(Origin::Root, *value);
            set.map_err(|error| GenesisError::Parameter { value: *value, error })?;
        }
        for (netuid, subnet) in (1..).map(NetUid).zip(&self.subnets) {
            let lock = ledger.settings.min_lock_cost;
            pools = pools.checked_add(lock).map_err(|_| GenesisError::TooMuch)?;
            subnet.put_into(&mut ledger, netuid, lock)?;
        }
        issuance.checked_add(pools).map_err(|_| GenesisError::TooMuch)?;
        ledger.put(&TOTAL_ISSUANCE, &(), &issuance);
        ledger.put(&GENESIS_POOLS, &(), &pools);
        Ok(ledger)
    }
}
