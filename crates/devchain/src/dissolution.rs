//! The end of a subnet: which one makes room for a new one, who is paid, and that nothing of it stays.
//!
//! The pool's TAO goes to the coldkeys that hold alpha, in proportion to what they hold; the chain's own alpha takes its
//! part, which is recycled with all else that the subnet's account holds. The real chain clears the state over several
//! blocks; here it is gone at once. The lock itself is paid back only to owners of subnets that are older than
//! `NetworkRegistrationStartBlock`: here there are none, for that block is 0.

use std::cmp::Reverse;

use chain::{ModuleError, storage_index};
use primitives::{Coldkey, MechId, NetUid, Rao};
use yuma::mechanisms::MAX_MECHANISMS;

use crate::{
    Event,
    ledger::{Dispatch, Ledger, Origin},
    storage::items::*,
};

/// Subnets registered after this block count their pool's alpha as the chain's own when they are dissolved; those of the
/// genesis are older. Source: `TaoInRefundDeploymentBlock`, 0 where no migration has set it.
const POOL_COUNTS_AFTER_BLOCK: u64 = 0;

/// Part of a pool that a holder gets.
struct Portion {
    coldkey: Coldkey,
    tao: u64,
    /// What rounding down cut off, in parts of the whole.
    rest: u128,
}

impl Ledger {
    /// The subnet that would make room for a new one in `block`: past its immunity, of the lowest moving price, of equals
    /// the oldest. Source: `get_network_to_prune`.
    pub(crate) fn network_to_prune(&self, block: u64) -> Option<NetUid> {
        let candidates = self.subnets().into_iter().filter_map(|netuid| {
            let registered_at = self.read(&NETWORK_REGISTERED_AT, &netuid);
            let immune = block < registered_at.saturating_add(self.settings.network_immunity_period);
            (!immune).then(|| (self.moving_price(netuid), registered_at, netuid))
        });
        candidates
            .min_by_key(|(price, registered_at, _)| (*price, *registered_at))
            .map(|(_, _, netuid)| netuid)
    }

    /// Source: `dissolve_network`, `root_dissolve_network`.
    pub(crate) fn dissolve_network(&mut self, origin: Origin, netuid: NetUid) -> Dispatch {
        origin.ensure_root()?;
        if netuid == NetUid::ROOT {
            return Err(ModuleError::SubnetNotExists);
        }
        self.ensure_subnet(netuid)?;
        self.dissolve(netuid);
        Ok(())
    }

    /// Source: `do_dissolve_network`.
    pub(crate) fn dissolve(&mut self, netuid: NetUid) {
        self.pay_out_pool(netuid);
        self.remove_subnet(netuid);
        self.update(&TOTAL_NETWORKS, &(), |total| *total = total.saturating_sub(1));
        self.emit(Event::NetworkRemoved { netuid });
    }

    /// Source: `destroy_alpha_in_out_stakes` in `staking/remove_stake.rs`. Holders come in the order of their keys, where
    /// the real chain has that of the keys' hashes: it decides who gets a rao that rounding left over.
    fn pay_out_pool(&mut self, netuid: NetUid) {
        let pot = self.read(&SUBNET_TAO, &netuid);
        let mut own = u128::from(self.read(&PROTOCOL_ALPHA, &netuid).0);
        if self.read(&NETWORK_REGISTERED_AT, &netuid) > POOL_COUNTS_AFTER_BLOCK {
            own = own.saturating_add(self.read(&SUBNET_ALPHA_IN, &netuid).0.into());
        }
        let mut paid = Rao::ZERO;
        for Portion { coldkey, tao, .. } in self.portions(netuid, pot, own) {
            let tao = Rao(tao);
            // An account that would stay below the existential deposit gets nothing.
            if self.balance(coldkey.0).saturating_add(tao) >= self.settings.existential_deposit {
                self.deposit(coldkey.0, tao);
                paid = paid.saturating_add(tao);
            }
        }
        let kept = pot.saturating_sub(paid).saturating_add(self.read(&SWAP_FEES, &netuid));
        self.recycle_tao(kept);
        self.update(&TOTAL_STAKE, &(), |total| *total = total.saturating_sub(pot));
    }

    fn portions(&self, netuid: NetUid, pot: Rao, own: u128) -> Vec<Portion> {
        let holders = self.store.scan(&ALPHA, &()).filter(|((_, _, at), _)| *at == netuid);
        let values: Vec<(Coldkey, u128)> = holders
            .map(|((hotkey, coldkey, _), shares)| {
                let worth = self.alpha_of(hotkey, coldkey, netuid).0;
                // Shares that are worth nothing count as so much alpha.
                (coldkey, u128::from(if worth == 0 { shares.whole() } else { worth }))
            })
            .collect();
        let total = values.iter().fold(own, |sum, (_, value)| sum.saturating_add(*value));
        let mut portions: Vec<Portion> = values
            .into_iter()
            .filter(|(_, value)| *value > 0)
            .map(|(coldkey, value)| {
                let product = u128::from(pot.0).saturating_mul(value);
                let tao = u64::try_from(product.checked_div(total).unwrap_or(0)).unwrap_or(u64::MAX);
                Portion { coldkey, tao, rest: product.checked_rem(total).unwrap_or(0) }
            })
            .collect();
        let rests = portions.iter().fold(0u128, |sum, portion| sum.saturating_add(portion.rest));
        let left = usize::try_from(rests.checked_div(total).unwrap_or(0)).unwrap_or(usize::MAX);
        portions.sort_by_key(|portion| Reverse(portion.rest));
        for portion in portions.iter_mut().take(left) {
            portion.tao = portion.tao.saturating_add(1);
        }
        portions
    }

    /// Removes all that is kept under a subnet's number. Source: `remove_network`, `finalize_all_subnet_root_dividends`,
    /// `purge_netuid` of `pallets/commitments`.
    fn remove_subnet(&mut self, netuid: NetUid) {
        for mechanism in 0..MAX_MECHANISMS {
            let mechid = MechId(u8::try_from(mechanism).expect("there are at most 16 mechanisms"));
            self.remove_mechanism(storage_index(netuid, mechid));
        }
        macro_rules! remove {
            (ending $($item:ident)*) => {$( self.store.remove_all(&$item, &(), &netuid); )*};
            ($($item:ident)*) => {$( self.store.remove_all(&$item, &netuid, &()); )*};
        }
        remove! {
            NETWORKS_ADDED HYPERPARAMETERS SUBNET_OWNER SUBNET_OWNER_HOTKEY NETWORK_REGISTERED_AT
            FIRST_EMISSION_BLOCK SUBTOKEN_ENABLED EMISSION_ENABLED SUBNET_LOCKED MECHANISM_SPLIT BURN
            REGISTRATIONS_THIS_BLOCK RAO_RECYCLED OWNER_CHANGED_AT REGISTRATIONS_THIS_INTERVAL SUBNET_MECHANISM
            LAST_EPOCH_BLOCK PENDING_EPOCH_AT EPOCH_INDEX BLOCKS_SINCE_STEP LAST_STEP_BLOCK
            NEURONS UIDS KEYS REGISTERED_AT AXONS PENDING_CHILDREN
            ACTIVE PERMIT CONSENSUS DIVIDENDS TRUST STAKE_WEIGHT EMISSION
            SUBNET_TAO SUBNET_ALPHA_IN SUBNET_ALPHA_OUT SWAP_FEES PROTOCOL_ALPHA MOVING_PRICE ROOT_PROPORTION
            PENDING_SERVER PENDING_VALIDATOR PENDING_ROOT PENDING_OWNER_CUT MINER_BURNED ALPHA_UNASSIGNED
            SUBNET_VOLUME TAO_FLOW TAO_IN_EMISSION ALPHA_IN_EMISSION ALPHA_OUT_EMISSION EXCESS_TAO ROOT_SELL_TAO
            COMMITMENT_OF USED_SPACE TIMELOCKED_COMMITMENTS REVEALED_COMMITMENTS
            ROOT_CLAIMABLE ROOT_CLAIMED ROOT_CLAIM_THRESHOLD
            CERTIFICATES PROMETHEUS SUBNET_IDENTITIES TOKEN_SYMBOL HOTKEY_SWAPPED_AT
            BURNED_STAKE_AT OWNER_HOTKEY_SET_AT EPOCH_CONSENSUS SAVED_VALIDATORS LAST_YUMA_STEP
        }
        remove! { ending
            HOTKEY_ALPHA HOTKEY_SHARES ALPHA CHILD_KEYS PARENT_KEYS CHILDKEY_TAKE CHILDKEY_TAKE_CHANGED_AT
            CHILDREN_CHANGED_AT ROOT_CLAIM_RATE AUTO_STAKE
        }
    }

    fn remove_mechanism(&mut self, index: u16) {
        self.store.remove_all(&INCENTIVE, &index, &());
        self.store.remove_all(&LAST_UPDATE, &index, &());
        self.store.remove_all(&WEIGHTS, &index, &());
        self.store.remove_all(&BONDS, &index, &());
        self.store.remove_all(&WEIGHT_COMMITS, &index, &());
        self.store.remove_all(&TIMELOCKED_COMMITS, &index, &());
    }
}
