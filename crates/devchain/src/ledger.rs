//! The state while a block is being made: the store, the block's number, its events. The rules of each call
//! are methods of this one type, one idea per module.

use chain::{EpochSchedule, Hyperparameters, ModuleError};
use parity_scale_codec::Codec;
use primitives::{AccountId, BlockNumber, Coldkey, Hotkey, NetUid, Rao, Timestamp, Uid};

use crate::{
    Event, Settings,
    storage::{
        Item, KeyParts, Mark, Store,
        items::{
            BALANCE, BLOCKS_SINCE_STEP, EMITTED, EPOCH_INDEX, GENESIS_POOLS, HYPERPARAMETERS,
            LAST_EPOCH_BLOCK, NETWORKS_ADDED, NEURONS, OWNED_HOTKEYS, OWNER, PENDING_EPOCH_AT, SETTINGS,
            SUBNET_OWNER, SUBNET_OWNER_HOTKEY, SUDO, TOTAL_ISSUANCE, UIDS,
        },
    },
};

/// What a call comes to after its guards have let it in.
pub(crate) type Dispatch = Result<(), ModuleError>;

/// On whose behalf a call is carried out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The chain itself: a call inside of one by the sudo account.
    Root,
    /// An account that signed.
    Signed(AccountId),
}

impl Origin {
    /// The account that signed; root is none. Source: `ensure_signed`.
    pub(crate) fn signed(self) -> Result<AccountId, ModuleError> {
        match self {
            Self::Signed(account) => Ok(account),
            Self::Root => Err(ModuleError::BadOrigin),
        }
    }

    /// Source: `ensure_root`.
    pub(crate) fn ensure_root(self) -> Dispatch {
        if self == Self::Root { Ok(()) } else { Err(ModuleError::BadOrigin) }
    }
}

/// The state while a block is being made.
#[derive(Clone, Debug)]
pub(crate) struct Ledger {
    pub(crate) store: Store,
    pub(crate) settings: Settings,
    /// The block being made.
    pub(crate) block: BlockNumber,
    /// Its time.
    pub(crate) time: Timestamp,
    pub(crate) events: Vec<Event>,
}

impl Ledger {
    pub(crate) fn new(settings: Settings) -> Self {
        Self { store: Store::default(), settings, block: 0, time: Timestamp::default(), events: Vec::new() }
    }

    pub(crate) fn get<K: KeyParts, V: Codec>(&self, item: &Item<K, V>, parts: &K) -> Option<V> {
        self.store.get(item, parts)
    }

    /// The value, or the type's default where there is none: as most of the chain's items are read.
    pub(crate) fn read<K: KeyParts, V: Codec + Default>(&self, item: &Item<K, V>, parts: &K) -> V {
        self.store.get(item, parts).unwrap_or_default()
    }

    pub(crate) fn contains<K: KeyParts, V: Codec>(&self, item: &Item<K, V>, parts: &K) -> bool {
        self.store.contains(item, parts)
    }

    pub(crate) fn put<K: KeyParts, V: Codec>(&mut self, item: &Item<K, V>, parts: &K, value: &V) {
        self.store.put(item, parts, value);
    }

    pub(crate) fn remove<K: KeyParts, V: Codec>(&mut self, item: &Item<K, V>, parts: &K) {
        self.store.remove(item, parts);
    }

    /// Writes a value, or removes its entry where it is what the absent one reads as.
    pub(crate) fn put_or_remove<K: KeyParts, V: Codec + Default + PartialEq>(
        &mut self,
        item: &Item<K, V>,
        parts: &K,
        value: &V,
    ) {
        if *value == V::default() { self.remove(item, parts) } else { self.put(item, parts, value) }
    }

    /// Reads, changes and writes back.
    pub(crate) fn update<K, V, R>(
        &mut self,
        item: &Item<K, V>,
        parts: &K,
        change: impl FnOnce(&mut V) -> R,
    ) -> R
    where
        K: KeyParts,
        V: Codec + Default,
    {
        let mut value = self.read(item, parts);
        let result = change(&mut value);
        self.put(item, parts, &value);
        result
    }

    pub(crate) fn emit(&mut self, event: Event) {
        self.events.push(event);
    }

    /// A place to go back to if what follows fails.
    pub(crate) fn mark(&self) -> (Mark, usize) {
        (self.store.mark(), self.events.len())
    }

    pub(crate) fn roll_back(&mut self, (mark, events): (Mark, usize)) {
        self.store.roll_back(mark);
        self.events.truncate(events);
        if let Some(settings) = self.get(&SETTINGS, &()) {
            self.settings = settings;
        }
    }

    /// Changes the chain's settings, in the store and where they are read.
    pub(crate) fn update_settings(&mut self, change: impl FnOnce(&mut Settings)) {
        change(&mut self.settings);
        let settings = self.settings;
        self.put(&SETTINGS, &(), &settings);
    }

    pub(crate) fn subnet_exists(&self, netuid: NetUid) -> bool {
        self.read(&NETWORKS_ADDED, &netuid)
    }

    pub(crate) fn ensure_subnet(&self, netuid: NetUid) -> Dispatch {
        if self.subnet_exists(netuid) { Ok(()) } else { Err(ModuleError::SubnetNotExists) }
    }

    /// All subnets but root, ascending.
    pub(crate) fn subnets(&self) -> Vec<NetUid> {
        let all = self.store.scan(&NETWORKS_ADDED, &());
        all.filter(|(netuid, added)| *added && *netuid != NetUid::ROOT).map(|(netuid, _)| netuid).collect()
    }

    /// The settings of a subnet; where it has none (root, or no subnet at all), those of a new one as the real
    /// chain has them.
    pub(crate) fn hyperparameters(&self, netuid: NetUid) -> Hyperparameters {
        self.read(&HYPERPARAMETERS, &netuid)
    }

    pub(crate) fn schedule(&self, netuid: NetUid, settings: &Hyperparameters) -> EpochSchedule {
        EpochSchedule {
            tempo: settings.tempo,
            last_epoch_block: self.read(&LAST_EPOCH_BLOCK, &netuid),
            pending_epoch_at: self.read(&PENDING_EPOCH_AT, &netuid),
            epoch_index: self.read(&EPOCH_INDEX, &netuid),
            blocks_since_last_step: self.read(&BLOCKS_SINCE_STEP, &netuid),
            reveal_period_epochs: settings.reveal_period_epochs,
        }
    }

    pub(crate) fn neurons(&self, netuid: NetUid) -> u16 {
        self.read(&NEURONS, &netuid)
    }

    pub(crate) fn uid_of(&self, netuid: NetUid, hotkey: Hotkey) -> Option<Uid> {
        self.get(&UIDS, &(netuid, hotkey))
    }

    pub(crate) fn owner_hotkey(&self, netuid: NetUid) -> Option<Hotkey> {
        self.get(&SUBNET_OWNER_HOTKEY, &netuid)
    }

    pub(crate) fn is_sudo(&self, account: AccountId) -> bool {
        self.get(&SUDO, &()) == Some(account)
    }

    pub(crate) fn is_subnet_owner(&self, account: AccountId, netuid: NetUid) -> bool {
        self.get(&SUBNET_OWNER, &netuid) == Some(Coldkey(account))
    }

    /// The account that owns an existing subnet and signed. Source: `ensure_subnet_owner`.
    pub(crate) fn ensure_subnet_owner(
        &self,
        origin: Origin,
        netuid: NetUid,
    ) -> Result<AccountId, ModuleError> {
        let account = origin.signed()?;
        self.ensure_subnet(netuid)?;
        if self.is_subnet_owner(account, netuid) { Ok(account) } else { Err(ModuleError::BadOrigin) }
    }

    /// The subnet's owner where it signed, none for root. Source: `ensure_subnet_owner_or_root`.
    pub(crate) fn ensure_owner_or_root(
        &self,
        origin: Origin,
        netuid: NetUid,
    ) -> Result<Option<AccountId>, ModuleError> {
        match origin {
            Origin::Root => Ok(None),
            Origin::Signed(account) if self.is_subnet_owner(account, netuid) => Ok(Some(account)),
            Origin::Signed(_) => Err(ModuleError::BadOrigin),
        }
    }

    /// The hotkey has an account: it belongs to some coldkey.
    pub(crate) fn ensure_hotkey_account(&self, hotkey: Hotkey) -> Dispatch {
        if self.contains(&OWNER, &hotkey) { Ok(()) } else { Err(ModuleError::HotKeyAccountNotExists) }
    }

    /// Makes `coldkey` the owner of a new hotkey; of a known one it must be the owner already.
    pub(crate) fn claim_hotkey(&mut self, hotkey: Hotkey, coldkey: Coldkey) -> Dispatch {
        match self.get(&OWNER, &hotkey) {
            Some(owner) if owner == coldkey => Ok(()),
            Some(_) => Err(ModuleError::NonAssociatedColdKey),
            None => {
                self.put(&OWNER, &hotkey, &coldkey);
                self.update(&OWNED_HOTKEYS, &coldkey, |hotkeys| hotkeys.push(hotkey));
                self.note_staking_hotkey(coldkey, hotkey);
                Ok(())
            }
        }
    }

    /// The hotkeys of a coldkey, in the order of their creation.
    pub(crate) fn owned_hotkeys(&self, coldkey: Coldkey) -> Vec<Hotkey> {
        self.read(&OWNED_HOTKEYS, &coldkey)
    }

    pub(crate) fn balance(&self, account: AccountId) -> Rao {
        self.read(&BALANCE, &account)
    }

    /// Whether `amount` can leave the account while it stays alive.
    pub(crate) fn can_pay(&self, account: AccountId, amount: Rao) -> bool {
        let kept = self.balance(account).checked_sub(amount);
        kept.is_ok_and(|rest| rest >= self.settings.existential_deposit)
    }

    /// Takes an amount that [`Self::can_pay`] allowed.
    pub(crate) fn pay(&mut self, account: AccountId, amount: Rao) {
        self.update(&BALANCE, &account, |balance| *balance = balance.saturating_sub(amount));
    }

    pub(crate) fn deposit(&mut self, account: AccountId, amount: Rao) {
        self.update(&BALANCE, &account, |balance| *balance = balance.saturating_add(amount));
    }

    /// Takes TAO off the books that has left its holder: it may be emitted again. What the genesis put into pools never
    /// was on them, and goes there last. Source: `recycle_tao`.
    pub(crate) fn recycle_tao(&mut self, amount: Rao) {
        let issuance = self.read(&TOTAL_ISSUANCE, &());
        let issued = amount.min(issuance);
        self.put(&TOTAL_ISSUANCE, &(), &issuance.saturating_sub(issued));
        let unissued = amount.saturating_sub(issued);
        if !unissued.is_zero() {
            self.update(&GENESIS_POOLS, &(), |pools| *pools = pools.saturating_sub(unissued));
        }
        self.update(&EMITTED, &(), |total| *total = total.saturating_sub(amount));
    }

    /// Creates TAO by emission.
    pub(crate) fn mint(&mut self, amount: Rao) {
        self.update(&EMITTED, &(), |total| *total = total.saturating_add(amount));
        self.update(&TOTAL_ISSUANCE, &(), |total| *total = total.saturating_add(amount));
    }
}
